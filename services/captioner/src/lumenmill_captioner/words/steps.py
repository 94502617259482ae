"""How one light differs from another, attribute by attribute, in words that can be read back."""

from dataclasses import dataclass

from lumenmill_captioner.words.wording import Words, is_overhead
from lumenmill_light.axes import circular_difference_deg, unit_vector
from lumenmill_light.color import mired
from lumenmill_light.difference import direction_difference_deg
from lumenmill_light.visible_lights import VisibleLight
from lumenmill_light.vocabulary import ELEVATION_DEG, HARDNESS, TEMPERATURE_K, position_phrase, side

__all__ = [
    "DIRECTION_DEG",
    "Step",
    "brightness_words",
    "color_step",
    "contrast_step",
    "direction_step",
    "hardness_step",
]

DIRECTION_DEG = 15.0
HARDNESS_STEP = 0.15
CONTRAST_EV = 0.75
COLOR_MIRED = 20.0
# Another hue is as large a change as this many of the smallest visible ones; so is a side that comes or goes.
_HUE_WEIGHT, _SIDE_WEIGHT = 8.0, 5.0
# Changes of colour from which they are "warmer" rather than "slightly warmer", and "much warmer".
_CLEAR_MIRED, _LARGE_MIRED = 45.0, 120.0
# Bands that warmer and cooler light may have without "warmer (cool)".
_WARM = {"ember", "deep orange", "amber", "warm", "warm white", "neutral white"}
_COOL = {"neutral white", "cool white", "bluish", "cold blue"}


@dataclass(frozen=True)
class Step:
    """One change of a light.

    Attributes:
        weight: its size in units of the smallest visible change.
        attributes: names of the fields of LightAttributes that changed.
        instruction: the change as an instruction, with `{light}` for the light; empty where `adjective` is given.
        statement: the same as a statement.
        adjective: what the light becomes: "hard", "much warmer (amber)".
    """

    weight: float
    attributes: tuple[str, ...]
    instruction: str = ""
    statement: str = ""
    adjective: str = ""


def direction_step(before: VisibleLight, after: VisibleLight) -> Step | None:
    """Return how a light has moved; None where that is not visible. One without a direction comes from all around."""
    both = ("azimuth_deg", "elevation_deg")
    if not after.has_direction:
        around = "from all around"
        even = Step(_SIDE_WEIGHT, both, f"let {{light}} come {around}", f"{{light}} now comes {around}")
        return even if before.has_direction else None
    new = _position(after)
    if not before.has_direction:
        return Step(_SIDE_WEIGHT, both, f"let {{light}} come from {new}", f"{{light}} now comes from {new}")
    angle = direction_difference_deg(before.attributes, after.attributes) or 0.0
    if angle < DIRECTION_DEG:
        return None
    names, old = _moved_angles(before, after), _position(before)
    if old == new and is_overhead(before.attributes.elevation_deg):
        side_of = position_phrase(after.attributes.azimuth_deg, 25.0).replace("behind", "the back")
        tilt = (f"tilt {{light}} towards {side_of}", f"{{light}} leans towards {side_of}")
        return Step(angle / DIRECTION_DEG, ("azimuth_deg",), *tilt)
    if old == new or _is_small(before, after, names):
        return _small_move(before, after, angle / DIRECTION_DEG, names)
    move = f"from {old} to {new}"
    return Step(angle / DIRECTION_DEG, names, f"move {{light}} {move}", f"{{light}} has moved {move}")


def _position(light: VisibleLight) -> str:
    return position_phrase(light.attributes.azimuth_deg, light.attributes.elevation_deg)


def _is_small(before: VisibleLight, after: VisibleLight, names: tuple[str, ...]) -> bool:
    """Whether a move on one side keeps its height, or leads to one without a word.

    It would be "from low on the left to the left".
    """
    first, second = (side(light.attributes.azimuth_deg, light.attributes.elevation_deg) for light in (before, after))
    is_level = ELEVATION_DEG.band(after.attributes.elevation_deg).word() == ""
    return first == second and (names == ("azimuth_deg",) or is_level)


def _moved_angles(before: VisibleLight, after: VisibleLight) -> tuple[str, ...]:
    """Return the names of the angles that changed, the one that changed more first."""
    first, second = before.attributes, after.attributes
    turn = circular_difference_deg(first.azimuth_deg, second.azimuth_deg)
    rise = abs(second.elevation_deg - first.elevation_deg)
    changed = {"azimuth_deg": turn, "elevation_deg": rise}
    return tuple(
        name for name in sorted(changed, key=lambda name: -changed[name]) if changed[name] >= DIRECTION_DEG / 2
    )


def _small_move(before: VisibleLight, after: VisibleLight, weight: float, names: tuple[str, ...]) -> Step:
    """Describe a move within one word for a position by its angles."""
    instructions, statements = [], []
    rise = after.attributes.elevation_deg - before.attributes.elevation_deg
    if "azimuth_deg" in names:
        turn = circular_difference_deg(before.attributes.azimuth_deg, after.attributes.azimuth_deg)
        way = f"by about {_fives(turn)} degrees to the {_way(before, after)}"
        instructions.append(f"turn {{light}} {way}")
        statements.append(f"{{light}} has turned {way}")
    if "elevation_deg" in names:
        amount = f"by about {_fives(abs(rise))} degrees"
        instructions.append(f"{'raise' if rise > 0.0 else 'lower'} {{light}} {amount}")
        statements.append(f"{{light}} stands {'higher' if rise > 0.0 else 'lower'} {amount}")
    it = [part.replace("{light}", "it") for part in (*instructions[1:], *statements[1:])]
    more = [f" and {part}" for part in it]
    return Step(weight, names, instructions[0] + "".join(more[:1]), statements[0] + "".join(more[1:]))


def _fives(degrees: float) -> int:
    return max(round(degrees / 5.0), 1) * 5


def _way(before: VisibleLight, after: VisibleLight) -> str:
    """Return the side towards which a turn leads, as the camera sees it."""
    first, second = (unit_vector(light.attributes.azimuth_deg, 0.0) for light in (before, after))
    right, _, front = (second - first).tolist()
    if abs(right) >= abs(front):
        return "right" if right > 0.0 else "left"
    return "front" if front > 0.0 else "back"


def hardness_step(before: VisibleLight, after: VisibleLight, words: Words) -> Step | None:
    """Return how a light became harder or softer; None where that is not visible or not known."""
    first, second = before.attributes, after.attributes
    change = second.hardness - first.hardness
    if not (first.HasField("hardness") and second.HasField("hardness")) or abs(change) < HARDNESS_STEP:
        return None
    adjective = f"a little {'harder' if change > 0.0 else 'softer'}"
    if HARDNESS.band(first.hardness) != HARDNESS.band(second.hardness):
        adjective = words.hardness(second)
    return Step(abs(change) / HARDNESS_STEP, ("hardness",), adjective=adjective)


def color_step(before: VisibleLight, after: VisibleLight, words: Words) -> Step | None:
    """Return how a light changed its colour; None where that is not visible or not known."""
    names = ("color_temperature_k",)
    known = [light.hue or light.attributes.HasField("color_temperature_k") for light in (before, after)]
    if not all(known) or (before.hue and before.hue == after.hue):
        return None
    if before.hue or after.hue:
        return Step(_HUE_WEIGHT, names, adjective=words.color(after))
    first_k, second_k = before.attributes.color_temperature_k, after.attributes.color_temperature_k
    change = mired(second_k) - mired(first_k)
    if abs(change) < COLOR_MIRED:
        return None
    return Step(abs(change) / COLOR_MIRED, names, adjective=_color_change(first_k, second_k, words))


def _color_change(first_k: float, second_k: float, words: Words) -> str:
    """Return "much warmer (amber)", "slightly cooler" within one word, "warm" for amber light that is less so."""
    change = mired(second_k) - mired(first_k)
    comparative = "warmer" if change > 0.0 else "cooler"
    degree = "slightly " if abs(change) < _CLEAR_MIRED else "much " if abs(change) >= _LARGE_MIRED else ""
    band = TEMPERATURE_K.band(second_k)
    if band == TEMPERATURE_K.band(first_k):
        return degree + comparative
    if band.name not in (_WARM if change > 0.0 else _COOL):
        return words.pick(band.words)
    plain = [word for word in band.words if not word.startswith((comparative[:4], "slightly"))]
    word = words.pick(plain or band.words[:1])
    return f"{degree}{comparative} ({word})"


def contrast_step(before_ev: float, after_ev: float) -> Step | None:
    """Return how the contrast of lit and shaded side changed; None where that is not visible."""
    change = after_ev - before_ev
    if abs(change) < CONTRAST_EV:
        return None
    comparative = "stronger" if change > 0.0 else "weaker"
    return Step(
        abs(change) / CONTRAST_EV,
        ("contrast_ev",),
        f"make the contrast {comparative}",
        f"the contrast is {comparative}",
    )


_STOPS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def brightness_words(change_ev: float) -> str:
    """Return a change of intensity in words: "a little dimmer", "brighter by about two and a half stops"."""
    comparative = "brighter" if change_ev > 0.0 else "dimmer"
    halves = round(abs(change_ev) * 2.0)
    if halves < 2:
        return f"a little {comparative}"
    whole, has_half = divmod(halves, 2)
    number = _STOPS[whole] if whole < len(_STOPS) else str(whole)
    amount = f"{number} and a half stops" if has_half else "one stop" if whole == 1 else f"{number} stops"
    return f"{comparative} by about {amount}"
