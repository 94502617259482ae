"""Checks of requests that all families share. Refusals say which values are valid."""

from lumenmill.common.v1.sampling_pb2 import Sampling
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.requests import refuse
from lumenmill_neural.catalogue import ModelEntry

__all__ = ["checked_num_frames", "checked_sampling", "checked_size", "refuse", "seeds_from"]

_NUM_SEEDS = 1 << 64


def checked_size(entry: ModelEntry, width_px: int, height_px: int, default_px: tuple[int, int]) -> tuple[int, int]:
    """Return width and height in pixels; 0 stands for the default.

    Raises:
        InvalidArgumentError: one is too large, or not a multiple of the model's; names the nearest valid values.
    """
    size = []
    for field, value, default in (("width_px", width_px, default_px[0]), ("height_px", height_px, default_px[1])):
        chosen, multiple = value or default, entry.size_multiple_px
        if chosen > entry.max_side_px:
            raise InvalidArgumentError(field, f"is {chosen}; at most {entry.max_side_px}")
        if chosen % multiple or chosen < multiple:
            low = max(chosen // multiple * multiple, multiple)
            nearest = f"{low} or {low + multiple}" if low + multiple <= entry.max_side_px else f"{low}"
            raise InvalidArgumentError(field, f"is {chosen}; must be a multiple of {multiple}: {nearest}")
        size.append(chosen)
    return size[0], size[1]


def checked_num_frames(entry: ModelEntry, num_frames: int, default: int, step: int = 1) -> int:
    """Return the number of frames, one more than a multiple of `step`; 0 stands for the default.

    Raises:
        InvalidArgumentError: it is too large, or the model cannot make as many; names the nearest valid values.
    """
    chosen = num_frames or default
    if chosen > entry.max_num_frames:
        raise InvalidArgumentError("num_frames", f"is {chosen}; at most {entry.max_num_frames}")
    if (chosen - 1) % step:
        low = (chosen - 1) // step * step + 1
        raise InvalidArgumentError(
            "num_frames", f"is {chosen}; must be 1 more than a multiple of {step}: {low} or {low + step}"
        )
    return chosen


def checked_sampling(sampling: Sampling | None, *, has_guidance: bool = True) -> dict[str, int | float | None]:
    """Return `num_inference_steps` and `guidance_scale` of a request; None where the preset decides.

    Raises:
        InvalidArgumentError: the request sets guidance, and the model has none.
    """
    steps = sampling.num_steps if sampling is not None and sampling.HasField("num_steps") else None
    guidance = sampling.guidance_scale if sampling is not None and sampling.HasField("guidance_scale") else None
    if guidance is not None and not has_guidance:
        raise InvalidArgumentError("sampling.guidance_scale", "this model has no guidance; leave it out")
    return {"num_inference_steps": steps, "guidance_scale": guidance}


def seeds_from(seed: int, count: int) -> list[int]:
    """Return the seeds of the images of one request, modulo 2⁶⁴."""
    return [(seed + index) % _NUM_SEEDS for index in range(count)]
