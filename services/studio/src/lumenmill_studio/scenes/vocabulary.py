"""List the words that scenes are made of: kinds, subjects, places and materials."""

from lumenmill.common.v1.scene_pb2 import SceneKind

STILL_LIFE, ROOM, PORTRAIT, OUTDOOR = "still life", "room", "portrait", "outdoor"
KINDS = {
    SceneKind.SCENE_KIND_STILL_LIFE: STILL_LIFE,
    SceneKind.SCENE_KIND_ROOM: ROOM,
    SceneKind.SCENE_KIND_PORTRAIT: PORTRAIT,
    SceneKind.SCENE_KIND_OUTDOOR: OUTDOOR,
}

VESSELS = (
    "vase", "bowl", "bottle", "cup", "mug", "jug", "kettle", "teapot", "plate", "goblet", "urn", "jar", "mortar",
    "candlestick", "bell", "chess pawn", "spinning top", "lamp", "amphora",
)  # fmt: skip
SOLIDS = (
    "sphere", "cube", "cone", "cylinder", "torus knot", "gear", "ring", "egg", "seashell", "stacked stones", "box",
    "block", "bust", "obelisk",
)  # fmt: skip
THINGS = (
    "apple", "pear", "lemon", "orange", "plum", "pomegranate", "pumpkin", "book", "stack of books", "potted plant",
    "branch", "candle", "pebble",
)  # fmt: skip
SUBJECTS: dict[str, tuple[str, ...]] = {
    STILL_LIFE: VESSELS + SOLIDS + THINGS,
    ROOM: (
        "chair", "armchair", "stool", "table", "bench", "bookshelf", "floor lamp", "staircase", "arch", "column",
        "plinth", "rug", "painting", "ladder", "vase", "potted plant", "stack of books", "bust", "statue", "bowl",
        "urn", "torus knot", "sphere",
    ),
    PORTRAIT: (
        "bust", "statue", "head", "torus knot", "seashell", "gear", "vase", "urn", "amphora", "teapot", "chess pawn",
        "obelisk", "stacked stones", "bell", "abstract sculpture", "column",
    ),
    OUTDOOR: (
        "arch", "colonnade", "column", "obelisk", "statue", "bust", "urn", "fountain", "staircase", "bench", "wall",
        "well", "pavilion", "tree", "cypress", "rock", "boulder", "stacked stones", "torus knot",
        "abstract sculpture", "cottage", "tower",
    ),
}  # fmt: skip
PLACES: dict[str, tuple[str, ...]] = {
    STILL_LIFE: (
        "on an oak table", "on a walnut table", "on a pine table", "on a slate table", "on a white marble slab",
        "on a green marble slab", "on a black marble slab", "on a concrete ledge", "on a tiled counter",
        "on a linen cloth", "on a terracotta tiled floor", "on a sandstone ledge", "on a painted wooden shelf",
        "on a dark lacquer tray", "on an oak table by a window", "on a linen cloth by a window",
    ),
    ROOM: (
        "in a white plaster room", "in a warm plaster room", "in a blue room", "in a green room", "in a brick loft",
        "in a concrete gallery", "in a panelled study", "in a tiled kitchen", "in a stone hall", "in an attic",
    ),
    PORTRAIT: (
        "before a grey backdrop", "before a dark backdrop", "before a white backdrop", "before an ochre backdrop",
        "before a blue backdrop", "before a green backdrop", "before a red backdrop", "on a plinth in a gallery",
        "in a niche",
    ),
    OUTDOOR: (
        "in a courtyard", "on a lawn", "in a meadow", "in a desert", "on a stone terrace", "in a walled garden",
        "among ruins", "on a snowy field", "on a beach", "on a rocky plain", "in a paved square",
    ),
}  # fmt: skip

NEUTRAL = {STILL_LIFE: "sphere", ROOM: "plinth", PORTRAIT: "abstract sculpture", OUTDOOR: "rock"}
# The most subjects of a scene, and of some subjects, which have one or two spots in a room.
MOST_SUBJECTS = {STILL_LIFE: 9, ROOM: 6, PORTRAIT: 1, OUTDOOR: 6}
MOST_IN_ROOM = {"painting": 2, "rug": 1}

MATERIAL_WORDS = (
    "copper", "brass", "bronze", "gold", "silver", "steel", "brushed steel", "iron", "aged bronze", "aluminium",
    "porcelain", "white ceramic", "glazed ceramic", "blue glazed ceramic", "green glazed ceramic",
    "red glazed ceramic", "terracotta", "stoneware", "clay", "white marble", "green marble", "black marble",
    "granite", "slate", "sandstone", "limestone", "travertine", "concrete", "plaster", "oak", "walnut", "pine",
    "ebony", "cherry wood", "painted wood", "clear glass", "green glass", "amber glass", "leather", "linen", "velvet",
    "rubber", "wax", "lacquer", "black lacquer", "red lacquer", "white plastic", "jade",
)  # fmt: skip

GLASS_MATERIALS = ("clear glass", "green glass", "amber glass")
GLASS_SHAPES = ("vase", "bowl", "bottle", "jug", "goblet", "jar", "sphere")
SOFT_MATERIALS = ("leather", "linen", "velvet")
TURNED_MATERIALS = (
    "copper", "brass", "bronze", "porcelain", "white ceramic", "glazed ceramic", "blue glazed ceramic",
    "green glazed ceramic", "red glazed ceramic", "terracotta", "stoneware", "white marble", "black lacquer", "pine",
    "steel", "walnut",
)  # fmt: skip
FURNITURE_MATERIALS = ("oak", "walnut", "pine", "cherry wood", "painted wood", "ebony")
BUILDING_MATERIALS = ("sandstone", "limestone", "white marble", "travertine", "granite", "concrete")
SCULPTURE_MATERIALS = (
    "white marble", "bronze", "aged bronze", "plaster", "green marble", "black marble", "terracotta", "limestone",
    "jade", "copper",
)  # fmt: skip
FURNITURE = {"chair", "stool", "table", "bench", "bookshelf", "ladder", "painting", "plinth"}
BUILDINGS = {
    "arch", "colonnade", "column", "fountain", "staircase", "wall", "well", "pavilion", "tower", "cottage", "obelisk",
}  # fmt: skip
SCULPTURES = {"bust", "statue", "head", "abstract sculpture", "torus knot"}
