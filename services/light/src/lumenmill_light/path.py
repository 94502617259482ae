"""Light that changes over a clip: what it is at one moment."""

from bisect import bisect_right

from lumenmill.common.v1 import light_pb2
from lumenmill_light.color import emitter_rgb
from lumenmill_light.sources import scaled, with_defaults

__all__ = ["blended", "light_at"]

# Messages that a moving source keeps from the keyframe before.
_COPIED = frozenset({"map", "image"})
_Emitter = light_pb2.AreaLight | light_pb2.DirectionalLight


def light_at(path: light_pb2.LightPath, time_fraction: float) -> light_pb2.Light:
    """Return the light at a time of 0 to 1.

    BLEND sums the sources of two keyframes. MOVE interpolates their parameters linearly, temperatures in mired; two
    keyframes whose sources are not of the same kinds are blended.
    """
    times = [keyframe.time_fraction for keyframe in path.keyframes]
    index = min(max(bisect_right(times, time_fraction) - 1, 0), len(times) - 2)
    first, second = path.keyframes[index], path.keyframes[index + 1]
    span = second.time_fraction - first.time_fraction
    share = min(max((time_fraction - first.time_fraction) / span, 0.0), 1.0) if span > 0.0 else 1.0
    moves = path.interpolation == light_pb2.LIGHT_INTERPOLATION_MOVE and _kinds(first.light) == _kinds(second.light)
    return _moved(first.light, second.light, share) if moves else blended(first.light, second.light, share)


def blended(first: light_pb2.Light, second: light_pb2.Light, share: float) -> light_pb2.Light:
    """Return `1 − share` of the first light and `share` of the second, 0 to 1."""
    result = light_pb2.Light(text=first.text if share < 0.5 else second.text)
    for light, part in ((first, 1 - share), (second, share)):
        if part > 0:
            result.sources.extend(scaled(source, part) for source in light.sources)
    return result


def _kinds(light: light_pb2.Light) -> list[str | None]:
    return [source.WhichOneof("kind") for source in light.sources]


def _moved(first: light_pb2.Light, second: light_pb2.Light, share: float) -> light_pb2.Light:
    sources = [_interpolated(a, b, share) for a, b in zip(first.sources, second.sources, strict=True)]
    return light_pb2.Light(text=first.text if share < 0.5 else second.text, sources=sources)


def _interpolated(first: light_pb2.LightSource, second: light_pb2.LightSource, share: float) -> light_pb2.LightSource:
    kind = str(first.WhichOneof("kind"))
    a, b = getattr(with_defaults(first), kind), getattr(with_defaults(second), kind)
    result = light_pb2.LightSource()
    inner = getattr(result, kind)
    inner.CopyFrom(a)
    for descriptor in inner.DESCRIPTOR.fields:
        name = descriptor.name
        if name == "coefficients":
            inner.coefficients[:] = [x + (y - x) * share for x, y in zip(a.coefficients, b.coefficients, strict=True)]
        elif name == "color":
            _mix_colors(inner, a, b, share)
        elif name not in _COPIED:
            setattr(inner, name, getattr(a, name) + (getattr(b, name) - getattr(a, name)) * share)
    return result


def _mix_colors(mixed: _Emitter, a: _Emitter, b: _Emitter, share: float) -> None:
    first, second = a.color, b.color
    if first.WhichOneof("value") == second.WhichOneof("value") == "temperature_k":
        # Equal steps in reciprocal kelvin look equal.
        mixed.color.temperature_k = 1 / ((1 - share) / first.temperature_k + share / second.temperature_k)
        return
    rgb = emitter_rgb(first) * (1 - share) + emitter_rgb(second) * share
    mixed.color.rgb.red, mixed.color.rgb.green, mixed.color.rgb.blue = (float(value) for value in rgb)
