"""The load of a model, in calls and in seconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Load"]


@dataclass(frozen=True)
class Load:
    """Load of one model, in one replica of the orchestrator or in all of them."""

    num_waiting: int = 0
    """Calls that wait for a slot, and one more while a run waits for the model's description."""
    num_in_flight: int = 0
    """Calls that were sent to an endpoint."""
    backlog_s: float = 0.0
    """Seconds of one worker that all of them take, by the measured means of their kinds."""
    last_work_time: float | None = None
    """When there was work last, in Unix seconds; None when there never was."""
    num_calls_at: Mapping[str, int] = field(default_factory=dict)
    """Calls in flight by endpoint, `10.0.3.7:50051`."""

    @property
    def num_calls(self) -> int:
        """Calls that wait or run."""
        return self.num_waiting + self.num_in_flight
