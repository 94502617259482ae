"""The fleet in the messages of the contract."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from lumenmill.orchestrator.v1 import fleet_pb2
from lumenmill_orchestrator.fleet.cluster import Cluster
from lumenmill_orchestrator.fleet.findings import GpuFit, NodeUse
from lumenmill_orchestrator.fleet.mesh_view import ModelAddress
from lumenmill_orchestrator.fleet.objects import Deployment, Node, Pod
from lumenmill_orchestrator.mesh import Load

__all__ = ["FleetSnapshot", "fleet_view"]

_MAX_CALLS_SHOWN = 5
_WORST_FIRST = (
    fleet_pb2.FLEET_POD_STATE_FAILED,
    fleet_pb2.FLEET_POD_STATE_PENDING,
    fleet_pb2.FLEET_POD_STATE_STARTING,
)


@dataclass(frozen=True)
class FleetSnapshot:
    """All that is known of the fleet at one time."""

    cluster: Cluster | None
    """None outside of Kubernetes."""
    nodes: Sequence[Node] | None
    """None outside of Kubernetes, and where the orchestrator may not list them."""
    addresses: Sequence[ModelAddress]
    """Of all registered models."""
    models: frozenset[str]
    """Registered with the mesh."""
    problems: Mapping[str, str]
    """By model that nothing serves: why, as the mesh reports it."""
    calls: Mapping[str, Sequence[str]]
    """By address, `host:port`: its running calls, `step (run)`."""
    loads: Mapping[str, Load]
    """By model, over all replicas of the orchestrator."""


def fleet_view(snapshot: FleetSnapshot, *, only_model: str = "", with_pods: bool = True) -> fleet_pb2.GetFleetResponse:
    """Return the answer to GetFleet; `only_model` leaves other models and their pods out."""
    cluster = snapshot.cluster
    deployed = cluster.deployments if cluster else {}
    pods = [*(_cluster_pods(cluster, snapshot) if cluster else ()), *_address_pods(snapshot, deployed)]
    models = [_model(name, snapshot, pods) for name in sorted({*snapshot.models, *deployed})]
    answer = fleet_pb2.GetFleetResponse(
        observe_time=_timestamp(cluster.observed_s if cluster else time.time()),
        from_kubernetes=cluster is not None,
        models=(model for model in models if only_model in ("", model.name)),
    )
    if cluster is not None:
        answer.node_types.extend(_node_types(snapshot.nodes or (), cluster.pods))
        fit = GpuFit(models, _node_uses(snapshot.nodes, cluster.pods), _scheduler_messages(cluster.pods))
        answer.waiting_calls.extend(fit.waiting_calls())
        answer.idle_gpus.extend(fit.idle_gpus())
        answer.unschedulable_pods.extend(fit.unschedulable_pods())
    if with_pods:
        shown = (pod for pod in pods if only_model in ("", pod.model))
        answer.pods.extend(sorted(shown, key=lambda pod: (pod.model, pod.name)))
    return answer


def _model(name: str, snapshot: FleetSnapshot, pods: Iterable[fleet_pb2.FleetPod]) -> fleet_pb2.FleetModel:
    deployment = snapshot.cluster.deployments.get(name) if snapshot.cluster else None
    load = snapshot.loads.get(name, Load())
    own_pods = [pod for pod in pods if pod.model == name]

    def num_at(*states: "fleet_pb2.FleetPodState.ValueType") -> int:
        return sum(pod.state in states for pod in own_pods)

    model = fleet_pb2.FleetModel(
        name=name,
        num_desired=deployment.num_desired if deployment else len(own_pods),
        num_ready=num_at(fleet_pb2.FLEET_POD_STATE_READY),
        num_starting=num_at(fleet_pb2.FLEET_POD_STATE_STARTING, fleet_pb2.FLEET_POD_STATE_DRAINING),
        num_pending=num_at(fleet_pb2.FLEET_POD_STATE_PENDING),
        num_gpus_per_pod=deployment.num_gpus_per_pod if deployment else 0,
        gpu_type=deployment.gpu_type if deployment else "",
        backlog_s=load.backlog_s * max(deployment.num_gpus_per_pod if deployment else 1, 1),
        num_calls_waiting=load.num_waiting,
        num_calls_in_flight=load.num_in_flight,
    )
    if deployment is not None and deployment.is_scaled:
        model.min_replicas, model.max_replicas = deployment.min_replicas, deployment.max_replicas
    if snapshot.cluster and name in snapshot.cluster.load_times_s:
        model.load_time.CopyFrom(_duration(snapshot.cluster.load_times_s[name]))
    if deployment is None:
        model.problem = snapshot.problems.get(name, "")
    elif model.num_ready < model.num_desired:
        model.problem = _problem(deployment, own_pods)
    return model


def _problem(deployment: Deployment, pods: Sequence[fleet_pb2.FleetPod]) -> str:
    """Return why there are fewer pods than requested: the worst problem, once for all the pods that have it."""
    if deployment.failure:
        return deployment.failure
    for state in _WORST_FIRST:
        affected = [pod for pod in pods if pod.state == state and pod.problem]
        if affected:
            count = f" ({len(affected)} pods)" if len(affected) > 1 else ""
            return f"{affected[0].name}: {affected[0].problem}{count}"
    return ""


def _cluster_pods(cluster: Cluster, snapshot: FleetSnapshot) -> Iterator[fleet_pb2.FleetPod]:
    calls = {address.rpartition(":")[0].strip("[]"): calls for address, calls in snapshot.calls.items()}
    gpu_types = {node.name: node.gpu_type for node in snapshot.nodes or ()}
    for pod in cluster.pods:
        yield _pod(pod, cluster, gpu_types.get(pod.node, ""), calls.get(pod.ip, ()))


def _pod(pod: Pod, cluster: Cluster, gpu_type: str, calls: Sequence[str]) -> fleet_pb2.FleetPod:
    shown = fleet_pb2.FleetPod(
        name=pod.name,
        model=pod.model,
        node=pod.node,
        state=pod.state,
        problem=pod.status.problem,
        num_gpus=pod.num_gpus_held,
        gpu_type=gpu_type if pod.num_gpus_held else "",
        num_restarts=pod.num_restarts,
        num_calls=len(calls),
        doing=calls[:_MAX_CALLS_SHOWN],
    )
    if pod.start_time_s is not None and pod.state != fleet_pb2.FLEET_POD_STATE_PENDING:
        shown.start_time.CopyFrom(_timestamp(pod.start_time_s))
    load_time_s = cluster.pod_load_times_s.get(pod.uid)
    if load_time_s is not None:
        shown.load_time.CopyFrom(_duration(load_time_s))
    return shown


def _address_pods(snapshot: FleetSnapshot, deployed: Mapping[str, Deployment]) -> Iterator[fleet_pb2.FleetPod]:
    """Yield one pod for each address of the models that have no Deployment in the release."""
    for endpoint in snapshot.addresses:
        if endpoint.model not in deployed:
            ready, starting = fleet_pb2.FLEET_POD_STATE_READY, fleet_pb2.FLEET_POD_STATE_STARTING
            calls = snapshot.calls.get(endpoint.address, ())
            yield fleet_pb2.FleetPod(
                name=endpoint.address,
                model=endpoint.model,
                state=ready if endpoint.is_ready else starting,
                problem="" if endpoint.is_ready else "it does not answer, or does not serve yet",
                num_calls=len(calls),
                doing=calls[:_MAX_CALLS_SHOWN],
            )


def _node_uses(nodes: Iterable[Node] | None, pods: Iterable[Pod]) -> list[NodeUse] | None:
    """Return the nodes with GPUs that take pods; None where nodes are not known."""
    if nodes is None:
        return None
    held: Counter[str] = Counter()
    for pod in pods:
        held[pod.node] += pod.num_gpus_held
    usable = (node for node in nodes if node.is_usable and node.num_gpus)
    return [NodeUse(node.gpu_type, node.num_gpus, min(held[node.name], node.num_gpus)) for node in usable]


def _scheduler_messages(pods: Iterable[Pod]) -> dict[str, list[str]]:
    """Return by model what the scheduler says of each pod that it cannot place."""
    messages: dict[str, list[str]] = {}
    for pod in pods:
        if pod.status.scheduler_message:
            messages.setdefault(pod.model, []).append(pod.status.scheduler_message)
    return messages


def _node_types(nodes: Iterable[Node], pods: Iterable[Pod]) -> Iterator[fleet_pb2.FleetNodeType]:
    types: dict[str, fleet_pb2.FleetNodeType] = {}
    type_of: dict[str, str] = {}
    for node in nodes:
        entry = types.setdefault(node.gpu_type, fleet_pb2.FleetNodeType(gpu_type=node.gpu_type))
        entry.num_nodes += 1
        entry.num_usable_nodes += node.is_usable
        entry.num_gpus += node.num_gpus
        type_of[node.name] = node.gpu_type
    models: dict[str, set[str]] = {name: set() for name in types}
    for pod in pods:
        if pod.node in type_of and not pod.status.has_ended:
            types[type_of[pod.node]].num_gpus_held += pod.num_gpus_held
            models[type_of[pod.node]].update({pod.model} - {""})
    for name in sorted(types, key=lambda gpu_type: (not gpu_type, gpu_type)):
        types[name].models.extend(sorted(models[name]))
        yield types[name]


def _timestamp(time_s: float) -> Timestamp:
    stamp = Timestamp()
    stamp.FromMicroseconds(int(time_s * 1e6))
    return stamp


def _duration(duration_s: float) -> Duration:
    duration = Duration()
    duration.FromMilliseconds(int(duration_s * 1000))
    return duration
