"""Checks of requests that every family makes, with words that say what would be right."""

from lumenmill.common.v1.sampling_pb2 import Sampling
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.requests import refuse

from lumenmill_neural.catalogue import ModelEntry

__all__ = ["checked_num_frames", "checked_sampling", "checked_size", "refuse", "seeds_from"]

_NUM_SEEDS = 1 << 64


def checked_size(entry: ModelEntry, width_px: int, height_px: int, default_px: tuple[int, int]) -> tuple[int, int]:
    """Width and height in pixels; 0 means the default's.

    Raises:
        InvalidArgumentError: one is too large, or no multiple of what the model needs; says the nearest that are right.
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
    """Number of frames, one more than a multiple of `step`; 0 means the default.

    Raises:
        InvalidArgumentError: there are too many, or none that the model can make; says the nearest that are right.
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
    """`num_inference_steps` and `guidance_scale` of a request, None where it leaves them to the preset.

    Raises:
        InvalidArgumentError: guidance is asked of a model without it.
    """
    steps = sampling.num_steps if sampling is not None and sampling.HasField("num_steps") else None
    guidance = sampling.guidance_scale if sampling is not None and sampling.HasField("guidance_scale") else None
    if guidance is not None and not has_guidance:
        raise InvalidArgumentError("sampling.guidance_scale", "this model has no guidance; leave it out")
    return {"num_inference_steps": steps, "guidance_scale": guidance}


def seeds_from(seed: int, count: int) -> list[int]:
    """Seeds of the images of one request; the one after the last 64-bit number is the first."""
    return [(seed + index) % _NUM_SEEDS for index in range(count)]
