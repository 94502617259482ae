"""The work that one model has in one replica of the orchestrator, and in all of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

__all__ = ["Load", "sum_of"]


@dataclass(frozen=True)
class Load:
    """Work of one model."""

    num_waiting: int = 0
    """Calls that wait for a worker."""
    num_in_flight: int = 0
    """Calls that a pod was given."""
    backlog_s: float = 0.0
    """Seconds that one worker needs for all of them."""
    last_work_s: float | None = None
    """When there was work last, in Unix seconds; None when there never was."""
    num_calls_at: Mapping[str, int] = field(default_factory=dict)
    """Calls in flight by address, `host:port`."""

    @property
    def num_calls(self) -> int:
        """Calls that wait or run."""
        return self.num_waiting + self.num_in_flight


def sum_of(loads: Iterable[Load]) -> Load:
    """The work of one model over several replicas."""
    parts = list(loads)
    at: dict[str, int] = {}
    for part in parts:
        for address, num_calls in part.num_calls_at.items():
            at[address] = at.get(address, 0) + num_calls
    return Load(
        num_waiting=sum(part.num_waiting for part in parts),
        num_in_flight=sum(part.num_in_flight for part in parts),
        backlog_s=sum(part.backlog_s for part in parts),
        last_work_s=max((part.last_work_s for part in parts if part.last_work_s is not None), default=None),
        num_calls_at=at,
    )
