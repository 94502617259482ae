"""Read scene descriptions and free text into the words that studio builds."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from lumenmill.common.v1.scene_pb2 import SceneDescription
from lumenmill_studio.scenes.choices import Rng, choice, chosen_material, chosen_things
from lumenmill_studio.scenes.materials import NATURAL
from lumenmill_studio.scenes.naming import (
    Named,
    is_place,
    known_words,
    material_named,
    place_named,
    subject_named,
    substitute_for,
)
from lumenmill_studio.scenes.other_words import IGNORED_HEADS
from lumenmill_studio.scenes.phrases import NounPhrase, noun_phrases, without_light
from lumenmill_studio.scenes.synonyms import COLOR_MATERIALS, MATERIAL_SUBSTITUTES, MATERIAL_SYNONYMS, SUBSTITUTES
from lumenmill_studio.scenes.unknown import UnknownWords, nearest
from lumenmill_studio.scenes.vocabulary import (
    KINDS,
    MATERIAL_WORDS,
    MOST_IN_ROOM,
    MOST_SUBJECTS,
    NEUTRAL,
    OUTDOOR,
    PLACES,
    PORTRAIT,
    ROOM,
    STILL_LIFE,
    SUBJECTS,
)

__all__ = ["SceneRequest", "read_description"]

_MATERIAL_PREPOSITIONS = frozenset({"of", "in", "from"})


@dataclass(frozen=True)
class SceneRequest:
    """What a scene is to show, in the words of the vocabulary: kind, (subject, material) pairs, and place.

    ``own[i]`` names the operator's mesh that replaces ``items[i]``, or is empty. ``substitutions`` are words of the
    request that cannot be drawn, each with what is drawn instead.
    """

    kind: str
    items: tuple[tuple[str, str], ...]
    place: str
    own: tuple[str, ...]
    substitutions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class _Thing:
    subject: str
    material: str = ""
    own: str = ""


class _Reader:
    """Reads the texts of one request for a kind of scene; what cannot be drawn is collected."""

    def __init__(self, kind: str, own: Collection[str]) -> None:
        self.kind, self.own, self.unknown = kind, own, UnknownWords()
        self._not_drawn: list[NounPhrase] = []

    def things(self, phrases: Sequence[NounPhrase], field: str) -> list[_Thing]:
        """Return the things that phrases name, each as often as it is there."""
        things: list[_Thing] = []
        for phrase in phrases:
            if things and _is_material_of_last(phrase):
                things[-1] = replace(things[-1], material=self._material(phrase.words, things[-1].subject, field))
            elif not is_place(phrase, self.kind) and phrase.head not in IGNORED_HEADS:
                things += self._thing(phrase, field)
        return things

    def _thing(self, phrase: NounPhrase, field: str, otherwise: str = "") -> list[_Thing]:
        """Return the things that a phrase names; ``otherwise`` is drawn where nothing is near, empty for nothing."""
        named = subject_named(phrase.head, self.kind, phrase.number, self.own)
        if named is None:
            built = substitute_for(phrase.head, self.kind) or otherwise
            self._add_unknown_subject(field, phrase.head, built)
            if not built:
                self._not_drawn.append(phrase)
                return []
            named = Named(built)
        return self._named_thing(named, phrase, field)

    def _named_thing(self, named: Named, phrase: NounPhrase, field: str) -> list[_Thing]:
        """Return a thing in the material of a phrase, as often as the phrase says."""
        material = self._material(phrase.words[:-1], named.subject, field)
        number = phrase.number or (2 if named.is_plural else 1)
        return [_Thing(named.subject, material, named.own)] * number

    def nearest_things(self, field: str) -> list[_Thing]:
        """Return what is drawn where nothing that is named can be: the nearest to the first word, if there is any.

        It is the first one that the refusal of the request would name.
        """
        if not self._not_drawn:
            return []
        phrase = self._not_drawn[0]
        built = nearest(phrase.head, [*SUBJECTS[self.kind], *self.own])[0]
        self.unknown.use_instead(built)
        named = subject_named(built, self.kind, 1, self.own) or Named(built)
        return self._named_thing(named, phrase, field)

    def _material(self, words: Sequence[str], subject: str, field: str) -> str:
        return material_named(words, subject, self.unknown, field)

    def _add_unknown_subject(self, field: str, word: str, built: str) -> None:
        self.unknown.add(field, word, nearest(word, [*SUBJECTS[self.kind], *self.own], built), built)

    def thing_fields(self, scene: SceneDescription, field: str) -> list[_Thing]:
        """Return the things that ``subjects`` and ``materials`` name."""
        things = [self._subject_field(word, f"{field}.subjects[{index}]") for index, word in enumerate(scene.subjects)]
        for index, word in enumerate(scene.materials[: len(things)]):
            material = self._material_field(word, things[index].subject, f"{field}.materials[{index}]")
            things[index] = replace(things[index], material=material or things[index].material)
        return things

    def _subject_field(self, word: str, field: str) -> _Thing:
        """Return the thing that one entry of ``subjects`` names, or a neutral one."""
        phrases = noun_phrases(word, known_words(frozenset(self.own)))
        if len(phrases) == 1:
            return self._thing(phrases[0], field, NEUTRAL[self.kind])[0]
        self._add_unknown_subject(field, word, NEUTRAL[self.kind])
        return _Thing(NEUTRAL[self.kind])

    def _material_field(self, word: str, subject: str, field: str) -> str:
        """Return the material that one entry of ``materials`` names; empty leaves the choice."""
        word = word.strip().lower()
        if word in ("", "natural"):
            return NATURAL.get(subject, "")
        phrases = noun_phrases(f"a {word}", known_words())
        words = phrases[0].words if phrases else ()
        named = {*MATERIAL_WORDS, *MATERIAL_SYNONYMS, *MATERIAL_SUBSTITUTES, *COLOR_MATERIALS}
        if not any(each in named for each in words):
            near = nearest(word, MATERIAL_WORDS)
            self.unknown.add(field, word, near, near[0])
            return near[0]
        return self._material(words, subject, field)

    def limited(self, things: list[_Thing], field: str) -> list[_Thing]:
        """Return as many things as a scene of the kind has room for."""
        most = MOST_SUBJECTS[self.kind]
        kept = things[:most]
        if self.kind == ROOM:
            for name, limit in MOST_IN_ROOM.items():
                over = [index for index, thing in enumerate(kept) if thing.subject == name][limit:]
                kept = [thing for index, thing in enumerate(kept) if index not in over]
        if len(kept) < len(things):
            problem = f"names {len(things)} things; a scene of kind {self.kind!r} shows at most {most}"
            if self.kind == ROOM:
                problem += ", " + " and ".join(f"{limit} of {name!r}" for name, limit in MOST_IN_ROOM.items())
            self.unknown.add_problem(field, f"{len(things)} things", problem, f"{len(kept)} things")
        return kept


def read_description(
    scene: SceneDescription,
    prompt: str,
    rng: Rng,
    *,
    own: Collection[str] = (),
    substitute: bool = False,
    scene_field: str = "scene",
) -> SceneRequest:
    """Return what is requested: by the subjects, else by the description, else by the prompt, else by choice.

    ``own`` are the names of the operator's meshes. With ``substitute`` the nearest thing is drawn for what cannot be.

    Raises:
        InvalidArgumentError: without ``substitute``, words cannot be drawn; names their fields and the nearest words.
    """
    text_field = f"{scene_field}.description" if scene.description else "prompt"
    text, known = (scene.description or prompt).lower(), known_words(frozenset(own))
    phrases = noun_phrases(without_light(text), known)
    kind = KINDS.get(scene.kind) or _kind_of(text, phrases, scene, own) or choice(rng, list(KINDS.values()))
    reader = _Reader(kind, own)
    if scene.subjects:
        things = reader.limited(reader.thing_fields(scene, scene_field), f"{scene_field}.subjects")
    else:
        things = reader.limited(reader.things(phrases, text_field), text_field)
    named, field = noun_phrases(scene.place.lower(), known), f"{scene_field}.place"
    if not named:
        named, field = [phrase for phrase in phrases if is_place(phrase, kind)], text_field
    place = place_named(named, kind, reader.unknown, field) if named else ""
    if not substitute:
        reader.unknown.refuse()
    things = things or reader.limited(reader.nearest_things(text_field), text_field)
    items = _in_materials(things, kind, rng)
    meshes = [thing.own for thing in things]
    if not items:
        items = chosen_things(kind, rng)
        meshes = [""] * len(items)
    if kind == ROOM and all(subject in MOST_IN_ROOM for subject, _ in items):
        # Nothing of this stands in the room, and the camera frames what does.
        items.insert(0, chosen_things(kind, rng)[0])
        meshes.insert(0, "")
    return SceneRequest(
        kind, tuple(items), place or choice(rng, PLACES[kind]), tuple(meshes), reader.unknown.substitutions
    )


def _in_materials(things: Sequence[_Thing], kind: str, rng: Rng) -> list[tuple[str, str]]:
    """Return the things in their materials; things of one phrase, which are one object, are of one material."""
    chosen: dict[int, str] = {}
    for thing in things:
        if id(thing) not in chosen:
            chosen[id(thing)] = thing.material or chosen_material(thing.subject, kind, rng)
    return [(thing.subject, chosen[id(thing)]) for thing in things]


def _is_material_of_last(phrase: NounPhrase) -> bool:
    """Return whether a phrase names what the thing before it is made of: "a bowl made of steel"."""
    is_material = any(phrase.head in words for words in (MATERIAL_WORDS, MATERIAL_SYNONYMS, MATERIAL_SUBSTITUTES))
    return is_material and phrase.preposition in _MATERIAL_PREPOSITIONS


_HINTS = {
    ROOM: ("room", "interior", "indoors"),
    OUTDOOR: ("outdoor", "outdoors", "landscape", "outside"),
    PORTRAIT: ("portrait", "backdrop", "close-up"),
}


def _kind_of(text: str, phrases: Sequence[NounPhrase], scene: SceneDescription, own: Collection[str]) -> str:
    """Return the kind of scene that the words suggest; empty if they suggest none."""
    texts = [_without_articles(each) for each in (text, scene.place.lower())]
    # A table stands in a room as well as in a still life, so that the larger surroundings decide.
    for kind in (ROOM, OUTDOOR, PORTRAIT, STILL_LIFE):
        if any(_without_articles(place) in each for place in PLACES[kind] for each in texts):
            return kind
    for kind, words in _HINTS.items():
        if any(re.search(rf"\b{word}\b", text) for word in words):
            return kind
    heads = [word.lower() for word in scene.subjects] or [
        phrase.head for phrase in phrases if not is_place(phrase, None)
    ]
    named = [subject_named(head, None, 1, own) or subject_named(SUBSTITUTES.get(head, ""), None, 1) for head in heads]
    subjects = [found.subject for found in named if found is not None]
    where = [phrase for phrase in phrases if is_place(phrase, None)]
    if not subjects and not where:
        return ""
    order = (STILL_LIFE, ROOM, OUTDOOR, PORTRAIT) if len(subjects) > 1 else (STILL_LIFE, PORTRAIT, ROOM, OUTDOOR)

    def score(kind: str) -> int:
        return sum(name in SUBJECTS[kind] for name in subjects) + sum(is_place(phrase, kind) for phrase in where)

    return max(order, key=score)


def _without_articles(text: str) -> str:
    return re.sub(r"\b(?:an?|the) ", "", text)
