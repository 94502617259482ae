"""What a light looks like, derived from its sources: attributes and plain words."""

from __future__ import annotations

import numpy as np
from lumenmill.common.v1.light_pb2 import Light, LightAttributes, LightKind, LightSource

from lumenmill_studio.light.color import LUMINANCE, Array, correlated_temperature_k, emitter_rgb
from lumenmill_studio.light.spherical_harmonics import dominant_direction

_KINDS = {
    "environment_map": LightKind.LIGHT_KIND_ENVIRONMENT_MAP,
    "spherical_harmonics": LightKind.LIGHT_KIND_SPHERICAL_HARMONICS,
    "sun_sky": LightKind.LIGHT_KIND_SUN_SKY,
    "directional": LightKind.LIGHT_KIND_DIRECTIONAL,
    "area": LightKind.LIGHT_KIND_AREA,
    "background": LightKind.LIGHT_KIND_BACKGROUND,
}


def direction(azimuth_deg: float, elevation_deg: float) -> Array:
    """Unit vector (3,) towards an azimuth and elevation, in the axes of ``light.proto``."""
    azimuth, elevation = np.radians(azimuth_deg), np.radians(elevation_deg)
    return np.array([np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)])


def attributes(light: Light, camera_azimuth_deg: float = 0.0) -> LightAttributes:
    """What follows from the geometry of the sources, relative to a camera at ``camera_azimuth_deg``.

    Direction, hardness and colour temperature are those of the strongest source that has them by construction; maps and
    backgrounds have none without being looked at, so they leave the fields absent.
    """
    order = sorted(light.sources, key=_strength, reverse=True)
    result = LightAttributes(kinds=list(dict.fromkeys(_KINDS[str(source.WhichOneof("kind"))] for source in order)))
    if not order:
        return result
    found = _direction_of(order[0])
    if found is not None:
        azimuth = (float(np.degrees(np.arctan2(found[0], found[2]))) - camera_azimuth_deg + 180) % 360 - 180
        result.azimuth_deg = round(azimuth, 2)
        result.elevation_deg = round(float(np.degrees(np.arcsin(np.clip(found[1], -1, 1)))), 2)
    hardness = _hardness(order[0])
    if hardness is not None:
        result.hardness = round(hardness, 3)
    kelvin = _temperature_k(order[0])
    if kelvin is not None:
        result.color_temperature_k = round(kelvin)
    return result


def _strength(source: LightSource) -> float:
    kind = source.WhichOneof("kind")
    if kind == "directional":
        return source.directional.irradiance
    if kind == "area":
        return source.area.irradiance
    if kind == "spherical_harmonics":
        return float(
            np.pi * 0.282095 * LUMINANCE @ np.array(source.spherical_harmonics.coefficients).reshape(3, 9)[:, 0]
        )
    if kind == "sun_sky":
        return 4.0 * (source.sun_sky.sun_scale if source.sun_sky.HasField("sun_scale") else 1.0)
    exposure = source.environment_map.exposure_ev if kind == "environment_map" else source.background.exposure_ev
    return float(np.pi * 2.0**exposure)


def _direction_of(source: LightSource) -> Array | None:
    kind = source.WhichOneof("kind")
    if kind == "directional":
        return direction(source.directional.azimuth_deg, source.directional.elevation_deg)
    if kind == "area":
        return direction(source.area.azimuth_deg, source.area.elevation_deg)
    if kind == "sun_sky" and (not source.sun_sky.HasField("sun_scale") or source.sun_sky.sun_scale > 0):
        return direction(source.sun_sky.sun_azimuth_deg, source.sun_sky.sun_elevation_deg)
    if kind == "spherical_harmonics":
        vector = dominant_direction(np.array(source.spherical_harmonics.coefficients).reshape(3, 9))
        return vector if np.any(vector) else None
    return None


def _angular_size_deg(source: LightSource) -> float | None:
    kind = source.WhichOneof("kind")
    if kind == "directional":
        return source.directional.angular_diameter_deg
    if kind == "sun_sky":
        return source.sun_sky.sun_diameter_deg or 0.53
    if kind == "area":
        width = source.area.width_ratio or 1.0
        mean = float(np.sqrt(width * (source.area.height_ratio or width)))
        return float(np.degrees(2 * np.arctan2(mean / 2, source.area.distance_ratio or 4.0)))
    return None


def _hardness(source: LightSource) -> float | None:
    """1 for a point, 0.5 for a source of 20°, towards 0 for very wide ones."""
    if source.WhichOneof("kind") == "spherical_harmonics":
        return 0.0
    size = _angular_size_deg(source)
    return None if size is None else 1.0 / (1.0 + size / 20.0)


def _temperature_k(source: LightSource) -> float | None:
    kind = source.WhichOneof("kind")
    if kind in ("directional", "area"):
        inner = source.directional if kind == "directional" else source.area
        if inner.color.WhichOneof("value") == "temperature_k":
            return inner.color.temperature_k
        return correlated_temperature_k(emitter_rgb(inner.color if inner.HasField("color") else None))
    if kind == "spherical_harmonics":
        return correlated_temperature_k(np.array(source.spherical_harmonics.coefficients).reshape(3, 9)[:, 0])
    return None


def described(light: Light) -> str:
    """The light in words, from its sources alone."""
    phrases = [_phrase(source) for source in sorted(light.sources, key=_strength, reverse=True)]
    return "; ".join(phrases)


def _phrase(source: LightSource) -> str:
    kind = source.WhichOneof("kind")
    if kind == "environment_map":
        name = source.environment_map.map.name.rsplit(".", 1)[0].replace("_", " ")
        return (
            f"light from all around, from the environment map {name}".strip()
            if name
            else "light from all around, from an environment map"
        )
    if kind == "background":
        return "light from a bright background behind the subject"
    if kind == "spherical_harmonics":
        return f"smooth light from all around{_from(_direction_of(source), ', strongest ')}"
    if kind == "sun_sky":
        return _daylight_phrase(source)
    size = _angular_size_deg(source) or 0.0
    quality = "hard" if size < 4 else "crisp" if size < 12 else "soft" if size < 35 else "very soft"
    kelvin = _temperature_k(source)
    return f"{quality} {_color_word(kelvin)}light{_from(_direction_of(source), ' ')}"


def _daylight_phrase(source: LightSource) -> str:
    sun = source.sun_sky
    if sun.HasField("sun_scale") and sun.sun_scale <= 0:
        return "open sky without sun"
    height = "low" if sun.sun_elevation_deg < 20 else "high" if sun.sun_elevation_deg > 50 else "mid-height"
    return f"{height} sun{_from(_direction_of(source), ' ')} under a clear sky"


def _color_word(kelvin: float | None) -> str:
    if kelvin is None:
        return ""
    return "warm " if kelvin < 4300 else "cool " if kelvin > 7200 else "neutral "


def _from(vector: Array | None, lead: str) -> str:
    if vector is None:
        return ""
    if vector[1] > 0.94:
        return f"{lead}from above"
    azimuth = float(np.degrees(np.arctan2(vector[0], vector[2])))
    side = "right" if azimuth > 0 else "left"
    turn = abs(azimuth)
    words = [
        (22, "from the camera's side"),
        (68, f"from the front {side}"),
        (112, f"from the {side}"),
        (158, f"from the back {side}"),
        (181, "from behind"),
    ]
    where = next(word for limit, word in words if turn <= limit)
    return f"{lead}{where}" + (", high up" if vector[1] > 0.75 else ", from below" if vector[1] < -0.2 else "")
