"""Build Mitsuba emitters of unit sources, in the axes of ``light.proto`` and the thread that chose the variant.

Irradiance of a disc is π·L·sin²; the sky is Mitsuba's `sunsky` (Hosek and Wilkie, 2012 and 2013), the sun follows the
table of it in `lumenmill_light.sun_sky`.
"""

from collections.abc import Callable
from typing import Any

import mitsuba as mi
import numpy as np

from lumenmill_light.axes import unit_vector
from lumenmill_light.color import Array
from lumenmill_light.irradiance import rectangle_irradiance
from lumenmill_light.sun_sky import DAYLIGHT_SCALE, sun_irradiance
from lumenmill_studio.light.harmonics import lifts, radiance_map
from lumenmill_studio.light.sources import UnitSource

__all__ = ["ENVIRONMENTS", "SIZE_OF_DISC", "back_distance", "back_of", "emitter_of", "harmonics_radiance", "panel"]

# Distance of discs in radii of the subject.
_FAR_RATIO = 600.0
_BACK_GAP_RATIO = 1e-3
_BLACK = {"bsdf": {"type": "twosided", "material": {"type": "diffuse", "reflectance": {"type": "rgb", "value": 0.0}}}}
Pixels = Callable[[str], Array]

# Kinds of unit sources that surround the scene; Mitsuba renders one of them at a time.
ENVIRONMENTS = frozenset({"environment_map", "sky", "harmonics+", "harmonics-", "harmonic"})
# The parameter of the angular diameter of units that are discs, or parallel light.
SIZE_OF_DISC = {"directional": "angular_diameter_deg", "sun": "diameter_deg"}


def emitter_of(unit: UnitSource, weight: tuple[float, float, float], subject_radius: float, pixels: Pixels) -> Any:
    """Return a Mitsuba emitter of ``weight`` times a unit source; ``pixels`` returns a map (H, W, 3) by its digest.

    Backgrounds are shapes of the set, not emitters of their own: see :func:`panel`.
    """
    color = np.array(weight)
    if unit.kind == "area":
        return _area(unit, color, subject_radius)
    if unit.kind == "directional":
        return _parallel(
            unit["azimuth_deg"], unit["elevation_deg"], unit["angular_diameter_deg"], color, subject_radius
        )
    if unit.kind == "sun":
        irradiance = sun_irradiance(unit["elevation_deg"], unit["turbidity"]) * color
        return _parallel(unit["azimuth_deg"], unit["elevation_deg"], unit["diameter_deg"], irradiance, subject_radius)
    if unit.kind == "sky":
        return _sky(unit, float(color[0]))
    if unit.kind == "environment_map":
        return _environment(pixels(unit.asset_sha256) * color, unit["rotation_deg"])
    return _environment(harmonics_radiance(unit) * color, 0.0)


def back_distance(distance: float) -> float:
    """Return the distance in metres of the back of a source whose face is at ``distance``.

    The gap is larger than the offset at which a ray that has passed the face continues.
    """
    return distance + _BACK_GAP_RATIO * (1 + distance)


def back_of(unit: UnitSource, subject_radius: float) -> Any | None:
    """Return the black back of a source that is a shape in the scene, just behind its face; ``None`` for all others.

    Rays pass the faces of hidden sources. The back ends them, as the face of a visible source does.
    """
    if unit.kind == "area":
        return mi.load_dict(
            {"type": "rectangle", "to_world": _area_place(unit, subject_radius, is_back=True), **_BLACK}
        )
    diameter_deg = SIZE_OF_DISC.get(unit.kind)
    if diameter_deg is None or unit[diameter_deg] <= 0:
        return None
    place, _ = _disc_place(unit["azimuth_deg"], unit["elevation_deg"], unit[diameter_deg], subject_radius, is_back=True)
    return mi.load_dict({"type": "disk", "to_world": place, **_BLACK})


def harmonics_radiance(unit: UnitSource) -> Array:
    """Return the non-negative radiance (64, 128, 3) of a spherical-harmonic unit."""
    if unit.kind == "harmonic":
        index = int(unit["index"])
        table = np.zeros((3, 9))
        table[:, index] = 1.0
        if index:
            table[:, 0] = lifts()[index]
        return np.maximum(radiance_map(table), 0)
    signed = radiance_map(np.array(unit.table).reshape(3, 9))
    return np.maximum(signed if unit.kind == "harmonics+" else -signed, 0)


def panel(pixels_hw3: Array | None, aspect: float, width: float, distance: float) -> Any:
    """Return an upright rectangle behind the subject that faces the reference camera and emits a picture, if given one.

    ``aspect`` is height over width; ``width`` and ``distance`` are in metres.
    """
    place = mi.ScalarTransform4f().translate([0, 0, -distance]).scale([width / 2, width / 2 * aspect, 1])
    shape: dict[str, Any] = {"type": "rectangle", "to_world": place, **_BLACK}
    if pixels_hw3 is not None:
        shape["emitter"] = {
            "type": "area",
            "radiance": {
                "type": "bitmap",
                # Rows of pictures run down, v of a rectangle runs up.
                "bitmap": mi.Bitmap(np.ascontiguousarray(pixels_hw3[::-1], np.float32)),
                "raw": True,
            },
        }
    return mi.load_dict(shape)


def _area(unit: UnitSource, irradiance: Array, subject_radius: float) -> Any:
    half_width = unit["width_ratio"] / 2 / unit["distance_ratio"]
    half_height = unit["height_ratio"] / 2 / unit["distance_ratio"]
    radiance = irradiance / rectangle_irradiance(half_width, half_height)
    return mi.load_dict(
        {
            "type": "rectangle",
            "to_world": _area_place(unit, subject_radius),
            "emitter": {"type": "area", "radiance": {"type": "rgb", "value": [float(v) for v in radiance]}},
        }
    )


def _area_place(unit: UnitSource, subject_radius: float, *, is_back: bool = False) -> Any:
    distance = unit["distance_ratio"] * subject_radius
    half_width, half_height = unit["width_ratio"] * subject_radius / 2, unit["height_ratio"] * subject_radius / 2
    toward = unit_vector(unit["azimuth_deg"], unit["elevation_deg"])
    return _facing_origin(toward * (back_distance(distance) if is_back else distance)).scale(
        [half_width, half_height, 1]
    )


def _facing_origin(position: Array) -> Any:
    up = [0, 0, -1] if abs(position[1]) > 0.999 * np.linalg.norm(position) else [0, 1, 0]
    return mi.ScalarTransform4f().look_at(origin=[float(v) for v in position], target=[0, 0, 0], up=up)


def _parallel(
    azimuth_deg: float, elevation_deg: float, diameter_deg: float, irradiance: Array, subject_radius: float
) -> Any:
    toward = unit_vector(azimuth_deg, elevation_deg)
    if diameter_deg <= 0:
        return mi.load_dict(
            {
                "type": "directional",
                "direction": [float(-v) for v in toward],
                "irradiance": {"type": "rgb", "value": [float(v) for v in irradiance]},
            }
        )
    place, half_angle = _disc_place(azimuth_deg, elevation_deg, diameter_deg, subject_radius)
    radiance = irradiance / (np.pi * np.sin(half_angle) ** 2)
    return mi.load_dict(
        {
            "type": "disk",
            "to_world": place,
            "emitter": {"type": "area", "radiance": {"type": "rgb", "value": [float(v) for v in radiance]}},
        }
    )


def _disc_place(
    azimuth_deg: float, elevation_deg: float, diameter_deg: float, subject_radius: float, *, is_back: bool = False
) -> tuple[Any, float]:
    """Return the transform of a far disc, and half of its angular size in radians."""
    distance = _FAR_RATIO * subject_radius
    half_angle = float(np.radians(diameter_deg / 2))
    radius = float(distance * np.tan(half_angle))
    position = unit_vector(azimuth_deg, elevation_deg) * (back_distance(distance) if is_back else distance)
    return _facing_origin(position).scale([radius, radius, 1]), half_angle


def _sky(unit: UnitSource, scale: float) -> Any:
    toward = unit_vector(unit["azimuth_deg"], max(unit["elevation_deg"], 0.1))
    return mi.load_dict(
        {
            "type": "sunsky",
            "turbidity": unit["turbidity"],
            "sky_scale": DAYLIGHT_SCALE * scale,
            "sun_scale": 0.0,
            "sun_direction": [float(v) for v in toward],
            "albedo": 0.25,
            "to_world": mi.ScalarTransform4f().rotate([1, 0, 0], -90),
        }
    )


def _environment(pixels_hw3: Array, rotation_deg: float) -> Any:
    bitmap = mi.Bitmap(np.ascontiguousarray(pixels_hw3, np.float32))
    return mi.load_dict(
        {"type": "envmap", "bitmap": bitmap, "to_world": mi.ScalarTransform4f().rotate([0, 1, 0], rotation_deg)}
    )
