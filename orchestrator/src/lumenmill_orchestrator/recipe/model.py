"""A compiled recipe: sources, steps with their requests in order of execution, and rules for samples."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_orchestrator.contracts import Method
from lumenmill_orchestrator.recipe.conditions import Condition
from lumenmill_orchestrator.recipe.document import Located
from lumenmill_orchestrator.recipe.gates import Gate
from lumenmill_orchestrator.recipe.references import Reference, Requirement, Scope
from lumenmill_orchestrator.recipe.requests import MessageBuilder

__all__ = ["CheckedRecipe", "FanOut", "Pipeline", "PlannedCall", "Recipe", "SampleRule", "Source", "Step"]


@dataclass(frozen=True)
class FanOut:
    """One execution for each element of a list."""

    elements: Reference
    at_most: int | None
    aligned_step: str | None
    """The fan-out step that `for_each` iterates over, if any: instance i waits only for instance i of that step."""


@dataclass(frozen=True)
class Step:
    """One call of the graph."""

    name: str
    method: Method
    model_name: str
    request: MessageBuilder
    where: Located
    fan_out: FanOut | None = None
    when: Condition | None = None
    input_gates: tuple[Gate, ...] = ()
    """They reject the step before its call."""
    gates: tuple[Gate, ...] = ()
    """They reject the result of the call."""
    optional: bool = False
    requires: tuple[Requirement, ...] = ()
    expansion_requires: tuple[Requirement, ...] = ()
    timeout_s: float | None = None

    @property
    def takes_derived_seed(self) -> bool:
        """Whether the request has a seed that the recipe does not set."""
        return "seed" in self.method.request.fields_by_name and "seed" not in self.request.given

    def depends_on(self) -> list[str]:
        """Return the names of the steps that it waits for."""
        names = [requirement.step for requirement in (*self.expansion_requires, *self.requires)]
        if self.fan_out is not None and self.fan_out.aligned_step:
            names.append(self.fan_out.aligned_step)
        return list(dict.fromkeys(names))


@dataclass(frozen=True)
class Source:
    """Yields the items of a pipeline: those of a call, batch by batch, or those of a list."""

    items: Reference
    call: Step | None
    num_items: int
    batch_size: int

    @property
    def num_batches(self) -> int:
        """Number of calls that yield all items."""
        return -(-self.num_items // self.batch_size)

    def batches(self) -> Iterator[tuple[int, int]]:
        """Yield (index of the first item, number of items) of every batch."""
        for first in range(0, self.num_items, self.batch_size):
            yield first, min(self.batch_size, self.num_items - first)


@dataclass(frozen=True)
class SampleRule:
    """Makes samples from the results of an item's steps."""

    name: str
    kind: "run_pb2.SampleKind.ValueType"
    fields: MessageBuilder
    where: Located
    fan_out: FanOut | None = None
    when: Condition | None = None
    intrinsics: tuple[Reference, ...] = ()
    scored: tuple[tuple[str, Reference], ...] = ()
    """Messages and maps of numbers that become scores, each with the prefix of their names."""
    group: Reference | str | None = None
    media_step: str = "source"
    requires: tuple[Requirement, ...] = ()
    expansion_requires: tuple[Requirement, ...] = ()

    def depends_on(self) -> list[str]:
        """Return the names of the steps whose results it holds, that of its media first."""
        names = [self.media_step, *(requirement.step for requirement in (*self.expansion_requires, *self.requires))]
        if self.fan_out is not None and self.fan_out.aligned_step:
            names.append(self.fan_out.aligned_step)
        return list(dict.fromkeys(names))


@dataclass(frozen=True)
class Pipeline:
    """A source and the steps that are executed for every item of it."""

    name: str
    source: Source
    steps: tuple[Step, ...]
    """Ordered: every step comes after those that it waits for."""
    samples: tuple[SampleRule, ...]

    def item_id(self, index: int) -> str:
        """Return the identity of an item within the run."""
        return f"{self.name}-{index:06d}"


@dataclass(frozen=True)
class Recipe:
    """A compiled recipe with its parameters in effect."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    pipelines: tuple[Pipeline, ...]
    models: Mapping[str, Any] = field(default_factory=dict)

    @property
    def num_items(self) -> int:
        """Items of all pipelines."""
        return sum(pipeline.source.num_items for pipeline in self.pipelines)

    @property
    def seed(self) -> int:
        """The recipe's seed parameter; 0 without one."""
        return int(self.parameters.get("seed", 0))

    def steps(self) -> list[tuple[Pipeline, Step]]:
        """Return every step with its pipeline, sources first, in order of execution."""
        found: list[tuple[Pipeline, Step]] = []
        for pipeline in self.pipelines:
            if pipeline.source.call is not None:
                found.append((pipeline, pipeline.source.call))
            found.extend((pipeline, step) for step in pipeline.steps)
        return found

    def qualified(self, pipeline: Pipeline, step: str) -> str:
        """Return the name of a step within the run, prefixed by the pipeline when there are several."""
        return step if len(self.pipelines) == 1 else f"{pipeline.name}.{step}"

    def base_scope(self) -> Scope:
        """Return what every reference can look up: parameters and models."""
        return {"params": self.parameters, "models": self.models}


@dataclass(frozen=True)
class PlannedCall:
    """One step of a plan."""

    name: str
    call: str
    model: str
    num_executions: int
    depends_on: tuple[str, ...]


@dataclass(frozen=True)
class CheckedRecipe:
    """The outcome of a check: a recipe with its plan, or the problems that it has."""

    recipe: Recipe | None
    calls: Sequence[PlannedCall]
    """The steps in order of execution; empty without a recipe."""
    problems: list[run_pb2.RecipeProblem]
