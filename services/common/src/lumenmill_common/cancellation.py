"""Lets code without a JobContext stop when nobody needs its result any more: readers of files, for example."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["cancelled_by", "check_cancelled"]


def _never() -> None:
    pass


_check: ContextVar[Callable[[], None]] = ContextVar("check_cancelled", default=_never)


@contextmanager
def cancelled_by(check: Callable[[], None]) -> Iterator[None]:
    """Let `check_cancelled` call `check` inside the block; `check` raises CancelledError once the work is cancelled."""
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


def check_cancelled() -> None:
    """Call it while waiting.

    Raises:
        CancelledError: the job or the call that this code works for was cancelled; do not catch it.
    """
    _check.get()()
