"""A run that this process executes: its compiled recipe, whether it may continue, and what runs now."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from lumenmill.common.v1 import generation_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.fair_queue import Place
from lumenmill_orchestrator.execution.file_licences import FileLicences
from lumenmill_orchestrator.mesh import Endpoint
from lumenmill_orchestrator.recipe import Pipeline, Recipe
from lumenmill_orchestrator.storage import ENDED_STATES

__all__ = ["ActiveRun", "ExpandedBatch"]

_T = TypeVar("_T")


@dataclass(frozen=True)
class ExpandedBatch:
    """What a source yielded for one batch."""

    items: list[Any]
    records: list[generation_pb2.GenerationRecord]
    """Records of the source's result that are in none of its items."""


@dataclass
class ActiveRun:
    """The state of a run in this process; everything durable is in the database."""

    id: str
    submitter: str
    """Name of the caller that submitted it; empty in a mesh without tokens."""
    priority: "generation_pb2.JobPriority.ValueType"
    recipe: Recipe
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the run was cancelled or has failed."""
    unpaused: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    num_running: Counter[str] = field(default_factory=Counter)
    progress: dict[str, generation_pb2.Progress] = field(default_factory=dict)
    """Of the latest progress event of each step, by name."""
    jobs: dict[str, set[Endpoint]] = field(default_factory=dict)
    """Endpoints that may have the job of a running call, by request id."""
    batches: "dict[tuple[str, int], asyncio.Task[ExpandedBatch]]" = field(default_factory=dict)
    """Expansions of the source, by pipeline and first item of the batch."""
    resumed_items: set[str] = field(default_factory=set)
    """Items that were executed before, by any process: services may have jobs of them."""
    item_ends: "dict[str, asyncio.Future[None]]" = field(default_factory=dict)

    @cached_property
    def file_licences(self) -> FileLicences:
        """Licences of the files that the run was given as parameters, and of those that models offer."""
        return FileLicences(self.recipe.parameters, list(self.recipe.models.values()))

    def pipeline(self, name: str) -> Pipeline:
        """Return one pipeline of the recipe."""
        return next(pipeline for pipeline in self.recipe.pipelines if pipeline.name == name)

    def place(self, item_index: int) -> Place:
        """Return the place of the calls of an item in model queues."""
        return Place(self.priority, self.submitter, self.id, item_index)

    def apply_state(self, state: "run_pb2.RunState.ValueType") -> None:
        """Stop, pause or continue as a stored state says."""
        if state in (run_pb2.RUN_STATE_CANCELLED, run_pb2.RUN_STATE_FAILED):
            self.stopped.set()
        if state == run_pb2.RUN_STATE_PAUSED:
            self.unpaused.clear()
        elif state not in ENDED_STATES or self.stopped.is_set():
            self.unpaused.set()

    async def unless_stopped(self, work: Awaitable[_T]) -> _T | None:
        """Return the result of some work, or None as soon as the run is stopped; the work is then cancelled."""
        working = asyncio.ensure_future(work)
        stopping = asyncio.create_task(self.stopped.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return working.result() if working.done() else None
        finally:
            for task in (working, stopping):
                task.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)

    def item_end(self, item_id: str) -> "asyncio.Future[None]":
        """Return a future that is done when the item has ended."""
        end = self.item_ends.get(item_id)
        if end is None:
            end = self.item_ends[item_id] = asyncio.get_running_loop().create_future()
        return end

    def report_item_end(self, item_id: str) -> None:
        """Wake the batch that waits for an item."""
        end = self.item_ends.get(item_id)
        if end is not None and not end.done():
            end.set_result(None)

    def report_progress(self, step_name: str, progress: generation_pb2.Progress) -> None:
        """Store the latest progress of a running step."""
        copy = generation_pb2.Progress()
        copy.CopyFrom(progress)
        self.progress[step_name] = copy
        self.changed.set()

    def step_started(self, step_name: str) -> None:
        """Count an execution of a step that has started."""
        self.num_running[step_name] += 1
        self.changed.set()

    def step_ended(self, step_name: str) -> None:
        """Count an execution of a step that has ended."""
        self.num_running[step_name] -= 1
        if not self.num_running[step_name]:
            self.progress.pop(step_name, None)
        self.changed.set()
