"""Metrics of the store's operations: duration and outcome."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from lumenmill_common.errors import LumenmillError
from lumenmill_common.telemetry import STORE_OPERATION_DURATION

__all__ = ["Operation", "observed"]


class Operation:
    """One operation in several parts; the time of callers between the parts does not count."""

    def __init__(self, name: str) -> None:
        self._name, self._spent_s, self._outcome = name, 0.0, "OK"

    @contextmanager
    def part(self) -> Iterator[None]:
        """Add the seconds of the block, and record the error that ends it."""
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
        """Publish duration and outcome."""
        STORE_OPERATION_DURATION.labels(self._name, self._outcome).observe(self._spent_s)


@contextmanager
def observed(name: str) -> Iterator[None]:
    """Measure the block as an operation of one part."""
    operation = Operation(name)
    try:
        with operation.part():
            yield
    finally:
        operation.end()
