"""Pods, Deployments and nodes: of what the API server tells, the little that the fleet is about."""

import math
from dataclasses import dataclass
from datetime import datetime

from lumenmill.orchestrator.v1 import fleet_pb2

from lumenmill_orchestrator.fleet.api import ApiObject
from lumenmill_orchestrator.fleet.pod_state import PodCondition, condition_of, stated

__all__ = [
    "DEFAULT_PROGRESS_DEADLINE_S",
    "DELETION_COST",
    "MODEL_LABEL",
    "Deployment",
    "GpuNames",
    "Node",
    "Pod",
    "deployment_of",
    "node_of",
    "pod_of",
]

MODEL_LABEL = "lumenmill.dev/model"
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
"""Annotation of pods: of those that are equal otherwise, the ones with the least are removed first."""
DEFAULT_PROGRESS_DEADLINE_S = 600.0
"""Seconds that Kubernetes gives a Deployment which says nothing to make progress."""
_UNLABELLED = "unlabelled"
# As the autoscaler of Kubernetes waits by default.
_STABILIZATION_S = 300.0


@dataclass(frozen=True, slots=True)
class GpuNames:
    """What GPUs are called on the nodes of a cluster."""

    resource: str = "nvidia.com/gpu"
    """As which nodes offer them and containers ask for them."""
    type_label: str = "nvidia.com/gpu.product"
    """Label of nodes that tells their type."""


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod of the release."""

    name: str
    uid: str
    model: str
    """Empty for the orchestrator's own."""
    node: str
    ip: str
    condition: PodCondition
    num_gpus: int
    """GPUs that it asks for."""
    start_time_s: float | None
    ready_time_s: float | None
    """Since when it serves; None while it does not."""
    num_restarts: int
    deletion_cost: str

    @property
    def state(self) -> "fleet_pb2.FleetPodState.ValueType":
        """What it is at."""
        return self.condition.state

    @property
    def num_gpus_held(self) -> int:
        """GPUs that nobody else can have because of it."""
        return self.num_gpus if self.node and not self.condition.has_ended else 0


@dataclass(frozen=True, slots=True)
class Deployment:
    """The Deployment of one model."""

    name: str
    model: str
    num_desired: int
    min_replicas: int
    max_replicas: int
    target_backlog_s: float
    scale_down_stabilization_s: float
    """Seconds that fewer pods must have been enough before some are taken."""
    scaling: str
    """`keda`, `builtin` or `none`."""
    num_gpus_per_pod: int
    gpu_type: str
    progress_deadline_s: float
    """Seconds in which a new pod should come to serve."""
    failure: str
    """Why pods cannot even be made, in the words of the controller: a quota, a policy. Empty otherwise."""

    @property
    def is_scaled(self) -> bool:
        """Whether somebody changes its number of pods by the work there is."""
        return self.scaling in ("keda", "builtin")


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the cluster."""

    name: str
    gpu_type: str
    """Empty without GPUs, `unlabelled` when they are of no stated type."""
    num_gpus: int
    is_usable: bool
    """Ready, and not cordoned off."""


def pod_of(pod: ApiObject, model: str, gpus: GpuNames, num_gpus_claimed: int = 0) -> Pod:
    """A pod from its JSON. Where it asks for devices by resource claims, these are `num_gpus_claimed`: claims name
    classes of devices, and how many they are is told by its Deployment."""
    spec, status, metadata = pod["spec"], pod.get("status", {}), pod["metadata"]
    statuses = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    ready = stated(status, "Ready")
    return Pod(
        name=metadata["name"],
        uid=metadata["uid"],
        model=model,
        node=spec.get("nodeName", ""),
        ip=status.get("podIP", ""),
        condition=condition_of(pod),
        num_gpus=_gpus_of(spec, gpus.resource) or (num_gpus_claimed if spec.get("resourceClaims") else 0),
        start_time_s=_seconds(status.get("startTime")),
        ready_time_s=_seconds(ready.get("lastTransitionTime")) if ready.get("status") == "True" else None,
        num_restarts=sum(int(each.get("restartCount", 0)) for each in statuses),
        deletion_cost=metadata.get("annotations", {}).get(DELETION_COST, ""),
    )


def deployment_of(deployment: ApiObject, gpus: GpuNames) -> Deployment:
    """A model's Deployment from its JSON. Annotations that are no numbers count as absent; those that tell of GPUs come
    before what its pods ask for."""
    metadata, spec = deployment["metadata"], deployment["spec"]
    notes, pod_spec = metadata.get("annotations", {}), spec["template"]["spec"]
    num_desired = int(spec.get("replicas", 1))
    failed = stated(deployment.get("status", {}), "ReplicaFailure")
    return Deployment(
        name=metadata["name"],
        model=metadata["labels"][MODEL_LABEL],
        num_desired=num_desired,
        min_replicas=int(_number(notes, "min-replicas", num_desired)),
        max_replicas=int(_number(notes, "max-replicas", num_desired)),
        target_backlog_s=_number(notes, "target-backlog-s", 0.0),
        scale_down_stabilization_s=_number(notes, "scale-down-stabilization-s", _STABILIZATION_S),
        scaling=notes.get("lumenmill.dev/scaling", "none"),
        num_gpus_per_pod=int(_number(notes, "gpus", _gpus_of(pod_spec, gpus.resource))),
        gpu_type=notes.get("lumenmill.dev/gpu-type", pod_spec.get("nodeSelector", {}).get(gpus.type_label, "")),
        progress_deadline_s=float(spec.get("progressDeadlineSeconds", DEFAULT_PROGRESS_DEADLINE_S)),
        failure=failed.get("message", "") if failed.get("status") == "True" else "",
    )


def node_of(node: ApiObject, gpus: GpuNames) -> Node:
    """A node from its JSON."""
    labels, status = node["metadata"].get("labels", {}), node.get("status", {})
    num_gpus = int(status.get("allocatable", {}).get(gpus.resource, 0))
    is_ready = stated(status, "Ready").get("status") == "True"
    return Node(
        name=node["metadata"]["name"],
        gpu_type=labels.get(gpus.type_label, _UNLABELLED) if num_gpus else "",
        num_gpus=num_gpus,
        is_usable=is_ready and not node.get("spec", {}).get("unschedulable", False),
    )


def _gpus_of(pod_spec: ApiObject, resource: str) -> int:
    """GPUs that a pod asks for: those of its containers together, or of its greediest init container."""

    def asked(container: ApiObject) -> int:
        return int(container.get("resources", {}).get("limits", {}).get(resource, 0))

    first = max(map(asked, pod_spec.get("initContainers", [])), default=0)
    return max(sum(map(asked, pod_spec.get("containers", []))), first)


def _number(annotations: dict[str, str], name: str, otherwise: float) -> float:
    try:
        number = float(annotations[f"lumenmill.dev/{name}"])
    except (KeyError, ValueError):
        return otherwise
    return number if math.isfinite(number) else otherwise


def _seconds(stamp: str | None) -> float | None:
    """Unix seconds of a time as the API server writes it."""
    return None if stamp is None else datetime.fromisoformat(stamp).timestamp()
