"""What shading holds that no source gives directly: light of other surfaces, and gloss.

The picture shows how much light leaves each surface, and depth shows where they are. What a surface receives of the
others follows from their form factors (Cohen and Wallace, Radiosity and Realistic Image Synthesis, 1993, chapter 4),
with a disc's area in the denominator, which keeps near patches finite. Nothing is taken to be in the way between two
of them.
"""

import math

import numpy as np
from numpy.typing import NDArray

from lumenmill_captioner.measure.evidence import Evidence
from lumenmill_captioner.measure.relief import Relief
from lumenmill_light.axes import Vector
from lumenmill_light.color import luminance

__all__ = ["cosines_to_camera", "gloss_of", "reflected_shading"]

Array = NDArray[np.float32]

# Surfaces are gathered in square patches of this part of the longer side, of which a quarter must be known.
_PATCH_PART, _MIN_KNOWN = 1.0 / 16.0, 0.25
# Highlights above this rank are no light that a matt surface reflects to all sides.
_HIGHLIGHT_RANK = 99.5
# Least cosine to the camera: the area of a surface that is seen edge on is not known.
_MIN_COSINE = 0.1
# Reflectance of glass, plastic and most other things that are no metal, seen head on: refractive index 1.5.
_HEAD_ON = 0.04
_LEAST_ALBEDO = 0.02


def cosines_to_camera(points: Vector, normals: Vector) -> Vector:
    """Return the cosines (P,) of normals (P, 3) to the camera from points (P, 3), both in camera space."""
    return np.asarray(-(normals * points).sum(axis=-1) / np.maximum(np.linalg.norm(points, axis=-1), 1e-9))


def gloss_of(evidence: Evidence, pixels: NDArray[np.int64], cosines: Vector) -> Vector:
    """Return the shading (P,) that a surface mirrors of even light of radiance 1; 0 where the albedo is unknown.

    Args:
        evidence: the picture.
        pixels: (P,) indices into the flat picture.
        cosines: (P,) of the surfaces to the camera: what they mirror grows towards grazing angles (Schlick 1994).
    """
    if evidence.albedo is None:
        return np.zeros(len(pixels))
    albedo = luminance(evidence.albedo.reshape(-1, 3)[pixels])
    mirrored = _HEAD_ON + (1.0 - _HEAD_ON) * (1.0 - np.clip(cosines, 0.0, 1.0)) ** 5
    return np.asarray(mirrored / np.maximum(albedo, _LEAST_ALBEDO))


def reflected_shading(relief: Relief, linear: Array, points: Vector, normals: Vector) -> Vector:
    """Return the shading (P, 3), irradiance / π, that visible surfaces give points by reflection.

    Args:
        relief: visible surfaces.
        linear: (H, W, 3) radiance of the picture.
        points: (P, 3) positions in camera space; normals: (P, 3) there.
    """
    positions, facing, radiance, area = _patches(relief, linear)
    away = positions - points[:, None]
    squared = (away**2).sum(axis=-1)
    away /= np.sqrt(squared + 1e-18)[..., None]
    received = np.maximum(np.einsum("pjc,pc->pj", away, normals), 0.0)
    sent = np.maximum(-np.einsum("pjc,jc->pj", away, facing), 0.0)
    return np.asarray((received * sent * area / (math.pi * squared + area)) @ radiance)


def _patches(relief: Relief, linear: Array) -> tuple[Vector, Vector, Vector, Vector]:
    """Return positions (J, 3), normals (J, 3), radiance (J, 3) and area (J,) of patches of the visible surfaces."""
    side = max(round(_PATCH_PART * max(relief.depth.shape)), 1)
    is_known = (relief.depth > 0.0) & (np.linalg.norm(relief.normals, axis=-1) > 0.9)
    # The last patches of rows and columns that do not divide reach to the edge.
    rows, columns = (np.arange(0, size, side) for size in relief.depth.shape)

    def summed(values: Vector) -> Vector:
        known = np.where(is_known[..., None], values, 0.0)
        sums = np.add.reduceat(np.add.reduceat(known, rows, axis=0), columns, axis=1)
        return np.asarray(sums.reshape(-1, values.shape[-1]))

    counts = summed(np.ones((*is_known.shape, 1)))[:, 0]
    kept = counts > _MIN_KNOWN * side * side
    radiance = np.minimum(linear, np.percentile(linear, _HIGHLIGHT_RANK)).astype(np.float64)
    positions, radiance = (summed(values)[kept] / counts[kept, None] for values in (relief.positions, radiance))
    normals = summed(relief.normals)[kept]
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    # A pixel spans the square of depth over focal length on a surface that faces the viewing axis.
    slants = np.maximum((normals * positions).sum(axis=-1) / positions[:, 2], _MIN_COSINE)
    return positions, normals, radiance, counts[kept] * (positions[:, 2] / relief.focal_px) ** 2 / slants
