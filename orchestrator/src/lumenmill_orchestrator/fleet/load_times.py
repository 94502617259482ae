"""How long pods take from their start until they serve: what removing one and starting it again costs."""

from collections import deque
from collections.abc import Iterable, Mapping
from statistics import median_low

from lumenmill_orchestrator.fleet.objects import DEFAULT_PROGRESS_DEADLINE_S, Deployment, Pod

__all__ = ["LoadTimes"]

# Enough to outvote a pod that was not ready for a moment and so seems to have loaded ever since its start.
_NUM_KEPT = 5


class LoadTimes:
    """Measures pods as they are observed, and takes over what other replicas and earlier processes measured."""

    def __init__(self) -> None:
        self._by_pod_s: dict[str, float | None] = {}
        self._recent_s: dict[str, deque[float]] = {}

    def of_models(self) -> dict[str, float]:
        """Return by model the median of the newest measurements: seconds from a pod's start until it served."""
        return {model: median_low(times_s) for model, times_s in self._recent_s.items()}

    def of_pods(self) -> dict[str, float]:
        """Return the same by the uid of the pods that exist and were measured."""
        return {uid: load_time_s for uid, load_time_s in self._by_pod_s.items() if load_time_s is not None}

    def recall(self, model: str, load_time_s: float) -> None:
        """Take an earlier measurement as the first one, when the model has none yet."""
        self._recent_s.setdefault(model, deque([load_time_s], _NUM_KEPT))

    def observe(self, pods: Iterable[Pod], deployments: Mapping[str, Deployment]) -> None:
        """Measure the pods that serve and did not at the previous observation.

        The condition `Ready` of a pod has the time of its last change. After a restart of the container, or when the
        node was away for a moment, that is long after the start and is no load time. So each pod is measured once, and
        counts only when it served within the progress deadline of its Deployment.
        """
        by_pod_s: dict[str, float | None] = {}
        for pod in pods:
            if pod.uid in self._by_pod_s:
                by_pod_s[pod.uid] = self._by_pod_s[pod.uid]
            elif pod.ready_time_s is not None:
                deployment = deployments.get(pod.model)
                limit_s = deployment.progress_deadline_s if deployment else DEFAULT_PROGRESS_DEADLINE_S
                by_pod_s[pod.uid] = load_time_s = _load_time_s(pod, limit_s)
                if load_time_s is not None:
                    self._recent_s.setdefault(pod.model, deque(maxlen=_NUM_KEPT)).append(load_time_s)
        self._by_pod_s = by_pod_s


def _load_time_s(pod: Pod, limit_s: float) -> float | None:
    if pod.start_time_s is None or pod.ready_time_s is None or pod.num_restarts:
        return None
    load_time_s = max(pod.ready_time_s - pod.start_time_s, 0.0)
    return load_time_s if load_time_s <= limit_s else None
