"""Which kinds of light a request allows on a kind of scene, and how often each is drafted."""

import functools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lumenmill.common.v1 import artifact_pb2, light_pb2, scene_pb2
from lumenmill_light.vocabulary import map_words
from lumenmill_prompter.families.grammar.surroundings import Surroundings, surroundings_of

__all__ = [
    "AMBIENT_KINDS",
    "AREA",
    "DIRECTIONAL",
    "ENVIRONMENT_MAP",
    "SPHERICAL_HARMONICS",
    "SUN_SKY",
    "TEXT",
    "WRITABLE_KINDS",
    "LightSpace",
    "light_space",
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

# Words in the names of maps that show a room or a city, which would stand behind a scene in the open.
_ROOM_MAP = re.compile(
    r"\b(?:attic|autoshop|ballroom|basement|bathroom|bedroom|cellar|chapel|church|cinema|factory|garage|gym|hall|hallway"
    r"|hangar|hospital|hotel|interior|kitchen|lab|library|lobby|lounge|museum|office|photostudio|restaurant|room|school"
    r"|shop|staircase|store|studio|theater|theatre|vestibule|warehouse|workshop)\b"
)
_CITY_MAP = re.compile(
    r"\b(?:alley|building|city|dock|downtown|market|overpass|parking|plaza|railway|rooftop|shipyard|square|stadium"
    r"|station|street|suburb|town|tunnel|underpass|urban)\b"
)
# Places outdoors that lie in a city as well as in the open.
_CITY_PLACE = re.compile(r"\b(?:city|courtyard|harbou?r|plaza|roof|rooftop|square|streets?|terrace|town|village)\b")

# Parallel light from the camera's side spreads this far; above the walls six tenths of it come from behind.
_FRONT_DEG, _BACK_SHARE = 110.0, 0.6


@dataclass(frozen=True)
class LightSpace:
    """The kinds of light that a request allows on one kind of scene, each repeated by its weight; their directions."""

    slots: tuple["light_pb2.LightKind.ValueType", ...]
    environment_maps: tuple[artifact_pb2.Artifact, ...]
    scene_kind: "scene_pb2.SceneKind.ValueType"
    surroundings: Surroundings
    as_text: bool = False

    def at(self, place: str) -> "LightSpace":
        """Return the space of a place: light cannot come from all sides in a niche, no alley stands behind a meadow."""
        around = surroundings_of(self.scene_kind, place)
        return replace(self, surroundings=around, environment_maps=self._maps_at(place))

    def _maps_at(self, place: str) -> tuple[artifact_pb2.Artifact, ...]:
        """Return the maps that may be seen behind a scene or through its windows; all where none suits it."""
        if not self.surroundings.shows_sky:
            return self.environment_maps
        is_open = self.outdoor and not _CITY_PLACE.search(place)
        other = (_ROOM_MAP, _CITY_MAP) if is_open else (_ROOM_MAP,)
        suited = [
            artifact
            for artifact in self.environment_maps
            if not any(words.search(map_words(artifact.name)) for words in other)
        ]
        return tuple(suited) or self.environment_maps

    def parallel(self, value: float, elevation_deg: float) -> tuple[float, float]:
        """Spread [0, 1) over azimuths of parallel light; return one to a tenth of a degree, and an elevation for it."""
        around, across = self.surroundings, 2.0 * value - 1.0
        if self.outdoor:
            azimuth = across * 180.0
        elif elevation_deg < around.over_walls_deg:
            azimuth = across * _FRONT_DEG
        else:
            inside = 1.0 - _BACK_SHARE
            behind = _FRONT_DEG + (abs(across) - inside) / _BACK_SHARE * (180.0 - _FRONT_DEG)
            azimuth = across / inside * _FRONT_DEG if abs(across) < inside else math.copysign(behind, across)
        elevation = around.raised(elevation_deg, azimuth)
        return round(around.turned_in(azimuth, elevation), 1), round(elevation, 1)

    def sun_azimuth(self, value: float) -> float:
        """Spread [0, 1) over the azimuths of a sun, which stands too low to shine over walls."""
        across = 2.0 * value - 1.0
        return across * 180.0 if self.outdoor else self.surroundings.spread(across)

    @property
    def outdoor(self) -> bool:
        """Whether the scene lies under the open sky."""
        return self.surroundings.outdoor

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
    return (
        LightSpace(slots, tuple(environment_maps), scene_kind, surroundings_of(scene_kind), only_text)
        if slots
        else None
    )
