"""Outcomes of the steps of one item, and what other steps of the item can do with them."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from google.protobuf.message import Message

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_orchestrator.recipe import MISSING, FanOut, Requirement, Step

__all__ = ["NOT_APPLICABLE", "Outcome", "StepState", "StepStates", "reason_label", "settled"]

_T = TypeVar("_T")


async def settled(future: "asyncio.Future[_T]") -> _T:
    """Return the result of a future that others wait for too."""
    return future.result() if future.done() else await asyncio.shield(future)


def reason_label(reason: str) -> str:
    """Return the reason of a gate, or the code of a failure, without the values behind it: a label of metrics."""
    return reason.partition(":")[0]


@dataclass(frozen=True)
class Outcome:
    """How one execution ended. `verdict` is unspecified when the recipe's `when` excluded it.

    `reason` is a word and, after a colon, what it was: `direction_off: error.direction_deg is 83.2, above 60`.
    """

    verdict: "run_pb2.Verdict.ValueType"
    reason: str = ""
    result: Message | None = None

    @property
    def accepted(self) -> bool:
        """Whether there is a result that other steps may use."""
        return self.verdict == run_pb2.VERDICT_ACCEPTED

    @property
    def applies(self) -> bool:
        """Whether the recipe requested the execution at all."""
        return self.verdict != run_pb2.VERDICT_UNSPECIFIED


NOT_APPLICABLE = Outcome(run_pb2.VERDICT_UNSPECIFIED)


@dataclass
class StepState:
    """One step of one item: how many instances it has, once that is known, and how each has ended."""

    step: Step
    expanded: "asyncio.Future[Outcome | None]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    """None when there are instances; otherwise why there are none."""
    instances: "list[asyncio.Future[Outcome]]" = field(default_factory=list)

    def expand(self, num_instances: int) -> None:
        """Create this many instances."""
        loop = asyncio.get_running_loop()
        self.instances = [loop.create_future() for _ in range(num_instances)]
        self.expanded.set_result(None)

    def block(self, outcome: Outcome) -> None:
        """Record that there are no instances, because of the outcome of another step."""
        self.expanded.set_result(outcome)

    def value(self) -> Any:
        """Return what a reference to the step evaluates to: its result, or the list of results with gaps."""
        values = [_result(instance, self.step) for instance in self.instances]
        if self.step.fan_out is not None:
            return values
        return values[0] if values else MISSING


def _result(instance: "asyncio.Future[Outcome]", step: Step) -> Any:
    """Return a result, also a rejected one, which rejected samples show; but no rejected one of an optional step."""
    if not instance.done():
        return MISSING
    outcome = instance.result()
    usable = outcome.accepted or not step.optional
    return outcome.result if usable and outcome.result is not None else MISSING


class StepStates:
    """All steps of one item."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self._states = {step.name: StepState(step) for step in steps}

    def of(self, name: str) -> StepState:
        """Return the state of one step."""
        return self._states[name]

    async def obstacle(self, requirements: Iterable[Requirement], index: int) -> Outcome | None:
        """Wait for everything required, and return the first outcome that prevents the execution; an optional step
        never does."""
        for requirement in requirements:
            for outcome in await self.outcomes(requirement, index):
                if not outcome.accepted and not self.of(requirement.step).step.optional:
                    return outcome
        return None

    async def outcomes(self, requirement: Requirement, index: int) -> list[Outcome]:
        """Return how the required instances ended; for a step without instances, why it has none."""
        state = self.of(requirement.step)
        blocked = await settled(state.expanded)
        if blocked is not None:
            return [blocked]
        return [await settled(state.instances[number]) for number in self.numbers(requirement, index)]

    async def expansion(
        self, fan_out: FanOut, requirements: Iterable[Requirement], scope: Mapping[str, Any]
    ) -> tuple[Outcome | None, Sequence[Any]]:
        """Return the elements of a fan-out; where there are none because of another step, how that ended.

        Elements that follow the instances of a step are placeholders: each is there once its instance has ended.
        """
        if fan_out.at_most == 0:  # nothing is requested, whatever becomes of the other step
            return None, []
        if fan_out.aligned_step is not None:
            aligned = self.of(fan_out.aligned_step)
            blocked = await settled(aligned.expanded)
            return blocked, [MISSING] * len(aligned.instances[: fan_out.at_most])
        blocked = await self.obstacle(requirements, 0)
        found: Any = MISSING if blocked else fan_out.elements.evaluate({**scope, **self.values(requirements)})
        return blocked, [] if found is MISSING else list(found)[: fan_out.at_most]

    def numbers(self, requirement: Requirement, index: int) -> list[int]:
        """Return the indices of the required instances, of those that exist."""
        num_instances = len(self.of(requirement.step).instances)
        required = index if requirement.same_index else requirement.instance
        if required is None:
            return list(range(num_instances))
        return [required] if required < num_instances else []

    def values(self, requirements: Iterable[Requirement]) -> dict[str, Any]:
        """Return what references to the required steps evaluate to."""
        return {requirement.step: self.of(requirement.step).value() for requirement in requirements}

    def all_values(self) -> dict[str, Any]:
        """Return what references to any step evaluate to."""
        return {name: state.value() for name, state in self._states.items()}

    def parents(self, requirements: Iterable[Requirement], index: int) -> list[list[str | int]]:
        """Return the required instances as lineage: [step, instance]."""
        return [
            [requirement.step, number] for requirement in requirements for number in self.numbers(requirement, index)
        ]
