"""Costs of the samples of one item in model seconds; work that several samples need is divided among them."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_orchestrator import metrics
from lumenmill_orchestrator.execution.outcomes import reason_label
from lumenmill_orchestrator.execution.recording import verdict_name
from lumenmill_orchestrator.recipe import Step
from lumenmill_orchestrator.storage import ExecutionRow

__all__ = ["Costs"]

_Instance = tuple[str, int]
"""Step and index."""
# Labels of work that led to no sample, as when the recipe requests none.
_NO_SAMPLE = ("none", "")


@dataclass(frozen=True)
class _Cost:
    model: str
    duration_s: float
    parents: Sequence[_Instance]


class Costs:
    """The executions of one item that took model time, and the samples that they led to."""

    def __init__(self, steps: Iterable[Step], resumed: Iterable[ExecutionRow]) -> None:
        """`resumed` are the executions that had ended before this process executed the item."""
        models = {step.name: step.model_name for step in steps}
        self._costs: dict[_Instance, _Cost] = {
            (row.step, row.instance): _Cost(
                models[row.step], 0.0 if row.reused else row.duration_s, _instances(json.loads(row.parents))
            )
            for row in resumed
            if row.step in models
        }
        self._samples: list[tuple[tuple[str, str], set[_Instance]]] = []

    def add(self, step: Step, index: int, duration_s: float, parents: Iterable[Sequence[str | int]]) -> None:
        """Add an execution that has ended."""
        self._costs[step.name, index] = _Cost(step.model_name, duration_s, _instances(parents))

    def add_sample(self, sample: run_pb2.Sample, parents: Iterable[Sequence[str | int]]) -> None:
        """Add a sample with the executions that led to it; their own parents are found."""
        verdict = verdict_name(sample.verdict)
        self._samples.append(((verdict, reason_label(sample.reason)), self._ancestors(_instances(parents))))

    def report(self) -> None:
        """Add the costs to the metrics. Work that led to no sample is divided among all samples of the item."""
        num_samples_of = Counter(instance for _, ancestors in self._samples for instance in ancestors)
        all_samples = self._samples or [(_NO_SAMPLE, set[_Instance]())]
        for instance, cost in self._costs.items():
            num_sharing = num_samples_of[instance] or len(all_samples)
            for (verdict, reason), ancestors in all_samples:
                if instance in ancestors or not num_samples_of[instance]:
                    metrics.SAMPLE_COST.labels(cost.model, verdict, reason).inc(cost.duration_s / num_sharing)

    def _ancestors(self, parents: Sequence[_Instance]) -> set[_Instance]:
        found: set[_Instance] = set()
        pending = list(parents)
        while pending:
            instance = pending.pop()
            if instance in self._costs and instance not in found:
                found.add(instance)
                pending += self._costs[instance].parents
        return found


def _instances(parents: Iterable[Sequence[str | int]]) -> list[_Instance]:
    return [(str(step), int(index)) for step, index in parents]
