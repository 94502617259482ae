"""Tabulate Mitsuba's sun and sky into `sun_sky.npz`: `python services/light/tools/tabulate_sun_sky.py`.

Needs lumenmill-studio. Run it when Mitsuba's `sunsky` changes; studio's tests compare the table with the plugin.
"""

from pathlib import Path

import mitsuba as mi
import numpy as np

from lumenmill_light import environment_map
from lumenmill_light.axes import unit_vector
from lumenmill_light.color import Array

# Where lumenmill_light.sun_sky reads it.
_TABLE = Path(__file__).parents[1] / "src/lumenmill_light/sun_sky.npz"
# Puts a surface that faces a clear noon sun near irradiance π, sky not counted.
_DAYLIGHT_SCALE = 2.0
_DISC_DIAMETER_DEG = 0.5358
_MIN_ELEVATION_DEG = 0.1
# Mitsuba's polynomials of the sun span 45 intervals of the cube root of its elevation.
_ELEVATIONS_DEG = np.unique(90.0 * np.maximum(np.arange(91) / 90.0, (_MIN_ELEVATION_DEG / 90.0) ** (1 / 3)) ** 3)
_TURBIDITIES = np.arange(1.0, 11.0)


def _emitter(elevation_deg: float, turbidity: float, sky_scale: float, sun_scale: float) -> "mi.Emitter":
    return mi.load_dict(
        {
            "type": "sunsky",
            "turbidity": turbidity,
            "sky_scale": sky_scale,
            "sun_scale": sun_scale,
            "sun_direction": [float(v) for v in unit_vector(0.0, max(elevation_deg, _MIN_ELEVATION_DEG))],
            "albedo": 0.25,
            "to_world": mi.ScalarTransform4f().rotate([1, 0, 0], -90),
        }
    )


def _radiance(emitter: "mi.Emitter", toward: Array) -> Array:
    interaction = mi.SurfaceInteraction3f()
    interaction.wi = mi.Vector3f([float(-v) for v in toward])
    return np.array(emitter.eval(interaction)).reshape(-1)[:3]


def sun_irradiance(elevation_deg: float, turbidity: float) -> Array:
    """Return the irradiance (3,) of the sun's disc on a surface that faces it; limb darkening is averaged."""
    emitter = _emitter(elevation_deg, turbidity, 0.0, _DAYLIGHT_SCALE)
    half_angle = np.radians(_DISC_DIAMETER_DEG / 2)
    rings = (np.arange(6) + 0.5) / 6
    total = np.zeros(3)
    for ring in rings:
        offset = float(np.degrees(half_angle * np.sqrt(ring)))
        azimuth_deg = offset / max(np.cos(np.radians(elevation_deg)), 0.05)
        total += _radiance(emitter, unit_vector(azimuth_deg, max(elevation_deg, _MIN_ELEVATION_DEG))) / len(rings)
    return np.maximum(total, 0) * np.pi * np.sin(half_angle) ** 2


def sky_harmonics(elevation_deg: float, turbidity: float) -> Array:
    """Return the spherical harmonics (3, 9) of the sky when the sun stands at azimuth 0."""
    emitter = _emitter(elevation_deg, turbidity, _DAYLIGHT_SCALE, 0.0)
    toward = environment_map.directions()
    flat = np.array([_radiance(emitter, direction) for direction in toward.reshape(-1, 3)])
    return environment_map.projected(np.maximum(flat, 0).reshape(toward.shape))


def main() -> None:
    """Write the table."""
    mi.set_variant("scalar_rgb")
    grid = [(turbidity, elevation) for turbidity in _TURBIDITIES for elevation in _ELEVATIONS_DEG]
    shape = (len(_TURBIDITIES), len(_ELEVATIONS_DEG))
    sun = np.array([sun_irradiance(elevation, turbidity) for turbidity, elevation in grid]).reshape(*shape, 3)
    sky = np.array([sky_harmonics(elevation, turbidity) for turbidity, elevation in grid]).reshape(*shape, 3, 9)
    np.savez_compressed(
        _TABLE,
        elevation_deg=_ELEVATIONS_DEG,
        turbidity=_TURBIDITIES,
        sun_irradiance=sun.astype(np.float32),
        sky_harmonics=sky.astype(np.float32),
    )


if __name__ == "__main__":
    main()
