"""Metrics of the database: durations of statements, connections, size."""

import math
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import QueuePool

from lumenmill_orchestrator import metrics

__all__ = ["instrument", "size_bytes"]

_STATEMENTS = frozenset({"select", "insert", "update", "delete"})


def instrument(engine: sa.Engine) -> sa.Engine:
    """Return the engine after adding metrics of its statements and connections."""

    @event.listens_for(engine, "before_cursor_execute")
    def before(_connection: Any, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool) -> None:
        if context is not None:
            context.lumenmill_since_s = time.perf_counter()

    @event.listens_for(engine, "after_cursor_execute")
    def after(_connection: Any, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: bool) -> None:
        if context is not None:
            kind = statement.lstrip()[:6].lower()
            duration_s = time.perf_counter() - context.lumenmill_since_s
            metrics.DATABASE_DURATION.labels(kind if kind in _STATEMENTS else "other").observe(duration_s)

    if isinstance(engine.pool, QueuePool):
        for state, count in {"in_use": engine.pool.checkedout, "idle": engine.pool.checkedin}.items():
            metrics.DATABASE_CONNECTIONS.labels(state).set_function(_as_float(count))
    return engine


def _as_float(count: Callable[[], int]) -> Callable[[], float]:
    return lambda: float(count())


def size_bytes(engine: sa.Engine) -> float:
    """Return the size of the database without write-ahead logs; NaN when it does not answer."""
    if engine.dialect.name == "postgresql":
        query = "SELECT pg_database_size(current_database())"
    else:
        query = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    try:
        with engine.connect() as connection:
            return float(connection.execute(sa.text(query)).scalar_one())
    except sa.exc.OperationalError:
        return math.nan
