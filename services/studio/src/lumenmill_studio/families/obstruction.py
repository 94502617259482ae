"""Keep requests from asking for light that cannot arrive: lamps behind walls are moved, others are refused."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lumenmill.common.v1.light_pb2 import Light, LightSource
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.jobs import JobContext
from lumenmill_light.axes import wrap_deg
from lumenmill_light.source_attributes import source_attributes
from lumenmill_light.sources import with_defaults
from lumenmill_light.sun_sky import daylight
from lumenmill_studio.families.lighting import Lighting, LightReader
from lumenmill_studio.light.emitters import ENVIRONMENTS
from lumenmill_studio.light.sources import UnitSource, parallel_unit, resolved_each
from lumenmill_studio.render.camera import pose_of
from lumenmill_studio.render.view import View
from lumenmill_studio.render.visibility import Visibility

__all__ = ["NothingArrivesError", "Obstruction"]

# A strongest source of which less than this arrives is refused.
_MIN_FRACTION = 0.05
# A lamp of which less than this arrives is moved, if more than this arrives from there.
_MIN_LAMP_FRACTION = 0.1
# A lamp is moved to the farthest place from which this part arrives of the most that can.
_NEARLY_ALL = 0.8
_MIN_DISTANCE_RATIO, _NUM_DISTANCES = 1.2, 16
# Daylight of which the sun gives this part cannot do without it.
_SUNLIT_SHARE = 0.5
_AZIMUTH_STEP_DEG = 15
# The size of the reference camera's picture; only its aspect matters.
_REFERENCE_PX = (64, 48)


class NothingArrivesError(InvalidArgumentError):
    """Nothing of the strongest source reaches what the camera sees."""


@dataclass(frozen=True)
class Obstruction:
    """Finds what stands between the sources of a light and what the camera sees."""

    visibility: Visibility
    lights: LightReader

    def cleared(self, view: View, lighting: Lighting, job: JobContext) -> Lighting:
        """Return a light as :meth:`cleared_light`, ready to render."""
        moved = self.cleared_light(view, lighting.light, job)
        if moved == lighting.light:
            return lighting
        return self.lights.resolve(
            moved, "light", shared_harmonics=lighting.shared_harmonics, open_set=lighting.open_set
        )

    def cleared_light(self, view: View, light: Light, job: JobContext) -> Light:
        """Return the light with lamps in front of the walls behind which they stood, each in its direction.

        Size is scaled with distance, so that angular size and irradiance stay. A light in which a lamp was moved has no
        words and attributes, which follow from its sources. What counts is what the reference camera sees, so that a
        light is the same from all viewpoints.
        """
        reference = replace(view, pose=pose_of(view.scene.spec.camera, None), size_px=_REFERENCE_PX)
        moved = Light()
        moved.CopyFrom(light)
        for source in moved.sources:
            if source.HasField("area"):
                self._move(reference, source, job)
        if moved != light:
            moved.text = ""
            moved.ClearField("attributes")
        return moved

    def check(self, views: Sequence[View], light: Light, field_name: str, *, is_of_words: bool = False) -> None:
        """Check that the strongest source arrives in a picture, or in one of some frames of a clip.

        Args:
            views: of the picture or the frames.
            light: the light, its assets in the store.
            field_name: the field of the light, or of the words that ask for it.
            is_of_words: whether it is a field of words, in which there is no source to be named.

        Raises:
            NothingArrivesError: it does not; names the source, what is in its way, and azimuths from which it would.
        """
        radiance_of = self.lights.radiance_of(light)
        strengths = [source_attributes(source, radiance_of).strength for source in light.sources]
        index = int(np.argmax(strengths))
        unit = _straight_unit(light.sources[index])
        if unit is None or any(
            self.visibility.reach(view, unit).unoccluded_fraction >= _MIN_FRACTION for view in views
        ):
            return
        view = views[0]
        blocker = self.visibility.blocker(view, unit)
        is_plural = blocker.endswith("s") and not blocker.endswith("ss")
        reason = (
            f"the {blocker} {'are' if is_plural else 'is'} in its way" if blocker else "no visible surface faces it"
        )
        raise NothingArrivesError(
            field_name if is_of_words else f"{field_name}.sources[{index}]",
            f"the strongest source does not reach what the camera sees: {reason}; {self._advice(view, unit)}",
        )

    def _move(self, view: View, source: LightSource, job: JobContext) -> None:
        """Move a lamp, in place, if a wall is in its way and there is room before it."""
        job.check_cancelled()
        lamp = with_defaults(source).area
        if self._fraction(view, source) >= _MIN_LAMP_FRACTION or lamp.distance_ratio <= _MIN_DISTANCE_RATIO:
            return
        distances = np.geomspace(lamp.distance_ratio, _MIN_DISTANCE_RATIO, _NUM_DISTANCES)[1:]
        nearer = [_at_distance(source, float(distance)) for distance in distances]
        fractions = []
        for candidate in nearer:
            job.check_cancelled()
            fractions.append(self._fraction(view, candidate))
        if max(fractions) < _MIN_LAMP_FRACTION:
            return
        enough = next(i for i, fraction in enumerate(fractions) if fraction >= _NEARLY_ALL * max(fractions))
        source.CopyFrom(nearer[enough])

    def _fraction(self, view: View, source: LightSource) -> float:
        unit = _straight_unit(source)
        return 1.0 if unit is None else self.visibility.reach(view, unit).unoccluded_fraction

    def _advice(self, view: View, unit: UnitSource) -> str:
        """Return the azimuths from which parallel light of the same elevation reaches what the camera sees."""
        azimuths = range(-180, 180, _AZIMUTH_STEP_DEG)
        arrives = [
            self.visibility.reach(view, parallel_unit(azimuth, unit["elevation_deg"])).unoccluded_fraction
            >= _MIN_LAMP_FRACTION
            for azimuth in azimuths
        ]
        height = f"at an elevation of {unit['elevation_deg']:.0f}°"
        ranges = _ranges(arrives)
        return f"{height} light arrives from azimuths {' and '.join(ranges)}" if ranges else f"none arrives {height}"


def _straight_unit(source: LightSource) -> UnitSource | None:
    """Return the unit of a lamp, of parallel light or of the sun of sunny daylight; None for light from all around."""
    if source.HasField("background") or (
        source.HasField("sun_sky") and daylight(source.sun_sky).sun_share < _SUNLIT_SHARE
    ):
        return None
    parts = resolved_each(Light(sources=[source]))[0]
    return next((part.unit for part in parts if part.unit.kind not in ENVIRONMENTS), None)


def _at_distance(source: LightSource, distance_ratio: float) -> LightSource:
    """Return a lamp at another distance, of the same angular size."""
    result = with_defaults(source)
    factor = distance_ratio / result.area.distance_ratio
    result.area.distance_ratio = distance_ratio
    result.area.width_ratio *= factor
    result.area.height_ratio *= factor
    return result


def _ranges(arrives: list[bool]) -> list[str]:
    """Return the azimuths at which light arrives as ranges, `-60° to 75°`; they are steps around the circle."""
    num = len(arrives)
    if all(arrives):
        return ["-180° to 180°"]
    starts = [index for index in range(num) if arrives[index] and not arrives[index - 1]]
    return [_range(start, next(i for i in range(num) if not arrives[(start + i) % num])) for start in starts]


def _range(start: int, length: int) -> str:
    first, last = (wrap_deg(-180.0 + _AZIMUTH_STEP_DEG * index) for index in (start, start + length - 1))
    return f"{first:.0f}°" if math.isclose(first, last) else f"{first:.0f}° to {last:.0f}°"
