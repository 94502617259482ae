"""How long work will take, learned from the work before it."""

from collections.abc import Hashable

__all__ = ["Pace"]

# Weight of the newest observation.
_NEWEST = 0.3


class Pace:
    """Seconds for a unit of work (a step of a million pixels, say), for each way of working. Used by one thread at a
    time to observe, by any to ask."""

    def __init__(self) -> None:
        self._seconds_per_unit: dict[Hashable, float] = {}

    def observe(self, way: Hashable, num_units: float, duration_s: float) -> None:
        """Learn from work that was done."""
        if num_units <= 0:
            return
        seconds = duration_s / num_units
        before = self._seconds_per_unit.get(way)
        self._seconds_per_unit[way] = seconds if before is None else (1 - _NEWEST) * before + _NEWEST * seconds

    def estimate_s(self, way: Hashable, num_units: float) -> float | None:
        """Seconds that work will take; None while nothing like it was done."""
        seconds = self._seconds_per_unit.get(way)
        return None if seconds is None else seconds * num_units
