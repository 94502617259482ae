"""The migrations produce exactly the tables that the code declares."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from lumenmill_orchestrator.storage.database import engine_url, make_engine, upgrade_schema
from lumenmill_orchestrator.storage.schema import metadata


def test_migrations_produce_the_declared_tables(tmp_path: Path) -> None:
    engine = make_engine(engine_url(f"sqlite:///{tmp_path}/new.sqlite"))
    upgrade_schema(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()
