"""Engines of SQLite and Postgres, the upgrade of the schema, and errors of a database that does not answer."""

import asyncio
import math
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite

from lumenmill_common.errors import UnavailableError
from lumenmill_common.full_disk import full_disk_error
from lumenmill_common.retries import RetryPolicy, RetryState
from lumenmill_common.telemetry import get_logger
from lumenmill_orchestrator import metrics
from lumenmill_orchestrator.storage.instrumentation import instrument

__all__ = [
    "engine_url",
    "error_for_callers",
    "insert_into",
    "is_database_unavailable",
    "make_engine",
    "num_bytes_of",
    "query",
    "retry_database",
    "storable",
    "upgrade_schema",
]

_T = TypeVar("_T")
_P = ParamSpec("_P")
# A database that restarts is back within a minute.
_RETRIES = RetryPolicy({UnavailableError: math.inf}, outage_timeout_s=60.0, initial_backoff_s=0.1, max_backoff_s=5.0)
# The database does not answer, or all connections of the pool wait for its answers.
_UNAVAILABLE = (sa.exc.OperationalError, sa.exc.TimeoutError)
# A write found no space, or the index of the write-ahead log could not grow.
_SQLITE_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}
_POSTGRES_FULL = "53100"
# Of one engine to Postgres. A replica has two engines, its own and that of DBOS, so that four replicas stay below the
# 97 connections that a server with default settings allows, with some left for exports and administrators. The threads
# of a process share them; statements take milliseconds, and more connections make no run faster.
_MAX_CONNECTIONS = 10
_log = get_logger(__name__)

_MIGRATIONS = Path(__file__).parent / "migrations"


def engine_url(database_url: str) -> sa.URL:
    """Return the SQLAlchemy URL of a configured one, with psycopg 3 for Postgres; make the folder of a SQLite file."""
    url = sa.make_url(database_url)
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    return url


def make_engine(url: sa.URL) -> sa.Engine:
    """Return an engine; SQLite gets a write-ahead log, so that readers and the writer do not wait for each other."""
    if url.get_backend_name() != "sqlite":
        return instrument(
            sa.create_engine(
                # A server without a locale reports SQL_ASCII, for which the driver would return bytes.
                url,
                pool_size=_MAX_CONNECTIONS,
                max_overflow=0,
                pool_pre_ping=True,
                connect_args={"client_encoding": "utf8", **_limits(url)},
            )
        )
    engine = instrument(sa.create_engine(url, pool_size=16))

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in ("busy_timeout=30000", "foreign_keys=ON", "journal_mode=WAL", "synchronous=NORMAL"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _limits(url: sa.URL) -> dict[str, int]:
    """Return time limits for a server that vanishes without closing its connections, where the URL sets none.

    The defaults of the operating system are a quarter of an hour, for which a new server would not be connected to.
    """
    limits = {
        "connect_timeout": 10,
        "tcp_user_timeout": 30_000,  # ms
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
    }
    return {name: limit for name, limit in limits.items() if name not in url.query}


def upgrade_schema(engine: sa.Engine) -> None:
    """Bring the schema to the newest revision.

    Raises:
        UnavailableError: when the database does not answer.
        ResourceExhaustedError: when its disk is full.
    """
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                # Replicas that start together migrate one after another.
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(7023391)"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except sa.exc.OperationalError as error:
        if is_database_full(error):
            raise full_disk_error("the database", str(error.orig)) from error
        raise UnavailableError(f"the database does not answer: {error.orig}") from error


def insert_into(engine: sa.Engine, table: sa.Table) -> Any:
    """Return an INSERT of the engine's dialect, which supports ON CONFLICT."""
    return postgresql.insert(table) if engine.dialect.name == "postgresql" else sqlite.insert(table)


def num_bytes_of(engine: sa.Engine, text: sa.Column[str]) -> sa.ColumnElement[int]:
    """Return the number of bytes of a text in UTF-8; `length` counts its characters."""
    if engine.dialect.name == "postgresql":
        return sa.func.octet_length(text)
    return sa.func.length(sa.cast(text, sa.LargeBinary))


def is_database_unavailable(error: BaseException) -> bool:
    """Return whether an error, or one in a group, means that the database does not answer."""
    if isinstance(error, BaseExceptionGroup):
        return any(is_database_unavailable(one) for one in error.exceptions)
    return isinstance(error, _UNAVAILABLE)


def error_for_callers(error: Exception) -> Exception:
    """Return the error for callers of an operation that the database could not do; any other error unchanged.

    It is RESOURCE_EXHAUSTED for a full disk, and UNAVAILABLE when the database does not answer.
    """
    if not is_database_unavailable(error):
        return error
    _count_unavailable(error)
    if is_database_full(error):
        return full_disk_error("the database", str(getattr(error, "orig", error)))
    return UnavailableError("the database does not answer; runs continue when it does", retry_delay_s=1.0)


def is_database_full(error: BaseException) -> bool:
    """Return whether an error, or one in a group, means that the disk of the database is full."""
    if isinstance(error, BaseExceptionGroup):
        return any(is_database_full(one) for one in error.exceptions)
    original = getattr(error, "orig", None)
    return (
        getattr(original, "sqlite_errorcode", None) in _SQLITE_FULL
        or getattr(original, "sqlstate", None) == _POSTGRES_FULL
    )


def _count_unavailable(error: BaseException) -> None:
    metrics.DATABASE_UNAVAILABLE.inc()
    _log.warning("the database does not answer", reason=str(getattr(error, "orig", error)))


def storable(text: str) -> str:
    """Return a text without the NUL characters that Postgres rejects."""
    return text.replace("\0", "")


def retry_database(work: Callable[[], _T]) -> _T:
    """Run something with the database, again for up to a minute while it is unavailable. Synchronous.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: it was unavailable for longer.
    """
    state = RetryState(_RETRIES)
    while True:
        try:
            return work()
        except _UNAVAILABLE as error:
            _count_unavailable(error)
            delay_s = state.record_failure(UnavailableError(str(error), retry_delay_s=0.0))
            if delay_s is None:
                raise
        time.sleep(delay_s)


async def query(work: Callable[_P, _T], *arguments: _P.args, **options: _P.kwargs) -> _T:
    """Run a blocking query in a worker thread, as `retry_database` does."""
    return await asyncio.to_thread(retry_database, partial(work, *arguments, **options))
