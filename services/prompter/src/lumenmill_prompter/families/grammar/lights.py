"""Lights of the grammar: a point of a low-discrepancy sequence becomes structured light, then words."""

import math
from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

from lumenmill.common.v1 import light_pb2
from lumenmill_light.attributes import SourceAttributes, source_attributes, total
from lumenmill_light.sources import scaled
from lumenmill_light.vocabulary import map_words
from lumenmill_prompter.families.grammar.light_sources import sources_at
from lumenmill_prompter.families.grammar.light_space import (
    AREA,
    DIRECTIONAL,
    ENVIRONMENT_MAP,
    SPHERICAL_HARMONICS,
    SUN_SKY,
    TEXT,
    LightSpace,
)
from lumenmill_prompter.families.grammar.numbers import Choice
from lumenmill_prompter.families.grammar.strata import SOFT_ALONE, SOFT_BESIDE_HARMONICS
from lumenmill_prompter.levels import camera_side_irradiance
from lumenmill_prompter.phrases import sources_phrase

__all__ = ["Draft", "draft_light", "finish_light", "finished", "levelled", "write_light"]

# What the lights of sets give on the camera's side, in the units of light.proto: a lamp of irradiance π, high in front.
_LEVEL = 0.4 * math.pi
# Stops of the key's own irradiance from π that this may cost.
_MIN_KEY_EV, _MAX_KEY_EV = -1.1, 1.6


class Draft(NamedTuple):
    """A light as messages and as the subject sees it, derived once; it is described when it is chosen.

    Attributes:
        sources: the sources of the light.
        found: attributes of each source, in the same order.
        level: camera-side irradiance of all, of a levelled draft; None where pixels of a map decide it.
    """

    sources: Sequence[light_pb2.LightSource]
    found: Sequence[SourceAttributes]
    level: float | None = None

    @property
    def key(self) -> SourceAttributes:
        """The attributes of the strongest source."""
        return self.found[0] if len(self.found) == 1 else max(self.found, key=attrgetter("strength"))


def write_light(point: Sequence[float], space: LightSpace, wording: int) -> light_pb2.Light:
    """Return the light at a point of the unit cube: sources, attributes derived from them, text rendered from them."""
    return finished(levelled(draft_light(point, space, wording)), space, wording)


def draft_light(
    point: Sequence[float],
    space: LightSpace,
    wording: int,
    kind: "light_pb2.LightKind.ValueType | None" = None,
    soft_share: float | None = None,
) -> Draft:
    """Return the light at a point of the unit cube with the attributes of its sources, without text and name.

    Args:
        point: coordinates 0 to 1, in the order of light_sources.py's head.
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
    sources = sources_at(kind, point, space, choice, soft_share, may_be_sunless)
    return Draft(sources, [source_attributes(source) for source in sources])


def levelled(draft: Draft, beside: float | None = None, stops: float = 0.0) -> Draft:
    """Return the draft so bright that the camera's side gets `stops` more than `beside` (absent: than usual)."""
    level = _level_of(draft.sources)
    if not level:
        return draft
    factor = (beside or _LEVEL) * 2.0**stops / level
    usual = math.pi * 2.0**stops * (beside or _LEVEL) / _LEVEL / (draft.key.irradiance or math.pi)
    factor = min(max(factor, usual * 2.0**_MIN_KEY_EV), usual * 2.0**_MAX_KEY_EV)
    found = [look._replace(irradiance=look.strength * factor) for look in draft.found]
    return Draft([scaled(source, factor) for source in draft.sources], found, level * factor)


def _level_of(sources: Sequence[light_pb2.LightSource]) -> float | None:
    levels = [camera_side_irradiance(source) for source in sources]
    return None if None in levels else sum(level or 0.0 for level in levels)


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
