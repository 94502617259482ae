"""The database: SQLite or Postgres by its URL, brought to the newest schema at start."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from lumenmill_common.errors import UnavailableError
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite

__all__ = ["engine_url", "insert_into", "make_engine", "upgrade_schema"]

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
        return sa.create_engine(url, pool_size=16, pool_pre_ping=True)
    engine = sa.create_engine(url, pool_size=16)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in ("busy_timeout=30000", "foreign_keys=ON", "journal_mode=WAL", "synchronous=NORMAL"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


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
