"""What Kubernetes has of one release, read on demand and no more often than whoever asks needs it."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from lumenmill_common.errors import LumenmillError, PermissionDeniedError
from lumenmill_common.telemetry import get_logger

from lumenmill_orchestrator.fleet.api import ApiObject, KubernetesApi
from lumenmill_orchestrator.fleet.load_times import LoadTimes
from lumenmill_orchestrator.fleet.look import Look
from lumenmill_orchestrator.fleet.objects import (
    MODEL_LABEL,
    Deployment,
    GpuNames,
    Node,
    Pod,
    deployment_of,
    node_of,
    pod_of,
)

__all__ = ["Cluster", "ClusterReader"]

_FRESH_S = 2.0
# Nodes come and go slowly (a lost one is noticed by Kubernetes itself after 40 s), and each brings kilobytes of image
# names: after 10 s they are read again, and only after a minute is that waited for.
_NODES_FRESH_S, _NODES_USABLE_S = 10.0, 60.0
# Events are asked for only where a pod does not say itself what it waits for, and for a few pods at once.
_MOST_PODS_ASKED_ABOUT = 5
_log = get_logger(__name__)


@dataclass(frozen=True)
class Cluster:
    """What there was of the release at one time."""

    observed_s: float
    """Unix seconds."""
    deployments: dict[str, Deployment]
    """By model."""
    pods: list[Pod]
    """By model and name."""
    load_times_s: dict[str, float]
    """By model: median seconds from a pod's start until it first served; of models that have ever had one that did."""
    first_served_after_s: dict[str, float]
    """The same by pod's uid, of pods that have served."""

    def pods_of(self, model: str) -> list[Pod]:
        """The pods of one model."""
        return [pod for pod in self.pods if pod.model == model]


class ClusterReader:
    """Reads the cluster when asked. Whoever asks while it is read gets the same answer."""

    def __init__(self, api: KubernetesApi, namespace: str, release: str, gpus: GpuNames | None = None) -> None:
        self.api, self.namespace, self.release = api, namespace, release
        self.load_times = LoadTimes()
        self._gpus = gpus or GpuNames()
        self._selector = f"app.kubernetes.io/instance={release}"
        self._cluster = Look(self._look)
        self._deployments = Look(partial(api.in_thread, self._list_deployments))
        self._nodes = Look(partial(api.in_thread, self._list_nodes))

    @property
    def last(self) -> Cluster | None:
        """What was read last, however long ago."""
        return self._cluster.last

    async def read(self, fresh_s: float = _FRESH_S, *, within_s: float = 10.0) -> Cluster:
        """What there is, at most `fresh_s` old. A list of thousands of pods is megabytes: who can wait, should.

        Raises:
            LumenmillError: the API server does not answer within `within_s`, or refuses.
        """
        return await self._cluster.at(fresh_s, within_s=within_s)

    async def deployments(self) -> dict[str, Deployment]:
        """The Deployments by model, as the API server remembers them: a moment behind, and cheap. They are few.

        Raises:
            LumenmillError: the API server does not answer, or refuses.
        """
        return await self._deployments.at(0.0)

    async def nodes(self) -> list[Node] | None:
        """The nodes of the whole cluster, at most a minute old; None where the orchestrator may not list them.

        Raises:
            LumenmillError: the API server does not answer.
        """
        return await self._nodes.at(_NODES_FRESH_S, usable_s=_NODES_USABLE_S)

    async def _look(self) -> Cluster:
        observed_s, deployments = time.time(), await self.deployments()
        pods = await self.api.in_thread(self._list_pods, deployments)
        self.load_times.observe(pods, deployments)
        return Cluster(observed_s, deployments, pods, self.load_times.of_models(), self.load_times.of_pods())

    def _list_pods(self, deployments: Mapping[str, Deployment]) -> list[Pod]:
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        selector = f"{self._selector},app.kubernetes.io/component in (model,orchestrator)"
        pods = (self._pod(pod, deployments) for pod in self.api.items(path, labelSelector=selector))
        return sorted(self._explained(pods), key=lambda pod: (pod.model, pod.name))

    def _pod(self, pod: ApiObject, deployments: Mapping[str, Deployment]) -> Pod:
        model = pod["metadata"]["labels"].get(MODEL_LABEL, "")
        deployment = deployments.get(model)
        return pod_of(pod, model, self._gpus, num_gpus_claimed=deployment.num_gpus_per_pod if deployment else 0)

    def _list_deployments(self) -> dict[str, Deployment]:
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments"
        selector = f"{self._selector},{MODEL_LABEL}"
        found = (deployment_of(each, self._gpus) for each in self.api.items(path, labelSelector=selector))
        return {deployment.model: deployment for deployment in sorted(found, key=lambda each: each.model)}

    def _list_nodes(self) -> list[Node] | None:
        try:
            nodes = (node_of(node, self._gpus) for node in self.api.items("/api/v1/nodes"))
            return sorted(nodes, key=lambda node: node.name)
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
        last = max(events, key=_event_time, default=None)
        return f"{last.get('reason', '')}: {last.get('message', '')}" if last else ""


def _event_time(event: ApiObject) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")
