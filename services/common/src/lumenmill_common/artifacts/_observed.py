"""What the store's operations take and how they end, as metrics."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from lumenmill_common.errors import LumenmillError
from lumenmill_common.telemetry import STORE_OPERATION_DURATION

__all__ = ["Operation", "observed"]


class Operation:
    """One operation that is done in steps; what callers do between the steps does not count."""

    def __init__(self, name: str) -> None:
        self._name, self._spent_s, self._outcome = name, 0.0, "OK"

    @contextmanager
    def step(self) -> Iterator[None]:
        """Counts the seconds of the block, and the error that ends it."""
        started_s = time.monotonic()
        try:
            yield
        except LumenmillError as error:
            self._outcome = error.code.name
            raise
        except Exception:
            self._outcome = "INTERNAL"
            raise
        finally:
            self._spent_s += time.monotonic() - started_s

    def end(self) -> None:
        """Tells what it took."""
        STORE_OPERATION_DURATION.labels(self._name, self._outcome).observe(self._spent_s)


@contextmanager
def observed(name: str) -> Iterator[None]:
    """An operation of one step."""
    operation = Operation(name)
    try:
        with operation.step():
            yield
    finally:
        operation.end()
