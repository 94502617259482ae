"""Metrics of neural models. docs/metrics.md explains their names and meanings."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import REGISTRY, Counter, Gauge
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from lumenmill_common.telemetry import MODEL_GPUS
from lumenmill_neural.device import Device

__all__ = ["DEVICE_BUSY", "DEVICE_MEMORY", "DEVICE_MEMORY_PEAK", "OUT_OF_MEMORY", "report_device"]

_GIB = 1 << 30


class BusySeconds(Collector):
    """Seconds that the device was at work. Work that is still running counts too: a clip takes longer than a scrape."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended_s, self._since_s = 0.0, 0.0
        self._depth = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the time of the block. Nested and parallel blocks count once."""
        with self._lock:
            if not self._depth:
                self._since_s = time.monotonic()
            self._depth += 1
        try:
            yield
        finally:
            with self._lock:
                self._depth -= 1
                if not self._depth:
                    self._ended_s += time.monotonic() - self._since_s

    def describe(self) -> Iterable[Metric]:
        """Return the metric without its value."""
        return [CounterMetricFamily("lumenmill_device_busy_seconds", "Seconds that a model worked on its device.")]

    def collect(self) -> Iterable[Metric]:
        """Return the metric with its current value."""
        with self._lock:
            seconds = self._ended_s + (time.monotonic() - self._since_s if self._depth else 0.0)
        family = next(iter(self.describe()))
        family.add_sample("lumenmill_device_busy_seconds_total", {}, seconds)
        return [family]


DEVICE_BUSY = BusySeconds()
REGISTRY.register(DEVICE_BUSY)
DEVICE_MEMORY = Gauge("lumenmill_device_memory_bytes", "Memory of the device that may be used.")
DEVICE_MEMORY_PEAK = Gauge("lumenmill_device_memory_peak_bytes", "Peak use of the device's memory by the last job.")
OUT_OF_MEMORY = Counter(
    "lumenmill_out_of_memory_total", "Times that the device ran out of memory, by the action taken.", ["action"]
)
for _action in ("without_overlap", "smaller_batch", "smaller_tier", "refused"):
    OUT_OF_MEMORY.labels(_action)  # from the start, so that the first one is seen as an increase


def report_device(device: Device) -> None:
    """Set the gauges of the device: its memory, and the peak use of the work just done."""
    MODEL_GPUS.set(0 if device.is_cpu else device.count)
    DEVICE_MEMORY.set(device.memory_gib * _GIB)
    DEVICE_MEMORY_PEAK.set(device.peak_memory_bytes())
