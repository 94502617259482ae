"""Compute the light of every frame of a clip, as sources that can be rendered."""

from lumenmill.common.v1.light_pb2 import Light, LightInterpolation, LightPath, LightSource
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_light.path import blended, light_at

__all__ = ["frame_lights"]


def frame_lights(path: LightPath, num_frames: int, stop_frames: int) -> list[Light]:
    """Return the light of each frame.

    With BLEND every frame is a sum of keyframes' sources. With MOVE the parameters are interpolated at stops that are
    ``stop_frames`` frames apart (and at the last frame); frames between two stops are a blend of those two.

    Raises:
        InvalidArgumentError: times are out of order, or kinds do not match in a MOVE; names the field.
    """
    _check(path)
    times = [index / max(num_frames - 1, 1) for index in range(num_frames)]
    if path.interpolation == LightInterpolation.LIGHT_INTERPOLATION_BLEND:
        return [light_at(path, time) for time in times]
    stops = sorted({*range(0, num_frames, stop_frames), num_frames - 1})
    lights = {stop: light_at(path, times[stop]) for stop in stops}
    if _weights_only(lights[stops[0]], lights[stops[-1]]):
        return [light_at(path, time) for time in times]
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
    """Return whether two lights differ in colour and intensity only, so that one basis serves all lights between."""

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
