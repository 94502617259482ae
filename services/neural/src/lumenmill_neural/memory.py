"""What is done when a device's memory is too small: smaller batches, then weights that wait on the host, then a refusal
that says so. The service lives on."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from lumenmill_common.errors import ResourceExhaustedError
from lumenmill_common.telemetry import get_logger

from lumenmill_neural.device import Device, is_out_of_memory
from lumenmill_neural.metrics import DEVICE_BUSY, OUT_OF_MEMORY, tell_device

__all__ = ["Placed", "run_in_batches"]

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
_log = get_logger(__name__)
# Nothing will change by itself: whoever comes back sooner comes back for nothing.
_RETRY_DELAY_S = 600.0


class Placed(Protocol):
    """A model whose weights can be placed so that they take less memory."""

    @property
    def device(self) -> Device:
        """Where it runs."""

    def be_alone(self) -> bool:
        """Have nothing done beside until the work is over; whether something was, which took memory."""

    def recover(self) -> None:
        """Undo what a call that failed left behind."""

    def place_smaller(self) -> str:
        """Go one step down the ladder; what was done, or nothing when it is at its end."""


def run_in_batches(
    items: Sequence[ItemT],
    max_batch_size: int,
    run: Callable[[Sequence[ItemT]], Sequence[ResultT]],
    placed: Placed,
    size_text: str,
) -> list[ResultT]:
    """The results of all items, in order, `max_batch_size` or fewer at a time.

    When memory is too small for a batch, it is freed, and what is done beside is waited for; then the batch is halved;
    when it is too small for one item, weights are placed elsewhere, as often as there is an elsewhere. `size_text` says
    what one item is, for the refusal.

    Raises:
        ResourceExhaustedError: one item does not fit in any way.
    """
    results: list[ResultT] = []
    batch_size = max_batch_size
    while len(results) < len(items):
        batch = items[len(results) : len(results) + batch_size]
        failed = False
        try:
            with DEVICE_BUSY.running():
                results += run(batch)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            failed = True
        if not failed:  # outside of the handler, whose traceback holds the tensors that are to be freed
            continue
        was_not_alone = placed.be_alone()
        placed.recover()
        placed.device.free()
        if was_not_alone:
            OUT_OF_MEMORY.labels("alone").inc()
            _log.warning("out of memory", then="the same, with nothing beside")
            continue
        if len(batch) > 1:
            batch_size = len(batch) // 2
            OUT_OF_MEMORY.labels("smaller_batch").inc()
            _log.warning("out of memory", then=f"batches of {batch_size}")
            continue
        done = placed.place_smaller()
        OUT_OF_MEMORY.labels("smaller_placement" if done else "refused").inc()
        if not done:
            raise ResourceExhaustedError(
                f"{size_text} does not fit into {placed.device.memory_gib:.1f} GiB of {placed.device.name}, one at a "
                "time and with weights placed to take least; ask for half as many pixels or frames, or a larger device",
                retry_delay_s=_RETRY_DELAY_S,
            )
        _log.warning("out of memory", then=done)
    tell_device(placed.device)
    return results
