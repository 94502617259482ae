"""Measured throughput, for estimates of how long work will take."""

from collections.abc import Hashable

__all__ = ["Throughput"]

# Weight of the newest measurement in the moving average.
_NEWEST = 0.3


class Throughput:
    """Seconds for a unit of work (a step of a million pixels, say), for each kind of work. One thread at a time adds
    measurements; any thread may ask for estimates."""

    def __init__(self) -> None:
        self._seconds_per_unit: dict[Hashable, float] = {}

    def add(self, kind: Hashable, num_units: float, duration_s: float) -> None:
        """Add a measurement of finished work to the moving average of its kind."""
        if num_units <= 0:
            return
        seconds = duration_s / num_units
        before = self._seconds_per_unit.get(kind)
        self._seconds_per_unit[kind] = seconds if before is None else (1 - _NEWEST) * before + _NEWEST * seconds

    def estimate_s(self, kind: Hashable, num_units: float) -> float | None:
        """Return the seconds that work will take; None before the first measurement of its kind."""
        seconds = self._seconds_per_unit.get(kind)
        return None if seconds is None else seconds * num_units
