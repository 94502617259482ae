"""What an environment looks like on a subject."""

from dataclasses import dataclass

import numpy as np
from lumenmill.common.v1.light_pb2 import LightAttributes

from ._environment import LUMINANCE, RGB_TO_XYZ, Array, directions, resized, solid_angles

__all__ = ["Look", "look_of"]

_COARSE_HEIGHT, _COARSE_WIDTH = 32, 64
# Lobe in which the dominant light is looked for: half of its height is 20° off.
_LOBE_EXPONENT = 11.0
# Less than this part of all light in excess on one side, and light comes from nowhere in particular.
_MIN_DIRECTIONALITY = 0.08
_MAX_CONTRAST_EV = 8.0
# Distance from the black-body locus, in CIE 1960 units, from which a colour has a name of its own.
_MAX_DUV = 0.02
_HUES = ("red", "orange", "yellow", "green", "cyan", "blue", "violet", "magenta")
_HUE_ANGLES_DEG = (0.0, 30.0, 60.0, 120.0, 180.0, 230.0, 275.0, 310.0)


@dataclass(frozen=True)
class Look:
    """Attributes of a light, the name of a colour that no black body has, and its mean colour (3,) of luminance 1."""

    attributes: LightAttributes
    hue: str
    rgb: Array


def look_of(environment: Array) -> Look:
    """The look of a map (H, W, 3) that shines somewhere.

    Direction: where a lobe of 20° gathers the most luminance; absent where light comes evenly from everywhere.
    Hardness: 1 / (1 + size / 20°), the size being that of the disc half of whose light lies as near to its middle as
    half of the map's does to that direction. Contrast: irradiance towards the light over irradiance away from it.
    Intensity: stops of the irradiance towards the light from π, under which a white surface is white.
    """
    coarse = resized(environment, _COARSE_HEIGHT, _COARSE_WIDTH)
    toward = directions(_COARSE_HEIGHT, _COARSE_WIDTH).reshape(-1, 3)
    power = (coarse @ LUMINANCE * solid_angles(_COARSE_HEIGHT, _COARSE_WIDTH)).reshape(-1)
    cosines = np.clip(toward @ toward.T, 0, 1)
    centre = _refined(toward, power, toward[int(np.argmax(cosines**_LOBE_EXPONENT @ power))])
    facing, averted = (float(power @ np.maximum(sign * (toward @ centre), 0)) for sign in (1, -1))
    rgb = (coarse * solid_angles(_COARSE_HEIGHT, _COARSE_WIDTH)[..., None]).reshape(-1, 3).sum(axis=0)
    rgb = np.asarray(rgb / float(rgb @ LUMINANCE), np.float32)
    attributes = LightAttributes(intensity_ev=round(float(np.log2(max(facing, 1e-6) / np.pi)), 2))
    if np.linalg.norm(power @ toward) / power.sum() > _MIN_DIRECTIONALITY:
        attributes.azimuth_deg = round(float(np.degrees(np.arctan2(centre[0], centre[2]))), 1)
        attributes.elevation_deg = round(float(np.degrees(np.arcsin(np.clip(centre[1], -1, 1)))), 1)
    attributes.hardness = round(1 / (1 + _size_deg(environment, centre) / 20.0), 3)
    attributes.contrast_ev = round(min(float(np.log2(facing / max(averted, facing * 2**-_MAX_CONTRAST_EV))), 8.0), 2)
    kelvin, duv = _temperature(rgb)
    hue = _hue(rgb) if abs(duv) > _MAX_DUV else ""
    if not hue:
        attributes.color_temperature_k = round(kelvin)
    return Look(attributes, hue, rgb)


def _refined(toward: Array, power: Array, centre: Array) -> Array:
    near = power * np.maximum(toward @ centre - np.cos(np.radians(25.0)), 0)
    moved = near @ toward
    length = float(np.linalg.norm(moved))
    return np.asarray(moved / length, np.float32) if length > 0 else centre


def _size_deg(environment: Array, centre: Array) -> float:
    power = (environment @ LUMINANCE * solid_angles(*environment.shape[:2])).ravel()
    off = np.degrees(np.arccos(np.clip(directions(*environment.shape[:2]).reshape(-1, 3) @ centre, -1, 1)))
    order = np.argsort(off)
    below = np.cumsum(power[order])
    median = float(off[order][int(np.searchsorted(below, below[-1] / 2))])
    return float(2 * np.sqrt(2) * median)


def _temperature(rgb: Array) -> tuple[float, float]:
    """Correlated colour temperature (McCamy 1992, held to 1000 to 25000 K) and distance from the locus (Ohno 2014)."""
    x, y, z = RGB_TO_XYZ @ rgb.astype(np.float64)
    total = x + y + z
    n = (x / total - 0.3320) / (0.1858 - y / total)
    kelvin = float(np.clip(449 * n**3 + 3525 * n**2 + 6823.3 * n + 5520.33, 1000.0, 25000.0))
    u, v = 4 * x / (x + 15 * y + 3 * z), 6 * y / (x + 15 * y + 3 * z)
    distance = np.hypot(u - 0.292, v - 0.24)
    angle = np.arccos(np.clip((u - 0.292) / distance, -1, 1))
    locus = np.polyval([-0.00616793, 0.0893944, -0.5179722, 1.5317403, -2.4243787, 1.925865, -0.471106], angle)
    return kelvin, float(distance - locus)


def _hue(rgb: Array) -> str:
    high, low = float(rgb.max()), float(rgb.min())
    if high <= low:
        return ""
    red, green, blue = (float(value) for value in (rgb - low) / (high - low))
    sector = (green - blue) if red == 1 else 2 + (blue - red) if green == 1 else 4 + (red - green)
    angle = 60.0 * sector % 360.0
    differences = [abs((angle - hue + 180.0) % 360.0 - 180.0) for hue in _HUE_ANGLES_DEG]
    return _HUES[int(np.argmin(differences))]
