"""How long pods take from their start until they serve: what it costs to let one go and need it again."""

from collections.abc import Iterable, Mapping
from statistics import median

from lumenmill_orchestrator.fleet.objects import DEFAULT_PROGRESS_DEADLINE_S, Deployment, Pod

__all__ = ["LoadTimes"]


class LoadTimes:
    """Measures pods as they are seen, and recalls what earlier processes and other replicas have measured."""

    def __init__(self) -> None:
        self._took_s: dict[str, float | None] = {}
        self._measured_s: dict[str, float] = {}
        self._recalled_s: dict[str, float] = {}

    def of_models(self) -> dict[str, float]:
        """By model: median seconds from a pod's start until it served, of its pods that are there or were last."""
        return self._recalled_s | self._measured_s

    def of_pods(self) -> dict[str, float]:
        """The same by pod's uid, of the pods that are there and were measured."""
        return {uid: took_s for uid, took_s in self._took_s.items() if took_s is not None}

    def recall(self, model: str, load_time_s: float) -> None:
        """What somebody else has measured; counts until it is measured here."""
        self._recalled_s[model] = load_time_s

    def observe(self, pods: Iterable[Pod], deployments: Mapping[str, Deployment]) -> None:
        """Measure the pods that serve and did not when all pods were seen last.

        The condition `Ready` of a pod tells when it changed last. That was long after its start, and says nothing of
        loading, where its container was started again or its node was away meanwhile. So each pod is measured once, and
        counts only when it served within the deadline that its Deployment gives it.
        """
        by_model: dict[str, list[float]] = {}
        took_s: dict[str, float | None] = {}
        for pod in pods:
            if pod.uid in self._took_s:
                took_s[pod.uid] = self._took_s[pod.uid]
            elif pod.ready_time_s is not None:
                deployment = deployments.get(pod.model)
                longest_s = deployment.progress_deadline_s if deployment else DEFAULT_PROGRESS_DEADLINE_S
                took_s[pod.uid] = _time_of(pod, longest_s)
            measured_s = took_s.get(pod.uid)
            if measured_s is not None:
                by_model.setdefault(pod.model, []).append(measured_s)
        self._took_s = took_s
        # A model without pods keeps what was measured last: that is when it is asked for.
        self._measured_s |= {model: median(times_s) for model, times_s in by_model.items()}


def _time_of(pod: Pod, longest_s: float) -> float | None:
    if pod.start_time_s is None or pod.ready_time_s is None or pod.num_restarts:
        return None
    load_time_s = max(pod.ready_time_s - pod.start_time_s, 0.0)
    return load_time_s if load_time_s <= longest_s else None
