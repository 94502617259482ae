"""What is measured: a picture with its maps, and the lit surfaces in it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lumenmill_light.axes import Vector
from lumenmill_light.color import LUMINANCE

__all__ = ["Evidence", "Surface", "shading_from", "surface_luminance", "surface_of", "undo_shoulder"]

Array = NDArray[np.float32]

_MIN_ALBEDO, _MAX_METALLIC, _MAX_RADIANCE = 0.03, 0.3, 1e4
_MIN_SURFACE_PIXELS = 200
# Shading is known where it is known in channels that make up this part of luminance.
_MIN_KNOWN_LUMINANCE = 0.2
# Linearised sRGB beyond which a tone curve cannot be inverted reliably.
_NEAR_WHITE = 0.93


@dataclass(frozen=True)
class Evidence:
    """A picture and its maps, all of one size (H, W).

    Attributes:
        display: (H, W, 3) sRGB as shown.
        linear: (H, W, 3) linear, scene-referred when `is_scene_linear`.
        weight: (H, W) opacity.
        clipped_fractions: white and black parts of the whole file.
        normals: (H, W, 3) unit vectors in the level frame, zero where there is no surface; None for a picture alone.
        shading: (H, W, 3) irradiance / π, NaN in channels in which it is unknown; None for a picture alone.
        albedo: (H, W, 3), 0 to 1; None where it is unknown.
        depth: (H, W) distance along the viewing axis, 0 where there is no surface; None where it is unknown.
        focal_px: focal length in pixels; None where the camera is unknown.
        camera_axes: (3, 3) rows right, up and back of the camera in the level frame.
    """

    display: Array
    linear: Array
    weight: Array
    is_scene_linear: bool
    clipped_fractions: tuple[float, float]
    normals: Array | None = None
    shading: Array | None = None
    albedo: Array | None = None
    depth: Array | None = None
    focal_px: float | None = None
    camera_axes: Vector = field(default_factory=lambda: np.eye(3))


@dataclass(frozen=True)
class Surface:
    """Pixels of lit surfaces: normals (P, 3), shading (P, 3), its luminance (P,), indices into the flat picture (P,).

    Shading is NaN in channels in which the surface is too dark to show it.
    """

    normals: Vector
    shading: Vector
    luminance: Vector
    pixels: NDArray[np.int64]


def surface_of(evidence: Evidence) -> Surface | None:
    """Return the lit surfaces of the evidence, or None when too few pixels show any."""
    if evidence.normals is None or evidence.shading is None:
        return None
    normals = evidence.normals.reshape(-1, 3).astype(np.float64)
    shading = np.maximum(evidence.shading.reshape(-1, 3).astype(np.float64), 0.0)
    length = np.linalg.norm(normals, axis=-1)
    levels = surface_luminance(shading)
    pixels = np.flatnonzero((length > 0.9) & np.isfinite(levels) & (evidence.weight.reshape(-1) > 0.5))
    if len(pixels) < _MIN_SURFACE_PIXELS:
        return None
    return Surface(normals[pixels] / length[pixels][:, None], shading[pixels], levels[pixels], pixels)


def surface_luminance(shading: NDArray[np.floating]) -> Vector:
    """Return luminance (...) of shading (..., 3) from the channels that are known; NaN where hardly any is."""
    is_known = np.isfinite(shading)
    known = is_known @ LUMINANCE
    levels = np.where(is_known, shading, 0.0) @ LUMINANCE
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(known > _MIN_KNOWN_LUMINANCE, levels / known, np.nan))


def shading_from(linear: Array, albedo: Array, metallic: Array | None) -> Array:
    """Return shading (irradiance / π) as linear / albedo, NaN where it is unknown.

    It is unknown on metal, where the picture clips, and in channels in which the albedo is too dark: a red surface
    shows the red of its light alone.

    Args:
        linear: (H, W, 3).
        albedo: (H, W, 3), 0 to 1.
        metallic: (H, W, 1), 0 to 1, or None.
    """
    usable = (albedo > _MIN_ALBEDO) & (linear.max(axis=-1, keepdims=True) < _MAX_RADIANCE)
    if metallic is not None:
        usable &= metallic < _MAX_METALLIC
    shading = np.full(linear.shape, np.nan, np.float32)
    shading[usable] = linear[usable] / albedo[usable]
    return shading


def undo_shoulder(linear: Array) -> Array:
    """Return approximately scene-linear values of linearised sRGB ones, y / (1 − y²), infinite near white.

    Cameras and tone maps compress highlights; divided by albedo, they would make light look broader and flatter than it
    is. The curve is nearly linear up to 0.2 and corrects by one stop at 0.7.
    """
    near_white = linear.max(axis=-1, keepdims=True) > _NEAR_WHITE
    return np.where(near_white, np.inf, linear / np.maximum(1.0 - linear**2, 1e-3)).astype(np.float32)
