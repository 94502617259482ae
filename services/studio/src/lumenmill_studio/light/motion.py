"""Light that changes over a clip: the light of every frame, as sources that can be rendered."""

from __future__ import annotations

import math
from bisect import bisect_right

from lumenmill.common.v1.light_pb2 import Light, LightInterpolation, LightPath, LightSource
from lumenmill_common.errors import InvalidArgumentError

from lumenmill_studio.light.color import emitter_rgb

_COPIED = ("map", "image", "color")


def frame_lights(path: LightPath, num_frames: int, stop_frames: int) -> list[Light]:
    """The light of each frame.

    With BLEND every frame is a sum of keyframes' sources. With MOVE the parameters are interpolated at stops that are
    ``stop_frames`` frames apart (and at the last frame); frames between two stops are a blend of those two.

    Raises:
        InvalidArgumentError: times out of order, or kinds that do not match in a MOVE; names the field.
    """
    _check(path)
    if path.interpolation == LightInterpolation.LIGHT_INTERPOLATION_BLEND:
        return [_blended_keyframes(path, index / max(num_frames - 1, 1)) for index in range(num_frames)]
    stops = sorted({*range(0, num_frames, stop_frames), num_frames - 1})
    lights = {stop: moved(path, stop / max(num_frames - 1, 1)) for stop in stops}
    if _weights_only(lights[stops[0]], lights[stops[-1]]):
        return [moved(path, index / max(num_frames - 1, 1)) for index in range(num_frames)]
    return [_between(lights, stops, index) for index in range(num_frames)]


def _check(path: LightPath) -> None:
    times = [keyframe.time_fraction for keyframe in path.keyframes]
    if times != sorted(times) or times[0] != 0 or times[-1] != 1:
        raise InvalidArgumentError(
            "light_path.keyframes", "must be in time order, the first at time 0 and the last at time 1"
        )
    if path.interpolation != LightInterpolation.LIGHT_INTERPOLATION_MOVE:
        return
    kinds = [[source.WhichOneof("kind") for source in keyframe.light.sources] for keyframe in path.keyframes]
    wrong = next((index for index, kind in enumerate(kinds) if kind != kinds[0]), None)
    if wrong is not None:
        raise InvalidArgumentError(
            f"light_path.keyframes[{wrong}].light.sources",
            "must be of the same kinds in the same order as the first keyframe's when the light moves",
        )


def _weights_only(first: Light, last: Light) -> bool:
    """Whether two lights differ in colour and intensity alone, so that one basis serves everything between them."""

    def geometry(light: Light) -> list[bytes]:
        bare = [LightSource() for _ in light.sources]
        for copy, source in zip(bare, light.sources, strict=True):
            copy.CopyFrom(source)
            inner = getattr(copy, str(copy.WhichOneof("kind")))
            for name in ("irradiance", "color", "exposure_ev", "sky_scale", "sun_scale", "coefficients"):
                if name in inner.DESCRIPTOR.fields_by_name:
                    inner.ClearField(name)
        return [copy.SerializeToString(deterministic=True) for copy in bare]

    return geometry(first) == geometry(last) and not any(
        source.HasField("spherical_harmonics") for source in first.sources
    )


def _between(lights: dict[int, Light], stops: list[int], index: int) -> Light:
    if index in lights:
        return lights[index]
    after = next(stop for stop in stops if stop > index)
    before = max(stop for stop in stops if stop < index)
    return blended(lights[before], lights[after], (index - before) / (after - before))


def _blended_keyframes(path: LightPath, time: float) -> Light:
    index = _segment(path, time)
    first, second = path.keyframes[index], path.keyframes[index + 1]
    return blended(first.light, second.light, _share(first.time_fraction, second.time_fraction, time))


def _segment(path: LightPath, time: float) -> int:
    times = [keyframe.time_fraction for keyframe in path.keyframes]
    return min(max(bisect_right(times, time) - 1, 0), len(times) - 2)


def _share(start: float, end: float, time: float) -> float:
    return min(max((time - start) / (end - start), 0.0), 1.0) if end > start else 1.0


def blended(first: Light, second: Light, share: float) -> Light:
    """``1 − share`` of the first light and ``share`` of the second."""
    result = Light(text=first.text if share < 0.5 else second.text)
    for light, part in ((first, 1 - share), (second, share)):
        if part > 0:
            result.sources.extend(scaled(source, part) for source in light.sources)
    return result


def scaled(source: LightSource, factor: float) -> LightSource:
    """The source at ``factor`` (above 0) of its intensity."""
    result = LightSource()
    result.CopyFrom(source)
    kind = result.WhichOneof("kind")
    if kind == "directional":
        result.directional.irradiance *= factor
    elif kind == "area":
        result.area.irradiance *= factor
    elif kind == "environment_map":
        result.environment_map.exposure_ev += math.log2(factor)
    elif kind == "background":
        result.background.exposure_ev += math.log2(factor)
    elif kind == "spherical_harmonics":
        result.spherical_harmonics.coefficients[:] = [
            value * factor for value in source.spherical_harmonics.coefficients
        ]
    else:
        result.sun_sky.sky_scale = factor * (source.sun_sky.sky_scale if source.sun_sky.HasField("sky_scale") else 1.0)
        result.sun_sky.sun_scale = factor * (source.sun_sky.sun_scale if source.sun_sky.HasField("sun_scale") else 1.0)
    return result


def moved(path: LightPath, time: float) -> Light:
    """The light of a MOVE at a time of 0 to 1, its parameters interpolated linearly between keyframes."""
    index = _segment(path, time)
    first, second = path.keyframes[index], path.keyframes[index + 1]
    share = _share(first.time_fraction, second.time_fraction, time)
    sources = [_interpolated(a, b, share) for a, b in zip(first.light.sources, second.light.sources, strict=True)]
    return Light(text=first.light.text if share < 0.5 else second.light.text, sources=sources)


def _interpolated(first: LightSource, second: LightSource, share: float) -> LightSource:
    kind = str(first.WhichOneof("kind"))
    a, b = getattr(_explicit(first), kind), getattr(_explicit(second), kind)
    result = LightSource()
    inner = getattr(result, kind)
    inner.CopyFrom(a)
    for descriptor in inner.DESCRIPTOR.fields:
        name = descriptor.name
        if name == "coefficients":
            inner.coefficients[:] = [x + (y - x) * share for x, y in zip(a.coefficients, b.coefficients, strict=True)]
        elif name == "color":
            _mix_color(inner, a, b, share)
        elif name not in _COPIED:
            setattr(inner, name, getattr(a, name) + (getattr(b, name) - getattr(a, name)) * share)
    return result


def _mix_color(inner: object, a: object, b: object, share: float) -> None:
    first, second, mixed = a.color, b.color, inner.color  # type: ignore[attr-defined]  # both kinds that have a colour
    if first.WhichOneof("value") == second.WhichOneof("value") == "temperature_k":
        # Equal steps in reciprocal kelvin look equal.
        mixed.temperature_k = 1 / ((1 - share) / first.temperature_k + share / second.temperature_k)
        return
    rgb = emitter_rgb(first) * (1 - share) + emitter_rgb(second) * share
    mixed.rgb.red, mixed.rgb.green, mixed.rgb.blue = (float(value) for value in rgb)


def _explicit(source: LightSource) -> LightSource:
    """The source with every default that the contract gives to an unset field written out."""
    result = LightSource()
    result.CopyFrom(source)
    if result.HasField("area"):
        area = result.area
        area.distance_ratio = area.distance_ratio or 4.0
        area.width_ratio = area.width_ratio or 1.0
        area.height_ratio = area.height_ratio or area.width_ratio
    elif result.HasField("sun_sky"):
        sun = result.sun_sky
        sun.turbidity = sun.turbidity or 3.0
        sun.sun_diameter_deg = sun.sun_diameter_deg or 0.53
        sun.sky_scale = sun.sky_scale if sun.HasField("sky_scale") else 1.0
        sun.sun_scale = sun.sun_scale if sun.HasField("sun_scale") else 1.0
    return result
