"""From the simplified JSON of an answer to protos, with an error for every contradiction of words and numbers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lumenmill.common.v1 import artifact_pb2, camera_pb2, light_pb2, scene_pb2
from lumenmill.prompter.v1 import prompter_pb2
from lumenmill_light import build
from lumenmill_light.attributes import attributes
from lumenmill_light.axes import circular_difference_deg
from lumenmill_light.color import mired, temperature_rgb
from lumenmill_light.reading import read_light
from lumenmill_prompter.levels import camera_side_irradiance
from lumenmill_prompter.sky import has_sky, sky_beside

__all__ = ["KIND_OF_TYPE", "Allowed", "AnswerError", "light_from", "motion_from", "scene_from"]

Json = Mapping[str, Any]
# Lamps stand on the ground at least, which lies a little below the middle of the subject.
_LOWEST_DEG = -5.0
# Of the sky beside a lamp, by what the lamp gives on the camera's side.
_SKY_SHARE = 0.35
# Beyond what words mean, from where numbers contradict them: "from the left" at 11° on the right, "warm" at 7000 K.
_OTHER_SIDE_DEG, _OTHER_COLOR_MIRED = 60.0, 80.0


class AnswerError(Exception):
    """An item of an answer that cannot be used; the text is sent back to the model."""


@dataclass(frozen=True)
class Allowed:
    """What the request allows in lights: types of sources by the names of the schema, and maps by name."""

    source_types: frozenset[str]
    maps: Mapping[str, artifact_pb2.Artifact]


KIND_OF_TYPE = {
    "area": light_pb2.LIGHT_KIND_AREA,
    "directional": light_pb2.LIGHT_KIND_DIRECTIONAL,
    "sun_sky": light_pb2.LIGHT_KIND_SUN_SKY,
    "environment_map": light_pb2.LIGHT_KIND_ENVIRONMENT_MAP,
    "ambient": light_pb2.LIGHT_KIND_SPHERICAL_HARMONICS,
}


def scene_from(item: Json, seed: int) -> scene_pb2.SceneDescription:
    """Return the scene of an answer."""
    return scene_pb2.SceneDescription(
        kind=scene_pb2.SceneKind.Value(f"SCENE_KIND_{item['kind'].upper()}"),
        description=item["description"].strip().rstrip("."),
        subjects=item["subjects"],
        materials=item["materials"],
        place=item["place"],
        seed=seed,
    )


def light_from(item: Json, allowed: Allowed, name: str, *, outdoor: bool = False) -> light_pb2.Light:
    """Return the light of an answer, its attributes derived; lamps outdoors get a sky beside them.

    Raises:
        AnswerError: a source is not allowed, out of bounds or under the ground, the first is not the strongest, or the
            text contradicts the numbers.
    """
    light = light_pb2.Light(text=item["text"].strip().rstrip("."), name=name)
    light.sources.extend(_source(source, allowed) for source in item["sources"])
    _check_strongest(light)
    if outdoor and not has_sky(light.sources):
        key = light.sources[0]
        lamp = key.area if key.HasField("area") else key.directional
        temperature_k = lamp.color.temperature_k if lamp.color.HasField("temperature_k") else None
        light.sources.append(sky_beside(key, temperature_k, _SKY_SHARE))
    light.attributes.CopyFrom(attributes(light))
    _check_agreement(light)
    return light


def motion_from(
    item: Json, start: light_pb2.Light | None, allowed: Allowed, *, outdoor: bool = False
) -> prompter_pb2.MotionPrompt:
    """Return a motion; a light that moves starts from `start` (None: the structure of the move is left out).

    Raises:
        AnswerError: neither camera nor light moves, or the end light cannot be used.
    """
    motion = prompter_pb2.MotionPrompt(text=item["text"].strip())
    if item["camera"] is not None and item["camera"]["move"] != "static":
        motion.camera.path.CopyFrom(_camera_path(item["camera"]))
    if item["light_end"] is not None:
        end = light_from(item["light_end"], allowed, "end", outdoor=outdoor)
        if start is not None and start.sources:
            motion.light_path.CopyFrom(_light_path(start, end))
    elif not motion.HasField("camera"):
        raise AnswerError(f"motion {item['text']!r} moves neither the camera nor the light")
    return motion


def _light_path(start: light_pb2.Light, end: light_pb2.Light) -> light_pb2.LightPath:
    same = [s.WhichOneof("kind") for s in start.sources] == [s.WhichOneof("kind") for s in end.sources]
    movable = same and all(s.WhichOneof("kind") in {"area", "directional", "sun_sky"} for s in start.sources)
    return light_pb2.LightPath(
        keyframes=[
            light_pb2.LightKeyframe(time_fraction=0.0, light=start),
            light_pb2.LightKeyframe(time_fraction=1.0, light=end),
        ],
        interpolation=light_pb2.LIGHT_INTERPOLATION_MOVE if movable else light_pb2.LIGHT_INTERPOLATION_BLEND,
    )


def _camera_path(item: Json) -> camera_pb2.CameraPath:
    amount = float(item["amount"])
    match item["move"]:
        case "orbit":
            return camera_pb2.CameraPath(orbit=camera_pb2.OrbitMove(sweep_deg=_bounded("orbit", amount, -360, 360)))
        case "dolly":
            ratio = _bounded("dolly", amount, 0.1, 20)
            return camera_pb2.CameraPath(dolly=camera_pb2.DollyMove(end_distance_ratio=ratio))
        case "pan":
            return camera_pb2.CameraPath(pan=camera_pb2.PanMove(sweep_deg=_bounded("pan", amount, -180, 180)))
        case _:
            return camera_pb2.CameraPath(tilt=camera_pb2.TiltMove(sweep_deg=_bounded("tilt", amount, -90, 90)))


def _bounded(name: str, value: float, low: float, high: float) -> float:
    if not low <= value <= high:
        raise AnswerError(f"{name} {value:g} is not within {low:g} and {high:g}")
    return value


def _value(item: Json, name: str, default: float, low: float, high: float) -> float:
    value = item[name]
    return default if value is None else _bounded(name, float(value), low, high)


def _source(item: Json, allowed: Allowed) -> light_pb2.LightSource:
    kind = item["type"]
    if kind not in allowed.source_types:
        raise AnswerError(f"source type {kind!r} is not allowed; use {sorted(allowed.source_types)}")
    azimuth = _value(item, "azimuth_deg", 0.0, -360.0, 360.0)
    elevation = _value(item, "elevation_deg", 30.0, -90.0, 90.0)
    if kind != "environment_map" and elevation < _LOWEST_DEG:
        raise AnswerError(f"{kind} at elevation_deg {elevation:g} stands under the ground; use {_LOWEST_DEG:g} to 90")
    strength = _value(item, "strength", 1.0, 0.0, 100.0)
    match kind:
        case "environment_map":
            return _environment(item, allowed, strength)
        case "sun_sky":
            size = _value(item, "size_deg", 0.53, 0.0, 20.0)
            turbidity = _value(item, "turbidity", 3.0, 0.0, 10.0)
            height = min(max(elevation, 0.0), 90.0)
            return build.sun_sky_light(azimuth, height, turbidity, strength, 1.0, size)
        case "ambient":
            return build.spherical_harmonics_light(azimuth, elevation, 0.8, math.pi * 0.5 * strength, _linear(item))
        case "directional":
            size = _value(item, "size_deg", 0.53, 0.0, 90.0)
            return build.directional_light(azimuth, elevation, size, math.pi * strength, _color(item))
        case _:
            radians = math.radians(_value(item, "size_deg", 14.0, 0.2, 150.0))
            side = 2.0 * 4.0 * math.tan(radians / 2.0)
            return build.area_light(azimuth, elevation, side, side, 4.0, math.pi * strength, _color(item))


def _environment(item: Json, allowed: Allowed, strength: float) -> light_pb2.LightSource:
    name = item["map"]
    if name not in allowed.maps:
        raise AnswerError(f"environment map {name!r} is not known; use one of {sorted(allowed.maps)}")
    rotation = _value(item, "rotation_deg", 0.0, -360.0, 360.0)
    return build.environment_light(allowed.maps[name], rotation, math.log2(max(strength, 1e-3)))


def _rgb(item: Json) -> Sequence[float] | None:
    rgb = item["color_rgb"]
    if rgb is None:
        return None
    if len(rgb) != 3 or not all(0.0 <= float(channel) <= 1e6 for channel in rgb) or max(rgb) <= 0.0:
        raise AnswerError(f"color_rgb {rgb} is not three numbers from 0 to 1, one of them above 0")
    return [float(channel) for channel in rgb]


def _color(item: Json) -> light_pb2.LightColor:
    rgb = _rgb(item)
    if rgb is not None:
        return build.rgb(rgb)
    return build.kelvin(_value(item, "color_temperature_k", 6504.0, 1000.0, 25000.0))


def _linear(item: Json) -> Sequence[float]:
    return _rgb(item) or temperature_rgb(_value(item, "color_temperature_k", 6504.0, 1000.0, 25000.0)).tolist()


def _check_strongest(light: light_pb2.Light) -> None:
    """Compare what the sources give on the camera's side: text and captions speak of the first as the key."""
    key, *others = [camera_side_irradiance(source) for source in light.sources]
    for index, other in enumerate(others, 1):
        if key is not None and other is not None and other > key:
            raise AnswerError(
                f"light {light.text!r}: source {index + 1} is {other / max(key, 1e-6):.1f} times as strong as the first"
                " where the camera sees it; list the strongest first and make the others weaker"
            )


def _check_agreement(light: light_pb2.Light) -> None:
    """Compare the words of a light that has one source with its numbers: side and colour.

    Words are approximate: one of the sides and of the colours that they name has to be near.
    """
    if len(light.sources) > 1:
        return
    found = light.attributes
    claims = [claim for claim in read_light(light.text).lights if not claim.is_denied]
    arcs = [arc for claim in claims for arc in claim.azimuths_deg]
    if found.HasField("azimuth_deg") and arcs:
        outside_deg = min(
            circular_difference_deg(found.azimuth_deg, arc.center_deg) - arc.half_width_deg for arc in arcs
        )
        if outside_deg * math.cos(math.radians(found.elevation_deg)) > _OTHER_SIDE_DEG:
            raise AnswerError(f"light {light.text!r} comes from another side than azimuth_deg {found.azimuth_deg:g}")
    temperatures = [each for claim in claims for each in claim.temperatures_k]
    if found.HasField("color_temperature_k") and temperatures:
        found_mired = mired(found.color_temperature_k)
        outside_mired = min(max(mired(each.high) - found_mired, found_mired - mired(each.low)) for each in temperatures)
        if outside_mired > _OTHER_COLOR_MIRED:
            kelvin = found.color_temperature_k
            raise AnswerError(f"light {light.text!r} has color_temperature_k {kelvin:.0f}, which its words contradict")
