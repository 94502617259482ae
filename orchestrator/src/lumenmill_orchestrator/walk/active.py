"""A run while it is being walked: its recipe, whether it may go on, and what it is doing now."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from lumenmill.common.v1 import generation_pb2
from lumenmill.orchestrator.v1 import run_pb2

from lumenmill_orchestrator.mesh import Endpoint
from lumenmill_orchestrator.recipe import Pipeline, Recipe
from lumenmill_orchestrator.storage import ENDED_STATES
from lumenmill_orchestrator.walk.statements import StatedFiles

__all__ = ["ActiveRun"]


@dataclass
class ActiveRun:
    """The state of a run in this process; everything durable is in the database."""

    id: str
    seq: int
    priority: "generation_pb2.JobPriority.ValueType"
    recipe: Recipe
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the run was cancelled or has failed."""
    unpaused: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    num_running: Counter[str] = field(default_factory=Counter)
    progress: dict[str, generation_pb2.Progress] = field(default_factory=dict)
    jobs: dict[str, set[Endpoint]] = field(default_factory=dict)
    """By request id of every job that a service may be doing for this run: where."""
    source_records: dict[tuple[str, int], list[generation_pb2.GenerationRecord]] = field(default_factory=dict)
    """Records of a source's result that none of its items holds, by pipeline and first item of the batch."""
    taken_up_items: set[str] = field(default_factory=set)
    """Those that somebody else may have begun, so that services may have jobs of theirs."""
    item_ends: "dict[str, asyncio.Future[None]]" = field(default_factory=dict)

    @cached_property
    def files(self) -> StatedFiles:
        """The files that the run was given as parameters, and those that models offer, with their terms."""
        return StatedFiles(self.recipe.parameters, list(self.recipe.models.values()))

    def pipeline(self, name: str) -> Pipeline:
        """One pipeline of the recipe."""
        return next(pipeline for pipeline in self.recipe.pipelines if pipeline.name == name)

    def follow(self, state: "run_pb2.RunState.ValueType") -> None:
        """Do as the stored state says."""
        if state in (run_pb2.RUN_STATE_CANCELLED, run_pb2.RUN_STATE_FAILED):
            self.stopped.set()
        if state == run_pb2.RUN_STATE_PAUSED:
            self.unpaused.clear()
        elif state not in ENDED_STATES or self.stopped.is_set():
            self.unpaused.set()

    def item_end(self, item_id: str) -> "asyncio.Future[None]":
        """A future that is done when the item has ended."""
        end = self.item_ends.get(item_id)
        if end is None:
            end = self.item_ends[item_id] = asyncio.get_running_loop().create_future()
        return end

    def tell_item_end(self, item_id: str) -> None:
        """Wake whoever waits for a item."""
        end = self.item_ends.get(item_id)
        if end is not None and not end.done():
            end.set_result(None)

    def tell_progress(self, step: str, progress: generation_pb2.Progress) -> None:
        """A running execution of a step got on."""
        kept = generation_pb2.Progress()
        kept.CopyFrom(progress)
        self.progress[step] = kept
        self.changed.set()

    def started(self, step: str) -> None:
        """An execution of a step has started."""
        self.num_running[step] += 1
        self.changed.set()

    def ended(self, step: str) -> None:
        """An execution of a step has ended."""
        self.num_running[step] -= 1
        if not self.num_running[step]:
            self.progress.pop(step, None)
        self.changed.set()
