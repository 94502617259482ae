"""The migrations produce exactly the tables that the code declares, and keep what earlier ones hold."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from lumenmill_orchestrator.storage import RunStore, database
from lumenmill_orchestrator.storage.database import engine_url, make_engine, upgrade_schema
from lumenmill_orchestrator.storage.schema import metadata, runs

from .postgres import postgres_server

_MIGRATIONS = Path(database.__file__).parent / "migrations"


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """An engine of an empty database."""
    if request.param == "sqlite":
        engine = make_engine(engine_url(f"sqlite:///{tmp_path}/new.sqlite"))
        yield engine
        engine.dispose()
        return
    with postgres_server(tmp_path) as server:
        engine = make_engine(engine_url(server.url))
        yield engine
        engine.dispose()


def _upgrade_to(engine: sa.Engine, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_migrations_produce_the_declared_tables(engine: sa.Engine) -> None:
    upgrade_schema(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_runs_of_the_first_schema_have_no_submitter_and_new_ones_have(engine: sa.Engine) -> None:
    values = {column.name: "x" for column in runs.columns if isinstance(column.type, sa.String | sa.Text)}
    values |= {"state": 4, "priority": 2, "num_items": 1, "create_time": time.time()}
    del values["submitter"]
    _upgrade_to(engine, "0001")
    with engine.begin() as connection:
        names = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        connection.execute(sa.text(f"INSERT INTO runs ({names}) VALUES ({marks})"), values | {"id": "old"})  # noqa: S608
    upgrade_schema(engine)
    store = RunStore(engine)
    store.insert(values | {"id": "new", "submitter": "sam"}, [])
    assert [(row.id, row.submitter) for row in store.page(None, 10)[0]] == [("new", "sam"), ("old", "")]
