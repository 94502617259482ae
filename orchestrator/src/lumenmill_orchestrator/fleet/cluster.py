"""What Kubernetes has of one release, read on demand and no more often than the caller needs."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from lumenmill_common.errors import LumenmillError, PermissionDeniedError
from lumenmill_common.telemetry import get_logger
from lumenmill_orchestrator.fleet.api import ApiObject, KubernetesApi
from lumenmill_orchestrator.fleet.cached_fetch import CachedFetch
from lumenmill_orchestrator.fleet.load_times import LoadTimes
from lumenmill_orchestrator.fleet.objects import (
    MODEL_LABEL,
    Deployment,
    GpuNames,
    Node,
    Pod,
    parse_deployment,
    parse_node,
    parse_pod,
)

__all__ = ["Cluster", "ClusterReader"]

_MAX_AGE_S = 2.0
# Nodes change slowly (Kubernetes itself notices a lost one after 40 s), and each brings kilobytes of image names: they
# are read again after 10 s, and callers wait for that only after a minute.
_NODES_MAX_AGE_S, _NODES_MAX_STALE_S = 10.0, 60.0
# Events are read only for pods that do not say themselves what they wait for, and for a few at once.
_MAX_PODS_WITH_EVENTS = 5
_log = get_logger(__name__)


@dataclass(frozen=True)
class Cluster:
    """The objects of the release at one time."""

    observed_s: float
    """Unix seconds."""
    deployments: dict[str, Deployment]
    """By model."""
    pods: list[Pod]
    """By model and name."""
    load_times_s: dict[str, float]
    """By model: median seconds from a pod's start until it first served; only models that ever had such a pod."""
    pod_load_times_s: dict[str, float]
    """The same by the uid of each pod that has served."""

    def pods_of(self, model: str) -> list[Pod]:
        """Return the pods of one model."""
        return [pod for pod in self.pods if pod.model == model]


class ClusterReader:
    """Reads the cluster on demand. Callers during one reading get the same result."""

    def __init__(self, api: KubernetesApi, namespace: str, release: str, gpus: GpuNames | None = None) -> None:
        self.api, self.namespace, self.release = api, namespace, release
        self.load_times = LoadTimes()
        self._gpus = gpus or GpuNames()
        self._selector = f"app.kubernetes.io/instance={release}"
        self._cluster = CachedFetch(self._read)
        self._deployments = CachedFetch(partial(api.in_thread, self._list_deployments))
        self._nodes = CachedFetch(partial(api.in_thread, self._list_nodes))

    @property
    def last(self) -> Cluster | None:
        """What was read last, however old."""
        return self._cluster.last

    async def read(self, max_age_s: float = _MAX_AGE_S, *, timeout_s: float = 10.0) -> Cluster:
        """Return the cluster, at most `max_age_s` old. Thousands of pods are megabytes: allow a high age if possible.

        Raises:
            LumenmillError: the API server does not answer within `timeout_s`, or refuses.
        """
        return await self._cluster.get(max_age_s, timeout_s=timeout_s)

    async def deployments(self) -> dict[str, Deployment]:
        """Return the Deployments by model. They are few.

        Raises:
            LumenmillError: the API server does not answer, or refuses.
        """
        return await self._deployments.get(0.0)

    async def nodes(self) -> list[Node] | None:
        """Return the nodes of the whole cluster, at most a minute old; None when the orchestrator may not list them.

        Raises:
            LumenmillError: the API server does not answer.
        """
        return await self._nodes.get(_NODES_MAX_AGE_S, max_stale_s=_NODES_MAX_STALE_S)

    async def _read(self) -> Cluster:
        observed_s, deployments = time.time(), await self.deployments()
        pods = await self.api.in_thread(self._list_pods, deployments)
        self.load_times.observe(pods, deployments)
        return Cluster(observed_s, deployments, pods, self.load_times.of_models(), self.load_times.of_pods())

    def _list_pods(self, deployments: Mapping[str, Deployment]) -> list[Pod]:
        def parse(pod: ApiObject) -> Pod:
            model = pod["metadata"]["labels"].get(MODEL_LABEL, "")
            deployment = deployments.get(model)
            return parse_pod(pod, model, self._gpus, deployment.num_gpus_per_pod if deployment else 0)

        path = f"/api/v1/namespaces/{self.namespace}/pods"
        selector = f"{self._selector},app.kubernetes.io/component in (model,orchestrator)"
        pods = self.api.list_objects(path, parse, labelSelector=selector)
        return sorted(self._with_events(pods), key=lambda pod: (pod.model, pod.name))

    def _list_deployments(self) -> dict[str, Deployment]:
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments"
        selector = f"{self._selector},{MODEL_LABEL}"
        found = self.api.list_objects(path, partial(parse_deployment, gpus=self._gpus), labelSelector=selector)
        return {deployment.model: deployment for deployment in sorted(found, key=lambda each: each.model)}

    def _list_nodes(self) -> list[Node] | None:
        try:
            nodes = self.api.list_objects("/api/v1/nodes", partial(parse_node, gpus=self._gpus))
        except PermissionDeniedError:
            return None  # the operator decides whether its RBAC allows that
        return sorted(nodes, key=lambda node: node.name)

    def _with_events(self, pods: Iterable[Pod]) -> Iterable[Pod]:
        """Yield the pods; the first few that the kubelet prepares with the problem that their events report."""
        num_read = 0
        for pod in pods:
            if pod.status.is_being_prepared and num_read < _MAX_PODS_WITH_EVENTS:
                num_read += 1
                problem = self._last_warning(pod)
                yield replace(pod, status=replace(pod.status, problem=problem)) if problem else pod
            else:
                yield pod

    def _last_warning(self, pod: Pod) -> str:
        path = f"/api/v1/namespaces/{self.namespace}/events"
        selector = f"involvedObject.uid={pod.uid},type=Warning"
        try:
            events = self.api.list_objects(path, dict, fieldSelector=selector)
        except LumenmillError as error:
            _log.debug("events could not be read", pod=pod.name, reason=error.message)
            return ""
        last = max(events, key=_event_time, default=None)
        return f"{last.get('reason', '')}: {last.get('message', '')}" if last else ""


def _event_time(event: ApiObject) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")
