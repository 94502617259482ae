"""The walk of one chain: every node as soon as what it needs is there, each end durable before anything follows it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.telemetry import get_logger

from lumenmill_orchestrator.recipe import MISSING, Node, Pipeline, Requirement
from lumenmill_orchestrator.storage import ExecutionRow, GroupWriter
from lumenmill_orchestrator.walk.active import ActiveRun
from lumenmill_orchestrator.walk.costs import Costs
from lumenmill_orchestrator.walk.execution import Computation, NodeExecutor, Turn
from lumenmill_orchestrator.walk.keys import derived_seed
from lumenmill_orchestrator.walk.outcomes import NOT_APPLICABLE, Outcome, States, settled
from lumenmill_orchestrator.walk.recording import Place, record_computed, record_skipped

__all__ = ["ChainWalk", "Earlier", "aligned_requirements", "source_parents"]

_log = get_logger(__name__)


@dataclass(frozen=True)
class Earlier:
    """What had ended in a chain before this process walked it: rows, and the results behind them."""

    rows: Mapping[tuple[str, int], ExecutionRow]
    results: Mapping[str, bytes]

    def outcome(self, node: Node, instance: int) -> Outcome | None:
        """How an instance ended, or None when it had not."""
        row = self.rows.get((node.name, instance))
        if row is None:
            return None
        stored = self.results.get(row.content_key)
        if stored is None:
            # An accepted end without its result is no end: the node is executed again.
            return Outcome(row.verdict, row.reason) if row.verdict != run_pb2.VERDICT_ACCEPTED else None
        result = node.method.new_result()
        result.ParseFromString(stored)
        return Outcome(row.verdict, row.reason, result)


class ChainWalk:
    """Walks one chain. Nothing that happens to a node ends the walk; only a stopped run does."""

    def __init__(
        self,
        run: ActiveRun,
        pipeline: Pipeline,
        index: int,
        item: Any,
        executor: NodeExecutor,
        writer: GroupWriter,
        earlier: Earlier,
    ) -> None:
        self._run, self._pipeline, self._index = run, pipeline, index
        self._executor, self._writer, self._earlier = executor, writer, earlier
        self.chain_id = pipeline.chain_id(index)
        self.states = States(pipeline.nodes)
        self.costs = Costs(pipeline.nodes, earlier.rows.values())
        self.scope = {
            **run.recipe.base_scope(),
            "item": item,
            "chain": {"index": index, "id": self.chain_id},
        }

    async def walk(self) -> None:
        """Return when every node has ended and every end is durable."""
        async with asyncio.TaskGroup() as group:
            for node in self._pipeline.nodes:
                group.create_task(self._walk_node(node))

    def request_of(self, node: Node, instance: int) -> Message:
        """What an instance that has ended was asked, but for a derived seed."""
        fan_out = node.fan_out
        element: Any = MISSING
        if fan_out is not None and fan_out.aligned_node is not None:
            element = self.states.of(fan_out.aligned_node).value()[instance]
        elif fan_out is not None:
            element = list(fan_out.elements.evaluate(self._scope(node.expansion_requires)))[instance]
        return node.request.build({**self._scope(node.requires), "each": element, "each_index": instance})

    # One node.

    async def _walk_node(self, node: Node) -> None:
        state = self.states.of(node.name)
        elements = await self._elements(node)
        if isinstance(elements, Outcome):
            if elements.applies:
                elements = await self._skip(node, 0, elements)
            state.block(elements)
            return
        state.expand(len(elements))
        if len(elements) == 1:
            await self._walk_instance(node, 0, elements[0])
        else:
            await asyncio.gather(*(self._walk_instance(node, *element) for element in enumerate(elements)))

    async def _elements(self, node: Node) -> Sequence[Any] | Outcome:
        """The elements of a fan-out, one placeholder for a single node, or why there are none."""
        fan_out = node.fan_out
        if fan_out is None:
            return [MISSING]
        if fan_out.aligned_node is not None:
            aligned = self.states.of(fan_out.aligned_node)
            blocked = await settled(aligned.expanded)
            elements: Sequence[Any] = [MISSING] * len(aligned.instances)
        else:
            blocked = await self.states.obstacle(node.expansion_requires, 0)
            found = [] if blocked else fan_out.elements.evaluate(self._scope(node.expansion_requires))
            elements = [] if found is MISSING else list(found)
        return blocked if blocked is not None else elements[: fan_out.at_most]

    async def _walk_instance(self, node: Node, index: int, element: Any) -> None:
        instance = self.states.of(node.name).instances[index]
        counted_as = self._run.recipe.qualified(self._pipeline, node.name)
        try:
            outcome = await self._instance_outcome(node, index, element, counted_as)
        except BaseException as error:
            instance.set_exception(error)
            instance.exception()  # whoever waits is cancelled with this walk
            raise
        instance.set_result(outcome)

    async def _instance_outcome(self, node: Node, index: int, element: Any, counted_as: str) -> Outcome:
        requires = aligned_requirements(node.requires, node.fan_out)
        obstacle = await self.states.obstacle(requires, index)
        if obstacle is not None:
            return await self._skip(node, index, obstacle) if obstacle.applies else NOT_APPLICABLE
        if node.fan_out is not None and node.fan_out.aligned_node is not None:
            element = self.states.of(node.fan_out.aligned_node).value()[index]
        scope = {**self._scope(node.requires), "each": element, "each_index": index}
        if node.when is not None and not node.when.holds(scope):
            return NOT_APPLICABLE
        earlier = self._earlier.outcome(node, index)
        if earlier is not None:
            return earlier
        place = Place(self._run.id, self.chain_id, node, counted_as, index)
        parents = self.states.parents([*node.expansion_requires, *requires], index) or self._source_parents()
        made = await self._compute(place, scope)
        outcome = self._judge(node, scope, made)
        self.costs.add(node, index, 0.0 if made.reused else made.duration_s, parents)
        await self._writer.write(record_computed(place, made, outcome, parents))
        return outcome

    async def _compute(self, place: Place, scope: Mapping[str, Any]) -> Computation:
        node = place.node
        try:
            request: Any = node.request.build(scope)
        except (TypeError, ValueError) as error:  # a value that the field cannot hold
            return self._executor.unmade(node, InvalidArgumentError("with", str(error)))
        if node.takes_derived_seed:
            request.seed = derived_seed(
                self._run.recipe.seed, self._pipeline.name, self._index, node.name, place.instance
            )
        may_have_begun = self.chain_id in self._run.taken_up_chains
        turn = Turn(place.counted_as, (-self._run.priority, self._run.seq, self._index), may_have_begun)
        return await self._executor.compute(self._run, node, request, turn)

    def _judge(self, node: Node, scope: Mapping[str, Any], made: Computation) -> Outcome:
        if made.result is None:
            reason = f"{made.error.code.name}: {made.error.message}" if made.error is not None else "no result"
            _log.warning("a node failed", run=self._run.id, chain=self.chain_id, node=node.name, reason=reason)
            return Outcome(run_pb2.VERDICT_FAILED, reason)
        for gate in node.gates:
            if gate.refuses({**scope, "result": made.result}):
                return Outcome(run_pb2.VERDICT_REJECTED, gate.reason, made.result)
        return Outcome(run_pb2.VERDICT_ACCEPTED, "", made.result)

    async def _skip(self, node: Node, index: int, obstacle: Outcome) -> Outcome:
        """Record that an instance was not tried, once."""
        outcome = Outcome(run_pb2.VERDICT_SKIPPED, obstacle.reason)
        if (node.name, index) not in self._earlier.rows:
            counted_as = self._run.recipe.qualified(self._pipeline, node.name)
            place = Place(self._run.id, self.chain_id, node, counted_as, index)
            await self._writer.write(record_skipped(place, outcome, self._source_parents()))
        return outcome

    def _scope(self, requirements: Sequence[Requirement]) -> dict[str, Any]:
        return {**self.scope, **self.states.values(requirements)}

    def _source_parents(self) -> list[list[str | int]]:
        return source_parents(self._pipeline, self._index)


def aligned_requirements(requires: Sequence[Requirement], fan_out: Any) -> list[Requirement]:
    """Requirements of an instance, the instance that it is made for among them."""
    if fan_out is None or fan_out.aligned_node is None:
        return list(requires)
    return [Requirement(fan_out.aligned_node, same_index=True), *requires]


def source_parents(pipeline: Pipeline, index: int) -> list[list[str | int]]:
    """The source's execution behind a chain, as lineage; nothing for given items."""
    if pipeline.source.call is None:
        return []
    return [["source", index - index % pipeline.source.shard_size]]
