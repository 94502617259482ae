"""How long a diffusion pipeline spends on what, told from outside it, so that the pipeline itself stays the library's.

A pipeline calls its encoders of words and pictures, then its denoiser, step by step, then its decoder. The first call
of a part begins its stage and ends the one before; the device is waited for only there, never between steps.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from typing import Any

import torch
from lumenmill_common.jobs import JobContext

from lumenmill_neural.device import Device, Mark

__all__ = ["DECODE", "DENOISE", "TEXT_ENCODE", "Steps", "timed_stages"]

TEXT_ENCODE, IMAGE_ENCODE, DENOISE, DECODE = "text_encode", "image_encode", "denoise", "decode"
_STAGE_OF_PART = {
    "text_encoder": TEXT_ENCODE,
    "text_encoder_2": TEXT_ENCODE,
    "text_encoder_3": TEXT_ENCODE,
    "image_encoder": IMAGE_ENCODE,
    "transformer": DENOISE,
    "transformer_2": DENOISE,
    "unet": DENOISE,
    "controlnet": DENOISE,
}


class Steps:
    """Tells the callers of a batch how far denoising is, and stops it when none of them wants the result any more.

    Give it to a pipeline as `callback_on_step_end`. It counts by itself, from one call of the pipeline to the next.
    """

    def __init__(self, jobs: Sequence[JobContext], num_steps: int, device: Device) -> None:
        """`num_steps` of all calls together."""
        self._jobs, self._num_steps, self._device = jobs, num_steps, device
        self._marks: list[Mark] = []

    def __call__(self, pipe: object, step: int, timestep: object, tensors: dict[str, Any]) -> dict[str, Any]:
        """After a step. Raises CancelledError out of the pipeline."""
        self._marks.append(self._device.mark())
        for job in self._jobs:
            job.progress(DENOISE, min(len(self._marks), self._num_steps), self._num_steps)
        return tensors

    def durations_s(self) -> list[float]:
        """Seconds that the device took for each step but the first. Ask after the last one: it waits for the device."""
        return [self._device.seconds_between(earlier, later) for earlier, later in pairwise(self._marks)]


class _Clock:
    def __init__(self, jobs: Sequence[JobContext], device: Device) -> None:
        self._jobs, self._device = jobs, device
        self._stage, self._since_s = "", time.monotonic()

    def enter(self, stage: str) -> None:
        if stage == self._stage:
            return
        for job in self._jobs:
            job.check_cancelled()
        self.leave()
        self._stage = stage
        for job in self._jobs:
            job.progress(stage)

    def leave(self) -> None:
        self._device.synchronize()
        now_s = time.monotonic()
        if self._stage:
            for job in self._jobs:
                job.add_stage_time(self._stage, now_s - self._since_s)
        self._stage, self._since_s = "", now_s


@contextmanager
def timed_stages(pipe: Any, jobs: Sequence[JobContext], device: Device) -> Iterator[None]:
    """Adds the seconds of the stages of all runs of a pipeline in it to the stage times of the jobs."""
    clock = _Clock(jobs, device)
    clock.enter(TEXT_ENCODE if getattr(pipe, "text_encoder", None) is not None else IMAGE_ENCODE)
    with ExitStack() as hooks:
        for name, stage in _STAGE_OF_PART.items():
            part = getattr(pipe, name, None)
            if isinstance(part, torch.nn.Module):
                handle = part.register_forward_pre_hook(_hook(clock, stage))
                hooks.callback(handle.remove)
        vae = getattr(pipe, "vae", None) or getattr(pipe, "vqvae", None)
        if vae is not None:
            hooks.enter_context(_told(vae, "decode", lambda: clock.enter(DECODE)))
            if hasattr(vae, "encode"):
                hooks.enter_context(_told(vae, "encode", lambda: clock.enter(IMAGE_ENCODE)))
        try:
            yield
        finally:
            clock.leave()


def _hook(clock: _Clock, stage: str) -> Callable[[torch.nn.Module, tuple[Any, ...]], None]:
    def before(module: torch.nn.Module, inputs: tuple[Any, ...]) -> None:
        clock.enter(stage)

    return before


@contextmanager
def _told(part: Any, method: str, before: Callable[[], None]) -> Iterator[None]:
    """Calls `before` at each call of a method of an object that is no forward, and so has no hooks."""
    original = getattr(part, method)

    def told(*args: Any, **kwargs: Any) -> Any:
        before()
        return original(*args, **kwargs)

    setattr(part, method, told)
    try:
        yield
    finally:
        delattr(part, method)
