"""Light that is known to change over a clip: what it is at one moment."""

import math

from google.protobuf.message import Message
from lumenmill.common.v1 import light_pb2

from lumenmill_captioner.measure import mired, rgb_of_temperature

# What numbers that are not set mean, by light.proto.
_DEFAULTS = {
    "distance_ratio": 4.0,
    "width_ratio": 1.0,
    "turbidity": 3.0,
    "sky_scale": 1.0,
    "sun_scale": 1.0,
    "sun_diameter_deg": 0.53,
}
_MAY_BE_ZERO = {"sky_scale", "sun_scale"}
# Fields by which the radiance of a source grows in proportion, and those that count in stops.
_PROPORTIONAL, _STOPS = ("irradiance", "sky_scale", "sun_scale"), "exposure_ev"


def light_at(path: light_pb2.LightPath, time_fraction: float) -> light_pb2.Light:
    """Return the light at a time of 0 to 1: sources of two keyframes cross-faded, or their parameters in between.

    A MOVE whose keyframes do not have the same kinds of sources is cross-faded.
    """
    keyframes = path.keyframes
    later = next(
        (i for i in range(1, len(keyframes)) if keyframes[i].time_fraction >= time_fraction), len(keyframes) - 1
    )
    before, after = keyframes[later - 1], keyframes[later]
    span = after.time_fraction - before.time_fraction
    share = min(max((time_fraction - before.time_fraction) / span, 0.0), 1.0) if span > 0.0 else 1.0
    kinds = [[source.WhichOneof("kind") for source in keyframe.light.sources] for keyframe in (before, after)]
    if share in (0.0, 1.0):
        return before.light if share == 0.0 else after.light
    if path.interpolation == light_pb2.LIGHT_INTERPOLATION_MOVE and kinds[0] == kinds[1]:
        pairs = zip(before.light.sources, after.light.sources, strict=True)
        return light_pb2.Light(sources=[_between(first, second, share) for first, second in pairs])
    faded = [_scaled(source, 1.0 - share) for source in before.light.sources]
    return light_pb2.Light(sources=faded + [_scaled(source, share) for source in after.light.sources])


def _between(first: light_pb2.LightSource, second: light_pb2.LightSource, share: float) -> light_pb2.LightSource:
    result = light_pb2.LightSource()
    result.CopyFrom(first)
    kind = first.WhichOneof("kind") or "background"
    inner, a, b = (getattr(source, kind) for source in (result, first, second))
    for descriptor in inner.DESCRIPTOR.fields:
        name = descriptor.name
        if name == "coefficients":
            del inner.coefficients[:]
            inner.coefficients.extend(_mix(x, y, share) for x, y in zip(a.coefficients, b.coefficients, strict=True))
        elif name == "color":
            inner.color.CopyFrom(_mixed_color(a.color, b.color, share))
        elif descriptor.message_type is None:
            setattr(inner, name, _mix(_number(a, name), _number(b, name), share))
    return result


def _mix(first: float, second: float, share: float) -> float:
    return first + (second - first) * share


def _number(message: Message, name: str) -> float:
    value = float(getattr(message, name))
    if name == "height_ratio":
        return value or _number(message, "width_ratio")
    unset = not message.HasField(name) if name in _MAY_BE_ZERO else not value
    return _DEFAULTS.get(name, value) if unset else value


def _mixed_color(first: light_pb2.LightColor, second: light_pb2.LightColor, share: float) -> light_pb2.LightColor:
    """Colours half way; temperatures in even steps of reciprocal kelvin, which look even."""
    if first.WhichOneof("value") == second.WhichOneof("value") == "temperature_k":
        mixed = _mix(mired(first.temperature_k), mired(second.temperature_k), share)
        return light_pb2.LightColor(temperature_k=1e6 / mixed)
    sides = [_channels(first), _channels(second)]
    red, green, blue = (_mix(a, b, share) for a, b in zip(*sides, strict=True))
    return light_pb2.LightColor(rgb=light_pb2.RgbColor(red=red, green=green, blue=blue))


def _channels(color: light_pb2.LightColor) -> tuple[float, float, float]:
    if color.WhichOneof("value") == "rgb":
        return color.rgb.red, color.rgb.green, color.rgb.blue
    red, green, blue = (float(value) for value in rgb_of_temperature(color.temperature_k or 6504.0))
    return red, green, blue


def _scaled(source: light_pb2.LightSource, factor: float) -> light_pb2.LightSource:
    result = light_pb2.LightSource()
    result.CopyFrom(source)
    inner = getattr(result, source.WhichOneof("kind") or "background")
    names = inner.DESCRIPTOR.fields_by_name
    for name in _PROPORTIONAL:
        if name in names:
            setattr(inner, name, factor * _number(inner, name))
    if _STOPS in names:
        inner.exposure_ev += math.log2(factor)
    if "coefficients" in names:
        scaled = [factor * value for value in inner.coefficients]
        del inner.coefficients[:]
        inner.coefficients.extend(scaled)
    return result
