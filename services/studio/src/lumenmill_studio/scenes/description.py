"""Read scene descriptions and free text into the words that studio builds."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from lumenmill.common.v1.scene_pb2 import SceneDescription
from lumenmill_studio.scenes.materials import MATERIALS, NATURAL
from lumenmill_studio.scenes.vocabulary import (
    BUILDING_MATERIALS,
    BUILDINGS,
    FURNITURE,
    FURNITURE_MATERIALS,
    GLASS_MATERIALS,
    GLASS_SHAPES,
    KINDS,
    NEAREST,
    NEUTRAL,
    NUMBERS,
    OUTDOOR,
    PLACES,
    PORTRAIT,
    ROOM,
    SCULPTURE_MATERIALS,
    SCULPTURES,
    SOFT_MATERIALS,
    STILL_LIFE,
    SUBJECTS,
    TURNED_MATERIALS,
)

__all__ = ["SceneRequest", "place_for", "read_description", "subject_for"]

Rng = np.random.Generator


@dataclass(frozen=True)
class SceneRequest:
    """What a scene is to show, in the words of the vocabulary: kind, (subject, material) pairs, and place."""

    kind: str
    items: tuple[tuple[str, str], ...]
    place: str


def read_description(scene: SceneDescription, prompt: str, rng: Rng) -> SceneRequest:
    """Return what is requested: by the description, else by the prompt, else by choice of the generator.

    The prompt counts where the description has no text.
    """
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
    if kind == ROOM and all(subject in ("painting", "rug") for subject, _ in items):
        # Nothing of this stands in the room, and the camera frames what does.
        items.insert(0, _free_choice(kind, rng)[0])
    limit = {PORTRAIT: 1, STILL_LIFE: 9}.get(kind, 6)
    place = place_for(scene.place or text, kind) or _choice(rng, PLACES[kind])
    return SceneRequest(kind, tuple(items[:limit]), place)


def subject_for(word: str, kind: str) -> str:
    """Return the subject of a kind of scene that is nearest to a word; a neutral object if none is near."""
    word = word.strip().lower()
    for candidate in (word, _singular(word)):
        if candidate in SUBJECTS[kind]:
            return candidate
        near = NEAREST.get(candidate, "")
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
    return elsewhere or NEUTRAL[kind]


def place_for(text: str, kind: str) -> str:
    """Return the place of a kind of scene with most of its words in the text; empty if less than half of them are."""
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
    known = {**{near: target for near, target in NEAREST.items() if target in names}, **{name: name for name in names}}
    words = sorted(known, key=len, reverse=True)
    pattern = re.compile(
        rf"\b(?:({'|'.join(NUMBERS)}) (?:of )?)?((?:[a-z-]+ ){{0,3}}?)({'|'.join(map(re.escape, words))})(?:es|s)?\b"
    )
    text = _PLACE_PHRASE.sub(" . ", text.lower())
    found: list[tuple[str, str]] = []
    for match in pattern.finditer(text):
        adjectives = match.group(2).strip()
        number = next((NUMBERS[word] for word in [match.group(1), *adjectives.split()] if word in NUMBERS), 1)
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
        return word if word not in GLASS_MATERIALS or subject in GLASS_SHAPES else "jade"
    inside = [
        name for name in sorted(MATERIALS, key=len, reverse=True) if name in word or (len(word) > 3 and word in name)
    ]
    close = inside or difflib.get_close_matches(word, list(MATERIALS), 1, 0.6)
    return close[0] if close else _chosen_material(subject, kind, rng)


def _chosen_material(subject: str, kind: str, rng: Rng) -> str:
    if subject == "armchair":
        return _choice(rng, SOFT_MATERIALS)
    if subject in FURNITURE:
        return _choice(rng, FURNITURE_MATERIALS)
    if subject in BUILDINGS and kind != STILL_LIFE:
        return _choice(rng, BUILDING_MATERIALS)
    if subject in SCULPTURES or kind == PORTRAIT:
        return _choice(rng, SCULPTURE_MATERIALS)
    if subject in GLASS_SHAPES and rng.random() < 0.07:
        return _choice(rng, GLASS_MATERIALS)
    return _choice(rng, TURNED_MATERIALS)


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
