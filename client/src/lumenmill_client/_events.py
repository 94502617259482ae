"""Progress events of calls."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["OnProgress", "ProgressEvent", "event_listener"]


@dataclass(frozen=True)
class ProgressEvent:
    """Progress of a call."""

    stage: str
    """`queued`, or the stage of the service: `render`, `denoise`, `encode` …"""
    step: int
    """Finished steps; for `queued`, the number of jobs ahead."""
    total: int
    """Total steps of the stage; 0 when unknown."""


OnProgress = Callable[[ProgressEvent], None]


def event_listener(on_progress: OnProgress | None) -> Callable[[Any], None] | None:
    """Return a listener of response events that calls `on_progress`."""
    if on_progress is None:
        return None

    def listen(response: Any) -> None:
        if response.WhichOneof("event") == "queued":
            on_progress(ProgressEvent("queued", response.queued.position, 0))
        else:
            on_progress(ProgressEvent(response.progress.stage, response.progress.step, response.progress.total))

    return listen
