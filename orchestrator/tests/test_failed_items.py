"""Items that raise, and ends that cannot be stored: the run reports the cause."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client import REGISTRY

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_client.command import _follow as screen
from lumenmill_common.errors import NotFoundError
from lumenmill_common.settings import ServiceSettings
from lumenmill_orchestrator.execution.active_run import ActiveRun
from lumenmill_orchestrator.execution.active_runs import ActiveRuns, RunFailedError
from lumenmill_orchestrator.execution.workflows import Workflows
from lumenmill_orchestrator.mesh import Mesh, ModelQueues
from lumenmill_orchestrator.recipe import KnownModel, check_recipe
from lumenmill_orchestrator.storage import ExecutionStore, ModelStore, RunStore, engine_url, make_engine, upgrade_schema

from .conftest import LocalMesh
from .recipes import ONE_IMAGE, SMALL

_RUN = {
    "id": "run",
    "recipe_name": "one-image",
    "recipe_file": "recipe.yaml",
    "recipe_text": ONE_IMAGE,
    "parameters": "{}",
    "planned_steps": "[]",
    "model_names": "[]",
    "content_digest": "",
    "state": run_pb2.RUN_STATE_QUEUED,
    "priority": 0,
    "create_time": 0.0,
}


def _refuse_rows(mesh: LocalMesh, table: str, condition: str, reason: str) -> None:
    """Make the database refuse rows of a table."""
    with contextlib.closing(sqlite3.connect(mesh.folder / "orchestrator.sqlite")) as database:
        database.execute(
            f"CREATE TRIGGER refuse BEFORE INSERT ON {table} WHEN {condition} "
            f"BEGIN SELECT RAISE(ABORT, '{reason}'); END"
        )
        database.commit()


def _samples_with_reasons(mesh: LocalMesh) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(mesh.folder / "orchestrator.sqlite")) as database:
        return database.execute("SELECT verdict, reason FROM samples").fetchall()


@contextlib.contextmanager
def _stores(folder: Path) -> Iterator[tuple[sa.Engine, Mesh]]:
    """A database, and a mesh without models."""
    engine = make_engine(engine_url(f"sqlite:///{folder}/runs.sqlite"))
    upgrade_schema(engine)
    yield engine, Mesh("", ServiceSettings(), ModelStore(engine))
    engine.dispose()


async def test_a_run_shows_its_failed_items_and_the_first_reason(mesh: LocalMesh) -> None:
    _refuse_rows(mesh, "executions", "NEW.item_id LIKE '%1'", "the disk has a bad block")
    labels = {"call": "imager.GenerateImages", "model": "tiny", "verdict": "accepted", "reason": ""}
    num_before = REGISTRY.get_sample_value("lumenmill_orchestrator_steps_total", labels) or 0.0
    run = await mesh.run(ONE_IMAGE, {"tags": ["a", "b", "c"]})
    num_after = REGISTRY.get_sample_value("lumenmill_orchestrator_steps_total", labels) or 0.0
    assert num_after - num_before == 2, "what was not stored is not counted"
    assert (run.state, run.num_items_done, run.num_items_failed) == (run_pb2.RUN_STATE_COMPLETED, 3, 1)
    assert "the disk has a bad block" in run.item_error and "TaskGroup" not in run.item_error
    assert run.num_samples_accepted == 2
    assert "1 items failed: " in screen._line(run)


async def test_a_run_fails_with_the_cause_when_the_end_of_an_item_cannot_be_stored(mesh: LocalMesh) -> None:
    _refuse_rows(mesh, "items", "TRUE", "no more items")
    run = await mesh.run(ONE_IMAGE, {"tags": ["a"]})
    assert run.state == run_pb2.RUN_STATE_FAILED
    assert "could not be stored" in run.error and "no more items" in run.error


class _UnloadableRuns(ActiveRuns):
    """Runs of a replica that cannot load them, as when a model is unavailable there."""

    async def load(self, run_id: str) -> ActiveRun:
        raise RunFailedError("model `tiny` did not serve")


@pytest.mark.parametrize("workflow", ["run", "batch", "item"])
async def test_a_run_that_cannot_be_loaded_fails_with_the_reason(tmp_path: Path, workflow: str) -> None:
    with _stores(tmp_path) as (engine, mesh):
        runs, executions = RunStore(engine), ExecutionStore(engine)
        runs.insert(_RUN, [])
        active = _UnloadableRuns(mesh, ModelQueues(mesh, 1, 1.0), runs, executions)
        workflows: Any = Workflows(None, active, runs, executions, None, None, 1)  # type: ignore[arg-type]  # not reached
        arguments = {"run": (), "batch": ("main", 0, 1), "item": ("main", 0)}[workflow]
        await getattr(workflows, workflow)("run", *arguments)
        row = runs.get("run")
        assert (row.state, row.error) == (run_pb2.RUN_STATE_FAILED, "model `tiny` did not serve")


class _FailingDurable:
    async def execute_anywhere(self, *_: object) -> None:
        raise ValueError("a batch is broken")


async def test_a_run_fails_with_the_error_of_its_batch(tmp_path: Path) -> None:
    with _stores(tmp_path) as (engine, mesh):
        runs, executions = RunStore(engine), ExecutionStore(engine)
        runs.insert(_RUN, [])
        active = ActiveRuns(mesh, ModelQueues(mesh, 1, 1.0), runs, executions)
        checked = check_recipe(ONE_IMAGE, "recipe.yaml", {}, {"tiny": KnownModel("tiny", None)})
        assert checked.recipe is not None
        active.add_compiled("run", checked.recipe)
        durable: Any = _FailingDurable()
        await Workflows(durable, active, runs, executions, None, None, 1).run("run")  # type: ignore[arg-type]
        assert runs.get("run").error == "ValueError: a batch is broken"


async def test_a_failed_load_does_not_drop_the_next_one(tmp_path: Path) -> None:
    with _stores(tmp_path) as (engine, mesh):
        active = ActiveRuns(mesh, ModelQueues(mesh, 1, 1.0), RunStore(engine), ExecutionStore(engine))

        async def load_twice() -> None:
            for _ in range(2):
                with pytest.raises(NotFoundError):
                    await active.load("unknown")

        async def load() -> None:
            with pytest.raises(NotFoundError):
                await active.load("unknown")
            assert active.ids == ["unknown"], "the second load is under way"

        await asyncio.gather(load_twice(), load())


async def test_rejected_samples_are_stored_with_their_reason(mesh: LocalMesh) -> None:
    mesh.family.direction_error_deg = 90.0
    await mesh.run(SMALL, {"num_sets": 1})
    reason = "direction_off: error.direction_deg is 90, above 40"
    assert (run_pb2.VERDICT_REJECTED, reason) in _samples_with_reasons(mesh)
