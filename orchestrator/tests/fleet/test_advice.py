"""Each sentence of advice, on the smallest cluster that calls for it."""

from typing import Any

from lumenmill.orchestrator.v1 import fleet_pb2
from lumenmill_orchestrator.fleet.advice import NodeUse, advice_on

_H100, _L40S = "NVIDIA-H100", "NVIDIA-L40S"


def _model(name: str, num_gpus: int, gpu_type: str = "", **more: Any) -> fleet_pb2.FleetModel:
    return fleet_pb2.FleetModel(name=name, num_gpus_per_pod=num_gpus, gpu_type=gpu_type, **more)


def _told(models: list[fleet_pb2.FleetModel], nodes: list[NodeUse]) -> list[tuple[list[str], str]]:
    return [(list(advice.models), advice.message) for advice in advice_on(models, nodes)]


def test_a_well_packed_cluster_is_left_alone() -> None:
    models = [_model("wan", 4, _H100, num_desired=2, num_ready=2), _model("studio", 0, num_desired=1, num_ready=1)]
    assert _told(models, [NodeUse(_H100, 8, 8)]) == []
    assert _told([_model("studio", 0)], []) == []


def test_a_type_that_no_node_has() -> None:
    ((models, words),) = _told([_model("wan", 1, "H100"), _model("flux", 8, _H100)], [NodeUse(_H100, 8, 8)])
    assert models == ["wan"]
    assert "`wan` asks for H100, and no node that takes pods has such GPUs; there are: NVIDIA-H100 (1 node)" in words


def test_more_gpus_than_any_node_has() -> None:
    ((models, words),) = _told([_model("wan", 16, _H100), _model("flux", 8, _H100)], [NodeUse(_H100, 8, 8)])
    assert models == ["wan"] and "With gpus: 8 or fewer its pods can start" in words


def test_a_model_at_its_most_pods_while_gpus_are_free() -> None:
    wan = _model("wan", 2, _H100, num_desired=2, num_ready=2, max_replicas=2, num_calls_waiting=40)
    ((models, words),) = _told([wan], [NodeUse(_H100, 8, 4)])
    assert models == ["wan"]
    assert "40 calls wait, and free GPUs have room for 2 pods more. With maxReplicas: 4 its work takes 50%" in words


def test_pods_that_wait_while_other_gpus_are_free() -> None:
    models = [_model("wan", 4, _H100, num_pending=3, num_desired=5), _model("flux", 4, _L40S, num_desired=1)]
    ((names, words),) = _told(models, [NodeUse(_H100, 8, 8), NodeUse(_L40S, 8, 4)])
    assert names == ["wan"]
    assert "wait for NVIDIA-H100: 3; free GPUs of type NVIDIA-L40S: 4" in words and "1 pod can start at once" in words


def test_gpus_that_can_never_be_used() -> None:
    ((models, words),) = _told([_model("wan", 3, _H100, num_desired=4)], [NodeUse(_H100, 8, 6)] * 5)
    assert models == ["wan"]
    assert "leave 2 GPUs over on every node of 8 NVIDIA-H100: 10 of 40 can never be used" in words
    assert "With gpus: 4 for `wan` none is left over; or let a model with 2 GPUs or fewer a pod share" in words
    small = _model("flux", 2, _L40S, num_desired=8)
    told = _told([_model("wan", 3, _H100, num_desired=4), small], [NodeUse(_H100, 8, 6), *[NodeUse(_L40S, 8, 8)] * 2])
    assert any("let `flux` share these nodes" in words for _, words in told)
    anywhere = _model("flux", 2, num_desired=1)
    assert _told([_model("wan", 3, _H100, num_desired=2), anywhere], [NodeUse(_H100, 8, 8)]) == []


def test_nodes_that_nobody_may_use() -> None:
    wan = _model("wan", 8, _H100, num_desired=1, num_ready=1, num_calls_waiting=9)
    ((models, words),) = _told([wan], [NodeUse(_H100, 8, 8), NodeUse(_L40S, 8, 0), NodeUse(_L40S, 8, 0)])
    assert models == ["wan"]
    assert "No model may use NVIDIA-L40S: 16 GPUs on 2 nodes stand idle. Let `wan`, where calls wait, use them" in words


def test_two_types_where_one_would_do() -> None:
    models = [
        _model("wan", 4, _H100, num_desired=1, num_ready=1),
        _model("flux", 1, _L40S, num_desired=2, num_ready=2),
    ]
    ((names, words),) = _told(models, [NodeUse(_H100, 8, 4), NodeUse(_L40S, 4, 2)])
    assert names == ["flux"]
    assert "All pods of `flux` fit on free GPUs of type NVIDIA-H100" in words
    assert "1 node of type NVIDIA-L40S can go" in words
    models[1].num_desired = 5
    assert _told(models, [NodeUse(_H100, 8, 5), NodeUse(_L40S, 8, 6)]) == []
