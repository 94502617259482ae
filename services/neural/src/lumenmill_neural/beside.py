"""Work of the device beside the worker's: one clip is decoded while the next is denoised."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from lumenmill_common.errors import ResourceExhaustedError
from lumenmill_common.telemetry import get_logger

from lumenmill_neural.device import Device, is_out_of_memory
from lumenmill_neural.metrics import DEVICE_BUSY

__all__ = ["Beside"]

ResultT = TypeVar("ResultT")
_log = get_logger(__name__)
_RETRY_DELAY_S = 600.0


class Beside:
    """Work in another thread and, on an accelerator, in another stream. One piece at a time.

    Whoever is in the middle of the worker's work may keep it away; what then waits goes on when that work is done.
    Where there turns out to be no room for both, it is done again between two works of the worker.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        # Taken in this order wherever both are.
        self._working, self._turn = threading.RLock(), threading.Lock()
        self._is_kept_away = False
        self._stream: Any = None

    # For the worker's thread.

    @contextmanager
    def working(self) -> Iterator[None]:
        """The worker's own work. What was kept away in it goes on after it."""
        with self._working:
            try:
                yield
            finally:
                self.let_in()

    def keep_away(self) -> bool:
        """Waits for what is under way beside, and lets nothing begin; whether there was something."""
        if self._is_kept_away:
            return False
        was_idle = self._turn.acquire(blocking=False)
        if not was_idle:
            self._turn.acquire()
        self._is_kept_away = True
        return not was_idle

    def let_in(self) -> None:
        """Undoes `keep_away`."""
        if self._is_kept_away:
            self._is_kept_away = False
            self._turn.release()

    def after_now(self, run: Callable[[], ResultT]) -> Callable[[], ResultT]:
        """`run` for another thread: on the device it begins when all is done that the worker has queued until now.

        What is returned raises ResourceExhaustedError where memory is too small for it by itself.
        """
        mark = None if self._device.is_cpu else self._device.mark()
        return lambda: self._run(run, mark)

    # In the other thread.

    def _run(self, run: Callable[[], ResultT], mark: Any) -> ResultT:
        try:
            with self._turn, self._streamed(mark):
                return run()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        _log.warning("out of memory", then="the same between two works of the model")
        self._device.free()
        try:
            with self._working, self._turn, self._streamed(mark):
                return run()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        self._device.free()
        raise ResourceExhaustedError(
            f"what was made does not fit into {self._device.memory_gib:.1f} GiB of {self._device.name} once more, to "
            "be decoded; ask for half as many pixels or frames, or a larger device",
            retry_delay_s=_RETRY_DELAY_S,
        )

    @contextmanager
    def _streamed(self, mark: Any) -> Iterator[None]:
        with DEVICE_BUSY.running():
            if self._device.is_cpu:
                yield
                return
            if self._stream is None:
                self._stream = torch.cuda.Stream(self._device.torch_device)
            self._stream.wait_event(mark)
            with torch.cuda.stream(self._stream):
                yield
                self._stream.synchronize()
