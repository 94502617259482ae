"""What a text claims about light against the light that arrived.

A claim is compared with the light that it fits best: the first one with the light of the largest share. Words are
coarser than numbers, so that a direction contradicts from 12° outside the arc of its word, an elevation from 8°,
hardness from 0.06, a temperature from 25 mired, intensity from half a stop.
"""

from collections.abc import Callable, Sequence
from math import cos, radians

from lumenmill.common.v1 import light_pb2
from lumenmill_light.axes import circular_difference_deg
from lumenmill_light.color import mired
from lumenmill_light.reading import LightClaim, MoveClaim, Range, read_light
from lumenmill_light.reading_words import Arc
from lumenmill_light.visible_lights import VisibleLight, visible_lights
from lumenmill_light.vocabulary import ELEVATION_DEG, TEMPERATURE_K, direction_phrase

__all__ = ["contradictions"]

_SIDE_DEG, _ELEVATION_DEG, _HARDNESS, _COLOR_MIRED, _INTENSITY_EV, _CONTRAST_EV = 12.0, 8.0, 0.06, 25.0, 0.5, 1.5
# Sources that a text describes may have less light than those that it has to describe.
_MIN_SHARE = 0.04
# A light with this part of the first one's share may be described first as well.
_ALMOST_FIRST = 0.75
# Roles of lights that are not the main one.
_WEAKER = {"fill", "rim", "other"}
# A denied light is one that would have been described.
_MIN_DENIED_SHARE = 0.15
# Temperatures in kelvin that may also be called by a hue.
_WHITES_OF_HUE = {
    "red": (1000.0, 1700.0), "orange": (1000.0, 2900.0), "yellow": (2000.0, 3600.0), "deep blue": (7500.0, 25000.0),
    "teal": (25000.0, 25000.0),
}  # fmt: skip
# Hues that people call by each other's name.
_NEIGHBOURS = {
    ("red", "orange"),
    ("orange", "yellow"),
    ("green", "teal"),
    ("violet", "magenta"),
    ("deep blue", "violet"),
}
_AROUND = (light_pb2.LIGHT_KIND_ENVIRONMENT_MAP, light_pb2.LIGHT_KIND_SPHERICAL_HARMONICS)
_KINDS = {
    "sun": {light_pb2.LIGHT_KIND_SUN_SKY, light_pb2.LIGHT_KIND_DIRECTIONAL, light_pb2.LIGHT_KIND_ENVIRONMENT_MAP},
    "surroundings": {*_AROUND, light_pb2.LIGHT_KIND_SUN_SKY},
    "background": {light_pb2.LIGHT_KIND_BACKGROUND, light_pb2.LIGHT_KIND_ENVIRONMENT_MAP},
    "sky": {*_AROUND, light_pb2.LIGHT_KIND_SUN_SKY},
}  # fmt: skip


def contradictions(text: str, arrived: light_pb2.ArrivedLight, end: light_pb2.ArrivedLight | None = None) -> list[str]:
    """Return what a text claims and the picture does not show, each in one sentence; empty when nothing contradicts.

    Args:
        text: a text on light.
        arrived: the light that arrived in the picture; in a clip, at its start.
        end: the light that arrived at the end of a clip.
    """
    claims = read_light(text)
    found = _of_lights(claims.lights, arrived)
    if end is not None:
        found += _of_lights(claims.end_lights, end)
        for move in claims.moves:
            found += _of_move(move, arrived, end)
    num = len(visible_lights(arrived))
    if claims.num_lights is not None and num != claims.num_lights:
        found.append(f"The text claims {claims.num_lights} light(s); {num} can be seen.")
    return found


def _of_lights(claims: Sequence[LightClaim], arrived: light_pb2.ArrivedLight) -> list[str]:
    lights = visible_lights(arrived, min_share=_MIN_SHARE)
    free = list(lights)
    found: list[str] = []
    for index, claim in enumerate(claim for claim in claims if claim.states_something and not claim.is_denied):
        is_key = claim.role == "key" or (index == 0 and claim.role not in _WEAKER)
        problems = {light.source_index: _mismatches(claim, light, arrived, is_key=is_key) for light in lights}
        # A light may be described again, in another sentence.
        may_be_again = index > 0 and claim.role not in {"fill", "rim"}
        again = [light for light in lights if light not in free] if may_be_again else []
        new = _first_lights(free) if is_key else free
        candidates = [*again, *new] if is_key else [*new, *again]
        best = min(candidates, key=lambda light: len(problems[light.source_index]), default=None)
        if best is None:
            found.append(f"The text claims “{claim.words}”; no {'such ' if lights else ''}light arrives.")
            continue
        found += problems[best.source_index]
        if _comparison_is_wrong(claim, best, lights[0]):
            found.append(f"The colour is wrong in “{claim.words}”; there is {_described(best)}.")
        free = [light for light in free if light is not best]
    return found + [text for claim in claims if claim.is_denied for text in _of_denied(claim, lights, arrived)]


def _first_lights(lights: Sequence[VisibleLight]) -> list[VisibleLight]:
    return [light for light in lights if light.share >= _ALMOST_FIRST * lights[0].share] if lights else []


def _of_denied(claim: LightClaim, lights: Sequence[VisibleLight], arrived: light_pb2.ArrivedLight) -> list[str]:
    others = lights[1:] if claim.role in _WEAKER else lights
    seen = [
        light
        for light in others
        if light.share >= _MIN_DENIED_SHARE
        and _is_within(claim.azimuths_deg, light)
        and not _mismatches(claim, light, arrived)
    ]
    return [f"The text says “{claim.words}”; there is {_described(seen[0])}."] if seen else []


def _mismatches(
    claim: LightClaim, light: VisibleLight, arrived: light_pb2.ArrivedLight, *, is_key: bool = False
) -> list[str]:
    """Return what is wrong with a claim if it is about this light."""
    total, seen = arrived.attributes, light.attributes
    checks: list[tuple[str, bool]] = [
        ("direction", _side_is_wrong(claim.azimuths_deg, light)),
        ("height", _elevation_is_wrong(claim.elevations_deg, light)),
        ("evenness", claim.is_even and light.has_direction),
        ("hardness", _is_outside(claim.hardness, _HARDNESS, seen, "hardness")),
        ("colour", _color_is_wrong(claim, light)),
        ("intensity", is_key and _intensity_is_wrong(claim, (total, seen))),
        ("contrast", is_key and _is_outside(claim.contrasts_ev, _CONTRAST_EV, total, "contrast_ev")),
        ("kind", claim.source in _KINDS and not _KINDS[claim.source] & set(seen.kinds)),
    ]
    return [
        f"The {name} is wrong in “{claim.words}”; there is {_described(light)}."
        for name, is_wrong in checks
        if is_wrong
    ]


def _is_within(arcs: Sequence[Arc], light: VisibleLight) -> bool:
    """Whether a light surely comes from one of the arcs, if there are any."""
    seen = light.attributes
    return not arcs or any(
        circular_difference_deg(seen.azimuth_deg, arc.center_deg) <= arc.half_width_deg
        for arc in arcs
        if light.has_direction and ELEVATION_DEG.band(seen.elevation_deg).name != "overhead"
    )


def _side_is_wrong(arcs: Sequence[Arc], light: VisibleLight) -> bool:
    """Return whether the light is outside all arcs; one from overhead has hardly a side and need not be turned far."""
    if not arcs:
        return False
    if not light.has_direction:
        return True
    seen = light.attributes
    outside = min(circular_difference_deg(seen.azimuth_deg, arc.center_deg) - arc.half_width_deg for arc in arcs)
    return outside * cos(radians(seen.elevation_deg)) > _SIDE_DEG


def _elevation_is_wrong(ranges: Sequence[Range], light: VisibleLight) -> bool:
    return bool(ranges) and (
        not light.has_direction or _is_outside(ranges, _ELEVATION_DEG, light.attributes, "elevation_deg")
    )


def _is_outside(ranges: Sequence[Range], tolerance: float, attributes: light_pb2.LightAttributes, name: str) -> bool:
    """Whether a known value is in none of the ranges; without any the text does not state it."""
    if not ranges or not attributes.HasField(name):  # type: ignore[arg-type]
        return False
    value = getattr(attributes, name)
    return all(not each.low - tolerance <= value <= each.high + tolerance for each in ranges)


def _intensity_is_wrong(claim: LightClaim, either: Sequence[light_pb2.LightAttributes]) -> bool:
    """Whether neither the light itself nor all lights together are as dim or bright as claimed."""
    known = [attributes for attributes in either if attributes.HasField("intensity_ev")]
    return bool(known) and all(
        _is_outside(claim.intensities_ev, _INTENSITY_EV, attributes, "intensity_ev") for attributes in known
    )


def _color_is_wrong(claim: LightClaim, light: VisibleLight) -> bool:
    if not claim.temperatures_k and not claim.hues:
        return False
    if light.hue:
        return not (_hue_fits(claim, light.hue) or _temperature_fits_hue(claim, light.hue))
    if not light.attributes.HasField("color_temperature_k"):
        return False
    kelvin = light.attributes.color_temperature_k
    by_hue = any(
        _WHITES_OF_HUE.get(hue, (0.0, 0.0))[0] <= kelvin <= _WHITES_OF_HUE.get(hue, (0.0, 0.0))[1] for hue in claim.hues
    )
    return not by_hue and not any(
        mired(each.high) - _COLOR_MIRED <= mired(kelvin) <= mired(each.low) + _COLOR_MIRED
        for each in claim.temperatures_k
    )


def _comparison_is_wrong(claim: LightClaim, light: VisibleLight, first: VisibleLight) -> bool:
    """Whether a light is said to be warmer or cooler than the first and is the other."""
    seen, other = light.attributes, first.attributes
    are_known = seen.HasField("color_temperature_k") and other.HasField("color_temperature_k")
    if not claim.than_first or not are_known:
        return False
    return (seen.color_temperature_k < other.color_temperature_k) != (claim.than_first == "warmer")


def _hue_fits(claim: LightClaim, hue: str) -> bool:
    return any(named == hue or {(named, hue), (hue, named)} & _NEIGHBOURS for named in claim.hues)


def _temperature_fits_hue(claim: LightClaim, hue: str) -> bool:
    low, high = _WHITES_OF_HUE.get(hue, (0.0, 0.0))
    return any(low <= each.typical <= high for each in claim.temperatures_k)


def _of_move(move: MoveClaim, start: light_pb2.ArrivedLight, end: light_pb2.ArrivedLight) -> list[str]:
    sides = (
        ("starts", start, move.from_azimuths_deg, move.from_elevations_deg),
        ("ends", end, move.to_azimuths_deg, move.to_elevations_deg),
    )
    found = []
    for verb, arrived, arcs, heights in sides:
        first = visible_lights(arrived)[:1]
        if not first or _side_is_wrong(arcs, first[0]) or _elevation_is_wrong(heights, first[0]):
            found.append(
                f"The text claims a move that {verb} elsewhere; there is {_described(*first) if first else 'no light'}."
            )
    return found


def _described(light: VisibleLight) -> str:
    """Return a light in words and numbers: "amber light from the left (azimuth −84°, hardness 0.95, 2500 K)"."""
    seen = light.attributes
    color = light.hue or (TEMPERATURE_K.word(seen.color_temperature_k) if seen.HasField("color_temperature_k") else "")
    where = direction_phrase(seen.azimuth_deg, seen.elevation_deg) if light.has_direction else "from all around"
    formats: tuple[tuple[str, Callable[[float], str]], ...] = (
        ("azimuth_deg", lambda value: f"azimuth {value:.0f}°"),
        ("elevation_deg", lambda value: f"elevation {value:.0f}°"),
        ("hardness", lambda value: f"hardness {value:.2f}"),
        ("color_temperature_k", lambda value: f"{value:.0f} K"),
    )
    numbers = [show(getattr(seen, name)) for name, show in formats if seen.HasField(name)]  # type: ignore[arg-type]
    return " ".join(part for part in (color, "light", where, f"({', '.join(numbers)})" if numbers else "") if part)
