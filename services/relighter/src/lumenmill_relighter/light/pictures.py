"""Pictures that condition a model on a light: the background, and a gradient from the lit to the dark side."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lumenmill.common.v1.light_pb2 import LightAttributes
from lumenmill_media import linear_to_srgb

__all__ = ["background_picture", "gradient_picture", "has_side", "seen_behind"]

Array = NDArray[np.float32]


# Middle of what a background shows, before it is encoded for display.
_MID_GREY = 0.18
# Light nearer to the line of sight than this has no side in the picture.
_MIN_SIDEWAYS = 0.25
# Field of view of the reference camera, across its width.
_FOV_DEG = 60.0


def background_picture(linear: Array) -> Image.Image:
    """Return radiance (H, W, 3) as a display picture, exposed so that its median is mid grey."""
    luminance = linear.mean(axis=-1)
    lit = luminance[luminance > 0]
    exposure = _MID_GREY / float(np.median(lit)) if lit.size else 1.0
    return Image.fromarray(np.round(linear_to_srgb(linear * np.float32(exposure)) * 255).astype(np.uint8))


def gradient_picture(
    attributes: LightAttributes, width: int, height: int, levels: tuple[int, int], tint: Array | None = None
) -> Image.Image:
    """Return a picture that is bright on the side that light comes from and dark on the other.

    It is even for light from the front, from behind and without a direction. `levels` are the darkest and the
    brightest 8-bit value; `tint` (3,) is a linear colour of luminance 1.
    """
    right, up = _sideways(attributes)
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(1, -1, height))
    along = (x * right + y * up) / (abs(right) + abs(up)) if has_side(attributes) else np.zeros((height, width))
    low, high = levels
    grey = (low + (high - low) * (along + 1) / 2)[..., None] / 255
    colour = np.ones(3) if tint is None else linear_to_srgb(tint / np.float32(max(float(tint.max()), 1e-6)))
    return Image.fromarray(np.round(grey * colour * 255).astype(np.uint8).repeat(3 // colour.size, axis=-1))


def has_side(attributes: LightAttributes) -> bool:
    """Return whether light comes from a side of the picture, not from the front, from behind or from everywhere."""
    known = attributes.HasField("azimuth_deg") or attributes.HasField("elevation_deg")
    return known and float(np.hypot(*_sideways(attributes))) > _MIN_SIDEWAYS


def _sideways(attributes: LightAttributes) -> tuple[float, float]:
    """Return how much the direction that light comes from points to the right, and up, in the plane of the picture."""
    azimuth, elevation = np.radians(attributes.azimuth_deg), np.radians(attributes.elevation_deg)
    return float(np.cos(elevation) * np.sin(azimuth)), float(np.sin(elevation))


def seen_behind(radiance: Array, width: int, height: int, fov_deg: float = _FOV_DEG) -> Array:
    """Return what the reference camera sees of an environment (H, W, 3) behind the subject, (height, width, 3)."""
    half = np.tan(np.radians(fov_deg / 2))
    x = ((np.arange(width) + 0.5) / width * 2 - 1) * half
    y = (1 - (np.arange(height) + 0.5) / height * 2) * half * height / width
    right, up = np.meshgrid(x, y)
    azimuth = np.degrees(np.arctan2(right, -1.0))
    elevation = np.degrees(np.arctan2(up, np.hypot(right, 1.0)))
    rows = np.clip((90.0 - elevation) / 180.0 * radiance.shape[0], 0, radiance.shape[0] - 1).astype(int)
    columns = np.floor((180.0 - azimuth) / 360.0 * radiance.shape[1]).astype(int) % radiance.shape[1]
    return np.asarray(radiance[rows, columns], np.float32)
