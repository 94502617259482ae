"""The fleet as the contract shows it."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from lumenmill.orchestrator.v1 import fleet_pb2

from lumenmill_orchestrator.fleet.advice import NodeUse, advice_on
from lumenmill_orchestrator.fleet.cluster import Cluster
from lumenmill_orchestrator.fleet.mesh_side import Address
from lumenmill_orchestrator.fleet.objects import Deployment, Node, Pod
from lumenmill_orchestrator.mesh import Load

__all__ = ["FleetFacts", "fleet_view"]

_MOST_TOLD = 5


@dataclass(frozen=True)
class FleetFacts:
    """Everything that is known at one time."""

    cluster: Cluster | None
    """None outside of Kubernetes."""
    nodes: Sequence[Node] | None
    """None outside of Kubernetes, and where the orchestrator may not list them."""
    addresses: Sequence[Address]
    """Of all registered models."""
    models: frozenset[str]
    """Registered with the mesh."""
    problems: Mapping[str, str]
    """By model that nothing serves: why, as the mesh knows it."""
    calls: Mapping[str, Sequence[str]]
    """By address, `host:port`: what was given to it and not answered yet, `node (run)`."""
    loads: Mapping[str, Load]
    """By model, over all replicas of the orchestrator."""


def fleet_view(facts: FleetFacts, *, only_model: str = "", with_pods: bool = True) -> fleet_pb2.GetFleetResponse:
    """The answer to GetFleet; `only_model` leaves other models and their pods out."""
    cluster = facts.cluster
    deployed = cluster.deployments if cluster else {}
    pods = [*(_cluster_pods(cluster, facts) if cluster else ()), *_address_pods(facts, deployed)]
    models = [_model(name, facts, pods) for name in sorted({*facts.models, *deployed})]
    answer = fleet_pb2.GetFleetResponse(
        observe_time=_timestamp(cluster.observed_s if cluster else time.time()),
        from_kubernetes=cluster is not None,
        models=(model for model in models if only_model in ("", model.name)),
    )
    if cluster is not None:
        answer.node_types.extend(_node_types(facts.nodes or (), cluster.pods))
        answer.advice.extend(advice_on(models, _uses(facts.nodes, cluster.pods)) if facts.nodes is not None else ())
    if with_pods:
        wanted = (pod for pod in pods if only_model in ("", pod.model))
        answer.pods.extend(sorted(wanted, key=lambda pod: (pod.model, pod.name)))
    return answer


def _model(name: str, facts: FleetFacts, pods: Iterable[fleet_pb2.FleetPod]) -> fleet_pb2.FleetModel:
    deployment = facts.cluster.deployments.get(name) if facts.cluster else None
    load = facts.loads.get(name, Load())
    mine = [pod for pod in pods if pod.model == name]

    def num_at(*states: "fleet_pb2.FleetPodState.ValueType") -> int:
        return sum(pod.state in states for pod in mine)

    model = fleet_pb2.FleetModel(
        name=name,
        num_desired=deployment.num_desired if deployment else len(mine),
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
    if facts.cluster and name in facts.cluster.load_times_s:
        model.load_time.CopyFrom(_duration(facts.cluster.load_times_s[name]))
    if deployment is None:
        model.problem = facts.problems.get(name, "")
    elif model.num_ready < model.num_desired:
        model.problem = _problem(deployment, mine)
    return model


def _problem(deployment: Deployment, pods: Sequence[fleet_pb2.FleetPod]) -> str:
    """Why there are fewer pods than asked for: what is worst first, said once however many pods it holds up."""
    if deployment.failure:
        return deployment.failure
    worst = (fleet_pb2.FLEET_POD_STATE_FAILED, fleet_pb2.FLEET_POD_STATE_PENDING, fleet_pb2.FLEET_POD_STATE_STARTING)
    for state in worst:
        held_up = [pod for pod in pods if pod.state == state and pod.problem]
        if held_up:
            others = f" ({len(held_up)} pods)" if len(held_up) > 1 else ""
            return f"{held_up[0].name}: {held_up[0].problem}{others}"
    return ""


def _cluster_pods(cluster: Cluster, facts: FleetFacts) -> Iterable[fleet_pb2.FleetPod]:
    by_ip = {address.rpartition(":")[0].strip("[]"): doing for address, doing in facts.calls.items()}
    gpu_types = {node.name: node.gpu_type for node in facts.nodes or ()}
    for pod in cluster.pods:
        yield _pod(pod, cluster, gpu_types.get(pod.node, ""), by_ip.get(pod.ip, ()))


def _pod(pod: Pod, cluster: Cluster, gpu_type: str, doing: Sequence[str]) -> fleet_pb2.FleetPod:
    shown = fleet_pb2.FleetPod(
        name=pod.name,
        model=pod.model,
        node=pod.node,
        state=pod.state,
        problem=pod.condition.problem,
        num_gpus=pod.num_gpus_held,
        gpu_type=gpu_type if pod.num_gpus_held else "",
        num_restarts=pod.num_restarts,
        num_calls=len(doing),
        doing=doing[:_MOST_TOLD],
    )
    if pod.start_time_s is not None and pod.state != fleet_pb2.FLEET_POD_STATE_PENDING:
        shown.start_time.CopyFrom(_timestamp(pod.start_time_s))
    took_s = cluster.first_served_after_s.get(pod.uid)
    if took_s is not None:
        shown.load_time.CopyFrom(_duration(took_s))
    return shown


def _address_pods(facts: FleetFacts, deployed: Mapping[str, Deployment]) -> Iterable[fleet_pb2.FleetPod]:
    """What answers for models that no Deployment of ours makes pods for, one for each address."""
    for endpoint in facts.addresses:
        if endpoint.model not in deployed:
            ready, starting = fleet_pb2.FLEET_POD_STATE_READY, fleet_pb2.FLEET_POD_STATE_STARTING
            doing = facts.calls.get(endpoint.address, ())
            yield fleet_pb2.FleetPod(
                name=endpoint.address,
                model=endpoint.model,
                state=ready if endpoint.is_ready else starting,
                problem="" if endpoint.is_ready else "it does not answer, or does not serve yet",
                num_calls=len(doing),
                doing=doing[:_MOST_TOLD],
            )


def _uses(nodes: Iterable[Node], pods: Iterable[Pod]) -> list[NodeUse]:
    """The nodes that take pods and have GPUs, with what this mesh holds of them."""
    held: Counter[str] = Counter()
    for pod in pods:
        held[pod.node] += pod.num_gpus_held
    usable = (node for node in nodes if node.is_usable and node.num_gpus)
    return [NodeUse(node.gpu_type, node.num_gpus, min(held[node.name], node.num_gpus)) for node in usable]


def _node_types(nodes: Iterable[Node], pods: Iterable[Pod]) -> Iterable[fleet_pb2.FleetNodeType]:
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
        if pod.node in type_of and not pod.condition.has_ended:
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
