"""The database: SQLite or Postgres by its URL, brought to the newest schema at start."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from lumenmill_common.errors import UnavailableError
from lumenmill_common.telemetry import get_logger
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite

from lumenmill_orchestrator import metrics
from lumenmill_orchestrator.storage.observing import observe

__all__ = [
    "as_unavailable_error",
    "engine_url",
    "insert_into",
    "is_database_unavailable",
    "make_engine",
    "patiently",
    "storable",
    "upgrade_schema",
]

_T = TypeVar("_T")
_PATIENCE_S = 60.0
_LONGEST_PAUSE_S = 5.0
# It does not answer, or all connections wait for its answers.
_AWAY = (sa.exc.OperationalError, sa.exc.TimeoutError)
# Of one engine to Postgres. A replica has two, its own and that of DBOS, so that four replicas stay below the 97 that a
# server of its defaults has for them, with room for exports and for whoever looks. The threads of a process share them;
# what they ask takes milliseconds, and more connections make no walk faster.
_MOST_CONNECTIONS = 10
_log = get_logger(__name__)

_MIGRATIONS = Path(__file__).parent / "migrations"


def engine_url(database_url: str) -> sa.URL:
    """The SQLAlchemy URL of a configured one; `postgresql://` means psycopg 3, folders of SQLite files are made."""
    url = sa.make_url(database_url)
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    return url


def make_engine(url: sa.URL) -> sa.Engine:
    """An engine; SQLite gets a write-ahead log, which readers and the writer share without waiting for each other."""
    if url.get_backend_name() != "sqlite":
        return observe(
            sa.create_engine(
                # A server without a locale calls its texts SQL_ASCII, and the driver would hand out bytes.
                url,
                pool_size=_MOST_CONNECTIONS,
                max_overflow=0,
                pool_pre_ping=True,
                connect_args={"client_encoding": "utf8", **_limits(url)},
            )
        )
    engine = observe(sa.create_engine(url, pool_size=16))

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in ("busy_timeout=30000", "foreign_keys=ON", "journal_mode=WAL", "synchronous=NORMAL"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _limits(url: sa.URL) -> dict[str, int]:
    """Seconds for a server that went away without a word, where the URL gives none: those of the system are a quarter
    of an hour, in which nothing would be asked of the server that took over."""
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
        raise UnavailableError(f"the database does not answer: {error.orig}") from error


def insert_into(engine: sa.Engine, table: sa.Table) -> Any:
    """An INSERT that can say what happens on conflict, in the engine's dialect."""
    return postgresql.insert(table) if engine.dialect.name == "postgresql" else sqlite.insert(table)


def is_database_unavailable(error: BaseException) -> bool:
    """Whether an error, or one in a group of them, says that the database did not answer."""
    if isinstance(error, BaseExceptionGroup):
        return any(is_database_unavailable(one) for one in error.exceptions)
    return isinstance(error, _AWAY)


def as_unavailable_error(error: Exception) -> Exception:
    """What callers are told of an error: that the database is away, where it says so; else itself."""
    if not is_database_unavailable(error):
        return error
    _count_away(error)
    return UnavailableError("the database does not answer; what runs goes on when it does", retry_delay_s=1.0)


def _count_away(error: BaseException) -> None:
    metrics.DATABASE_AWAY.inc()
    _log.warning("the database is away", reason=str(getattr(error, "orig", error)))


def storable(text: str) -> str:
    """A text without the NUL characters that Postgres refuses."""
    return text.replace("\0", "")


def patiently(work: Callable[[], _T]) -> _T:
    """Do something with the database, again for up to a minute while it is away: one that restarts costs nothing else.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: it was away for longer.
    """
    give_up_s = time.monotonic() + _PATIENCE_S
    pause_s = 0.1
    while True:
        try:
            return work()
        except _AWAY as error:
            _count_away(error)
            if time.monotonic() + pause_s > give_up_s:
                raise
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
