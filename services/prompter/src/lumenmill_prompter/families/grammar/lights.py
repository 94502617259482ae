"""Lights of the grammar: a point of a low-discrepancy sequence becomes structured light, then words."""

from collections.abc import Sequence
from typing import NamedTuple

from lumenmill.common.v1 import light_pb2
from lumenmill_light.attributes import total
from lumenmill_light.source_attributes import SourceAttributes, source_attributes
from lumenmill_light.sources import scaled
from lumenmill_light.vocabulary import map_words
from lumenmill_prompter.families.grammar.light_sources import key_source
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
from lumenmill_prompter.families.grammar.rigs import sources_beside
from lumenmill_prompter.families.grammar.strata import SOFT_ALONE, SOFT_BESIDE_HARMONICS
from lumenmill_prompter.families.grammar.strength import LEVEL
from lumenmill_prompter.phrases import sources_phrase

__all__ = ["Draft", "Rig", "completed", "draft_light", "finish_light", "finished", "write_light"]


class Draft(NamedTuple):
    """The key of a light; its fill, rim light or sky are added, and it is described, when it is chosen.

    Attributes:
        source: the strongest source.
        key: its attributes.
        level: its irradiance on surfaces that face the camera; None where pixels of a map decide it.
        intended_level: the irradiance that it is scaled to, for exposure within a group.
        value: chooses the rig, 0 to 1.
        choice: the choices that are left.
    """

    source: light_pb2.LightSource
    key: SourceAttributes
    level: float | None
    intended_level: float
    value: float
    choice: Choice


class Rig(NamedTuple):
    """A light as messages and as the subject sees it, derived once.

    Attributes:
        sources: the sources of the light, the key first.
        found: attributes of each source, in the same order.
        level: camera-side irradiance of all; None where pixels of a map decide it.
    """

    sources: Sequence[light_pb2.LightSource]
    found: Sequence[SourceAttributes]
    level: float | None = None

    @property
    def key(self) -> SourceAttributes:
        """The attributes of the key."""
        return self.found[0]


def write_light(point: Sequence[float], space: LightSpace, wording: int) -> light_pb2.Light:
    """Return the light at a point of the unit cube: sources, attributes derived from them, text rendered from them."""
    return finished(completed(draft_light(point, space, wording), space), space, wording)


def draft_light(
    point: Sequence[float],
    space: LightSpace,
    wording: int,
    kind: "light_pb2.LightKind.ValueType | None" = None,
    soft_share: float | None = None,
    level: float = LEVEL,
) -> Draft:
    """Return the key of the light at a point of the unit cube.

    Args:
        point: coordinates 0 to 1, in the order of light_sources.py's head.
        space: what the request and the scene allow.
        wording: picks among rigs of equal meaning.
        kind: kind of light; absent: the one at `point[0]`, and daylight may be without a sun.
        soft_share: part of area and directional lights that are soft; absent: the share that makes hardness even.
        level: intended camera-side irradiance.
    """
    may_be_sunless = kind is None
    if kind is None:
        kind = space.slots[int(point[0] * len(space.slots))]
    if soft_share is None:
        soft_share = SOFT_BESIDE_HARMONICS if space.has_harmonics else SOFT_ALONE
    choice = Choice(wording, kind)
    source, reached = key_source(kind, point, space, choice, soft_share, may_be_sunless, level)
    return Draft(source, source_attributes(source), reached, level, point[5], choice)


def completed(draft: Draft, space: LightSpace) -> Rig:
    """Return the light of a draft with the sources beside its key."""
    if draft.key.kind == SUN_SKY and draft.level:
        factor = draft.intended_level / draft.level
        found = draft.key._replace(irradiance=draft.key.strength * factor)
        return Rig([scaled(draft.source, factor)], [found], draft.intended_level)
    if draft.key.kind not in (AREA, DIRECTIONAL) or draft.level is None:
        return Rig([draft.source], [draft.key], draft.level)
    others, share = sources_beside(draft.source, draft.value, space, draft.choice)
    looks = [draft.key, *(source_attributes(other) for other in others)]
    return Rig([draft.source, *others], looks, draft.level * (1.0 + share))


def finished(rig: Rig, space: LightSpace, wording: int) -> light_pb2.Light:
    """Return a light with attributes, text and name; light in words alone has no sources."""
    light = _described(rig, (wording >> 7) % 6, space.outdoor)
    if space.as_text:
        del light.sources[:]
        light.attributes.kinds[:] = [TEXT]
    return light


def finish_light(light: light_pb2.Light, variant: int, outdoor: bool) -> None:
    """Fill attributes, text and name from the sources."""
    rig = Rig(light.sources, [source_attributes(source) for source in light.sources])
    light.CopyFrom(_described(rig, variant, outdoor))


def _described(rig: Rig, variant: int, outdoor: bool) -> light_pb2.Light:
    return light_pb2.Light(
        sources=rig.sources,
        attributes=total(rig.found),
        text=sources_phrase(rig.sources, rig.found, variant, outdoor),
        name=_name(rig),
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


def _name(rig: Rig) -> str:
    key = rig.key
    parts = [_NAME_OF_KIND[key.kind]]
    if key.kind == ENVIRONMENT_MAP:
        source = rig.sources[0].environment_map
        parts += [map_words(source.map.name).replace(" ", "-") or "map", f"{round(source.rotation_deg) % 360}"]
    if key.azimuth_deg is not None:
        parts.append(_SIDES[round(key.azimuth_deg / 45.0) % 8])
    if key.temperature_k is not None:
        parts.append(f"{round(key.temperature_k / 100.0) * 100}k")
    return "-".join(parts)[:128]
