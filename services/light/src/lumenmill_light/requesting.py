"""Turns English about light into the light that it asks for: "hard warm light from the left" becomes a lamp.

What the words state becomes the value that is most often meant; what they leave open becomes ordinary light.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lumenmill.common.v1 import light_pb2
from lumenmill_light import build
from lumenmill_light.axes import wrap_deg
from lumenmill_light.color import temperature_rgb
from lumenmill_light.hardness import size_of_hardness
from lumenmill_light.reading import Arc, LightClaim, Range, read_light
from lumenmill_light.source_attributes import source_attributes
from lumenmill_light.vocabulary import GEL_COLORS

__all__ = ["light_of_words"]

_MAX_SOURCES = 16
# Sources that no words can bring: they need a picture.
_PICTURES = frozenset({"surroundings", "background"})
# Sources that may be things in the picture that give no light; words that say that they do.
_THINGS = frozenset({"candle", "lamp", "window"})
_LIGHTS = re.compile(r"light|\blit\b|glow|flame|flash|beam|bulb|softbox|spot|strobe|illuminat")
_SUNLESS = re.compile(r"sunless|(?:without|no) (?:a |any )?sun")
_BOTH_SIDES = re.compile(r"\b(?:from|on|at) (?:both|either|each) sides?\b", re.IGNORECASE)
_LEFT_AND_RIGHT = re.compile(r"\b(left|right) and (?:the )?((?:front |back )?(?:left|right))\b", re.IGNORECASE)
_AND_FROM = re.compile(r"\band (?:from|on|at) (?:the |its )?(?:front|back|rear|left|right|behind|above)")
# Light of which there is one, whatever is counted beside it.
_SINGLE = frozenset({"sun", "moon", "sky"})
# Of lamps without a direction, half of the angle between the outer ones is this for each lamp and one more.
_SPREAD_DEG, _SPREAD_OF_ARC = 15.0, 0.6
_SIDE_DEG, _RIM_DEG, _WINDOW_DEG = 45.0, 150.0, 90.0
_ELEVATION_DEG = {"rim": 35.0, "fill": 15.0, "window": 20.0, "sun": 35.0, "moon": 45.0}
_USUAL_ELEVATION_DEG = 27.0
_HARDNESS = {"sun": 0.95, "moon": 0.95, "window": 0.4, "candle": 0.85}
_USUAL_HARDNESS, _FILL_HARDNESS = 0.65, 0.3
_USUAL_K = {"moon": 8000.0, "candle": 2000.0}
_WHITE_K = 5950.0
_BEHIND_DEG = 100.0
# Stops below the first light.
_BELOW_KEY_EV = {"fill": 2.0, "rim": 0.3}
_SECOND_EV = 1.0
_DISTANCE_RATIO, _MAX_LAMP_DEG, _MAX_SUN_DEG = 4.0, 60.0, 20.0
_TURBIDITY = 3.0
# Of the sun behind a sky that is to be seen without it.
_SKY_ELEVATION_DEG = 40.0
_SUN_ELEVATIONS_DEG = (*range(2, 30), *range(30, 90, 5))
# Of the sky beside a sun that is drawn as parallel light, in fractions of its irradiance.
_SKY_SHARE = 0.15
# Of the sky over lamps, which would be black else.
_NIGHT_SKY_SHARE, _NIGHT_SKY_K = 0.02, 9000.0
_MIN_CONTRAST_EV, _MAX_CONTRAST_EV = 1.0, 5.0


@dataclass(frozen=True)
class _Look:
    """What one source is to look like; ``rgb`` is None for light of a temperature."""

    azimuth_deg: float
    elevation_deg: float
    hardness: float
    irradiance: float
    temperature_k: float
    rgb: tuple[float, float, float] | None

    @property
    def color(self) -> light_pb2.LightColor:
        return build.kelvin(self.temperature_k) if self.rgb is None else build.rgb(self.rgb)


def light_of_words(text: str, *, outdoor: bool, wall_behind: bool = False) -> light_pb2.Light | None:
    """Return the light that a text asks for; None where it states nothing of light that can be built from words.

    Args:
        text: a prompt; what it states besides light is passed over.
        outdoor: whether there is a sky: light of no stated source is then daylight, where its colour allows.
        wall_behind: whether a wall without windows stands behind the subject: a sun there becomes a lamp before it.
    """
    claims = [claim for claim in read_light(_with_both_sides(text)).lights if _asks_for_light(claim)]
    light = light_pb2.Light()
    key: _Look | None = None
    for index, claim in enumerate(claims[: _MAX_SOURCES // 2]):
        looks = _several(claim, _look(claim, index, key))
        key = key or looks[0]
        is_daylight = outdoor and index == 0 and len(looks) == 1
        for look in looks:
            hidden = wall_behind and abs(look.azimuth_deg) > _BEHIND_DEG
            sources = _sources(claim, look, outdoor=is_daylight, sun_is_hidden=hidden)
            # A fill or a sky may follow.
            if len(light.sources) + len(sources) < _MAX_SOURCES:
                light.sources.extend(sources)
    if key is not None and claims[0].contrasts_ev and not claims[0].is_even:
        light.sources.append(_fill_for(claims[0].contrasts_ev[0], key))
    if key is not None and outdoor and all(source.WhichOneof("kind") == "area" for source in light.sources):
        sky = temperature_rgb(_NIGHT_SKY_K).tolist()
        light.sources.append(build.spherical_harmonics_light(0.0, 90.0, 0.0, _NIGHT_SKY_SHARE * key.irradiance, sky))
    return light if light.sources else None


def _with_both_sides(text: str) -> str:
    """Return a text in which "from the left and right" and "from both sides" name each side apart."""
    apart = _BOTH_SIDES.sub("from the left and from the right", text)
    return _LEFT_AND_RIGHT.sub(lambda match: f"{match[1]} and from the {match[2]}", apart)


def _several(claim: LightClaim, look: _Look) -> list[_Look]:
    """Return one look for each of the lamps that a claim counts, and for each direction that it joins by "and".

    Lamps in one direction are spread within it, those without a direction to both sides of the front.
    """
    if claim.is_even or claim.source in _SINGLE:
        return [look]
    joined = len(claim.azimuths_deg) if _AND_FROM.search(claim.words) else 1
    number = max(read_light(claim.words).num_lights or 1, joined)
    if number == 1:
        return [look]
    arcs = claim.azimuths_deg or (Arc(0.0, _SPREAD_DEG * (number + 1)),)
    azimuths = []
    for index, arc in enumerate(arcs):
        num = len(range(index, number, len(arcs)))
        half_deg = arc.half_width_deg * (_SPREAD_OF_ARC if claim.azimuths_deg else 1.0)
        azimuths += [arc.center_deg + half_deg * (2 * i / (num - 1) - 1 if num > 1 else 0.0) for i in range(num)]
    return [replace(look, azimuth_deg=wrap_deg(azimuth_deg)) for azimuth_deg in azimuths]


def _asks_for_light(claim: LightClaim) -> bool:
    """Return whether a claim asks for light, rather than naming a lamp, a candle, a window or a blue sky to be seen."""
    if claim.is_denied or claim.source in _PICTURES:
        return False
    if claim.source == "sky":
        return claim.is_even or bool(claim.hardness or _SUNLESS.search(claim.words))
    if claim.source in _THINGS:
        return bool(_LIGHTS.search(claim.words)) or bool(claim.azimuths_deg or claim.elevations_deg)
    return claim.states_something or claim.source != "light"


def _look(claim: LightClaim, index: int, key: _Look | None) -> _Look:
    hardness = _USUAL_HARDNESS if claim.role != "fill" else _FILL_HARDNESS
    below_ev = _BELOW_KEY_EV.get(claim.role, _SECOND_EV) if key else 0.0
    own_ev = _typical(claim.intensities_ev, 0.0)
    brightest = key.irradiance if key else math.pi
    usual_elevation = _ELEVATION_DEG.get(claim.role) or _ELEVATION_DEG.get(claim.source, _USUAL_ELEVATION_DEG)
    return _Look(
        azimuth_deg=_azimuth(claim, index, key),
        elevation_deg=_typical(claim.elevations_deg, usual_elevation),
        hardness=_typical(claim.hardness, _HARDNESS.get(claim.source, hardness)),
        irradiance=min(math.pi * 2.0**own_ev, brightest) * 2.0**-below_ev if key else math.pi * 2.0**own_ev,
        temperature_k=_typical(claim.temperatures_k, _USUAL_K.get(claim.source, _WHITE_K)),
        rgb=_gel(claim),
    )


def _azimuth(claim: LightClaim, index: int, key: _Look | None) -> float:
    if claim.azimuths_deg:
        return claim.azimuths_deg[0].center_deg
    side = -math.copysign(1.0, key.azimuth_deg) if key else -1.0
    if claim.role == "rim":
        return side * _RIM_DEG
    if claim.source == "window":
        return side * _WINDOW_DEG
    return side * _SIDE_DEG * (1 if index < 2 else index)


def _typical(ranges: Sequence[Range], usual: float) -> float:
    return ranges[0].typical if ranges else usual


def _gel(claim: LightClaim) -> tuple[float, float, float] | None:
    """Return the colour of a hue that no temperature describes."""
    if claim.temperatures_k or not claim.hues:
        return None
    return GEL_COLORS.get(claim.hues[0])


def _sources(claim: LightClaim, look: _Look, *, outdoor: bool, sun_is_hidden: bool) -> list[light_pb2.LightSource]:
    if claim.source == "sky" and _SUNLESS.search(claim.words):
        return [build.sun_sky_light(look.azimuth_deg, _SKY_ELEVATION_DEG, _TURBIDITY, 0.0, 1.0, 0.0)]
    if claim.is_even or (claim.source == "sky" and not claim.azimuths_deg):
        linear = temperature_rgb(look.temperature_k).tolist() if look.rgb is None else look.rgb
        return [build.spherical_harmonics_light(0.0, 90.0, 0.0, look.irradiance, linear)]
    is_sun = (claim.source == "sun" and not sun_is_hidden) or (outdoor and claim.source == "light" and look.rgb is None)
    if is_sun and look.elevation_deg >= 0.0:
        return _daylight(claim, look, outdoor=outdoor)
    if (claim.source == "moon" and not sun_is_hidden) or (outdoor and claim.source in ("sun", "light")):
        return _parallel(look, outdoor=outdoor)
    size_deg = min(size_of_hardness(look.hardness), _MAX_LAMP_DEG)
    width = 2.0 * _DISTANCE_RATIO * math.tan(math.radians(size_deg / 2.0))
    at = wrap_deg(look.azimuth_deg), look.elevation_deg
    return [build.area_light(*at, round(width, 3), round(width, 3), _DISTANCE_RATIO, look.irradiance, look.color)]


def _daylight(claim: LightClaim, look: _Look, *, outdoor: bool) -> list[light_pb2.LightSource]:
    """Return a sun whose elevation gives the stated colour, or parallel light and sky where none does."""
    diameter_deg = min(size_of_hardness(look.hardness), _MAX_SUN_DEG)

    def sun(elevation_deg: float) -> light_pb2.LightSource:
        return build.sun_sky_light(look.azimuth_deg, elevation_deg, _TURBIDITY, 1.0, 1.0, diameter_deg)

    if not claim.temperatures_k:
        return [sun(look.elevation_deg)]
    asked, heights = claim.temperatures_k[0], claim.elevations_deg[:1] or [Range(0.0, 90.0, look.elevation_deg)]

    def misfit(elevation_deg: float) -> float:
        temperature_k = source_attributes(sun(elevation_deg)).temperature_k or 0.0
        return abs(temperature_k - asked.typical)

    best = min((deg for deg in _SUN_ELEVATIONS_DEG if heights[0].low <= deg <= heights[0].high), key=misfit)
    found = source_attributes(sun(best)).temperature_k
    return [sun(best)] if found is not None and asked.low <= found <= asked.high else _parallel(look, outdoor=outdoor)


def _parallel(look: _Look, *, outdoor: bool) -> list[light_pb2.LightSource]:
    """Return parallel light, outdoors with a dim even sky of its colour."""
    size_deg = min(size_of_hardness(look.hardness), _MAX_LAMP_DEG)
    linear = temperature_rgb(look.temperature_k).tolist() if look.rgb is None else look.rgb
    beam = build.directional_light(look.azimuth_deg, look.elevation_deg, size_deg, look.irradiance, look.color)
    if not outdoor:
        return [beam]
    return [beam, build.spherical_harmonics_light(0.0, 90.0, 0.0, _SKY_SHARE * look.irradiance, linear)]


def _fill_for(contrast_ev: Range, key: _Look) -> light_pb2.LightSource:
    """Return even light that leaves the key a contrast, log2(1 + key / fill)."""
    stated_ev = min(max(contrast_ev.typical, _MIN_CONTRAST_EV), _MAX_CONTRAST_EV)
    linear = temperature_rgb(key.temperature_k).tolist() if key.rgb is None else key.rgb
    return build.spherical_harmonics_light(0.0, 90.0, 0.0, key.irradiance / (2.0**stated_ev - 1.0), linear)
