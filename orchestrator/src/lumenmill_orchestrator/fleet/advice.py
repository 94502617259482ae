"""What to change so that the GPUs of the cluster are used better: bin packing by sentences. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lumenmill.orchestrator.v1 import fleet_pb2

__all__ = ["NodeUse", "advice_on"]

_Model = fleet_pb2.FleetModel


@dataclass(frozen=True)
class NodeUse:
    """One node that takes pods, and what this mesh holds of it."""

    gpu_type: str
    num_gpus: int
    num_gpus_held: int

    @property
    def num_free(self) -> int:
        """GPUs that this mesh does not hold."""
        return self.num_gpus - self.num_gpus_held


def advice_on(models: Sequence[_Model], nodes: Sequence[NodeUse]) -> list[fleet_pb2.FleetAdvice]:
    """What to do and what it brings, the most pressing first. `nodes`: those with GPUs that take pods."""
    on_gpus = [model for model in models if model.num_gpus_per_pod]
    packing = _Packing(on_gpus, nodes)
    found = [*packing.impossible(), *packing.held_back(), *packing.elsewhere(), *packing.stranded(), *packing.idle()]
    return [fleet_pb2.FleetAdvice(models=names, message=message) for names, message in found]


_Sentence = tuple[list[str], str]


class _Packing:
    """Models and the nodes that could take their pods."""

    def __init__(self, models: Sequence[_Model], nodes: Sequence[NodeUse]) -> None:
        self._models = models
        self._by_type: dict[str, list[NodeUse]] = {}
        for node in nodes:
            if node.num_gpus:
                self._by_type.setdefault(node.gpu_type, []).append(node)

    def impossible(self) -> Iterator[_Sentence]:
        """Models whose pods no node can ever take."""
        there_are = ", ".join(f"{name} ({_many(len(nodes), 'node')})" for name, nodes in sorted(self._by_type.items()))
        for model in self._models:
            name, size = model.name, model.num_gpus_per_pod
            nodes = self._nodes_for(model)
            if model.gpu_type and not nodes:
                yield (
                    [name],
                    f"`{name}` asks for {model.gpu_type}, and no node that takes pods has such GPUs; there are: "
                    f"{there_are or 'none'}. Unless nodes of this type are added on demand, set its gpuType to one of "
                    "these, and its pods can start.",
                )
            elif nodes and (largest := max(node.num_gpus for node in nodes)) < size:
                yield (
                    [name],
                    f"`{name}` asks for {_many(size, 'GPU')} for each pod, and the largest node that it may use has "
                    f"{largest}. With gpus: {largest} or fewer its pods can start.",
                )

    def held_back(self) -> Iterator[_Sentence]:
        """Models that have work for more pods than they may have, while GPUs are free."""
        for model in self._models:
            is_at_most = model.HasField("max_replicas") and model.num_desired >= model.max_replicas
            more = min(self._room_for(model, self._nodes_for(model)), model.num_calls_waiting)
            if is_at_most and model.num_ready and more > 0:
                share = model.num_ready / (model.num_ready + more)
                yield (
                    [model.name],
                    f"`{model.name}` has as many pods as it may ({model.max_replicas}), "
                    f"{_many(model.num_calls_waiting, 'call')} wait, and free GPUs have room for {_many(more, 'pod')} "
                    f"more. With maxReplicas: {model.max_replicas + more} its work takes {share:.0%} of the time.",
                )

    def elsewhere(self) -> Iterator[_Sentence]:
        """Models whose pods wait for GPUs of their type, while others are free."""
        for model in self._models:
            mine = self._nodes_for(model)
            if not (model.num_pending and model.gpu_type and mine) or self._room_for(model, mine):
                continue
            for other, nodes in sorted(self._by_type.items()):
                can_start = min(self._room_for(model, nodes), model.num_pending)
                if can_start:
                    free = sum(node.num_free for node in nodes)
                    yield (
                        [model.name],
                        f"Pods of `{model.name}` that wait for {model.gpu_type}: {model.num_pending}; free GPUs of "
                        f"type {other}: {free}. If its weights fit there, let it share these nodes (gpuType: {other}, "
                        f"or none): {_many(can_start, 'pod')} can start at once.",
                    )

    def stranded(self) -> Iterator[_Sentence]:
        """Nodes on which the pods of the models that use them always leave GPUs over."""
        for name, nodes in sorted(self._by_type.items()):
            users = [model for model in self._models if model.gpu_type == name]
            sizes = {model.num_gpus_per_pod for model in self._models if model.gpu_type in ("", name)}
            for num_gpus in sorted({node.num_gpus for node in nodes}):
                fitting = [size for size in sizes if size <= num_gpus]
                over = num_gpus - _most_filled(num_gpus, fitting)
                if users and fitting and over:
                    num_alike = sum(node.num_gpus == num_gpus for node in nodes)
                    yield [model.name for model in users], self._stranded(name, num_gpus, num_alike, over, users)

    def _stranded(self, name: str, num_gpus: int, num_nodes: int, over: int, users: Sequence[_Model]) -> str:
        greediest = max(users, key=lambda model: (model.num_gpus_per_pod, model.name))
        even = [size for size in range(1, num_gpus + 1) if num_gpus % size == 0]
        nearest = min(even, key=lambda size: (abs(size - greediest.num_gpus_per_pod), -size))
        others = [model for model in self._models if model.gpu_type not in ("", name)]
        small = [model for model in others if model.num_gpus_per_pod <= over]
        guests = _names(small) if small else f"a model with {_many(over, 'GPU')} or fewer a pod"
        return (
            f"Pods of {_names(users)} leave {_many(over, 'GPU')} over on every node of {num_gpus} {name}: "
            f"{over * num_nodes} of {num_gpus * num_nodes} can never be used. With gpus: {nearest} for "
            f"`{greediest.name}` none is left over; or let {guests} share these nodes."
        )

    def idle(self) -> Iterator[_Sentence]:
        """Nodes with GPUs that no model may use, and types whose pods would all fit elsewhere."""
        for name, nodes in sorted(self._by_type.items()):
            is_held = any(node.num_gpus_held for node in nodes)
            if is_held or any(model.gpu_type in ("", name) for model in self._models):
                continue
            waiting = [model for model in self._models if model.num_calls_waiting and self._room_for(model, nodes)]
            whose = f"{_names(waiting)}, where calls wait," if waiting else "a model"
            yield (
                [model.name for model in waiting],
                f"No model may use {name}: {_many(sum(node.num_gpus for node in nodes), 'GPU')} on "
                f"{_many(len(nodes), 'node')} stand idle. Let {whose} use them (gpuType: {name}), or take the nodes "
                "away.",
            )
        yield from self._mergeable()

    def _mergeable(self) -> Iterator[_Sentence]:
        """The type of which least is held, when all its pods would fit on free GPUs of another type."""
        if any(model.num_pending for model in self._models):
            return
        held = {name: sum(node.num_gpus_held for node in nodes) for name, nodes in self._by_type.items()}
        used = sorted((name for name in held if held[name]), key=lambda name: (held[name], name))
        for name in used:
            guests = [model for model in self._models if model.gpu_type == name and model.num_desired]
            hosts = [other for other in used if other != name and self._all_fit(guests, self._by_type[other])]
            if guests and hosts:
                yield (
                    [model.name for model in guests],
                    f"All pods of {_names(guests)} fit on free GPUs of type {hosts[0]}. If their weights fit there, "
                    f"set gpuType: {hosts[0]}, and {_many(len(self._by_type[name]), 'node')} of type {name} can go.",
                )
                return

    def _nodes_for(self, model: _Model) -> list[NodeUse]:
        if model.gpu_type:
            return self._by_type.get(model.gpu_type, [])
        return [node for nodes in self._by_type.values() for node in nodes]

    @staticmethod
    def _room_for(model: _Model, nodes: Iterable[NodeUse]) -> int:
        """Pods of a model that free GPUs have room for."""
        return sum(node.num_free // model.num_gpus_per_pod for node in nodes)

    @staticmethod
    def _all_fit(guests: Sequence[_Model], nodes: Iterable[NodeUse]) -> bool:
        """Whether all desired pods fit, the largest first, each on the fullest node that has room."""
        free = [node.num_free for node in nodes]
        pods = sorted((model.num_gpus_per_pod for model in guests for _ in range(model.num_desired)), reverse=True)
        for size in pods:
            fitting = [index for index, room in enumerate(free) if room >= size]
            if not fitting:
                return False
            free[min(fitting, key=lambda index: free[index])] -= size
        return True


def _most_filled(num_gpus: int, sizes: Iterable[int]) -> int:
    """Most GPUs of one node that pods of these sizes can fill together."""
    reachable = {0}
    for size in sizes:
        for filled in range(size, num_gpus + 1):
            if filled - size in reachable:
                reachable.add(filled)
    return max(reachable)


def _names(models: Iterable[_Model]) -> str:
    return ", ".join(f"`{model.name}`" for model in models)


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
