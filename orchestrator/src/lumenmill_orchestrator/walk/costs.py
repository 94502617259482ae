"""What the samples of one item have cost: seconds of models, shared by the samples that stand on the same work."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import grpc
from lumenmill.orchestrator.v1 import run_pb2

from lumenmill_orchestrator import metrics
from lumenmill_orchestrator.recipe import Step
from lumenmill_orchestrator.storage import ExecutionRow
from lumenmill_orchestrator.walk.recording import verdict_name

__all__ = ["Costs"]

_Place = tuple[str, int]
_CODES = frozenset(code.name for code in grpc.StatusCode)
# Work that no sample came of, as when the recipe wanted none.
_NO_SAMPLE = ("none", "")


@dataclass(frozen=True)
class _Cost:
    model: str
    duration_s: float
    parents: Sequence[_Place]


class Costs:
    """The executions of one item that took time of a model, and the samples that came of them."""

    def __init__(self, steps: Iterable[Step], earlier: Iterable[ExecutionRow]) -> None:
        """`earlier` are the executions that had ended before this process walked the item."""
        models = {step.name: step.model for step in steps}
        self._costs: dict[_Place, _Cost] = {
            (row.step, row.instance): _Cost(
                models[row.step], 0.0 if row.reused else row.duration_s, _places(json.loads(row.parents))
            )
            for row in earlier
            if row.step in models
        }
        self._samples: list[tuple[tuple[str, str], set[_Place]]] = []

    def add(self, step: Step, instance: int, duration_s: float, parents: Iterable[Sequence[str | int]]) -> None:
        """An execution has ended that took some seconds of its model."""
        self._costs[step.name, instance] = _Cost(step.model, duration_s, _places(parents))

    def stand_behind(self, sample: run_pb2.Sample, parents: Iterable[Sequence[str | int]]) -> None:
        """A sample has come of some executions, and of what they came of."""
        verdict = verdict_name(sample.verdict)
        self._samples.append(((verdict, _reason_label(sample.reason)), self._behind(_places(parents))))

    def count(self) -> None:
        """Tell the metrics. Work that no sample stands on is shared by all samples of the item."""
        num_standing_on = Counter(place for _, behind in self._samples for place in behind)
        everyone = self._samples or [(_NO_SAMPLE, set[_Place]())]
        for place, cost in self._costs.items():
            num_sharing = num_standing_on[place] or len(everyone)
            for (verdict, reason), behind in everyone:
                if place in behind or not num_standing_on[place]:
                    metrics.SAMPLE_COST.labels(cost.model, verdict, reason).inc(cost.duration_s / num_sharing)

    def _behind(self, parents: Sequence[_Place]) -> set[_Place]:
        found: set[_Place] = set()
        pending = list(parents)
        while pending:
            place = pending.pop()
            if place in self._costs and place not in found:
                found.add(place)
                pending += self._costs[place].parents
        return found


def _places(parents: Iterable[Sequence[str | int]]) -> list[_Place]:
    return [(str(step), int(instance)) for step, instance in parents]


def _reason_label(reason: str) -> str:
    """A gate's name, or the code of a failure without its message, so that labels stay few."""
    code = reason.partition(":")[0]
    return code if code in _CODES else reason
