"""Gather light at the surfaces that the camera sees: radiance along rays that no sensor of Mitsuba provides.

Runs in the thread that chose the variant. Legend: N pixels in rows, H height, W width.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import mitsuba as mi
import numpy as np
from numpy.typing import NDArray

from lumenmill_studio.render.camera import Pose
from lumenmill_studio.render.tracer import Image, aov
from lumenmill_studio.render.variant import is_scalar

__all__ = ["FirstHits", "Floats", "Rays", "cosine_rays", "first_hits", "radiance_along"]

# Steps of the R2 sequence: powers of 1/x for x³ = x + 1 (Roberts, "The unreasonable effectiveness of quasirandom
# sequences", 2018).
_R2 = np.array([0.7548776662466927, 0.5698402909980532])
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FirstHits:
    """What the camera sees at one position within each pixel.

    Points, normals of the mesh and smooth normals (both facing the camera), (N, 3) each, and whether the surface is
    diffuse, (N,).
    """

    points_n3: Floats
    mesh_normals_n3: Floats
    normals_n3: Floats
    is_diffuse_n: NDArray[np.bool_]


@dataclass(frozen=True)
class Rays:
    """One ray for each pixel: origins and directions, (N, 3) each; inactive ones return no light."""

    origins_n3: Floats
    directions_n3: Floats
    is_active_n: NDArray[np.bool_]


def first_hits(grouped: Any, pose: Pose, size_px: tuple[int, int], seed: int) -> FirstHits:
    """Return what the camera sees of a grouped scene, at a position within each pixel that depends on the seed."""
    channels = "position:position,mesh:geo_normal,smooth:sh_normal,albedo:albedo"
    seen = aov(grouped, pose, size_px, channels, {"type": "independent", "sample_count": 1}, 1, seed)
    points, mesh, smooth, albedo = (seen.reshape(-1, 12)[:, at : at + 3].astype(np.float64) for at in (0, 3, 6, 9))
    away = points - pose.position
    return FirstHits(points, _facing(mesh, away), _facing(smooth, away), albedo.max(axis=1) > 0)


def _facing(normals_n3: Floats, away_n3: Floats) -> Floats:
    return normals_n3 * np.where((normals_n3 * away_n3).sum(axis=1, keepdims=True) > 0, -1, 1)


def cosine_rays(hits: FirstHits, seed: int, index: int) -> Rays:
    """Return a ray from each hit, distributed by the cosine to its smooth normal.

    ``index`` numbers the rays of one pixel; they follow an R2 sequence with a random offset for each pixel.
    """
    turns = np.random.default_rng(seed).random((len(hits.points_n3), 2))
    radial, angular = ((turns + index * _R2) % 1.0).T
    radius, angle = np.sqrt(radial), 2 * np.pi * angular
    tangent, bitangent = _tangents(hits.normals_n3)
    directions = (
        (radius * np.cos(angle))[:, None] * tangent
        + (radius * np.sin(angle))[:, None] * bitangent
        + np.sqrt(1 - radial)[:, None] * hits.normals_n3
    )
    # As Mitsuba does: the origin is off the surface, towards the ray, by an epsilon that grows with the coordinates.
    epsilon = mi.math.RayEpsilon * (1 + np.abs(hits.points_n3).max(axis=1, keepdims=True))
    side = np.sign((hits.mesh_normals_n3 * directions).sum(axis=1, keepdims=True))
    return Rays(hits.points_n3 + epsilon * side * hits.mesh_normals_n3, directions, hits.is_diffuse_n)


def _tangents(normals_n3: Floats) -> tuple[Floats, Floats]:
    """Return two tangents of each normal (Duff et al., "Building an orthonormal basis, revisited", 2017)."""
    x, y, z = normals_n3.T
    sign = np.copysign(1.0, z)
    a = -1 / (sign + z)
    b = x * y * a
    return np.stack([1 + sign * x * x * a, sign * b, -sign * x], 1), np.stack([b, sign + y * y * a, -y], 1)


def radiance_along(scene: Any, rays: Rays, size_px: tuple[int, int], max_depth: int, seed: int) -> Image:
    """Return path-traced radiance (H, W, 3) along one ray for each pixel, without sources that it hits first."""
    width, height = size_px
    # One block means one thread: threads that call Python for every ray spend most time waiting for each other.
    integrator = mi.load_dict(
        {
            "type": "path",
            "max_depth": max_depth,
            "rr_depth": 32,
            "hide_emitters": True,
            "block_size": 1 << (max(size_px) - 1).bit_length(),
        }
    )
    traced = _traced_one_by_one if is_scalar() else _traced_at_once
    radiance = traced(scene, integrator, rays, size_px, seed & 0x7FFFFFFF)
    return np.nan_to_num(radiance, nan=0.0, posinf=0.0, neginf=0.0).reshape(height, width, 3)


def _traced_at_once(scene: Any, integrator: Any, rays: Rays, size_px: tuple[int, int], seed: int) -> Image:
    """Trace all rays at once, in variants that trace arrays."""
    sampler: Any = mi.load_dict({"type": "independent"})
    sampler.seed(seed, len(rays.origins_n3))
    origins, directions = (mi.Vector3f(values.T.astype(np.float32)) for values in (rays.origins_n3, rays.directions_n3))
    active = mi.Bool(rays.is_active_n)
    radiance, _, _ = integrator.sample(
        scene, sampler, mi.RayDifferential3f(mi.Point3f(origins), directions), active=active
    )
    return np.where(rays.is_active_n[:, None], np.array(radiance).T, 0).astype(np.float32)


def _traced_one_by_one(scene: Any, integrator: Any, rays: Rays, size_px: tuple[int, int], seed: int) -> Image:
    """Trace ray by ray, in scalar variants: Mitsuba renders with a sensor that returns the ray of each pixel."""
    sensor: Any = mi.load_dict(
        {
            "type": _ray_sensor(),
            "film": {
                "type": "hdrfilm",
                "width": size_px[0],
                "height": size_px[1],
                "rfilter": {"type": "box"},
                "pixel_format": "rgb",
                "component_format": "float32",
            },
            "sampler": {"type": "independent", "sample_count": 1},
        }
    )
    sensor.aim(rays, size_px)
    first: Any = seed
    return np.array(mi.render(scene, sensor=sensor, integrator=integrator, spp=1, seed=first))


@lru_cache(maxsize=1)
def _ray_sensor() -> str:
    """Register a sensor that takes its rays from a list with the scalar variant, and return its name."""

    class RaySensor(mi.Sensor):
        """A sensor with one ray for each pixel, at whatever position in the pixel it is sampled."""

        def aim(self, rays: Rays, size_px: tuple[int, int]) -> None:
            """Set the rays, in rows."""
            self._width, self._height = size_px
            self._white, nowhere = mi.Color3f(1.0), mi.RayDifferential3f(mi.Point3f(0.0), mi.Vector3f(0.0, 0.0, 1.0))
            nowhere.maxt = 0.0  # type: ignore[assignment]  # scalar variants take plain numbers
            points, directions = (values.T.tolist() for values in (rays.origins_n3, rays.directions_n3))
            found = map(mi.RayDifferential3f, map(mi.Point3f, *points), map(mi.Vector3f, *directions))
            self._rays = [ray if active else nowhere for ray, active in zip(found, rays.is_active_n, strict=True)]
            # Positions on the far edge of the last pixels may be rounded beyond them.
            self._rays += self._rays[-self._width - 1 :]

        def sample_ray_differential(
            self, time: Any, wavelength: Any, position: Any, aperture: Any, active: Any = True
        ) -> tuple[Any, Any]:
            return self._rays[int(position.y * self._height) * self._width + int(position.x * self._width)], self._white

        def to_string(self) -> str:
            return "RaySensor[]"

    mi.register_sensor("lumenmill_rays", RaySensor)
    return "lumenmill_rays"
