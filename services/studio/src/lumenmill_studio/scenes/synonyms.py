"""List words that are not in the vocabulary: those that mean a word of it, and those that something else stands for.

A synonym is truthful: what is drawn is a thing of that name (a pitcher is a jug). A substitute is not (a castle is no
tower), and is drawn only where the request asks for substitutes.
"""

from lumenmill_studio.scenes.vocabulary import PORTRAIT, ROOM, STILL_LIFE, SUBJECTS

__all__ = [
    "ALSO_PRESENT",
    "COLOR_MATERIALS",
    "MATERIAL_COLORS",
    "MATERIAL_SUBSTITUTES",
    "MATERIAL_SYNONYMS",
    "NATURAL_COLORS",
    "PLACE_COLORS",
    "PLACE_SYNONYMS",
    "SUBSTITUTES",
    "SYNONYMS",
    "all_subjects",
    "plural",
]

# The first word that the kind of scene has is drawn.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "pitcher": ("jug",), "ewer": ("jug",), "chalice": ("goblet",), "flask": ("bottle",), "dish": ("plate",),
    "saucer": ("plate",), "ball": ("sphere",), "orb": ("sphere",), "casket": ("box",), "fruit": ("apple",),
    "squash": ("pumpkin",), "novel": ("book",), "books": ("stack of books",), "pile of books": ("stack of books",),
    "plant": ("potted plant",), "houseplant": ("potted plant",), "twig": ("branch",), "stone": ("pebble", "rock"),
    "stones": ("stacked stones",), "cairn": ("stacked stones",), "cairn of stacked stones": ("stacked stones",),
    "shell": ("seashell",), "sea shell": ("seashell",), "knot": ("torus knot",), "cog": ("gear",),
    "cogwheel": ("gear",), "pawn": ("chess pawn",), "chess piece": ("chess pawn",), "face": ("head",),
    "sculpture": ("abstract sculpture",), "figure": ("statue",), "monument": ("obelisk",), "pillar": ("column",),
    "gazebo": ("pavilion",), "archway": ("arch",), "stairs": ("staircase",), "steps": ("staircase",),
    "stairway": ("staircase",), "seat": ("chair",), "bookcase": ("bookshelf",), "carpet": ("rug",),
    "house": ("cottage",), "teacup": ("cup",), "pedestal": ("plinth",), "vessel": ("vase",),
    "candle holder": ("candlestick",), "candleholder": ("candlestick",), "tankard": ("mug",), "table lamp": ("lamp",),
    "standing lamp": ("floor lamp",), "cypress tree": ("cypress",), "wine bottle": ("bottle",),
}  # fmt: skip

# The nearest thing that is drawn in place of another.
SUBSTITUTES: dict[str, str] = {
    "pot": "jar", "glass": "goblet", "wine glass": "goblet", "tray": "plate", "dice": "cube", "die": "cube",
    "chest": "box", "peach": "apple", "lime": "lemon", "tangerine": "orange", "grape": "plum", "fig": "plum",
    "gourd": "pumpkin", "fern": "potted plant", "flower": "potted plant", "wheel": "gear", "figurine": "bust",
    "woman": "bust", "man": "bust", "person": "bust", "girl": "bust", "boy": "bust", "goddess": "statue",
    "temple": "pavilion", "gate": "arch", "bridge": "arch", "sofa": "armchair", "couch": "armchair", "desk": "table",
    "shelf": "bookshelf", "oak tree": "tree", "pine tree": "cypress", "hut": "cottage", "cabin": "cottage",
    "castle": "tower", "lighthouse": "tower", "ruin": "wall", "spring": "fountain", "coffee pot": "kettle",
    "cap": "bell", "lantern": "lamp", "carafe": "jug", "decanter": "bottle", "tumbler": "cup", "basin": "bowl",
    "globe": "sphere", "brick": "block", "bush": "tree",
}  # fmt: skip

MATERIAL_SYNONYMS = {
    "wood": "oak", "wooden": "oak", "oak wood": "oak", "oaken": "oak", "walnut wood": "walnut", "pine wood": "pine",
    "painted wooden": "painted wood", "marble": "white marble", "stone": "limestone", "glass": "clear glass",
    "metal": "steel", "metallic": "steel", "ceramic": "glazed ceramic", "red ceramic": "red glazed ceramic",
    "blue ceramic": "blue glazed ceramic", "green ceramic": "green glazed ceramic", "earthenware": "terracotta",
    "plastic": "white plastic", "aluminum": "aluminium", "lacquered": "lacquer", "cherry": "cherry wood",
    "patinated bronze": "aged bronze", "glazed": "glazed ceramic", "golden": "gold", "cast iron": "iron",
}  # fmt: skip
MATERIAL_SUBSTITUTES = {
    "titanium": "brushed steel", "pewter": "brushed steel", "zinc": "brushed steel", "tin": "brushed steel",
    "lead": "iron", "chrome": "steel", "chromium": "steel", "platinum": "silver", "crystal": "clear glass",
    "diamond": "clear glass", "ice": "clear glass", "emerald": "green glass", "ruby": "red lacquer",
    "onyx": "black marble", "alabaster": "white marble", "basalt": "slate", "mahogany": "cherry wood",
    "teak": "walnut", "birch": "pine", "maple": "pine", "ash": "oak", "bamboo": "pine", "wicker": "pine",
    "rattan": "pine", "cork": "clay", "cotton": "linen", "silk": "linen", "wool": "velvet", "denim": "linen",
    "fabric": "linen", "cloth": "linen", "suede": "leather", "paper": "plaster", "cardboard": "clay",
    "chalk": "plaster", "ivory": "porcelain", "bone": "porcelain", "straw": "pine", "chocolate": "walnut",
}  # fmt: skip

# Colours that a material gives to any thing, and those that things have by nature.
COLOR_MATERIALS = {
    "red": "red glazed ceramic", "blue": "blue glazed ceramic", "green": "green glazed ceramic",
    "white": "white ceramic", "black": "black lacquer", "yellow": "", "orange": "", "purple": "", "pink": "",
    "violet": "", "turquoise": "", "teal": "", "magenta": "", "brown": "", "grey": "", "gray": "", "beige": "",
    "crimson": "", "scarlet": "", "navy": "", "cyan": "", "ochre": "", "maroon": "", "indigo": "", "lilac": "",
}  # fmt: skip
NATURAL_COLORS = {
    "apple": ("red",), "pear": ("green", "yellow"), "lemon": ("yellow",), "orange": ("orange",), "plum": ("purple",),
    "pomegranate": ("red",), "pumpkin": ("orange",), "egg": ("brown", "beige"), "potted plant": ("green",),
    "tree": ("green",), "cypress": ("green",), "rock": ("grey", "gray", "brown"),
    "boulder": ("grey", "gray", "brown"), "pebble": ("grey", "gray"), "stacked stones": ("grey", "gray"),
    "rug": ("red",), "book": ("blue",), "stack of books": ("green",),
}  # fmt: skip

MATERIAL_COLORS = {
    "porcelain": ("white",), "plaster": ("white",), "white plastic": ("white",),
    "terracotta": ("orange", "red", "brown"), "iron": ("black", "grey", "gray"), "ebony": ("black",),
    "jade": ("green",), "walnut": ("brown",), "leather": ("brown",), "velvet": ("blue", "navy"), "linen": ("beige",),
    "slate": ("grey", "gray", "black"), "granite": ("grey", "gray"), "concrete": ("grey", "gray"),
    "rubber": ("black",), "wax": ("beige", "yellow"), "lacquer": ("red",), "clay": ("brown",),
    "limestone": ("beige",), "sandstone": ("beige", "ochre"), "oak": ("brown",), "cherry wood": ("brown", "red"),
    "steel": ("grey", "gray"), "brushed steel": ("grey", "gray"), "glazed ceramic": ("brown",),
    "painted wood": ("teal", "turquoise"), "aged bronze": ("brown", "green"),
}  # fmt: skip

# Words of a place, and words of the vocabulary's places that they may stand for.
PLACE_SYNONYMS: dict[str, tuple[str, ...]] = {
    "wooden": ("oak", "walnut", "pine"), "wood": ("oak", "walnut", "pine"), "tabletop": ("table",),
    "stone": ("slate", "sandstone"), "grass": ("lawn",), "snow": ("snowy",), "sand": ("desert",),
    "background": ("backdrop",), "gray": ("grey",), "black": ("dark",), "yard": ("courtyard",), "plaza": ("square",),
    "patio": ("terrace",), "field": ("meadow",), "seaside": ("beach",), "shore": ("beach",), "tiles": ("tiled",),
    "interior": ("room",), "countertop": ("counter",), "tablecloth": ("cloth",), "ledges": ("ledge",),
    "park": ("lawn",), "plastered": ("plaster",),
}  # fmt: skip

# Colours that places have by nature.
PLACE_COLORS = {"meadow": ("green",), "lawn": ("green",), "garden": ("green",), "field": ("green",)}

# What every set of a kind has besides its name.
ALSO_PRESENT = {
    ROOM: ("window", "wall", "floor", "room"),
    STILL_LIFE: ("wall",),
    PORTRAIT: ("backdrop", "studio"),
}

_PLURALS = {
    "stack of books": "stacks of books",
    "pile of books": "piles of books",
    "stacked stones": "cairns of stacked stones",
    "bookshelf": "bookshelves",
    "shelf": "shelves",
    "die": "dice",
    "woman": "women",
    "man": "men",
    "person": "people",
}


def plural(noun: str) -> str:
    """Return the plural of a noun."""
    if noun in _PLURALS:
        return _PLURALS[noun]
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{noun}es"
    return f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{noun}s"


def all_subjects() -> tuple[str, ...]:
    """Return the subjects of all kinds, each once."""
    return tuple(dict.fromkeys(name for names in SUBJECTS.values() for name in names))
