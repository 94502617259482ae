"""What to change so that GPUs are used better: the facts of GetFleet in sentences."""

from collections.abc import Iterable, Iterator

from lumenmill.orchestrator.v1 import fleet_pb2
from lumenmill_client.command._output import counted

__all__ = ["advice_on"]

_NO_SUCH_GPU_TYPE = fleet_pb2.FLEET_UNSCHEDULABLE_REASON_NO_SUCH_GPU_TYPE
_POD_TOO_LARGE = fleet_pb2.FLEET_UNSCHEDULABLE_REASON_POD_TOO_LARGE


def advice_on(fleet: fleet_pb2.GetFleetResponse) -> list[str]:
    """Return what to change and what it gains, the most urgent first."""
    return [
        *_impossible(fleet),
        *(_at_maximum(waiting) for waiting in fleet.waiting_calls),
        *(_elsewhere(pods, free) for pods in fleet.unschedulable_pods for free in pods.free_gpus),
        *(_idle(idle) for idle in fleet.idle_gpus),
    ]


def _impossible(fleet: fleet_pb2.GetFleetResponse) -> Iterator[str]:
    """Yield a sentence for each model whose pods no node can ever take."""
    types = [each for each in fleet.node_types if each.num_usable_nodes and each.num_gpus]
    available = ", ".join(f"{each.gpu_type} ({counted(each.num_usable_nodes, 'node')})" for each in types) or "none"
    for pods in fleet.unschedulable_pods:
        if pods.reason == _NO_SUCH_GPU_TYPE:
            yield (
                f"`{pods.model}` requests {pods.gpu_type or 'GPUs'}, and no node that takes pods has such GPUs; "
                f"available are: {available}. Unless nodes of this type are added on demand, set its gpuType to one of "
                "these, and its pods can start."
            )
        elif pods.reason == _POD_TOO_LARGE:
            largest = pods.num_gpus_of_largest_node
            yield (
                f"`{pods.model}` requests {counted(pods.num_gpus_per_pod, 'GPU')} for each pod, and the largest node "
                f"that it may use has {largest}. With gpus: {largest} or fewer its pods can start."
            )


def _at_maximum(waiting: fleet_pb2.FleetWaitingCalls) -> str:
    more = waiting.num_pods_that_fit
    share = waiting.num_pods_ready / (waiting.num_pods_ready + more)
    return (
        f"`{waiting.model}` has its maximum of pods ({waiting.max_replicas}), "
        f"{counted(waiting.num_calls_waiting, 'call')} wait, and free GPUs have room for {counted(more, 'pod')} more. "
        f"With maxReplicas: {waiting.max_replicas + more} its work takes {share:.0%} of the time."
    )


def _elsewhere(pods: fleet_pb2.FleetUnschedulablePods, free: fleet_pb2.FleetFreeGpus) -> str:
    return (
        f"Pods of `{pods.model}` that wait for {pods.gpu_type}: {pods.num_pods}; free GPUs of type {free.gpu_type}: "
        f"{free.num_gpus}. If its weights fit there, let it use these nodes too (gpuType: {free.gpu_type}, or none): "
        f"{counted(free.num_pods_that_fit, 'pod')} can start at once."
    )


def _idle(idle: fleet_pb2.FleetIdleGpus) -> str:
    if idle.reason == fleet_pb2.FLEET_IDLE_REASON_REMAINDER:
        return _remainder(idle)
    if idle.reason == fleet_pb2.FLEET_IDLE_REASON_NO_MODEL:
        return _no_model(idle)
    guests = _names(model.model for model in idle.models)
    return (
        f"All pods of {guests} fit on free GPUs of type {idle.other_gpu_type}. If their weights fit there, set "
        f"gpuType: {idle.other_gpu_type}, and {counted(idle.num_nodes, 'node')} of type {idle.gpu_type} can be removed."
    )


def _remainder(idle: fleet_pb2.FleetIdleGpus) -> str:
    num_left = idle.num_gpus // idle.num_nodes
    largest = max(idle.models, key=lambda model: (model.num_gpus_per_pod, model.model))
    divisors = [size for size in range(1, idle.num_gpus_per_node + 1) if idle.num_gpus_per_node % size == 0]
    nearest = min(divisors, key=lambda size: (abs(size - largest.num_gpus_per_pod), -size))
    guests = _names(idle.candidates) or f"a model with {counted(num_left, 'GPU')} or fewer for each pod"
    num_gpus = idle.num_nodes * idle.num_gpus_per_node
    return (
        f"Pods of {_names(model.model for model in idle.models)} leave {counted(num_left, 'GPU')} over on every node "
        f"of {idle.num_gpus_per_node} {idle.gpu_type}: {idle.num_gpus} of {num_gpus} can never be used. "
        f"With gpus: {nearest} for `{largest.model}` none is left over; or let {guests} use these nodes too."
    )


def _no_model(idle: fleet_pb2.FleetIdleGpus) -> str:
    who = f"{_names(idle.candidates)}, where calls wait," if idle.candidates else "a model"
    return (
        f"No model may use {idle.gpu_type}: {counted(idle.num_gpus, 'GPU')} on {counted(idle.num_nodes, 'node')} are "
        f"idle. Let {who} use them (gpuType: {idle.gpu_type}), or remove the nodes."
    )


def _names(models: Iterable[str]) -> str:
    return ", ".join(f"`{model}`" for model in models)
