"""Find the light that arrived in pictures and frames: of each source, how much of it reaches what the camera sees."""

import math
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass

import numpy as np

from lumenmill.common.v1.light_pb2 import ArrivedLight, LightSource
from lumenmill_common.jobs import JobContext
from lumenmill_light.arrival import Arrival, arrived_light, arrived_source
from lumenmill_light.color import LUMINANCE
from lumenmill_light.source_attributes import RadianceOf, SourceAttributes, background_attributes, source_attributes
from lumenmill_light.sun_sky import sun_irradiance, sun_scale, turbidity
from lumenmill_light.surroundings import Reach, surrounding_radiance
from lumenmill_studio.families.lighting import Lighting, LightReader
from lumenmill_studio.light.basis import Image, Key
from lumenmill_studio.light.emitters import ENVIRONMENTS
from lumenmill_studio.light.sources import Weighted, resolved_each
from lumenmill_studio.render.engine import Engine
from lumenmill_studio.render.lit_scenes import panel_extent
from lumenmill_studio.render.view import View

__all__ = ["Arrivals"]


@dataclass(frozen=True)
class _Found:
    """One source: its attributes and reach, and what arrives directly of it.

    ``irradiance`` is the mean luminance of the direct irradiance of the visible surfaces.
    """

    arrived: SourceAttributes
    unoccluded_fraction: float
    irradiance: float


@dataclass(frozen=True)
class Arrivals:
    """Finds what arrives in views of one engine."""

    engine: Engine
    lights: LightReader

    def in_picture(
        self, view: View, lighting: Lighting, job: JobContext, in_hand: MutableMapping[Key, Image]
    ) -> ArrivedLight:
        """Return what arrived in a picture; shares are those of its luminance, interreflection included.

        ``in_hand`` are the unit pictures that it was mixed from, as in :meth:`Engine.picture`.
        """
        mask = self.engine.surface_mask(view)

        def level(part: Weighted) -> float:
            unit = self.engine.picture(view, part.unit, job.check_cancelled, in_hand)
            return float(LUMINANCE @ (unit[mask].mean(axis=0, dtype=np.float64) * part.weight))

        def share(parts: Sequence[Weighted]) -> float:
            return max(sum(level(part) for part in parts), 0.0)

        each = resolved_each(lighting.light, shared_harmonics=lighting.shared_harmonics)
        shares = [share(parts) for parts in each] if mask.any() else [0.0] * len(each)
        return self._arrived(view, lighting, shares)

    def in_frame(self, view: View, lighting: Lighting) -> ArrivedLight:
        """Return what arrived in a frame of a clip; shares are those of the direct irradiance."""
        return self._arrived(view, lighting, None)

    def _arrived(self, view: View, lighting: Lighting, shares: Sequence[float] | None) -> ArrivedLight:
        light = lighting.light
        if not light.sources:
            return arrived_light([])
        radiance_of = self.lights.radiance_of(light)
        each = resolved_each(light, shared_harmonics=lighting.shared_harmonics)
        found = [self._of_source(view, *pair, radiance_of) for pair in zip(light.sources, each, strict=True)]
        known = [item.irradiance for item in found] if shares is None else shares
        arrivals = [
            Arrival(index, item.arrived, item.unoccluded_fraction, share)
            for index, (item, share) in enumerate(zip(found, known, strict=True))
        ]
        return arrived_light(arrivals, view.pose.azimuth_deg)

    def _of_source(self, view: View, source: LightSource, parts: Sequence[Weighted], radiance_of: RadianceOf) -> _Found:
        alone = self._alone(view, source, radiance_of)
        compact = [part for part in parts if part.unit.kind not in ENVIRONMENTS]
        reach = self.engine.visibility.reach(view, compact[0].unit) if compact else None
        surroundings = self.engine.visibility.surroundings(view) if len(compact) < len(parts) else None
        total = Reach(0.0, 0.0)
        if reach is not None:
            level = _level(source, alone)
            total = Reach(reach.arriving * level, reach.facing * level)
        if surroundings is not None:
            around = surroundings.reach(surrounding_radiance(source, radiance_of))
            total = Reach(total.arriving + around.arriving, total.facing + around.facing)
        arrived = arrived_source(source, alone, reach, surroundings, radiance_of)
        return _Found(arrived, total.unoccluded_fraction, max(total.arriving, 0.0))

    def _alone(self, view: View, source: LightSource, radiance_of: RadianceOf) -> SourceAttributes:
        """Return the attributes of a source where nothing is in its way."""
        if not source.HasField("background"):
            return source_attributes(source, radiance_of)
        width, _, distance = panel_extent(view.scene.spec, 1.0)
        half_angle_deg = math.degrees(math.atan2(width / 2, distance))
        return background_attributes(source.background, radiance_of(source.background.image), half_angle_deg)


def _level(source: LightSource, alone: SourceAttributes) -> float:
    """Return the irradiance, as luminance, of a lamp, a disc or a background; of daylight, of its sun."""
    if not source.HasField("sun_sky"):
        return alone.irradiance or 0.0
    sun = source.sun_sky
    return sun_scale(sun) * float(LUMINANCE @ sun_irradiance(sun.sun_elevation_deg, turbidity(sun)))
