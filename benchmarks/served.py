"""The overhead of the service around a pipeline: its call in the service against the same direct call, and how long the
device is idle between queued jobs."""

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from figures import Figure

from lumenmill_common.artifacts import open_store_from
from lumenmill_neural.catalogue import ModelEntry
from lumenmill_neural.device import Device
from lumenmill_neural.host import ModelHost
from lumenmill_neural.settings import NeuralSettings
from lumenmill_neural.source import Checkpoint

__all__ = ["BuiltHost", "Served", "calls_of", "served_figures"]

_MOST_OVERHEAD_PERCENT = 1.0
_MOST_IDLE_PERCENT = 2.0

Span = tuple[float, float]
"""Begin and end, in seconds."""


class BuiltHost(ModelHost):
    """Host a pipeline that was built already."""

    def __init__(self, settings: NeuralSettings, catalogue: Mapping[str, ModelEntry], pipe: Any) -> None:
        super().__init__(settings, open_store_from(settings), catalogue)
        self.pipe, self._checkpoint = pipe, Checkpoint(Path(), "random")

    def load_pipeline(self, pipeline_class: Any, checkpoint: Any = None, set_up: Any = None, **parts: Any) -> Any:
        """Return the pipeline that was built."""
        if set_up is not None:
            set_up(self.pipe)
        self.add_pipeline(self.pipe)
        return self.pipe


@contextmanager
def calls_of(pipe: Any, device: Device) -> Iterator[list[Span]]:
    """Collect the spans of all calls of a pipeline; each ends when the device has finished its work."""
    spans: list[Span] = []
    original = type(pipe).__call__

    def timed(self: Any, *args: Any, **kwargs: Any) -> Any:
        device.synchronize()
        started_s = time.perf_counter()
        try:
            return original(self, *args, **kwargs)
        finally:
            device.synchronize()
            spans.append((started_s, time.perf_counter()))

    type(pipe).__call__ = timed
    try:
        yield spans
    finally:
        type(pipe).__call__ = original


@dataclass(frozen=True)
class Served:
    """Calls of a pipeline with the same arguments: direct, alternating with them in the service, and queued in it."""

    direct: Sequence[Span]
    alone: Sequence[Span]
    queued: Sequence[Span]


def served_figures(name: str, served: Served, full_s: float, *, has_targets: bool) -> list[Figure]:
    """Return the figures of a service. `full_s` is the duration of a call in production, if the timed calls have fewer
    steps: the idle time after it is the same. `has_targets`: whether sizes and steps are those of the targets."""
    direct_s, alone_s = ([end_s - begin_s for begin_s, end_s in spans] for spans in (served.direct, served.alone))
    # Ratios of adjacent calls, so that a machine that becomes slower or faster affects both.
    ratio = statistics.median(service_s / call_s for service_s, call_s in zip(alone_s, direct_s, strict=True))
    gaps_s = [after[0] - before[1] for before, after in pairwise(served.queued)]
    gap_s = max(statistics.median(gaps_s), 0.0)
    overhead = {"at_most": _MOST_OVERHEAD_PERCENT} if has_targets else {}
    idle = {"at_most": _MOST_IDLE_PERCENT} if has_targets else {}
    return [
        Figure(f"{name}: the pipeline's call by itself", statistics.median(direct_s), "s"),
        Figure(f"{name}: what the service adds to it", 100 * (ratio - 1), "%", **overhead),
        Figure(f"{name}: between queued jobs", 1e3 * gap_s, "ms"),
        Figure(f"{name}: device idle between queued jobs", 100 * gap_s / (gap_s + full_s), "%", **idle),
    ]
