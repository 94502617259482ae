"""Each finding and its sentence, on the smallest cluster that has it."""

from dataclasses import dataclass
from typing import Any

from lumenmill.orchestrator.v1 import fleet_pb2
from lumenmill_client.command._fleet_advice import advice_on
from lumenmill_orchestrator.fleet.findings import GpuFit, NodeUse

_H100, _L40S = "NVIDIA-H100", "NVIDIA-L40S"
_SCHEDULER = "0/2 nodes are available: 2 Insufficient nvidia.com/gpu."


@dataclass(frozen=True)
class _Found:
    unschedulable: list[fleet_pb2.FleetUnschedulablePods]
    waiting: list[fleet_pb2.FleetWaitingCalls]
    idle: list[fleet_pb2.FleetIdleGpus]
    sentences: list[str]


def _model(name: str, num_gpus: int, gpu_type: str = "", **more: Any) -> fleet_pb2.FleetModel:
    return fleet_pb2.FleetModel(name=name, num_gpus_per_pod=num_gpus, gpu_type=gpu_type, **more)


def _found(models: list[fleet_pb2.FleetModel], nodes: list[NodeUse] | None) -> _Found:
    """The findings where the scheduler has refused every pending pod, and what the client says of them."""
    fit = GpuFit(models, nodes, {model.name: [_SCHEDULER] * model.num_pending for model in models})
    found = list(fit.unschedulable_pods()), list(fit.waiting_calls()), list(fit.idle_gpus())
    types = {node.gpu_type: [each for each in nodes or () if each.gpu_type == node.gpu_type] for node in nodes or ()}
    fleet = fleet_pb2.GetFleetResponse(
        unschedulable_pods=found[0],
        waiting_calls=found[1],
        idle_gpus=found[2],
        node_types=(
            fleet_pb2.FleetNodeType(
                gpu_type=gpu_type, num_usable_nodes=len(each), num_gpus=sum(node.num_gpus for node in each)
            )
            for gpu_type, each in sorted(types.items())
        ),
    )
    return _Found(*found, advice_on(fleet))


def test_a_well_packed_cluster_has_no_findings() -> None:
    models = [_model("wan", 4, _H100, num_desired=2, num_ready=2), _model("studio", 0, num_desired=1, num_ready=1)]
    assert _found(models, [NodeUse(_H100, 8, 8)]) == _Found([], [], [], [])
    assert _found([_model("studio", 0)], []) == _Found([], [], [], [])


def test_a_type_that_no_node_has() -> None:
    found = _found([_model("wan", 1, "H100"), _model("flux", 8, _H100)], [NodeUse(_H100, 8, 8)])
    (pods,), (sentence,) = found.unschedulable, found.sentences
    assert (pods.model, pods.gpu_type, pods.num_pods) == ("wan", "H100", 0)
    assert pods.reason == fleet_pb2.FLEET_UNSCHEDULABLE_REASON_NO_SUCH_GPU_TYPE
    assert (
        "`wan` requests H100, and no node that takes pods has such GPUs; available are: NVIDIA-H100 (1 node)"
        in sentence
    )


def test_more_gpus_than_any_node_has() -> None:
    found = _found([_model("wan", 16, _H100), _model("flux", 8, _H100)], [NodeUse(_H100, 8, 8)])
    (pods,), (sentence,) = found.unschedulable, found.sentences
    assert (pods.model, pods.num_gpus_per_pod, pods.num_gpus_of_largest_node) == ("wan", 16, 8)
    assert pods.reason == fleet_pb2.FLEET_UNSCHEDULABLE_REASON_POD_TOO_LARGE
    assert "With gpus: 8 or fewer its pods can start" in sentence


def test_a_model_at_its_maximum_of_pods_while_gpus_are_free() -> None:
    wan = _model("wan", 2, _H100, num_desired=2, num_ready=2, max_replicas=2, num_calls_waiting=40)
    found = _found([wan], [NodeUse(_H100, 8, 4)])
    (waiting,), (sentence,) = found.waiting, found.sentences
    assert (waiting.model, waiting.num_calls_waiting, waiting.num_pods_that_fit) == ("wan", 40, 2)
    assert "40 calls wait, and free GPUs have room for 2 pods more. With maxReplicas: 4 its work takes 50%" in sentence


def test_pods_that_wait_while_other_gpus_are_free() -> None:
    models = [_model("wan", 4, _H100, num_pending=3, num_desired=5), _model("flux", 4, _L40S, num_desired=1)]
    found = _found(models, [NodeUse(_H100, 8, 8), NodeUse(_L40S, 8, 4)])
    (pods,), (sentence,) = found.unschedulable, found.sentences
    assert (pods.model, pods.num_pods, pods.scheduler_message) == ("wan", 3, _SCHEDULER)
    assert pods.reason == fleet_pb2.FLEET_UNSCHEDULABLE_REASON_GPUS_IN_USE
    assert [(free.gpu_type, free.num_gpus, free.num_pods_that_fit) for free in pods.free_gpus] == [(_L40S, 4, 1)]
    assert "wait for NVIDIA-H100: 3; free GPUs of type NVIDIA-L40S: 4" in sentence
    assert "1 pod can start at once" in sentence


def test_pods_that_wait_for_something_else_have_the_words_of_the_scheduler() -> None:
    models = [_model("studio", 0, num_pending=1), _model("wan", 1, _H100, num_pending=2)]
    for nodes in ([NodeUse(_H100, 8, 0)], None):
        found = _found(models, nodes)
        assert [(pods.model, pods.num_pods, pods.scheduler_message) for pods in found.unschedulable] == [
            ("studio", 1, _SCHEDULER),
            ("wan", 2, _SCHEDULER),
        ]
        assert {pods.reason for pods in found.unschedulable} == {fleet_pb2.FLEET_UNSCHEDULABLE_REASON_OTHER}
        assert not found.sentences


def test_gpus_that_are_always_left_over() -> None:
    found = _found([_model("wan", 3, _H100, num_desired=4)], [NodeUse(_H100, 8, 6)] * 5)
    (idle,), (sentence,) = found.idle, found.sentences
    assert idle.reason == fleet_pb2.FLEET_IDLE_REASON_REMAINDER
    assert (idle.gpu_type, idle.num_nodes, idle.num_gpus_per_node, idle.num_gpus) == (_H100, 5, 8, 10)
    assert [(model.model, model.num_gpus_per_pod) for model in idle.models] == [("wan", 3)]
    assert "leave 2 GPUs over on every node of 8 NVIDIA-H100: 10 of 40 can never be used" in sentence
    assert "With gpus: 4 for `wan` none is left over; or let a model with 2 GPUs or fewer for each pod use" in sentence
    small = _model("flux", 2, _L40S, num_desired=8)
    found = _found([_model("wan", 3, _H100, num_desired=4), small], [NodeUse(_H100, 8, 6), *[NodeUse(_L40S, 8, 8)] * 2])
    assert found.idle[0].candidates == ["flux"]
    assert any("let `flux` use these nodes too" in sentence for sentence in found.sentences)
    anywhere = _model("flux", 2, num_desired=1)
    assert not _found([_model("wan", 3, _H100, num_desired=2), anywhere], [NodeUse(_H100, 8, 8)]).sentences


def test_nodes_that_no_model_may_use() -> None:
    wan = _model("wan", 8, _H100, num_desired=1, num_ready=1, num_calls_waiting=9)
    found = _found([wan], [NodeUse(_H100, 8, 8), NodeUse(_L40S, 8, 0), NodeUse(_L40S, 8, 0)])
    (idle,), (sentence,) = found.idle, found.sentences
    assert idle.reason == fleet_pb2.FLEET_IDLE_REASON_NO_MODEL
    assert (idle.gpu_type, idle.num_nodes, idle.num_gpus, idle.candidates) == (_L40S, 2, 16, ["wan"])
    assert (
        "No model may use NVIDIA-L40S: 16 GPUs on 2 nodes are idle. Let `wan`, where calls wait, use them" in sentence
    )


def test_two_types_where_one_is_enough() -> None:
    models = [
        _model("wan", 4, _H100, num_desired=1, num_ready=1),
        _model("flux", 1, _L40S, num_desired=2, num_ready=2),
    ]
    found = _found(models, [NodeUse(_H100, 8, 4), NodeUse(_L40S, 4, 2)])
    (idle,), (sentence,) = found.idle, found.sentences
    assert idle.reason == fleet_pb2.FLEET_IDLE_REASON_NOT_NEEDED
    assert (idle.gpu_type, idle.other_gpu_type, [model.model for model in idle.models]) == (_L40S, _H100, ["flux"])
    assert "All pods of `flux` fit on free GPUs of type NVIDIA-H100" in sentence
    assert "1 node of type NVIDIA-L40S can be removed" in sentence
    models[1].num_desired = 5
    assert not _found(models, [NodeUse(_H100, 8, 5), NodeUse(_L40S, 8, 6)]).sentences
