"""Lights of the grammar: points of a low-discrepancy sequence become structured light, then words.

Every light is one point over kind × azimuth × elevation × colour × hardness × rig × level.

Before a backdrop or in a room, light from behind is blocked by the wall unless it comes from high up: there all but
high lights come from within 110° of the camera's side.
"""

import bisect
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

from lumenmill.common.v1 import artifact_pb2, light_pb2, scene_pb2
from lumenmill_light import build
from lumenmill_light.attributes import SourceAttributes, source_attributes, total
from lumenmill_light.axes import circular_difference_deg, wrap_deg
from lumenmill_light.color import temperature_rgb
from lumenmill_light.vocabulary import GEL_COLORS, map_words
from lumenmill_prompter.families.grammar.numbers import Choice
from lumenmill_prompter.phrases import sources_phrase

__all__ = [
    "AMBIENT_KINDS",
    "AREA",
    "DIRECTIONAL",
    "ENVIRONMENT_MAP",
    "FRONT_DEG",
    "SOFT_ALONE",
    "SOFT_BESIDE_HARMONICS",
    "SPHERICAL_HARMONICS",
    "SUN_SKY",
    "TEXT",
    "WRITABLE_KINDS",
    "Draft",
    "LightSpace",
    "draft_light",
    "finish_light",
    "finished",
    "light_space",
    "write_light",
]

AREA = light_pb2.LIGHT_KIND_AREA
DIRECTIONAL = light_pb2.LIGHT_KIND_DIRECTIONAL
SUN_SKY = light_pb2.LIGHT_KIND_SUN_SKY
ENVIRONMENT_MAP = light_pb2.LIGHT_KIND_ENVIRONMENT_MAP
SPHERICAL_HARMONICS = light_pb2.LIGHT_KIND_SPHERICAL_HARMONICS
TEXT = light_pb2.LIGHT_KIND_TEXT
AMBIENT_KINDS = (ENVIRONMENT_MAP, SPHERICAL_HARMONICS)
WRITABLE_KINDS = (AREA, DIRECTIONAL, SUN_SKY, ENVIRONMENT_MAP, SPHERICAL_HARMONICS)

# Weight of each kind of light for each kind of scene. Weights of a light add up to 16 over the four kinds of scenes, so
# that kinds of light are even over a whole dataset although landscapes have no softboxes.
_SLOTS: dict[int, dict[int, int]] = {
    scene_pb2.SCENE_KIND_STILL_LIFE: {AREA: 5, DIRECTIONAL: 4, SUN_SKY: 3, ENVIRONMENT_MAP: 4, SPHERICAL_HARMONICS: 4},
    scene_pb2.SCENE_KIND_ROOM: {AREA: 6, DIRECTIONAL: 4, SUN_SKY: 2, ENVIRONMENT_MAP: 4, SPHERICAL_HARMONICS: 4},
    scene_pb2.SCENE_KIND_PORTRAIT: {AREA: 5, DIRECTIONAL: 4, SUN_SKY: 3, ENVIRONMENT_MAP: 4, SPHERICAL_HARMONICS: 4},
    scene_pb2.SCENE_KIND_OUTDOOR: {AREA: 0, DIRECTIONAL: 4, SUN_SKY: 8, ENVIRONMENT_MAP: 4, SPHERICAL_HARMONICS: 4},
}

# Kelvin of the seven strata of white light; the eighth stratum is coloured gels.
_TEMPERATURE_STRATA = (
    (1900.0, 2240.0),
    (2300.0, 2980.0),
    (3100.0, 4150.0),
    (4300.0, 5150.0),
    (5300.0, 6850.0),
    (7000.0, 9300.0),
    (9800.0, 15000.0),
)
# Angular diameters in degrees of hard, medium and soft sources.
_DIAMETERS = {"hard": (0.4, 2.6), "medium": (5.0, 26.0), "soft": (34.0, 70.0)}
_ELEVATIONS = ((0.3, 3.0, 12.0), (0.7, 15.0, 46.0), (0.92, 50.0, 68.0), (1.0, 74.0, 86.0))
# Indoors, lights at or above this elevation come from all sides, six tenths of them from behind, others from the front.
OVER_WALLS_DEG, FRONT_DEG = 50.0, 110.0
_BACK_SHARE = 0.6
_RIM_SIDE_DEG, _RIM_ELEVATION_DEG = (122.0, 148.0), (46.0, 58.0)
KEY_IRRADIANCE = math.pi


@dataclass(frozen=True)
class LightSpace:
    """The kinds of light that a request allows on one kind of scene, each repeated by its weight."""

    slots: tuple["light_pb2.LightKind.ValueType", ...]
    environment_maps: tuple[artifact_pb2.Artifact, ...]
    outdoor: bool
    as_text: bool = False

    @functools.cached_property
    def has_harmonics(self) -> bool:
        """Whether spherical harmonics, which are always soft, are allowed."""
        return SPHERICAL_HARMONICS in self.slots

    @functools.cached_property
    def ambient_slots(self) -> tuple["light_pb2.LightKind.ValueType", ...]:
        """The slots of light from all around."""
        return tuple(kind for kind in self.slots if kind in AMBIENT_KINDS)

    @functools.cached_property
    def direct_slots(self) -> tuple["light_pb2.LightKind.ValueType", ...]:
        """The slots of light from one direction."""
        return tuple(kind for kind in self.slots if kind not in AMBIENT_KINDS)


class Draft(NamedTuple):
    """A light as messages and as the subject sees it, derived once; it is described when it is chosen.

    Attributes:
        sources: the sources of the light.
        found: attributes of each source, in the same order.
    """

    sources: Sequence[light_pb2.LightSource]
    found: Sequence[SourceAttributes]

    @property
    def key(self) -> SourceAttributes:
        """The attributes of the strongest source."""
        return self.found[0] if len(self.found) == 1 else max(self.found, key=attrgetter("strength"))


def light_space(
    scene_kind: "scene_pb2.SceneKind.ValueType",
    kinds: Sequence["light_pb2.LightKind.ValueType"],
    environment_maps: Sequence[artifact_pb2.Artifact],
) -> LightSpace | None:
    """Return the lights allowed on a kind of scene, or None when none of the requested kinds can light it.

    Args:
        scene_kind: kind of the scene; unspecified reads as still life.
        kinds: requested kinds; empty means all.
        environment_maps: the maps that environment-map lights may name.
    """
    weights = _SLOTS.get(scene_kind, _SLOTS[scene_pb2.SCENE_KIND_STILL_LIFE])
    outdoor = scene_kind == scene_pb2.SCENE_KIND_OUTDOOR
    # Among other kinds, environment-map light is left out when there are no maps.
    requested = set(kinds) if environment_maps else set(kinds) - {ENVIRONMENT_MAP}
    only_text = requested == {TEXT}
    allowed = [
        kind
        for kind in WRITABLE_KINDS
        if (not kinds or kind in requested or (only_text and kind != ENVIRONMENT_MAP))
        and (kind != ENVIRONMENT_MAP or environment_maps)
    ]
    slots = tuple(kind for kind in allowed for _ in range(weights[kind]))
    if not slots and allowed:
        slots = tuple(allowed)
    return LightSpace(slots, tuple(environment_maps), outdoor, only_text) if slots else None


def write_light(point: Sequence[float], space: LightSpace, wording: int) -> light_pb2.Light:
    """Return the light at a point of the unit cube: sources, attributes derived from them, text rendered from them."""
    return finished(draft_light(point, space, wording), space, wording)


def draft_light(
    point: Sequence[float],
    space: LightSpace,
    wording: int,
    kind: "light_pb2.LightKind.ValueType | None" = None,
    soft_share: float | None = None,
) -> Draft:
    """Return the light at a point of the unit cube with the attributes of its sources, without text and name.

    Args:
        point: coordinates 0 to 1, in the order of this module's head.
        space: what the request and the scene allow.
        wording: picks among rigs of equal meaning.
        kind: kind of light; absent: the one at `point[0]`, and daylight may be without a sun.
        soft_share: part of area and directional lights that are soft; absent: the share that makes hardness even.
    """
    may_be_sunless = kind is None
    if kind is None:
        kind = space.slots[int(point[0] * len(space.slots))]
    if soft_share is None:
        soft_share = SOFT_BESIDE_HARMONICS if space.has_harmonics else SOFT_ALONE
    choice = Choice(wording, kind)
    sources = _sources(kind, point, space, choice, soft_share, may_be_sunless)
    return Draft(sources, [source_attributes(source) for source in sources])


def finished(draft: Draft, space: LightSpace, wording: int) -> light_pb2.Light:
    """Return the light of a draft with attributes, text and name; light in words alone has no sources."""
    light = _described(draft, (wording >> 7) % 6, space.outdoor)
    if space.as_text:
        del light.sources[:]
        light.attributes.kinds[:] = [TEXT]
    return light


def finish_light(light: light_pb2.Light, variant: int, outdoor: bool) -> None:
    """Fill attributes, text and name from the sources."""
    draft = Draft(light.sources, [source_attributes(source) for source in light.sources])
    light.CopyFrom(_described(draft, variant, outdoor))


def _described(draft: Draft, variant: int, outdoor: bool) -> light_pb2.Light:
    return light_pb2.Light(
        sources=draft.sources,
        attributes=total(draft.found),
        text=sources_phrase(draft.sources, draft.found, variant, outdoor),
        name=_name(draft),
    )


_NAME_OF_KIND = {
    AREA: "area",
    DIRECTIONAL: "directional",
    SUN_SKY: "sun-sky",
    ENVIRONMENT_MAP: "environment",
    SPHERICAL_HARMONICS: "harmonics",
    # Never generated here, but the light of a request may be one.
    light_pb2.LIGHT_KIND_BACKGROUND: "background",
}
_SIDES = ("front", "front-right", "right", "back-right", "back", "back-left", "left", "front-left")


def _name(draft: Draft) -> str:
    key = draft.key
    parts = [_NAME_OF_KIND[key.kind]]
    if key.kind == ENVIRONMENT_MAP:
        source = draft.sources[0].environment_map
        parts += [map_words(source.map.name).replace(" ", "-") or "map", f"{round(source.rotation_deg) % 360}"]
    if key.azimuth_deg is not None:
        parts.append(_SIDES[round(key.azimuth_deg / 45.0) % 8])
    if key.temperature_k is not None:
        parts.append(f"{round(key.temperature_k / 100.0) * 100}k")
    return "-".join(parts)[:128]


def _sources(
    kind: "light_pb2.LightKind.ValueType",
    point: Sequence[float],
    space: LightSpace,
    choice: Choice,
    soft_share: float,
    may_be_sunless: bool,
) -> list[light_pb2.LightSource]:
    match kind:
        case light_pb2.LIGHT_KIND_ENVIRONMENT_MAP:
            chosen = space.environment_maps[int(point[3] * len(space.environment_maps))]
            exposure = (-1.0, 0.0, 0.0, 1.0)[int(point[6] * 4)]
            return [build.environment_light(chosen, round(point[1] * 360.0 - 180.0, 1), exposure)]
        case light_pb2.LIGHT_KIND_SUN_SKY:
            return [_sun_sky(point, space, choice, soft_share, may_be_sunless)]
        case light_pb2.LIGHT_KIND_SPHERICAL_HARMONICS:
            return [_harmonics(point, space)]
        case _:
            return _rig(kind, point, space, choice, soft_share)


def _azimuth(value: float, elevation: float, space: LightSpace) -> float:
    """Spread [0, 1) over the azimuths that a light of this elevation may have, in degrees from −180 to 180."""
    if space.outdoor:
        return value * 360.0 - 180.0
    if elevation < OVER_WALLS_DEG:
        return (2.0 * value - 1.0) * FRONT_DEG
    across = 2.0 * value - 1.0
    inside = 1.0 - _BACK_SHARE
    if abs(across) < inside:
        return across / inside * FRONT_DEG
    return math.copysign(FRONT_DEG + (abs(across) - inside) / _BACK_SHARE * (180.0 - FRONT_DEG), across)


def _stratum(value: float, num: int) -> tuple[int, float]:
    """Return the stratum of a number in [0, 1) and where it lies inside it, again in [0, 1)."""
    scaled = value * num
    stratum = min(int(scaled), num - 1)
    return stratum, scaled - stratum


def _color(value: float, space: LightSpace) -> float | tuple[float, float, float]:
    """Return a colour temperature in kelvin, or a gel as linear Rec. 709.

    Gels are an eighth of all colours; since daylight has none, other lights have more of them beside daylight.
    """
    gel_share = 1.0 / 6.0 if SUN_SKY in space.slots else 1.0 / 8.0
    if value < gel_share:
        gels = tuple(GEL_COLORS.values())
        return gels[int(value / gel_share * len(gels))]
    stratum, inside = _stratum((value - gel_share) / (1.0 - gel_share), len(_TEMPERATURE_STRATA))
    low, high = _TEMPERATURE_STRATA[stratum]
    return round(low + (high - low) * inside)


def _light_color(color: float | tuple[float, float, float]) -> light_pb2.LightColor:
    return build.rgb(color) if isinstance(color, tuple) else build.kelvin(color)


# Soft lamps are rarer where harmonics, which are soft too, are allowed.
SOFT_BESIDE_HARMONICS, SOFT_ALONE = 1.0 / 9.0, 1.0 / 3.0


def _hardness(value: float, soft: float) -> tuple[str, float]:
    """Hard, medium or soft, and where in that stratum; medium and hard share evenly what `soft` leaves."""
    middle = (1.0 + soft) / 2.0
    if value < soft:
        return "soft", value / soft
    if value < middle:
        return "medium", (value - soft) / (middle - soft)
    return "hard", (value - middle) / (1.0 - middle)


def _elevation(value: float) -> float:
    start = 0.0
    for end, low, high in _ELEVATIONS:
        if value < end:
            return low + (high - low) * (value - start) / (end - start)
        start = end
    return _ELEVATIONS[-1][2]


def _level_ev(value: float) -> float:
    if value < 0.2:
        return -1.6 + 2.0 * value
    return 1.2 + 3.0 * (value - 0.8) if value >= 0.8 else -0.5 + 1.8 * (value - 0.2)


def _emitter(
    kind: "light_pb2.LightKind.ValueType",
    azimuth: float,
    elevation: float,
    diameter: float,
    irradiance: float,
    color: light_pb2.LightColor,
    aspect: float = 1.0,
) -> light_pb2.LightSource:
    """Return an area or directional source of the given angular diameter in degrees; `aspect` is height by width."""
    azimuth, elevation = round(wrap_deg(azimuth), 1), round(elevation, 1)
    if kind == DIRECTIONAL:
        return build.directional_light(azimuth, elevation, round(min(diameter, 88.0), 2), irradiance, color)
    distance = 4.0
    width = 2.0 * distance * math.tan(math.radians(diameter / 2.0)) / math.sqrt(aspect)
    return build.area_light(azimuth, elevation, round(width, 3), round(width * aspect, 3), distance, irradiance, color)


def _rig(
    kind: "light_pb2.LightKind.ValueType", point: Sequence[float], space: LightSpace, choice: Choice, soft_share: float
) -> list[light_pb2.LightSource]:
    """Return a key alone, a key with a fill, or a key with a rim light."""
    elevation = _elevation(point[2])
    azimuth = _azimuth(point[1], elevation, space)
    hardness, inside = _hardness(point[4], soft_share)
    low, high = _DIAMETERS[hardness]
    diameter = low * (high / low) ** inside
    irradiance = KEY_IRRADIANCE * 2.0 ** _level_ev(point[6])
    aspect = choice.pick((1.0, 1.0, 1.4, 3.5)) if 3.0 <= diameter < 30.0 else 1.0
    key = _emitter(kind, azimuth, elevation, diameter, irradiance, _light_color(_color(point[3], space)), aspect)
    if point[5] < 0.45:
        return [key]
    from_behind = circular_difference_deg(azimuth, 180.0) < 65.0
    second_kind = kind if space.outdoor or AREA not in space.slots else AREA
    across = -math.copysign(1.0, wrap_deg(azimuth))
    if point[5] < 0.75 or from_behind:
        return [key, _fill(second_kind, across, irradiance, choice)]
    rim = _emitter(
        second_kind,
        across * choice.uniform(*_RIM_SIDE_DEG),
        choice.uniform(20.0, 42.0) if space.outdoor else choice.uniform(*_RIM_ELEVATION_DEG),
        choice.uniform(4.0, 9.0),
        irradiance * choice.uniform(0.45, 0.95),
        build.kelvin(round(choice.uniform(3000.0, 9000.0))),
    )
    return [key, rim]


def _fill(
    kind: "light_pb2.LightKind.ValueType", side: float, key_irradiance: float, choice: Choice
) -> light_pb2.LightSource:
    return _emitter(
        kind,
        side * choice.uniform(28.0, 65.0),
        choice.uniform(8.0, 28.0),
        choice.uniform(36.0, 60.0),
        key_irradiance * choice.uniform(0.1, 0.35),
        build.kelvin(round(choice.uniform(2600.0, 9500.0))),
    )


def _harmonics(point: Sequence[float], space: LightSpace) -> light_pb2.LightSource:
    color = _color(point[3], space)
    linear = color if isinstance(color, tuple) else temperature_rgb(color).tolist()
    level = KEY_IRRADIANCE * 0.5 * 2.0 ** _level_ev(point[6])
    elevation = _elevation(point[2])
    azimuth = _azimuth(point[1], elevation, space)
    return build.spherical_harmonics_light(azimuth, elevation, 0.65 + 0.35 * point[4], level, linear)


# Daylight of each colour stratum: turbidities, share of the sun's disc, share of the sky, and the lowest elevation of
# the sun. Low suns under a dark sky are warm, high ones are white, a veiled or absent sun leaves the cool light of the
# sky.
_DAYLIGHTS: tuple[tuple[tuple[float, ...], float, float, float], ...] = (
    ((2.5, 3.0), 1.0, 0.1, 0.5),
    ((2.5, 3.0, 4.0), 1.0, 0.15, 0.5),
    ((2.5, 3.0, 4.0), 1.0, 0.3, 0.5),
    ((2.5, 3.0), 1.0, 0.8, 4.0),
    ((2.5, 3.0, 4.0), 0.35, 1.0, 15.0),
    ((2.5, 3.0, 4.0), 0.07, 1.0, 15.0),
    ((2.5, 3.0), 0.0, 1.0, 15.0),
)
_FIRST_VEILED_DAYLIGHT, _FIRST_SUNLESS_DAYLIGHT = 5, 6
_MAX_SUN_ELEVATION_DEG = 65.0
# Turns daylight's seven strata of colour so that warm daylight and other warm light, and likewise cool, have more than
# a third of all values in common: of three lights a third apart, whatever their kinds, one is warm and one is cool.
_DAYLIGHT_OFFSET = 1.0 / 12.0


@functools.cache
def _sun_table(
    turbidity: float, sun_scale: float, sky_scale: float, lowest_deg: float
) -> tuple[list[float], list[float]]:
    """Temperatures of the daylight and elevations of the sun in steps of half a degree, both rising."""
    temperatures: list[float] = []
    elevations = [half / 2.0 for half in range(round(lowest_deg * 2), round(_MAX_SUN_ELEVATION_DEG * 2) + 1)]
    for elevation in elevations:
        source = build.sun_sky_light(0.0, elevation, turbidity, sun_scale, sky_scale, 0.53)
        kelvin = source_attributes(source).temperature_k or 0.0
        temperatures.append(max([kelvin, *temperatures[-1:]]))
    return temperatures, elevations


def _sun_elevation_deg(temperatures: list[float], elevations: list[float], temperature_k: float) -> float:
    """Where the table reaches a temperature, between two of its rows, to a tenth of a degree."""
    after = min(max(bisect.bisect_left(temperatures, temperature_k), 1), len(temperatures) - 1)
    below, above = temperatures[after - 1], temperatures[after]
    share = (temperature_k - below) / (above - below) if above > below else 1.0
    return round(elevations[after - 1] + (elevations[after] - elevations[after - 1]) * min(max(share, 0.0), 1.0), 1)


def _sun_sky(
    point: Sequence[float], space: LightSpace, choice: Choice, soft_share: float, may_be_sunless: bool
) -> light_pb2.LightSource:
    """Daylight whose colour stratum is met by the sun's height, or by how much of the light the sky gives."""
    stratum, inside = _stratum((point[3] - _DAYLIGHT_OFFSET) % 1.0, len(_TEMPERATURE_STRATA))
    if not may_be_sunless:
        stratum = min(stratum, _FIRST_SUNLESS_DAYLIGHT - 1)
    low, high = _TEMPERATURE_STRATA[stratum]
    turbidities, sun_scale, sky_scale, lowest_deg = _DAYLIGHTS[stratum]
    turbidity = choice.pick(turbidities)
    temperatures, elevations = _sun_table(turbidity, sun_scale, sky_scale, lowest_deg)
    first, last = max(low, temperatures[0]), min(high, temperatures[-1])
    elevation = _sun_elevation_deg(temperatures, elevations, first + (last - first) * inside)
    hardness, inside_hardness = _hardness(point[4], soft_share)
    crisp = hardness == "hard" or (hardness == "soft" and inside_hardness < 0.5)
    diameter = 18.0 if stratum >= _FIRST_VEILED_DAYLIGHT else 0.53 if crisp else 6.0
    azimuth = _azimuth(point[1], elevation, space)
    return build.sun_sky_light(round(azimuth, 1), elevation, turbidity, sun_scale, sky_scale, diameter)
