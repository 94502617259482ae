"""The walk of one item: every step as soon as what it needs is there, each end durable before anything follows it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.telemetry import get_logger

from lumenmill_orchestrator.recipe import MISSING, Pipeline, Requirement, Step
from lumenmill_orchestrator.storage import ExecutionRow, GroupWriter
from lumenmill_orchestrator.walk.active import ActiveRun
from lumenmill_orchestrator.walk.costs import Costs
from lumenmill_orchestrator.walk.execution import Computation, StepExecutor, Turn
from lumenmill_orchestrator.walk.keys import derived_seed
from lumenmill_orchestrator.walk.outcomes import NOT_APPLICABLE, Outcome, States, settled
from lumenmill_orchestrator.walk.recording import Place, record_computed, record_skipped

__all__ = ["Earlier", "ItemWalk", "aligned_requirements", "source_parents"]

_log = get_logger(__name__)


@dataclass(frozen=True)
class Earlier:
    """What had ended in a item before this process walked it: rows, and the results behind them."""

    rows: Mapping[tuple[str, int], ExecutionRow]
    results: Mapping[str, bytes]

    def outcome(self, step: Step, instance: int) -> Outcome | None:
        """How an instance ended, or None when it had not."""
        row = self.rows.get((step.name, instance))
        if row is None:
            return None
        stored = self.results.get(row.content_key)
        if stored is None:
            # An accepted end without its result is no end: the step is executed again.
            return Outcome(row.verdict, row.reason) if row.verdict != run_pb2.VERDICT_ACCEPTED else None
        result = step.method.new_result()
        result.ParseFromString(stored)
        return Outcome(row.verdict, row.reason, result)


class ItemWalk:
    """Walks one item. Nothing that happens to a step ends the walk; only a stopped run does."""

    def __init__(
        self,
        run: ActiveRun,
        pipeline: Pipeline,
        index: int,
        item: Any,
        executor: StepExecutor,
        writer: GroupWriter,
        earlier: Earlier,
    ) -> None:
        self._run, self._pipeline, self._index = run, pipeline, index
        self._executor, self._writer, self._earlier = executor, writer, earlier
        self.item_id = pipeline.item_id(index)
        self.states = States(pipeline.steps)
        self.costs = Costs(pipeline.steps, earlier.rows.values())
        self.scope = {
            **run.recipe.base_scope(),
            "item": item,
            "item_index": index,
            "item_id": self.item_id,
        }

    async def walk(self) -> None:
        """Return when every step has ended and every end is durable."""
        async with asyncio.TaskGroup() as group:
            for step in self._pipeline.steps:
                group.create_task(self._walk_step(step))

    def request_of(self, step: Step, instance: int) -> Message:
        """What an instance that has ended was asked, but for a derived seed."""
        fan_out = step.fan_out
        element: Any = MISSING
        if fan_out is not None and fan_out.aligned_step is not None:
            element = self.states.of(fan_out.aligned_step).value()[instance]
        elif fan_out is not None:
            element = list(fan_out.elements.evaluate(self._scope(step.expansion_requires)))[instance]
        return step.request.build({**self._scope(step.requires), "each": element, "each_index": instance})

    # One step.

    async def _walk_step(self, step: Step) -> None:
        state = self.states.of(step.name)
        elements = await self._elements(step)
        if isinstance(elements, Outcome):
            if elements.applies:
                elements = await self._skip(step, 0, elements)
            state.block(elements)
            return
        state.expand(len(elements))
        if len(elements) == 1:
            await self._walk_instance(step, 0, elements[0])
        else:
            await asyncio.gather(*(self._walk_instance(step, *element) for element in enumerate(elements)))

    async def _elements(self, step: Step) -> Sequence[Any] | Outcome:
        """The elements of a fan-out, one placeholder for a single step, or why there are none."""
        fan_out = step.fan_out
        if fan_out is None:
            return [MISSING]
        if fan_out.aligned_step is not None:
            aligned = self.states.of(fan_out.aligned_step)
            blocked = await settled(aligned.expanded)
            elements: Sequence[Any] = [MISSING] * len(aligned.instances)
        else:
            blocked = await self.states.obstacle(step.expansion_requires, 0)
            found = [] if blocked else fan_out.elements.evaluate(self._scope(step.expansion_requires))
            elements = [] if found is MISSING else list(found)
        return blocked if blocked is not None else elements[: fan_out.at_most]

    async def _walk_instance(self, step: Step, index: int, element: Any) -> None:
        instance = self.states.of(step.name).instances[index]
        counted_as = self._run.recipe.qualified(self._pipeline, step.name)
        try:
            outcome = await self._instance_outcome(step, index, element, counted_as)
        except BaseException as error:
            instance.set_exception(error)
            instance.exception()  # whoever waits is cancelled with this walk
            raise
        instance.set_result(outcome)

    async def _instance_outcome(self, step: Step, index: int, element: Any, counted_as: str) -> Outcome:
        requires = aligned_requirements(step.requires, step.fan_out)
        obstacle = await self.states.obstacle(requires, index)
        if obstacle is not None:
            return await self._skip(step, index, obstacle) if obstacle.applies else NOT_APPLICABLE
        if step.fan_out is not None and step.fan_out.aligned_step is not None:
            element = self.states.of(step.fan_out.aligned_step).value()[index]
        scope = {**self._scope(step.requires), "each": element, "each_index": index}
        if step.when is not None and not step.when.holds(scope):
            return NOT_APPLICABLE
        earlier = self._earlier.outcome(step, index)
        if earlier is not None:
            return earlier
        place = Place(self._run.id, self.item_id, step, counted_as, index)
        parents = self.states.parents([*step.expansion_requires, *requires], index) or self._source_parents()
        made = await self._compute(place, scope)
        outcome = self._judge(step, scope, made)
        self.costs.add(step, index, 0.0 if made.reused else made.duration_s, parents)
        await self._writer.write(record_computed(place, made, outcome, parents))
        return outcome

    async def _compute(self, place: Place, scope: Mapping[str, Any]) -> Computation:
        step = place.step
        try:
            request: Any = step.request.build(scope)
        except (TypeError, ValueError) as error:  # a value that the field cannot hold
            return self._executor.unmade(step, InvalidArgumentError("with", str(error)))
        if step.takes_derived_seed:
            request.seed = derived_seed(
                self._run.recipe.seed, self._pipeline.name, self._index, step.name, place.instance
            )
        may_have_begun = self.item_id in self._run.taken_up_items
        turn = Turn(place.counted_as, (-self._run.priority, self._run.seq, self._index), may_have_begun)
        return await self._executor.compute(self._run, step, request, turn)

    def _judge(self, step: Step, scope: Mapping[str, Any], made: Computation) -> Outcome:
        if made.result is None:
            reason = f"{made.error.code.name}: {made.error.message}" if made.error is not None else "no result"
            _log.warning("a step failed", run=self._run.id, item=self.item_id, step=step.name, reason=reason)
            return Outcome(run_pb2.VERDICT_FAILED, reason)
        for gate in step.gates:
            if gate.rejects({**scope, "result": made.result}):
                return Outcome(run_pb2.VERDICT_REJECTED, gate.reason, made.result)
        return Outcome(run_pb2.VERDICT_ACCEPTED, "", made.result)

    async def _skip(self, step: Step, index: int, obstacle: Outcome) -> Outcome:
        """Record that an instance was not tried, once."""
        outcome = Outcome(run_pb2.VERDICT_SKIPPED, obstacle.reason)
        if (step.name, index) not in self._earlier.rows:
            counted_as = self._run.recipe.qualified(self._pipeline, step.name)
            place = Place(self._run.id, self.item_id, step, counted_as, index)
            await self._writer.write(record_skipped(place, outcome, self._source_parents()))
        return outcome

    def _scope(self, requirements: Sequence[Requirement]) -> dict[str, Any]:
        return {**self.scope, **self.states.values(requirements)}

    def _source_parents(self) -> list[list[str | int]]:
        return source_parents(self._pipeline, self._index)


def aligned_requirements(requires: Sequence[Requirement], fan_out: Any) -> list[Requirement]:
    """Requirements of an instance, the instance that it is made for among them."""
    if fan_out is None or fan_out.aligned_step is None:
        return list(requires)
    return [Requirement(fan_out.aligned_step, same_index=True), *requires]


def source_parents(pipeline: Pipeline, index: int) -> list[list[str | int]]:
    """The source's execution behind a item, as lineage; nothing for given items."""
    if pipeline.source.call is None:
        return []
    return [["source", index - index % pipeline.source.batch_size]]
