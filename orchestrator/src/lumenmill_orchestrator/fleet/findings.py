"""What does not fit between models and nodes: waiting calls, idle GPUs, unschedulable pods. Pure functions of both."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lumenmill.orchestrator.v1 import fleet_pb2

__all__ = ["GpuFit", "NodeUse"]

_Model = fleet_pb2.FleetModel
_Reason = fleet_pb2.FleetUnschedulableReason


@dataclass(frozen=True)
class NodeUse:
    """One node with GPUs that takes pods."""

    gpu_type: str
    num_gpus: int
    num_gpus_held: int
    """By pods of this mesh."""

    @property
    def num_free(self) -> int:
        """GPUs that no pod of this mesh holds."""
        return self.num_gpus - self.num_gpus_held


class GpuFit:
    """Compares what models request with what nodes offer."""

    def __init__(
        self,
        models: Sequence[_Model],
        nodes: Sequence[NodeUse] | None,
        scheduler_messages: Mapping[str, Sequence[str]],
    ) -> None:
        """`nodes`: None where they are not known; `scheduler_messages`: by model, one for each pod that was refused."""
        self._all_models, self._scheduler_messages = models, scheduler_messages
        self._models = [model for model in models if model.num_gpus_per_pod]
        self._knows_nodes = nodes is not None
        self._by_type: dict[str, list[NodeUse]] = {}
        for node in nodes or ():
            if node.num_gpus:
                self._by_type.setdefault(node.gpu_type, []).append(node)

    # Unschedulable pods.

    def unschedulable_pods(self) -> Iterator[fleet_pb2.FleetUnschedulablePods]:
        """Yield the models whose pods cannot be scheduled, with the reason."""
        for model in self._all_models:
            messages = self._scheduler_messages.get(model.name, ())
            reason = self._reason(model, is_refused=bool(messages))
            if reason:
                found = fleet_pb2.FleetUnschedulablePods(
                    model=model.name,
                    reason=reason,
                    num_pods=len(messages),
                    scheduler_message=messages[0] if messages else "",
                    num_gpus_per_pod=model.num_gpus_per_pod,
                    gpu_type=model.gpu_type,
                )
                if reason == _Reason.FLEET_UNSCHEDULABLE_REASON_POD_TOO_LARGE:
                    found.num_gpus_of_largest_node = max(node.num_gpus for node in self._nodes_for(model))
                if reason == _Reason.FLEET_UNSCHEDULABLE_REASON_GPUS_IN_USE:
                    found.free_gpus.extend(self._free_gpus(model, len(messages)))
                yield found

    def _reason(self, model: _Model, *, is_refused: bool) -> "_Reason.ValueType":
        nodes = self._nodes_for(model)
        if self._knows_nodes and model.num_gpus_per_pod:
            if not nodes:
                return _Reason.FLEET_UNSCHEDULABLE_REASON_NO_SUCH_GPU_TYPE
            if max(node.num_gpus for node in nodes) < model.num_gpus_per_pod:
                return _Reason.FLEET_UNSCHEDULABLE_REASON_POD_TOO_LARGE
            if is_refused and not _num_pods_that_fit(model, nodes):
                return _Reason.FLEET_UNSCHEDULABLE_REASON_GPUS_IN_USE
        if is_refused:
            return _Reason.FLEET_UNSCHEDULABLE_REASON_OTHER
        return _Reason.FLEET_UNSCHEDULABLE_REASON_UNSPECIFIED

    def _free_gpus(self, model: _Model, num_pods: int) -> Iterator[fleet_pb2.FleetFreeGpus]:
        for gpu_type, nodes in sorted(self._by_type.items()):
            num_that_fit = min(_num_pods_that_fit(model, nodes), num_pods)
            if num_that_fit:
                yield fleet_pb2.FleetFreeGpus(
                    gpu_type=gpu_type, num_gpus=_num_free(nodes), num_pods_that_fit=num_that_fit
                )

    # Waiting calls.

    def waiting_calls(self) -> Iterator[fleet_pb2.FleetWaitingCalls]:
        """Yield the models at their maximum of pods whose calls wait while free GPUs have room for more pods."""
        for model in self._models:
            is_at_maximum = model.HasField("max_replicas") and model.num_desired >= model.max_replicas
            num_that_fit = min(_num_pods_that_fit(model, self._nodes_for(model)), model.num_calls_waiting)
            if is_at_maximum and model.num_ready and num_that_fit > 0:
                yield fleet_pb2.FleetWaitingCalls(
                    model=model.name,
                    num_calls_waiting=model.num_calls_waiting,
                    num_pods_ready=model.num_ready,
                    max_replicas=model.max_replicas,
                    num_pods_that_fit=num_that_fit,
                )

    # Idle GPUs.

    def idle_gpus(self) -> Iterator[fleet_pb2.FleetIdleGpus]:
        """Yield the idle GPUs by reason and type."""
        yield from self._remainders()
        yield from self._without_model()
        yield from self._not_needed()

    def _remainders(self) -> Iterator[fleet_pb2.FleetIdleGpus]:
        """Yield the nodes on which the pods of the models that use them always leave GPUs over."""
        for gpu_type, nodes in sorted(self._by_type.items()):
            users = [model for model in self._models if model.gpu_type == gpu_type]
            sizes = {model.num_gpus_per_pod for model in self._models if model.gpu_type in ("", gpu_type)}
            others = [model for model in self._models if model.gpu_type not in ("", gpu_type)]
            for num_gpus in sorted({node.num_gpus for node in nodes}):
                fitting = [size for size in sizes if size <= num_gpus]
                num_left = num_gpus - _max_filled(num_gpus, fitting)
                if users and fitting and num_left:
                    num_nodes = sum(node.num_gpus == num_gpus for node in nodes)
                    yield fleet_pb2.FleetIdleGpus(
                        reason=fleet_pb2.FLEET_IDLE_REASON_REMAINDER,
                        gpu_type=gpu_type,
                        num_nodes=num_nodes,
                        num_gpus=num_left * num_nodes,
                        num_gpus_per_node=num_gpus,
                        models=_sizes(users),
                        candidates=[model.name for model in others if model.num_gpus_per_pod <= num_left],
                    )

    def _without_model(self) -> Iterator[fleet_pb2.FleetIdleGpus]:
        """Yield the types that no model may use."""
        for gpu_type, nodes in sorted(self._by_type.items()):
            is_held = any(node.num_gpus_held for node in nodes)
            if is_held or any(model.gpu_type in ("", gpu_type) for model in self._models):
                continue
            waiting = [model for model in self._models if model.num_calls_waiting and _num_pods_that_fit(model, nodes)]
            yield fleet_pb2.FleetIdleGpus(
                reason=fleet_pb2.FLEET_IDLE_REASON_NO_MODEL,
                gpu_type=gpu_type,
                num_nodes=len(nodes),
                num_gpus=_num_free(nodes),
                candidates=[model.name for model in waiting],
            )

    def _not_needed(self) -> Iterator[fleet_pb2.FleetIdleGpus]:
        """Yield the least used type all of whose pods would fit on free GPUs of another type, if there is one."""
        if any(model.num_pending for model in self._models):
            return
        num_held = {gpu_type: sum(node.num_gpus_held for node in nodes) for gpu_type, nodes in self._by_type.items()}
        used = [gpu_type for number, gpu_type in sorted(zip(num_held.values(), num_held, strict=True)) if number]
        for gpu_type in used:
            guests = [model for model in self._models if model.gpu_type == gpu_type and model.num_desired]
            hosts = [other for other in used if other != gpu_type and _all_fit(guests, self._by_type[other])]
            if guests and hosts:
                nodes = self._by_type[gpu_type]
                yield fleet_pb2.FleetIdleGpus(
                    reason=fleet_pb2.FLEET_IDLE_REASON_NOT_NEEDED,
                    gpu_type=gpu_type,
                    num_nodes=len(nodes),
                    num_gpus=_num_free(nodes),
                    models=_sizes(guests),
                    other_gpu_type=hosts[0],
                )
                return

    def _nodes_for(self, model: _Model) -> list[NodeUse]:
        """Return the nodes that a model may use."""
        if model.gpu_type:
            return self._by_type.get(model.gpu_type, [])
        return [node for nodes in self._by_type.values() for node in nodes]


def _num_free(nodes: Iterable[NodeUse]) -> int:
    return sum(node.num_free for node in nodes)


def _num_pods_that_fit(model: _Model, nodes: Iterable[NodeUse]) -> int:
    return sum(node.num_free // model.num_gpus_per_pod for node in nodes)


def _all_fit(models: Sequence[_Model], nodes: Iterable[NodeUse]) -> bool:
    """Return whether all desired pods fit, placed largest first, each on the fullest node that has room."""
    free = [node.num_free for node in nodes]
    pods = sorted((model.num_gpus_per_pod for model in models for _ in range(model.num_desired)), reverse=True)
    for size in pods:
        with_room = [index for index, num_free in enumerate(free) if num_free >= size]
        if not with_room:
            return False
        free[min(with_room, key=lambda index: free[index])] -= size
    return True


def _max_filled(num_gpus: int, sizes: Iterable[int]) -> int:
    """Return the most GPUs of one node that pods of these sizes can fill together."""
    reachable = {0}
    for size in sizes:
        for filled in range(size, num_gpus + 1):
            if filled - size in reachable:
                reachable.add(filled)
    return max(reachable)


def _sizes(models: Iterable[_Model]) -> list[fleet_pb2.FleetModelSize]:
    return [fleet_pb2.FleetModelSize(model=model.name, num_gpus_per_pod=model.num_gpus_per_pod) for model in models]
