"""Durations of calls, for estimates."""

__all__ = ["CallSeconds"]

# Assumed for a call whose kind has never been measured.
_UNMEASURED_S = 60.0
# Share of the newest measurement in the mean: the last ten or so decide.
_NEWEST = 0.2


class CallSeconds:
    """Mean seconds of each kind of call at each model: an exponential mean of the calls that were computed."""

    def __init__(self) -> None:
        self._means_s: dict[tuple[str, str], float] = {}

    def add(self, model: str, kind: str, duration_s: float) -> None:
        """Add a measured call."""
        mean_s = self._means_s.get((model, kind))
        self._means_s[model, kind] = duration_s if mean_s is None else (1.0 - _NEWEST) * mean_s + _NEWEST * duration_s

    def seed(self, model: str, kind: str, duration_s: float) -> None:
        """Set what earlier processes have measured, unless this process has measured the kind itself."""
        self._means_s.setdefault((model, kind), duration_s)

    def expected_s(self, model: str, kind: str) -> float:
        """Return the mean, or a minute when nothing was measured yet."""
        return self._means_s.get((model, kind), _UNMEASURED_S)
