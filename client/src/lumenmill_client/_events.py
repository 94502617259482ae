"""What a caller's progress callback is given, whatever the call."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["OnProgress", "ProgressEvent", "listener"]


@dataclass(frozen=True)
class ProgressEvent:
    """How far a heavy call is."""

    stage: str
    """`queued`, or what the service does now: `render`, `denoise`, `encode` …"""
    step: int
    """Steps done; for `queued`, the number of jobs before this one."""
    total: int
    """Steps of this stage in all; 0 when unknown."""


OnProgress = Callable[[ProgressEvent], None]


def listener(on_progress: OnProgress | None) -> Callable[[Any], None] | None:
    """A listener for the events of a heavy call that tells `on_progress`."""
    if on_progress is None:
        return None

    def listen(response: Any) -> None:
        if response.WhichOneof("event") == "queued":
            on_progress(ProgressEvent("queued", response.queued.position, 0))
        else:
            on_progress(ProgressEvent(response.progress.stage, response.progress.step, response.progress.total))

    return listen
