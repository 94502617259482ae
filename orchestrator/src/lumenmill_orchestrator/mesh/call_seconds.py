"""How long calls take."""

__all__ = ["CallSeconds"]

# What a call counts whose kind has never been measured.
_UNMEASURED_S = 60.0
# Share of the newest measurement in the mean: the last ten or so decide.
_NEWEST = 0.2


class CallSeconds:
    """Mean seconds of each kind of call at each model: exponential, fed by what is computed."""

    def __init__(self) -> None:
        self._means_s: dict[tuple[str, str], float] = {}

    def add(self, model: str, kind: str, duration_s: float) -> None:
        """One more call was measured."""
        mean_s = self._means_s.get((model, kind))
        self._means_s[model, kind] = duration_s if mean_s is None else (1.0 - _NEWEST) * mean_s + _NEWEST * duration_s

    def seed(self, model: str, kind: str, duration_s: float) -> None:
        """What earlier processes have measured; counts until this one knows better."""
        self._means_s.setdefault((model, kind), duration_s)

    def measured_s(self, model: str, kind: str) -> float | None:
        """The mean, or None when nothing was measured yet."""
        return self._means_s.get((model, kind))

    def expected_s(self, model: str, kind: str) -> float:
        """The mean, or a minute where nothing is known."""
        return self._means_s.get((model, kind), _UNMEASURED_S)
