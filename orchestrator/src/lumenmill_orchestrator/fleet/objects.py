"""Pods, Deployments and nodes: the few fields that the fleet needs, parsed from the JSON of the API server."""

import math
from dataclasses import dataclass
from datetime import datetime

from lumenmill.orchestrator.v1 import fleet_pb2
from lumenmill_orchestrator.fleet.api import ApiObject
from lumenmill_orchestrator.fleet.pod_status import PodStatus, find_condition, parse_status

__all__ = [
    "DEFAULT_PROGRESS_DEADLINE_S",
    "DELETION_COST",
    "MODEL_LABEL",
    "Deployment",
    "GpuNames",
    "Node",
    "Pod",
    "parse_deployment",
    "parse_node",
    "parse_pod",
]

MODEL_LABEL = "lumenmill.dev/model"
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
"""Annotation of pods: of otherwise equal pods, those with the lowest cost are removed first."""
DEFAULT_PROGRESS_DEADLINE_S = 600.0
"""Seconds in which a Deployment must progress when it does not say."""
_UNLABELLED = "unlabelled"


@dataclass(frozen=True, slots=True)
class GpuNames:
    """The names that the cluster uses for GPUs."""

    resource: str = "nvidia.com/gpu"
    """Resource that nodes offer and containers request."""
    type_label: str = "nvidia.com/gpu.product"
    """Label of nodes with the type of their GPUs."""


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod of the release."""

    name: str
    uid: str
    model: str
    """Empty for the orchestrator's own."""
    node: str
    ip: str
    status: PodStatus
    num_gpus: int
    """GPUs that it requests."""
    start_time_s: float | None
    ready_time_s: float | None
    """Unix seconds since when it serves; None while it does not."""
    num_restarts: int
    deletion_cost: str

    @property
    def state(self) -> "fleet_pb2.FleetPodState.ValueType":
        """Its state in the contract."""
        return self.status.state

    @property
    def num_gpus_held(self) -> int:
        """GPUs that are allocated to it."""
        return self.num_gpus if self.node and not self.status.has_ended else 0


@dataclass(frozen=True, slots=True)
class Deployment:
    """The Deployment of one model."""

    name: str
    model: str
    num_desired: int
    is_scaled: bool
    """Whether KEDA changes its number of pods."""
    min_replicas: int
    max_replicas: int
    target_backlog_s: float
    num_gpus_per_pod: int
    gpu_type: str
    progress_deadline_s: float
    """Seconds in which a new pod should serve."""
    failure: str
    """Why pods cannot even be created, in the controller's words: a quota, a policy. Empty otherwise."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the cluster."""

    name: str
    gpu_type: str
    """Empty without GPUs, `unlabelled` when their type is not stated."""
    num_gpus: int
    is_usable: bool
    """Ready, and not cordoned."""


def parse_pod(pod: ApiObject, model: str, gpus: GpuNames, num_gpus_claimed: int = 0) -> Pod:
    """Return a pod from its JSON.

    `num_gpus_claimed` are its GPUs when it requests them by resource claims, which do not state their number: its
    Deployment does.
    """
    spec, status, metadata = pod["spec"], pod.get("status", {}), pod["metadata"]
    statuses = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    ready = find_condition(status, "Ready")
    return Pod(
        name=metadata["name"],
        uid=metadata["uid"],
        model=model,
        node=spec.get("nodeName", ""),
        ip=status.get("podIP", ""),
        status=parse_status(pod),
        num_gpus=_gpus_of(spec, gpus.resource) or (num_gpus_claimed if spec.get("resourceClaims") else 0),
        start_time_s=_seconds(status.get("startTime")),
        ready_time_s=_seconds(ready.get("lastTransitionTime")) if ready.get("status") == "True" else None,
        num_restarts=sum(int(each.get("restartCount", 0)) for each in statuses),
        deletion_cost=metadata.get("annotations", {}).get(DELETION_COST, ""),
    )


def parse_deployment(deployment: ApiObject, gpus: GpuNames) -> Deployment:
    """Return a model's Deployment from its JSON.

    Annotations that should be numbers and are not count as absent. Annotations about GPUs override the pod's requests.
    """
    metadata, spec = deployment["metadata"], deployment["spec"]
    annotations, pod_spec = metadata.get("annotations", {}), spec["template"]["spec"]
    num_desired = int(spec.get("replicas", 1))
    failure = find_condition(deployment.get("status", {}), "ReplicaFailure")
    return Deployment(
        name=metadata["name"],
        model=metadata["labels"][MODEL_LABEL],
        num_desired=num_desired,
        is_scaled=annotations.get("lumenmill.dev/scaling") == "keda",
        min_replicas=int(_number(annotations, "min-replicas", num_desired)),
        max_replicas=int(_number(annotations, "max-replicas", num_desired)),
        target_backlog_s=_number(annotations, "target-backlog-s", 0.0),
        num_gpus_per_pod=int(_number(annotations, "gpus", _gpus_of(pod_spec, gpus.resource))),
        gpu_type=annotations.get("lumenmill.dev/gpu-type", pod_spec.get("nodeSelector", {}).get(gpus.type_label, "")),
        progress_deadline_s=float(spec.get("progressDeadlineSeconds", DEFAULT_PROGRESS_DEADLINE_S)),
        failure=failure.get("message", "") if failure.get("status") == "True" else "",
    )


def parse_node(node: ApiObject, gpus: GpuNames) -> Node:
    """Return a node from its JSON."""
    labels, status = node["metadata"].get("labels", {}), node.get("status", {})
    num_gpus = int(status.get("allocatable", {}).get(gpus.resource, 0))
    is_ready = find_condition(status, "Ready").get("status") == "True"
    return Node(
        name=node["metadata"]["name"],
        gpu_type=labels.get(gpus.type_label, _UNLABELLED) if num_gpus else "",
        num_gpus=num_gpus,
        is_usable=is_ready and not node.get("spec", {}).get("unschedulable", False),
    )


def _gpus_of(pod_spec: ApiObject, resource: str) -> int:
    """Return the GPUs that a pod requests: the sum of its containers, or the largest init container if that is more."""

    def requested(container: ApiObject) -> int:
        return int(container.get("resources", {}).get("limits", {}).get(resource, 0))

    largest_init = max(map(requested, pod_spec.get("initContainers", [])), default=0)
    return max(sum(map(requested, pod_spec.get("containers", []))), largest_init)


def _number(annotations: dict[str, str], name: str, default: float) -> float:
    try:
        number = float(annotations[f"lumenmill.dev/{name}"])
    except (KeyError, ValueError):
        return default
    return number if math.isfinite(number) else default


def _seconds(timestamp: str | None) -> float | None:
    """Return the Unix seconds of a time as the API server writes it."""
    return None if timestamp is None else datetime.fromisoformat(timestamp).timestamp()
