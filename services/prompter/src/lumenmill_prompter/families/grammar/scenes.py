"""Scenes and their sentences by index, without repetition."""

from lumenmill.common.v1 import scene_pb2
from lumenmill_light.english import with_article
from lumenmill_prompter.families.grammar.lexicon import NATURAL, SceneSpace, Thing, plural
from lumenmill_prompter.families.grammar.numbers import Permutation, mix

__all__ = ["SceneWriter"]

_NUMBER_WORDS = ("", "", "two", "three", "four", "five")

_JOINS_OF_TWO = ("{} and {}", "{} beside {}", "{} with {}", "{} next to {}")
# Of a thing that bears the other: studio puts a vase on a table, not next to it.
_JOINS_OF_BEARER = ("{0} and {1} on it", "{1} on {0}", "{0} with {1} on it", "{1} standing on {0}")
_SINGLES = (
    "{material} {subject}",
    "{subject} made of {material}",
    "{subject} in {material}",
    "single {material} {subject}",
)
_DETERMINERS = ("a", "one", "a single", "a lone")
NUM_WORDINGS = len(_JOINS_OF_TWO)

# {s} is the scene, {S} the scene with a capital, {light} the text of the light.
IMAGE_TEMPLATES = (
    "{S}, lit by {light}.",
    "{S}. The scene is lit by {light}.",
    "A photograph of {s}, lit by {light}.",
    "{S}, illuminated by {light}.",
    "Lit by {light}: {s}.",
    "A photograph of {s}. The light: {light}.",
    "{S}; the light is {light}.",
    "A picture of {s}, illuminated by {light}.",
    "{S}. Lighting: {light}.",
    "Illuminated by {light}: {s}.",
    "A studied picture of {s}; it is lit by {light}.",
    "{S}, photographed under {light}.",
)


def _noun_phrase(thing: Thing, wording: int, fixed: str) -> str:
    """Return the noun phrase of one thing; its four wordings always differ."""
    if thing.num > 1:
        return f"{_NUMBER_WORDS[thing.num]} {plural(thing.subject)}"
    if fixed or thing.material == NATURAL:
        phrase = fixed.format(material=thing.material) if fixed else with_article(thing.subject)
        return _DETERMINERS[wording] + " " + phrase.split(" ", 1)[1] if wording else phrase
    words = _SINGLES[wording].format(material=thing.material, subject=thing.subject)
    return with_article(words)


class SceneWriter:
    """The scenes of one space in the order that a seed gives them.

    `size` scenes differ in their things or place; after that the same scenes return in other wordings, and an image
    prompt may repeat only after `num_distinct_texts`.
    """

    def __init__(self, space: SceneSpace, fixed_phrases: dict[str, str], seed: int) -> None:
        self.space = space
        self._fixed = fixed_phrases
        self._seed_state, self._kind_state = mix(seed), mix(seed, space.kind)
        self._order = Permutation(space.size, mix(seed, space.kind))

    @property
    def num_distinct_texts(self) -> int:
        """How many image prompts are different by construction, whatever their lights."""
        return self.space.size * NUM_WORDINGS * len(IMAGE_TEMPLATES)

    def scene(self, index: int) -> tuple[scene_pb2.SceneDescription, str]:
        """Return scene `index` (0 and up) and the template of its image prompt."""
        cycle, position = divmod(index, self.space.size)
        place_in_space = self._order(position)
        things, place = self.space.scene(place_in_space)
        wordings = NUM_WORDINGS * len(IMAGE_TEMPLATES)
        wording = (mix(place_in_space, state=self._seed_state) + cycle) % wordings
        template = IMAGE_TEMPLATES[wording // NUM_WORDINGS]
        counted = [thing for thing in things for _ in range(thing.num)]
        description = scene_pb2.SceneDescription(
            kind=self.space.kind,
            description=f"{self._things_phrase(things, wording % NUM_WORDINGS)} {place}",
            subjects=[thing.subject for thing in counted],
            materials=[thing.material for thing in counted],
            place=place,
            seed=mix(index, state=self._kind_state) >> 1,
        )
        return description, template

    def _things_phrase(self, things: tuple[Thing, ...], wording: int) -> str:
        if len(things) == 1:
            return self._phrase(things[0], wording)
        phrases = [self._phrase(thing, 0) for thing in things]
        if things[0].subject in self.space.bearers and things[1].subject in self.space.borne:
            joined = _JOINS_OF_BEARER[wording].format(*phrases[:2])
            return joined if len(phrases) == 2 else f"{joined} and {phrases[2]}"
        if len(phrases) == 2:
            return _JOINS_OF_TWO[wording].format(*phrases)
        if wording == 0:
            return f"{phrases[0]}, {phrases[1]} and {phrases[2]}"
        return _JOINS_OF_TWO[wording].format(phrases[0], f"{phrases[1]} and {phrases[2]}")

    def _phrase(self, thing: Thing, wording: int) -> str:
        return _noun_phrase(thing, wording, self._fixed.get(thing.subject, ""))
