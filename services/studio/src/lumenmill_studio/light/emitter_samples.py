"""Sample the emitters of unit sources: positions or directions, evenly over each of them.

Legend: N points, S samples.
"""

from dataclasses import dataclass

import numpy as np

from lumenmill_light.axes import unit_vector
from lumenmill_light.color import Array
from lumenmill_studio.light.emitters import SIZE_OF_DISC
from lumenmill_studio.light.sources import UnitSource

__all__ = ["EmitterSamples", "emitter_samples"]

# Samples along each side of a rectangle, and of a disc.
_PER_SIDE, _PER_DISC = 4, 16


@dataclass(frozen=True)
class EmitterSamples:
    """Positions on a rectangle with its normal, or directions where the source is far away.

    Attributes:
        at_s3: positions, or unit vectors towards the source.
        normal: that of the rectangle; None for directions.
        at_origin: sum over the samples of what `weights_ns` and a facing surface at the origin make of them.
    """

    at_s3: Array
    normal: Array | None
    at_origin: float

    def seen_from(self, points_n3: Array) -> tuple[Array, Array]:
        """Return unit vectors (N, S, 3) from points towards the samples, and distances (N, S)."""
        if self.normal is None:
            shape = (len(points_n3), len(self.at_s3))
            return np.broadcast_to(self.at_s3, (*shape, 3)), np.full(shape, np.inf)
        offsets_ns3 = self.at_s3 - points_n3[:, None]
        lengths_ns = np.maximum(np.linalg.norm(offsets_ns3, axis=2), 1e-9)
        return offsets_ns3 / lengths_ns[..., None], lengths_ns

    def weights_ns(self, toward_ns3: Array, lengths_ns: Array) -> Array:
        """Return the irradiance (N, S) of each sample on surfaces that face it; all of them give 1 at the origin."""
        if self.normal is None:
            return np.full(lengths_ns.shape, 1 / self.at_origin)
        return np.maximum(-(toward_ns3 @ self.normal), 0) / lengths_ns**2 / self.at_origin


def emitter_samples(
    unit: UnitSource, subject_radius: float, panel_extent: tuple[float, float, float]
) -> EmitterSamples:
    """Return the samples of a lamp, a disc, parallel light or a background.

    ``panel_extent`` is width, height and distance of the panel of backgrounds, in metres.
    """
    if unit.kind == "area":
        toward = unit_vector(unit["azimuth_deg"], unit["elevation_deg"])
        size = unit["width_ratio"] * subject_radius, unit["height_ratio"] * subject_radius
        return _rectangle(toward, unit["distance_ratio"] * subject_radius, size)
    if unit.kind == "background":
        width, height, distance = panel_extent
        return _rectangle(np.array([0.0, 0.0, -1.0]), distance, (width, height))
    return _disc(unit_vector(unit["azimuth_deg"], unit["elevation_deg"]), unit[SIZE_OF_DISC[unit.kind]])


def _rectangle(toward: Array, distance: float, size: tuple[float, float]) -> EmitterSamples:
    """Sample a rectangle around ``toward`` × ``distance`` that faces the origin."""
    across, up = _tangents(toward)
    steps = (np.arange(_PER_SIDE) + 0.5) / _PER_SIDE - 0.5
    x, y = (values.ravel() for values in np.meshgrid(steps * size[0], steps * size[1]))
    at_s3 = toward * distance + x[:, None] * across + y[:, None] * up
    lengths = np.linalg.norm(at_s3, axis=1)
    cosines = at_s3 @ toward / lengths
    return EmitterSamples(at_s3, -toward, float((cosines**2 / lengths**2).sum()))


def _disc(toward: Array, diameter_deg: float) -> EmitterSamples:
    if diameter_deg <= 0:
        return EmitterSamples(toward[None], None, 1.0)
    across, up = _tangents(toward)
    index = np.arange(_PER_DISC) + 0.5
    radius = np.tan(np.radians(diameter_deg / 2)) * np.sqrt(index / _PER_DISC)
    turn = np.pi * (1 + np.sqrt(5)) * index
    at_s3 = toward + (radius * np.cos(turn))[:, None] * across + (radius * np.sin(turn))[:, None] * up
    at_s3 /= np.linalg.norm(at_s3, axis=1, keepdims=True)
    return EmitterSamples(at_s3, None, float((at_s3 @ toward).sum()))


def _tangents(toward: Array) -> tuple[Array, Array]:
    """Return the horizontal and the other side of a rectangle, as the emitters have them."""
    above = np.array([0.0, 0.0, -1.0]) if abs(toward[1]) > 0.999 else np.array([0.0, 1.0, 0.0])
    across = np.cross(above, -toward)
    across /= np.linalg.norm(across)
    return across, np.cross(-toward, across)
