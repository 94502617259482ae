"""How long pods take from their start until they serve: what it costs to let one go and need it again."""

from collections import deque
from collections.abc import Iterable, Mapping
from statistics import median_low

from lumenmill_orchestrator.fleet.objects import DEFAULT_PROGRESS_DEADLINE_S, Deployment, Pod

__all__ = ["LoadTimes"]

# Enough that a pod which was not ready for a moment, and seems to have loaded for all its life, does not count.
_NUM_KEPT = 5


class LoadTimes:
    """Measures pods as they are seen, and recalls what earlier processes and other replicas have measured."""

    def __init__(self) -> None:
        self._took_s: dict[str, float | None] = {}
        self._lately_s: dict[str, deque[float]] = {}

    def of_models(self) -> dict[str, float]:
        """By model: median seconds from a pod's start until it served, of those that were measured last."""
        return {model: median_low(times_s) for model, times_s in self._lately_s.items()}

    def of_pods(self) -> dict[str, float]:
        """The same by pod's uid, of the pods that are there and were measured."""
        return {uid: took_s for uid, took_s in self._took_s.items() if took_s is not None}

    def recall(self, model: str, load_time_s: float) -> None:
        """What somebody else has measured; counts as one measurement, where there is none yet."""
        self._lately_s.setdefault(model, deque([load_time_s], _NUM_KEPT))

    def observe(self, pods: Iterable[Pod], deployments: Mapping[str, Deployment]) -> None:
        """Measure the pods that serve and did not when all pods were seen last.

        The condition `Ready` of a pod tells when it changed last. That was long after its start, and says nothing of
        loading, where its container was started again or its node was away meanwhile. So each pod is measured once, and
        counts only when it served within the deadline that its Deployment gives it.
        """
        took_s: dict[str, float | None] = {}
        for pod in pods:
            if pod.uid in self._took_s:
                took_s[pod.uid] = self._took_s[pod.uid]
            elif pod.ready_time_s is not None:
                deployment = deployments.get(pod.model)
                longest_s = deployment.progress_deadline_s if deployment else DEFAULT_PROGRESS_DEADLINE_S
                took_s[pod.uid] = measured_s = _time_of(pod, longest_s)
                if measured_s is not None:
                    self._lately_s.setdefault(pod.model, deque(maxlen=_NUM_KEPT)).append(measured_s)
        self._took_s = took_s


def _time_of(pod: Pod, longest_s: float) -> float | None:
    if pod.start_time_s is None or pod.ready_time_s is None or pod.num_restarts:
        return None
    load_time_s = max(pod.ready_time_s - pod.start_time_s, 0.0)
    return load_time_s if load_time_s <= longest_s else None
