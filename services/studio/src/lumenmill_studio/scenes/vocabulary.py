"""The words that scenes are made from, and how free text is read into them."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from lumenmill.common.v1.scene_pb2 import SceneDescription, SceneKind

from lumenmill_studio.scenes.materials import MATERIALS, NATURAL

Rng = np.random.Generator

STILL_LIFE, ROOM, PORTRAIT, OUTDOOR = "still life", "room", "portrait", "outdoor"
KINDS = {
    SceneKind.SCENE_KIND_STILL_LIFE: STILL_LIFE,
    SceneKind.SCENE_KIND_ROOM: ROOM,
    SceneKind.SCENE_KIND_PORTRAIT: PORTRAIT,
    SceneKind.SCENE_KIND_OUTDOOR: OUTDOOR,
}

VESSELS = ("vase", "bowl", "bottle", "cup", "mug", "jug", "kettle", "teapot", "plate", "goblet", "urn", "jar", "mortar",
           "candlestick", "bell", "chess pawn", "spinning top", "lamp", "amphora")  # fmt: skip
SOLIDS = ("sphere", "cube", "cone", "cylinder", "torus knot", "gear", "ring", "egg", "seashell", "stacked stones",
    "box",
          "block", "bust", "obelisk")  # fmt: skip
THINGS = ("apple", "pear", "lemon", "orange", "plum", "pomegranate", "pumpkin", "book", "stack of books",
    "potted plant",
          "branch", "candle", "pebble")  # fmt: skip
SUBJECTS: dict[str, tuple[str, ...]] = {
    STILL_LIFE: VESSELS + SOLIDS + THINGS,
    ROOM: ("chair", "armchair", "stool", "table", "bench", "bookshelf", "floor lamp", "staircase", "arch", "column",
        "plinth",
           "rug", "painting", "ladder", "vase", "potted plant", "stack of books", "bust", "statue", "bowl", "urn",
               "torus knot",
           "sphere"),
    PORTRAIT: ("bust", "statue", "head", "torus knot", "seashell", "gear", "vase", "urn", "amphora", "teapot",
        "chess pawn",
               "obelisk", "stacked stones", "bell", "abstract sculpture", "column"),
    OUTDOOR: ("arch", "colonnade", "column", "obelisk", "statue", "bust", "urn", "fountain", "staircase", "bench",
        "wall", "well",
              "pavilion", "tree", "cypress", "rock", "boulder", "stacked stones", "torus knot", "abstract sculpture",
                  "cottage",
              "tower"),
}  # fmt: skip
PLACES: dict[str, tuple[str, ...]] = {
    STILL_LIFE: ("on an oak table", "on a walnut table", "on a pine table", "on a slate table",
        "on a white marble slab",
                 "on a green marble slab", "on a black marble slab", "on a concrete ledge", "on a tiled counter",
                     "on a linen cloth",
                 "on a terracotta tiled floor", "on a sandstone ledge", "on a painted wooden shelf",
                     "on a dark lacquer tray",
                 "on an oak table by a window", "on a linen cloth by a window"),
    ROOM: ("in a white plaster room", "in a warm plaster room", "in a blue room", "in a green room", "in a brick loft",
           "in a concrete gallery", "in a panelled study", "in a tiled kitchen", "in a stone hall", "in an attic"),
    PORTRAIT: ("before a grey backdrop", "before a dark backdrop", "before a white backdrop",
        "before an ochre backdrop",
               "before a blue backdrop", "before a green backdrop", "before a red backdrop",
                   "on a plinth in a gallery", "in a niche"),
    OUTDOOR: ("in a courtyard", "on a lawn", "in a meadow", "in a desert", "on a stone terrace",
        "in a walled garden", "among ruins",
              "on a snowy field", "on a beach", "on a rocky plain", "in a paved square"),
}  # fmt: skip

# Words that are not built themselves and the nearest thing that is.
_NEAREST = {
    "pot": "jar", "pitcher": "jug", "ewer": "jug", "glass": "goblet", "wine glass": "goblet", "chalice": "goblet",
        "flask": "bottle",
    "dish": "plate", "tray": "plate", "saucer": "plate", "ball": "sphere", "orb": "sphere", "dice": "cube",
        "casket": "box", "chest": "box",
    "fruit": "apple", "peach": "apple", "lime": "lemon", "tangerine": "orange", "grape": "plum", "fig": "plum",
        "squash": "pumpkin",
    "gourd": "pumpkin", "novel": "book", "books": "stack of books", "plant": "potted plant", "fern": "potted plant",
        "flower": "potted plant",
    "twig": "branch", "stone": "pebble", "stones": "stacked stones", "cairn": "stacked stones", "shell": "seashell",
        "knot": "torus knot",
    "cog": "gear", "wheel": "gear", "pawn": "chess pawn", "chess piece": "chess pawn", "figurine": "bust",
        "portrait": "bust", "face": "head",
    "sculpture": "abstract sculpture", "figure": "statue", "goddess": "statue", "monument": "obelisk",
        "pillar": "column",
    "columns": "colonnade", "temple": "pavilion", "gazebo": "pavilion", "gate": "arch", "archway": "arch",
        "bridge": "arch", "stairs": "staircase",
    "steps": "staircase", "sofa": "armchair", "couch": "armchair", "seat": "chair", "desk": "table",
        "bookcase": "bookshelf", "shelf": "bookshelf",
    "carpet": "rug", "picture": "painting", "oak tree": "tree", "pine tree": "cypress", "rocks": "rock",
        "house": "cottage",
    "hut": "cottage", "cabin": "cottage", "castle": "tower", "lighthouse": "tower", "ruin": "wall",
        "spring": "fountain", "teacup": "cup",
    "pedestal": "plinth", "coffee pot": "kettle", "cap": "bell", "top": "spinning top",
}  # fmt: skip
_NEUTRAL = {STILL_LIFE: "sphere", ROOM: "plinth", PORTRAIT: "abstract sculpture", OUTDOOR: "rock"}
_NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "pair": 2, "several": 3, "few": 3}

_GLASS = ("clear glass", "green glass", "amber glass")
_GLASS_SHAPES = ("vase", "bowl", "bottle", "jug", "goblet", "jar", "sphere")
_SOFT = ("leather", "linen", "velvet")
_TURNED_CHOICE = ("copper", "brass", "bronze", "porcelain", "white ceramic", "glazed ceramic", "blue glazed ceramic",
    "green glazed ceramic",
                  "red glazed ceramic", "terracotta", "stoneware", "white marble", "black lacquer", "pine", "steel",
                      "walnut")  # fmt: skip
_FURNITURE_CHOICE = ("oak", "walnut", "pine", "cherry wood", "painted wood", "ebony")
_BUILDING_CHOICE = ("sandstone", "limestone", "white marble", "travertine", "granite", "concrete")
_SCULPTURE_CHOICE = (
    "white marble",
    "bronze",
    "aged bronze",
    "plaster",
    "green marble",
    "black marble",
    "terracotta",
    "limestone",
    "jade",
    "copper",
)
_FURNITURE = {"chair", "stool", "table", "bench", "bookshelf", "ladder", "painting", "plinth"}
_BUILDINGS = {
    "arch",
    "colonnade",
    "column",
    "fountain",
    "staircase",
    "wall",
    "well",
    "pavilion",
    "tower",
    "cottage",
    "obelisk",
}
_SCULPTURES = {"bust", "statue", "head", "abstract sculpture", "torus knot"}


@dataclass(frozen=True)
class Wanted:
    """What a scene shall show, in studio's own words: (subject, material) pairs, kind and place."""

    kind: str
    items: tuple[tuple[str, str], ...]
    place: str


def read_description(scene: SceneDescription, prompt: str, rng: Rng) -> Wanted:
    """What the description, or where it leaves things open the prompt, or where that does too the seed, asks for."""
    text = f"{scene.description} {prompt if not scene.description else ''}".lower()
    kind = (
        KINDS.get(scene.kind)
        or _kind_of(text, [word.lower() for word in scene.subjects], scene.place.lower())
        or _choice(rng, list(KINDS.values()))
    )
    named = [(subject_for(word, kind), "") for word in scene.subjects] or _items_in(text, kind)
    items = [
        (
            subject,
            _material_for(scene.materials[index] if index < len(scene.materials) else material, subject, kind, rng),
        )
        for index, (subject, material) in enumerate(named)
    ]
    if not items:
        items = _free_choice(kind, rng)
    limit = {PORTRAIT: 1, STILL_LIFE: 9}.get(kind, 6)
    place = place_for(scene.place or text, kind) or _choice(rng, PLACES[kind])
    return Wanted(kind, tuple(items[:limit]), place)


def subject_for(word: str, kind: str) -> str:
    """The subject of ``kind`` nearest to a word; a neutral object when nothing is near."""
    word = word.strip().lower()
    for candidate in (word, _singular(word)):
        if candidate in SUBJECTS[kind]:
            return candidate
        near = _NEAREST.get(candidate, "")
        if near in SUBJECTS[kind]:
            return near
    inside = [subject for subject, _ in _items_in(word, kind)]
    if inside:
        return inside[0]
    close = difflib.get_close_matches(word, SUBJECTS[kind], 1, 0.75)
    if close:
        return close[0]
    elsewhere = next(
        (name for name in (word, _singular(word)) if any(name in names for names in SUBJECTS.values())), ""
    )
    return elsewhere or _NEUTRAL[kind]


def place_for(text: str, kind: str) -> str:
    """The place of ``kind`` whose words the text has most of; empty when it has none of them."""
    words = set(re.findall(r"[a-z]+", text.lower()))
    skip = {"a", "an", "on", "in", "by", "before", "the", "among"}

    def score(place: str) -> tuple[float, float]:
        own = set(place.split()) - skip
        return len(own & words) / len(own), len(own & words)

    best = max(PLACES[kind], key=score)
    return best if score(best)[0] >= 0.5 else ""


def _kind_of(text: str, subjects: list[str], place: str) -> str:
    for kind, places in PLACES.items():
        if any(candidate in place or candidate in text for candidate in places):
            return kind
    hints = {ROOM: ("room", "interior", "loft", "study", "kitchen"), OUTDOOR: ("outdoor", "landscape", "garden",
        "field", "outside"),
             PORTRAIT: ("portrait", "backdrop", "close-up")}  # fmt: skip
    for kind, words in hints.items():
        if any(re.search(rf"\b{word}\b", text) for word in words):
            return kind
    found = subjects or [subject for subject, _ in _items_in(text, None)]
    if not found:
        return ""
    order = (STILL_LIFE, ROOM, OUTDOOR, PORTRAIT) if len(found) > 1 else (STILL_LIFE, PORTRAIT, ROOM, OUTDOOR)
    return max(
        order, key=lambda kind: sum(word in SUBJECTS[kind] or _singular(word) in SUBJECTS[kind] for word in found)
    )


_PLACE_PHRASE = re.compile(
    "|".join(re.escape(place) for places in PLACES.values() for place in sorted(places, key=len, reverse=True))
    + r"|\b(?:on|in|by|before|among|against) (?:an? )?(?:[a-z]+ ){0,3}?"
    + r"(?:table|slab|ledge|counter|cloth|floor|shelf|tray|terrace|hall|window|ruins|backdrop)\b"
)


def _items_in(text: str, kind: str | None) -> list[tuple[str, str]]:
    names = SUBJECTS[kind] if kind else tuple(dict.fromkeys(name for group in SUBJECTS.values() for name in group))
    known = {**{near: target for near, target in _NEAREST.items() if target in names}, **{name: name for name in names}}
    words = sorted(known, key=len, reverse=True)
    pattern = re.compile(
        rf"\b(?:({'|'.join(_NUMBERS)}) (?:of )?)?((?:[a-z-]+ ){{0,3}}?)({'|'.join(map(re.escape, words))})(?:es|s)?\b"
    )
    text = _PLACE_PHRASE.sub(" . ", text.lower())
    found: list[tuple[str, str]] = []
    for match in pattern.finditer(text):
        adjectives = match.group(2).strip()
        number = next((_NUMBERS[word] for word in [match.group(1), *adjectives.split()] if word in _NUMBERS), 1)
        material = next((name for name in sorted(MATERIALS, key=len, reverse=True) if name in adjectives), "")
        found.extend([(known[match.group(3)], material)] * number)
    return found


def _material_for(word: str, subject: str, kind: str, rng: Rng) -> str:
    word = word.strip().lower()
    if word == "natural" or (not word and subject in NATURAL):
        return NATURAL.get(subject, "") or _chosen_material(subject, kind, rng)
    if not word:
        return _chosen_material(subject, kind, rng)
    if word in MATERIALS:
        return word if word not in _GLASS or subject in _GLASS_SHAPES else "jade"
    inside = [
        name for name in sorted(MATERIALS, key=len, reverse=True) if name in word or (len(word) > 3 and word in name)
    ]
    close = inside or difflib.get_close_matches(word, list(MATERIALS), 1, 0.6)
    return close[0] if close else _chosen_material(subject, kind, rng)


def _chosen_material(subject: str, kind: str, rng: Rng) -> str:
    if subject == "armchair":
        return _choice(rng, _SOFT)
    if subject in _FURNITURE:
        return _choice(rng, _FURNITURE_CHOICE)
    if subject in _BUILDINGS and kind != STILL_LIFE:
        return _choice(rng, _BUILDING_CHOICE)
    if subject in _SCULPTURES or kind == PORTRAIT:
        return _choice(rng, _SCULPTURE_CHOICE)
    if subject in _GLASS_SHAPES and rng.random() < 0.07:
        return _choice(rng, _GLASS)
    return _choice(rng, _TURNED_CHOICE)


def _free_choice(kind: str, rng: Rng) -> list[tuple[str, str]]:
    def one(names: Iterable[str]) -> str:
        return _choice(rng, tuple(names))

    if kind == STILL_LIFE:
        fruit = one(("lemon", "apple", "pear", "orange", "plum", "pomegranate"))
        names = [
            one(("vase", "jug", "kettle", "teapot", "bottle", "amphora", "potted plant", "candlestick")),
            one(("bowl", "cup", "mug", "goblet", "mortar", "jar", "stack of books", "seashell")),
            *[fruit] * int(rng.integers(1, 4)),
        ]
    elif kind == ROOM:
        names = [
            one(("armchair", "table", "chair", "staircase", "plinth")),
            one(("potted plant", "floor lamp", "stool", "bookshelf")),
            one(("rug", "painting")),
        ]
    elif kind == PORTRAIT:
        names = [one(("bust", "head", "statue", "abstract sculpture", "torus knot", "urn"))]
    else:
        names = [
            one(("arch", "statue", "fountain", "pavilion", "cottage", "tower", "colonnade", "well")),
            one(("tree", "cypress", "rock")),
        ]
    return [(name, _material_for("", name, kind, rng)) for name in names]


def _singular(word: str) -> str:
    if word.endswith("ches") or word.endswith("sses"):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _choice(rng: Rng, names: Iterable[str]) -> str:
    options = tuple(names)
    return options[int(rng.integers(len(options)))]
