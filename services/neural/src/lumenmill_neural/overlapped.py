"""Overlapped work: one clip is decoded in another thread while the worker denoises the next one."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

from lumenmill_common.errors import ResourceExhaustedError
from lumenmill_common.telemetry import get_logger
from lumenmill_neural.device import Device, is_out_of_memory
from lumenmill_neural.metrics import DEVICE_BUSY

__all__ = ["OverlappedWork"]

ResultT = TypeVar("ResultT")
_log = get_logger(__name__)
_RETRY_DELAY_S = 600.0


class OverlappedWork:
    """Run work in another thread and, on an accelerator, in another stream; one piece at a time.

    The worker may pause it during its own work, which is the main work. What then waits continues when the main work is
    done. Overlapped work that runs out of memory is repeated between two pieces of main work.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        # Always acquired in this order.
        self._main_lock, self._overlapped_lock = threading.RLock(), threading.Lock()
        self._is_paused = False
        self._stream: Any = None

    # For the worker's thread.

    @contextmanager
    def main_work(self) -> Iterator[None]:
        """Mark the worker's own work, and resume paused work after it."""
        with self._main_lock:
            try:
                yield
            finally:
                self.resume()

    def pause(self) -> bool:
        """Wait for the piece that is running and start no other until `resume`; return whether one was running."""
        if self._is_paused:
            return False
        was_idle = self._overlapped_lock.acquire(blocking=False)
        if not was_idle:
            self._overlapped_lock.acquire()
        self._is_paused = True
        return not was_idle

    def resume(self) -> None:
        """Undo `pause`."""
        if self._is_paused:
            self._is_paused = False
            self._overlapped_lock.release()

    def after_queued(self, run: Callable[[], ResultT]) -> Callable[[], ResultT]:
        """Return `run` for another thread. On the device it starts after all work that the worker has queued so far.

        The returned function raises ResourceExhaustedError if it runs out of memory even without main work.
        """
        mark = None if self._device.is_cpu else self._device.mark()
        return lambda: self._run(run, mark)

    # In the other thread.

    def _run(self, run: Callable[[], ResultT], mark: Any) -> ResultT:
        try:
            with self._overlapped_lock, self._in_stream(mark):
                return run()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        _log.warning("out of memory", action="repeat without main work")
        self._device.free()
        try:
            with self._main_lock, self._overlapped_lock, self._in_stream(mark):
                return run()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        self._device.free()
        raise ResourceExhaustedError(
            f"the result does not fit into {self._device.memory_gib:.1f} GiB of {self._device.name} a second time, to "
            "be decoded; ask for half as many pixels or frames, or a larger device",
            retry_delay_s=_RETRY_DELAY_S,
        )

    @contextmanager
    def _in_stream(self, mark: Any) -> Iterator[None]:
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
