"""Where light reaches the subject: what stands around it in each kind of set that studio builds.

Measured in composed sets of every kind with a grid of parallel light, and read off their builders: a still life stands
before a wall, a room is a corner with a wall behind and one on the left, hills and trees surround outdoor sets. What a
subject hides from itself is not counted. Lamps stand inside the set, so that they may also shine from behind.
"""

import functools
import math
from dataclasses import dataclass

from lumenmill.common.v1 import scene_pb2
from lumenmill_light.axes import wrap_deg

__all__ = ["Surroundings", "surroundings_of"]

# Ends of the five eighths of a turn on the camera's side.
_SIDE_DEG, _FRONT_DEG = 67.5, 112.5
_BEHIND_DEG = 110.0
# Lamps nearer than this would touch the subject, in its bounding radii; the gap is that between lamp and wall.
_MIN_LAMP_DISTANCE, _WALL_GAP = 1.25, 0.1
# How far under the centre of the subject the ground lies at least, in its radii.
_GROUND_BELOW = 0.5


@dataclass(frozen=True)
class Surroundings:
    """What limits the light of one kind of set. Angles in degrees, lengths in bounding radii of the subject.

    Attributes:
        outdoor: under the open sky.
        left_deg, right_deg: parallel light comes from azimuths of −left to right.
        over_walls_deg: parallel light from this elevation up comes from all sides; above 90 never.
        over_left_deg: parallel light from this elevation up passes the wall on the left, up to `right_deg`.
        lowest_deg: lowest elevation of parallel light.
        lowest_averted_deg: the same for light from behind, and from the left where a wall stands there.
        averted_from_deg: azimuths below −`averted_from_deg[0]` and above `averted_from_deg[1]` are averted.
        highest_deg: highest elevation of any light.
        wall_behind: nearest distance of the wall behind the centre of the subject; 0 when lamps cannot stand behind it.
        lamp_distance: largest distance of lamps.
        lamp_gain: factor of the irradiance of lamps, where they stand so near that most of the picture gets less of it.
        shows_sky: whether the sky is in the picture, through windows at least.
        min_angle_deg: angle between lights of one set that differ clearly; walls on two sides leave them less room.
    """

    outdoor: bool = False
    left_deg: float = 180.0
    right_deg: float = 180.0
    over_walls_deg: float = 91.0
    over_left_deg: float = 91.0
    lowest_deg: float = 0.5
    lowest_averted_deg: float = 0.5
    averted_from_deg: tuple[float, float] = (180.0, 180.0)
    highest_deg: float = 90.0
    wall_behind: float = 1e6
    lamp_distance: float = 4.0
    lamp_gain: float = 1.0
    shows_sky: bool = False
    min_angle_deg: float = 26.0

    @property
    def lamps_behind(self) -> bool:
        """Whether a lamp can stand behind the subject."""
        return self.wall_behind > 1.0

    def lowest_at(self, azimuth_deg: float) -> float:
        """Return the lowest elevation of parallel light from an azimuth."""
        left, right = self.averted_from_deg
        return self.lowest_deg if -left <= azimuth_deg <= right else self.lowest_averted_deg

    def raised(self, elevation_deg: float, azimuth_deg: float) -> float:
        """Return the elevation of parallel light from an azimuth, low ones raised smoothly to the lowest and above."""
        lowest = self.lowest_at(azimuth_deg)
        if azimuth_deg < -self.left_deg and self.over_left_deg <= 90.0:
            return max(elevation_deg, self.over_left_deg + 0.2 * elevation_deg)
        return min(elevation_deg if elevation_deg >= 2.0 * lowest else lowest + elevation_deg / 2.0, self.highest_deg)

    def turned_in(self, azimuth_deg: float, elevation_deg: float) -> float:
        """Return the azimuth of parallel light turned to the nearest from which it reaches the subject.

        The front eighths stay as they are; the rest is compressed, so that every eighth has light.
        """
        azimuth = wrap_deg(azimuth_deg)
        if elevation_deg >= self.over_walls_deg or self.outdoor:
            return azimuth
        over_left = elevation_deg >= self.over_left_deg
        return _compressed(
            azimuth, max(self.left_deg, _BEHIND_DEG - 10.0) if over_left else self.left_deg, self.right_deg
        )

    def spread(self, across: float) -> float:
        """Spread −1 … 1 evenly over the azimuths of low parallel light of an indoor set."""
        if self.left_deg == self.right_deg:
            return self.turned_in(across * _BEHIND_DEG, 0.0)
        return (across + 1.0) / 2.0 * (self.left_deg + self.right_deg) - self.left_deg

    def lamp(self, azimuth_deg: float, elevation_deg: float, diameter_deg: float) -> tuple[float, float]:
        """Return elevation and distance of a lamp of an angular diameter, above the ground and before the walls."""
        half = math.tan(math.radians(diameter_deg / 2.0))
        elevation = math.radians(max(elevation_deg, math.degrees(math.atan(half - _GROUND_BELOW / self.lamp_distance))))
        depth = -math.cos(elevation) * math.cos(math.radians(azimuth_deg)) + half * math.sin(elevation)
        distance = self.lamp_distance
        if depth > 0.0 and self.lamps_behind:
            distance = min(distance, max((self.wall_behind - _WALL_GAP) / depth, _MIN_LAMP_DISTANCE))
        return min(math.degrees(elevation), self.highest_deg), distance


def _compressed(azimuth: float, left: float, right: float) -> float:
    """Return an azimuth inside −left … right: the sides are compressed alone where the limit leaves some of them."""
    limit, angle = (right, azimuth) if azimuth >= 0.0 else (left, -azimuth)
    if angle <= min(limit, _SIDE_DEG):
        return azimuth
    start = _SIDE_DEG if limit > _SIDE_DEG else 0.0
    inside = start + (min(angle, _FRONT_DEG) - start) / (_FRONT_DEG - start) * (limit - start)
    return math.copysign(min(inside, angle), azimuth)


_OUTDOOR = Surroundings(
    outdoor=True,
    shows_sky=True,
    lowest_deg=7.0,
    lowest_averted_deg=13.0,
    averted_from_deg=(112.0, 112.0),
    lamp_distance=4.0,
)
_WALLED = Surroundings(
    outdoor=True,
    shows_sky=True,
    lowest_deg=9.0,
    lowest_averted_deg=24.0,
    averted_from_deg=(40.0, 112.0),
    lamp_distance=2.5,
)
_STILL_LIFE = Surroundings(left_deg=88.0, right_deg=88.0, over_walls_deg=81.0, wall_behind=1.4)
_BACKDROP = Surroundings(left_deg=98.0, right_deg=98.0, over_walls_deg=70.0, wall_behind=3.0)
_GALLERY = Surroundings(left_deg=92.0, right_deg=92.0, over_walls_deg=74.0, wall_behind=3.0)
_NICHE = Surroundings(left_deg=75.0, right_deg=75.0, highest_deg=70.0, wall_behind=0.0, lamp_distance=3.0)
_ROOM = Surroundings(
    left_deg=38.0, right_deg=88.0, over_left_deg=64.0, lowest_deg=7.0, lowest_averted_deg=7.0, wall_behind=1.3,
    lamp_distance=1.5, lamp_gain=2.5, shows_sky=True, min_angle_deg=18.0,
)  # fmt: skip
_PLACES = {"niche": _NICHE, "gallery": _GALLERY, "courtyard": _WALLED, "garden": _WALLED}
_KINDS = {
    scene_pb2.SCENE_KIND_STILL_LIFE: _STILL_LIFE,
    scene_pb2.SCENE_KIND_ROOM: _ROOM,
    scene_pb2.SCENE_KIND_PORTRAIT: _BACKDROP,
    scene_pb2.SCENE_KIND_OUTDOOR: _OUTDOOR,
}
_PLACES_OF_KIND = {
    scene_pb2.SCENE_KIND_PORTRAIT: ("niche", "gallery"),
    scene_pb2.SCENE_KIND_OUTDOOR: ("courtyard", "garden"),
}


@functools.lru_cache(maxsize=256)
def surroundings_of(kind: "scene_pb2.SceneKind.ValueType", place: str = "") -> Surroundings:
    """Return what stands around the subject of a kind of scene at a place, as scenes are described: "in a niche"."""
    word = next((word for word in _PLACES_OF_KIND.get(kind, ()) if word in place), "")
    return _PLACES[word] if word else _KINDS.get(kind, _STILL_LIFE)
