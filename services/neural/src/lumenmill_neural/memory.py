"""What happens when a device runs out of memory: smaller batches, then smaller tiers, then a refusal. The service
continues."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from lumenmill_common.errors import ResourceExhaustedError
from lumenmill_common.telemetry import get_logger
from lumenmill_neural.device import Device, is_out_of_memory
from lumenmill_neural.metrics import DEVICE_BUSY, OUT_OF_MEMORY, report_device

__all__ = ["TieredModel", "run_in_batches"]

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
_log = get_logger(__name__)
# Memory does not grow by itself: an early retry would fail again.
_RETRY_DELAY_S = 600.0


class TieredModel(Protocol):
    """A model that can be made to take less device memory."""

    @property
    def device(self) -> Device:
        """The device that it runs on."""

    def pause_overlapped(self) -> bool:
        """Wait for overlapped work and pause it until the current work is done; return whether any was running."""

    def reset(self) -> None:
        """Clean up after a call that raised."""

    def apply_smaller_tier(self) -> str:
        """Apply the next tier that takes less memory; return a description of it, empty if there is none."""


def run_in_batches(
    items: Sequence[ItemT],
    max_batch_size: int,
    run: Callable[[Sequence[ItemT]], Sequence[ResultT]],
    model: TieredModel,
    size_text: str,
) -> list[ResultT]:
    """Return the results of all items, in order; run at most `max_batch_size` of them at a time.

    When a batch runs out of memory: free memory and wait for overlapped work; then halve the batch; when a single item
    does not fit, apply the next smaller tier, as long as there is one. `size_text` describes one item, for the
    refusal.

    Raises:
        ResourceExhaustedError: one item does not fit in any tier.
    """
    results: list[ResultT] = []
    batch_size = max_batch_size
    while len(results) < len(items):
        batch = items[len(results) : len(results) + batch_size]
        made = _run_batch(run, batch)
        if made is None:
            batch_size = _batch_size_after_failure(model, len(batch), batch_size, size_text)
        else:
            results += made
    report_device(model.device)
    return results


def _run_batch(run: Callable[[Sequence[ItemT]], Sequence[ResultT]], batch: Sequence[ItemT]) -> Sequence[ResultT] | None:
    """Return the results of a batch, or None if it ran out of memory. The traceback, which holds the tensors that have
    to be freed, is gone by then."""
    try:
        with DEVICE_BUSY.running():
            return run(batch)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return None


def _batch_size_after_failure(model: TieredModel, num_items: int, batch_size: int, size_text: str) -> int:
    """Make room after a batch of `num_items` ran out of memory, and return the batch size to continue with."""
    was_overlapped = model.pause_overlapped()
    model.reset()
    model.device.free()
    if was_overlapped:
        OUT_OF_MEMORY.labels("without_overlap").inc()
        _log.warning("out of memory", action="repeat without overlapped work")
        return batch_size
    if num_items > 1:
        OUT_OF_MEMORY.labels("smaller_batch").inc()
        _log.warning("out of memory", action=f"batches of {num_items // 2}")
        return num_items // 2
    applied = model.apply_smaller_tier()
    OUT_OF_MEMORY.labels("smaller_tier" if applied else "refused").inc()
    if not applied:
        raise ResourceExhaustedError(
            f"{size_text} does not fit into {model.device.memory_gib:.1f} GiB of {model.device.name}, one at a time in "
            "the smallest tier; ask for half as many pixels or frames, or a larger device",
            retry_delay_s=_RETRY_DELAY_S,
        )
    _log.warning("out of memory", action=applied)
    return batch_size
