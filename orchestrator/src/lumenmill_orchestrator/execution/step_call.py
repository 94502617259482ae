"""One execution of a step, and the call to a model that it makes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from lumenmill.common.v1 import model_pb2
from lumenmill_common.fair_queue import Place
from lumenmill_orchestrator.execution.active_run import ActiveRun
from lumenmill_orchestrator.execution.keys import derived_seed
from lumenmill_orchestrator.mesh import Call
from lumenmill_orchestrator.recipe import Pipeline, Step

__all__ = ["StepCall", "StepInstance", "build_request"]


@dataclass(frozen=True)
class StepInstance:
    """One execution of a step in an item of a run."""

    run: ActiveRun
    item_id: str
    step: Step
    step_name: str
    """Name of the step within the run, under which it is counted."""
    index: int
    """Of the instance, where the step is fanned out."""


@dataclass(frozen=True)
class StepCall:
    """A call that an execution of a step makes."""

    instance: StepInstance
    request: Message
    """Without job options."""
    place: Place
    """In the queue of the model."""
    may_have_started: bool
    """Whether the call may have been made before and interrupted: then endpoints are asked for its job first."""
    model: model_pb2.Model = field(default_factory=model_pb2.Model)
    """As it describes itself; empty until the executor has read it, as is the content key."""
    content_key: str = ""

    @property
    def run(self) -> ActiveRun:
        """The run whose step makes it."""
        return self.instance.run

    @property
    def step(self) -> Step:
        """The step that makes it."""
        return self.instance.step

    @property
    def queued(self) -> Call:
        """The call as the queue of the model needs it."""
        return Call(self.step.method.call, self.instance.step_name, self.place)


def build_request(run: ActiveRun, pipeline: Pipeline, step: Step, scope: Mapping[str, Any], *path: str | int) -> Any:
    """Return the request of a call, with a seed derived from `path` within the pipeline where the recipe sets none.

    Raises:
        TypeError: a value is of a kind that its field cannot hold.
        ValueError: a value is out of the range of its field.
    """
    request: Any = step.request.build(scope)
    if step.takes_derived_seed:
        request.seed = derived_seed(run.recipe.seed, pipeline.name, *path)
    return request
