"""How long each stage of a diffusion pipeline takes, measured by hooks, so that the library's pipeline is unchanged.

A pipeline calls its text and image encoders, then its denoiser, step by step, then its decoder. The first call of a
part begins its stage and ends the one before. The device is synchronised only there, never between steps.
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
    """Report the progress of denoising to the jobs of a batch, and stop it when all of them are cancelled.

    Pass it to a pipeline as `callback_on_step_end`. It counts steps over several calls of the pipeline.
    """

    def __init__(self, jobs: Sequence[JobContext], num_steps: int, device: Device) -> None:
        """`num_steps` is the number of steps of all calls together."""
        self._jobs, self._num_steps, self._device = jobs, num_steps, device
        self._marks: list[Mark] = []

    def __call__(self, pipe: object, step: int, timestep: object, tensors: dict[str, Any]) -> dict[str, Any]:
        """Count a step that has ended. Raises CancelledError, which ends the pipeline's call."""
        self._marks.append(self._device.mark())
        for job in self._jobs:
            job.progress(DENOISE, min(len(self._marks), self._num_steps), self._num_steps)
        return tensors

    def durations_s(self) -> list[float]:
        """Return the seconds that the device took for each step but the first. Waits for the device."""
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
    """Measure the stages of all calls of a pipeline in the block, and add the seconds to the stage times of the
    jobs."""
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
            hooks.enter_context(_before_calls(vae, "decode", lambda: clock.enter(DECODE)))
            if hasattr(vae, "encode"):
                hooks.enter_context(_before_calls(vae, "encode", lambda: clock.enter(IMAGE_ENCODE)))
        try:
            yield
        finally:
            clock.leave()


def _hook(clock: _Clock, stage: str) -> Callable[[torch.nn.Module, tuple[Any, ...]], None]:
    def before(module: torch.nn.Module, inputs: tuple[Any, ...]) -> None:
        clock.enter(stage)

    return before


@contextmanager
def _before_calls(part: Any, method: str, before: Callable[[], None]) -> Iterator[None]:
    """Call `before` at each call of a method other than `forward`, for which torch has no hooks."""
    original = getattr(part, method)

    def hooked(*args: Any, **kwargs: Any) -> Any:
        before()
        return original(*args, **kwargs)

    setattr(part, method, hooked)
    try:
        yield
    finally:
        delattr(part, method)
