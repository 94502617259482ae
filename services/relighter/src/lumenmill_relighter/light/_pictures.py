"""Pictures that stand for a light: a background, and the gradient that a light's side throws over a picture."""

import numpy as np
from lumenmill.common.v1.light_pb2 import LightAttributes
from lumenmill_media import linear_to_srgb
from PIL import Image

from ._environment import Array

__all__ = ["background_picture", "gradient_picture"]

# Middle of what a background shows, before it is encoded for display.
_MID_GREY = 0.18
# Light nearer to the line of sight than this falls on no side of the picture.
_MIN_SIDEWAYS = 0.25


def background_picture(linear: Array) -> Image.Image:
    """A view (H, W, 3) of radiance as a display picture: exposed so that its median is mid grey."""
    luminance = linear.mean(axis=-1)
    lit = luminance[luminance > 0]
    exposure = _MID_GREY / float(np.median(lit)) if lit.size else 1.0
    return Image.fromarray(np.round(linear_to_srgb(linear * np.float32(exposure)) * 255).astype(np.uint8))


def gradient_picture(
    look: LightAttributes, width: int, height: int, levels: tuple[int, int], tint: Array | None = None
) -> Image.Image:
    """Bright on the side that light comes from, dark on the other, between two levels of 8 bits; even, at their middle,
    for light from the front, from behind and from nowhere. `tint` (3,) is a linear colour of luminance 1."""
    azimuth, elevation = np.radians(look.azimuth_deg), np.radians(look.elevation_deg)
    right, up = np.cos(elevation) * np.sin(azimuth), np.sin(elevation)
    sideways = float(np.hypot(right, up))
    known = look.HasField("azimuth_deg") or look.HasField("elevation_deg")
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(1, -1, height))
    if known and sideways > _MIN_SIDEWAYS:
        along = (x * right + y * up) / (abs(right) + abs(up))
    else:
        along = np.zeros((height, width))
    low, high = levels
    grey = (low + (high - low) * (along + 1) / 2)[..., None] / 255
    colour = np.ones(3) if tint is None else linear_to_srgb(tint / np.float32(max(float(tint.max()), 1e-6)))
    return Image.fromarray(np.round(grey * colour * 255).astype(np.uint8).repeat(3 // colour.size, axis=-1))
