"""What Kubernetes has of one release, read on demand and no more often than whoever asks needs it."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import median

from lumenmill_common.errors import LumenmillError, PermissionDeniedError
from lumenmill_common.telemetry import get_logger

from lumenmill_orchestrator.fleet.api import ApiObject, KubernetesApi
from lumenmill_orchestrator.fleet.objects import MODEL_LABEL, Deployment, Node, Pod, deployment_of, node_of, pod_of

__all__ = ["Cluster", "ClusterReader"]

_FRESH_S = 2.0
# Nodes come and go slowly, and each brings kilobytes of image names.
_NODES_FRESH_S = 10.0
# Events are asked for only where a pod does not say itself what it waits for, and for a few pods at once.
_MOST_PODS_ASKED_ABOUT = 5
_log = get_logger(__name__)


@dataclass(frozen=True)
class Cluster:
    """What there was at one time."""

    observed_s: float
    """Unix seconds."""
    deployments: dict[str, Deployment]
    """By model."""
    pods: list[Pod]
    """By model and name."""
    nodes: list[Node] | None
    """None where the orchestrator may not list them."""
    load_times_s: dict[str, float]
    """By model: median seconds from a pod's start until it first served; of models that have ever had one that did."""
    first_served_after_s: dict[str, float]
    """The same by pod's uid, of pods that have served."""

    def pods_of(self, model: str) -> list[Pod]:
        """The pods of one model."""
        return [pod for pod in self.pods if pod.model == model]


class ClusterReader:
    """Reads the cluster when asked. Whoever asks while it is read gets the same answer."""

    def __init__(self, api: KubernetesApi, namespace: str, release: str) -> None:
        self.api, self.namespace, self.release = api, namespace, release
        self._selector = f"app.kubernetes.io/instance={release}"
        self._reading = asyncio.Lock()
        self._cluster: Cluster | None = None
        self._read_at_s = 0.0
        self._nodes: list[Node] | None = None
        self._nodes_at_s = float("-inf")
        # How long each pod that is there took to serve for the first time: later its condition tells of later changes.
        self._took_s: dict[str, float] = {}
        self._load_times_s: dict[str, float] = {}

    async def read(self, fresh_s: float = _FRESH_S) -> Cluster:
        """What there is, at most `fresh_s` old. A list of thousands of pods is megabytes: who can wait, should.

        Raises:
            LumenmillError: the API server does not answer, or refuses.
        """
        async with self._reading:
            if self._cluster is None or time.monotonic() - self._read_at_s > fresh_s:
                self._cluster = await self._look()
                self._read_at_s = time.monotonic()
            return self._cluster

    async def deployments(self) -> dict[str, Deployment]:
        """The Deployments by model, as they are now: they are few.

        Raises:
            LumenmillError: the API server does not answer, or refuses.
        """
        return await asyncio.to_thread(self._deployments)

    async def _look(self) -> Cluster:
        pods, deployments, nodes = await asyncio.gather(
            asyncio.to_thread(self._pods), self.deployments(), self._fresh_nodes()
        )
        self._measure(pods)
        return Cluster(time.time(), deployments, pods, nodes, dict(self._load_times_s), dict(self._took_s))

    def _pods(self) -> list[Pod]:
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        selector = f"{self._selector},app.kubernetes.io/component in (model,orchestrator)"
        pods = [
            pod_of(pod, pod["metadata"]["labels"].get(MODEL_LABEL, ""))
            for pod in self.api.items(path, labelSelector=selector)
        ]
        return sorted(self._explained(pods), key=lambda pod: (pod.model, pod.name))

    def _deployments(self) -> dict[str, Deployment]:
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments"
        selector = f"{self._selector},{MODEL_LABEL}"
        found = map(deployment_of, self.api.items(path, labelSelector=selector))
        return {deployment.model: deployment for deployment in sorted(found, key=lambda each: each.model)}

    async def _fresh_nodes(self) -> list[Node] | None:
        if time.monotonic() - self._nodes_at_s > _NODES_FRESH_S:
            self._nodes = await asyncio.to_thread(self._list_nodes)
            self._nodes_at_s = time.monotonic()
        return self._nodes

    def _list_nodes(self) -> list[Node] | None:
        try:
            return sorted(map(node_of, self.api.items("/api/v1/nodes")), key=lambda node: node.name)
        except PermissionDeniedError:
            return None  # its RBAC is the operator's choice

    def _explained(self, pods: Iterable[Pod]) -> Iterable[Pod]:
        """The pods; of those that a kubelet prepares, the first few with what its events say."""
        num_asked = 0
        for pod in pods:
            if pod.condition.waits_for_node and num_asked < _MOST_PODS_ASKED_ABOUT:
                num_asked += 1
                problem = self._last_warning(pod)
                yield replace(pod, condition=replace(pod.condition, problem=problem)) if problem else pod
            else:
                yield pod

    def _last_warning(self, pod: Pod) -> str:
        path = f"/api/v1/namespaces/{self.namespace}/events"
        wanted = f"involvedObject.uid={pod.uid},type=Warning"
        try:
            events = list(self.api.items(path, fieldSelector=wanted))
        except LumenmillError as error:
            _log.debug("events could not be read", pod=pod.name, reason=error.message)
            return ""
        last = max(
            events, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""), default=None
        )
        return f"{last.get('reason', '')}: {last.get('message', '')}" if last else ""

    def _measure(self, pods: list[Pod]) -> None:
        """Keep how long pods took to serve, and each model's median over those that are there."""
        for pod in pods:
            if pod.uid not in self._took_s and pod.ready_time_s and pod.start_time_s and not pod.num_restarts:
                self._took_s[pod.uid] = max(pod.ready_time_s - pod.start_time_s, 0.0)
        self._took_s = {pod.uid: self._took_s[pod.uid] for pod in pods if pod.uid in self._took_s}
        by_model: dict[str, list[float]] = {}
        for pod in pods:
            if pod.uid in self._took_s:
                by_model.setdefault(pod.model, []).append(self._took_s[pod.uid])
        # A model without pods keeps what was measured last: that is when it is asked for.
        self._load_times_s |= {model: median(times_s) for model, times_s in by_model.items()}


def _event_time(event: ApiObject) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")
