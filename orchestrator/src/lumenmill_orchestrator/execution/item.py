"""The execution of one item: every step as soon as its inputs are there, each outcome durable before the next step."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.telemetry import get_logger
from lumenmill_orchestrator.execution.active_run import ActiveRun
from lumenmill_orchestrator.execution.costs import Costs
from lumenmill_orchestrator.execution.outcomes import NOT_APPLICABLE, Outcome, StepStates
from lumenmill_orchestrator.execution.recording import (
    Parents,
    computed_rows,
    count_computed,
    count_uncalled,
    uncalled_rows,
)
from lumenmill_orchestrator.execution.resume_state import ResumeState
from lumenmill_orchestrator.execution.step_call import StepCall, StepInstance, build_request
from lumenmill_orchestrator.execution.step_executor import Computation, StepExecutor, failed_computation
from lumenmill_orchestrator.recipe import MISSING, Condition, FanOut, Gate, Pipeline, Requirement, Scope, Step
from lumenmill_orchestrator.storage import GroupWriter

__all__ = ["Item", "ItemExecution", "instance_requirements", "is_excluded", "source_parents"]

_log = get_logger(__name__)


@dataclass(frozen=True)
class Item:
    """One element of the source of a pipeline in a run."""

    run: ActiveRun
    pipeline: Pipeline
    index: int
    value: Any

    @property
    def id(self) -> str:
        """Its id within the run."""
        return self.pipeline.item_id(self.index)


class ItemExecution:
    """Executes the steps of one item. A failed step does not end it; only a stopped run does."""

    def __init__(self, item: Item, executor: StepExecutor, writer: GroupWriter, resumed: ResumeState) -> None:
        self.run, self.pipeline, self.index, self.item_id = item.run, item.pipeline, item.index, item.id
        self._executor, self._writer, self._resumed = executor, writer, resumed
        self.states = StepStates(item.pipeline.steps)
        self.costs = Costs(item.pipeline.steps, resumed.rows.values())
        self.scope = {
            **item.run.recipe.base_scope(), "item": item.value, "item_index": item.index, "item_id": item.id,
        }  # fmt: skip

    async def execute(self) -> None:
        """Return when every step has ended and every outcome is durable.

        Raises:
            ExceptionGroup: of what the steps raised, such as sqlalchemy.exc.SQLAlchemyError; the others are cancelled.
        """
        async with asyncio.TaskGroup() as group:
            for step in self.pipeline.steps:
                group.create_task(self._execute_step(step))

    def request_of(self, step: Step, index: int) -> Message:
        """Return the request of an instance that has ended, without a derived seed."""
        fan_out = step.fan_out
        element: Any = MISSING
        if fan_out is not None and fan_out.aligned_step is not None:
            element = self.states.of(fan_out.aligned_step).value()[index]
        elif fan_out is not None:
            element = list(fan_out.elements.evaluate(self._scope(step.expansion_requires)))[index]
        return step.request.build({**self._scope(step.requires), "each": element, "each_index": index})

    # One step.

    async def _execute_step(self, step: Step) -> None:
        state = self.states.of(step.name)
        elements = await self._elements(step)
        if isinstance(elements, Outcome):
            if elements.applies and is_excluded(step.when, self.scope):
                elements = NOT_APPLICABLE
            if elements.applies:
                elements = await self._skip(self._instance(step, 0), elements)
            state.block(elements)
            return
        state.expand(len(elements))
        if len(elements) == 1:
            await self._execute_instance(self._instance(step, 0), elements[0])
        else:
            async with asyncio.TaskGroup() as group:  # cancels the others when one raises
                for index, each in enumerate(elements):
                    group.create_task(self._execute_instance(self._instance(step, index), each))

    async def _elements(self, step: Step) -> Sequence[Any] | Outcome:
        """Return the elements of a fan-out, one placeholder for a single step, or why there are none."""
        if step.fan_out is None:
            return [MISSING]
        blocked, elements = await self.states.expansion(step.fan_out, step.expansion_requires, self.scope)
        return blocked if blocked is not None else elements

    # One instance of a step.

    async def _execute_instance(self, instance: StepInstance, element: Any) -> None:
        future = self.states.of(instance.step.name).instances[instance.index]
        try:
            outcome = await self._outcome(instance, element)
        except BaseException as error:
            future.set_exception(error)
            future.exception()  # steps that wait for it are cancelled together with this one
            raise
        future.set_result(outcome)

    async def _outcome(self, instance: StepInstance, element: Any) -> Outcome:
        step, index = instance.step, instance.index
        requires = instance_requirements(step.requires, step.fan_out)
        obstacle = await self.states.obstacle(requires, index)
        if obstacle is not None:
            is_requested = obstacle.applies and not is_excluded(step.when, self.scope)
            return await self._skip(instance, obstacle) if is_requested else NOT_APPLICABLE
        if step.fan_out is not None and step.fan_out.aligned_step is not None:
            element = self.states.of(step.fan_out.aligned_step).value()[index]
        scope = {**self._scope(step.requires), "each": element, "each_index": index}
        if step.when is not None and not step.when.holds(scope):
            return NOT_APPLICABLE
        resumed = self._resumed.outcome(step, index)
        if resumed is not None:
            return resumed
        parents = self.states.parents([*step.expansion_requires, *requires], index) or self._source_parents()
        rejection = _rejection(step.input_gates, scope)
        if rejection is not None:
            return await self._reject_inputs(instance, rejection, parents)
        try:
            call = self._call(instance, scope)
        except (TypeError, ValueError) as error:  # a value that the field cannot hold
            refused = failed_computation(step, InvalidArgumentError("with", str(error)))
            return await self._record(instance, refused, scope, parents)
        async with self._executor.compute(call) as made:
            return await self._record(instance, made, scope, parents)

    def _call(self, instance: StepInstance, scope: Mapping[str, Any]) -> StepCall:
        step, run = instance.step, self.run
        request = build_request(run, self.pipeline, step, scope, self.index, step.name, instance.index)
        return StepCall(instance, request, run.place(self.index), self.item_id in run.resumed_items)

    async def _record(
        self, instance: StepInstance, made: Computation, scope: Mapping[str, Any], parents: Parents
    ) -> Outcome:
        """Store a computation with its outcome, and return the outcome."""
        outcome = self._judge(instance.step, scope, made)
        self.costs.add(instance.step, instance.index, 0.0 if made.reused else made.duration_s, parents)
        await self._writer.write(computed_rows(instance, made, outcome, parents))
        count_computed(instance, made, outcome)
        return outcome

    def _judge(self, step: Step, scope: Mapping[str, Any], made: Computation) -> Outcome:
        """Return the outcome of a computation: failed, rejected by the first gate that refuses it, or accepted."""
        if made.result is None:
            _log.warning("a step failed", run=self.run.id, item=self.item_id, step=step.name, reason=made.failure)
            return Outcome(run_pb2.VERDICT_FAILED, made.failure)
        rejection = _rejection(step.gates, {**scope, "result": made.result})
        if rejection is not None:
            return Outcome(run_pb2.VERDICT_REJECTED, rejection, made.result)
        return Outcome(run_pb2.VERDICT_ACCEPTED, "", made.result)

    async def _reject_inputs(self, instance: StepInstance, rejection: str, parents: Parents) -> Outcome:
        """Record that an instance was not executed because its inputs are rejected."""
        outcome = Outcome(run_pb2.VERDICT_REJECTED, rejection)
        self.costs.add(instance.step, instance.index, 0.0, parents)
        await self._write_uncalled(instance, outcome, parents)
        return outcome

    async def _skip(self, instance: StepInstance, obstacle: Outcome) -> Outcome:
        """Record once that an instance was not executed."""
        outcome = Outcome(run_pb2.VERDICT_SKIPPED, obstacle.reason)
        if (instance.step.name, instance.index) not in self._resumed.rows:
            await self._write_uncalled(instance, outcome, self._source_parents())
        return outcome

    async def _write_uncalled(self, instance: StepInstance, outcome: Outcome, parents: Parents) -> None:
        await self._writer.write(uncalled_rows(instance, outcome, parents))
        count_uncalled(instance, outcome)

    def _instance(self, step: Step, index: int) -> StepInstance:
        step_name = self.run.recipe.qualified(self.pipeline, step.name)
        return StepInstance(self.run, self.item_id, step, step_name, index)

    def _scope(self, requirements: Sequence[Requirement]) -> dict[str, Any]:
        return {**self.scope, **self.states.values(requirements)}

    def _source_parents(self) -> list[list[str | int]]:
        return source_parents(self.pipeline, self.index)


def _rejection(gates: Sequence[Gate], scope: Mapping[str, Any]) -> str | None:
    """Return the reason of the first gate that rejects; None when none does."""
    return next((text for gate in gates if (text := gate.rejection(scope)) is not None), None)


def is_excluded(when: Condition | None, item_scope: Scope) -> bool:
    """Return whether a condition excludes a step or sample by the item and the parameters alone, so that it was not
    requested, whatever becomes of the steps that it needs."""
    return when is not None and when.holds(item_scope, frozenset(item_scope)) is False


def instance_requirements(requires: Sequence[Requirement], fan_out: FanOut | None) -> list[Requirement]:
    """Return the requirements of an instance, including the instance of the step that its fan-out follows."""
    if fan_out is None or fan_out.aligned_step is None:
        return list(requires)
    return [Requirement(fan_out.aligned_step, same_index=True), *requires]


def source_parents(pipeline: Pipeline, index: int) -> list[list[str | int]]:
    """Return the source's execution behind an item as lineage; nothing where the items are given."""
    if pipeline.source.call is None:
        return []
    return [["source", index - index % pipeline.source.batch_size]]
