"""GetFleet where there is no Kubernetes."""

import asyncio
from pathlib import Path

import grpc
import pytest

from lumenmill.orchestrator.v1 import fleet_pb2

from ..conftest import LocalMesh
from ..pods import open_orchestrator, open_pods
from ..recipes import ONE_IMAGE


async def _when_all_calls_wait(mesh: LocalMesh, num_calls: int) -> fleet_pb2.GetFleetResponse:
    """The fleet once all calls of a run wait or run; its items start one after another."""
    async with asyncio.timeout(15):
        while True:
            fleet: fleet_pb2.GetFleetResponse = await mesh.runs.GetFleet(fleet_pb2.GetFleetRequest())
            if sum(model.num_calls_waiting + model.num_calls_in_flight for model in fleet.models) == num_calls:
                return fleet
            await asyncio.sleep(0.05)


async def test_every_address_is_a_pod(tmp_path: Path) -> None:
    async with open_pods(tmp_path) as pods:
        for _ in range(2):
            (await pods.start()).family.go_on.clear()
        async with open_orchestrator(pods) as mesh:
            run_id = await mesh.submit(ONE_IMAGE, {"tags": [f"picture {number}" for number in range(20)]})
            fleet = await _when_all_calls_wait(mesh, 20)
            assert not fleet.from_kubernetes and not fleet.node_types and not fleet.idle_gpus
            (model,) = fleet.models
            assert (model.name, model.num_ready, model.num_desired, model.problem) == ("tiny", 2, 2, "")
            assert model.backlog_s == 20 * 60.0
            assert not model.HasField("min_replicas") and not model.HasField("load_time")
            assert [pod.name for pod in fleet.pods] == sorted(pods.addresses)
            for pod in fleet.pods:
                assert pod.state == fleet_pb2.FLEET_POD_STATE_READY
                assert pod.num_calls and f"image ({run_id})" in pod.doing
            assert sum(pod.num_calls for pod in fleet.pods) == model.num_calls_in_flight
            without = await mesh.runs.GetFleet(fleet_pb2.GetFleetRequest(without_pods=True))
            assert without.models and not without.pods
            for pod in pods.pods:
                pod.family.go_on.set()
            await mesh.ended(run_id)


async def test_a_model_that_does_not_answer_has_a_problem(mesh: LocalMesh, tmp_path: Path) -> None:
    fleet = await mesh.runs.GetFleet(fleet_pb2.GetFleetRequest(model="tiny"))
    assert [model.name for model in fleet.models] == ["tiny"] and [pod.model for pod in fleet.pods] == ["tiny"]
    with pytest.raises(grpc.aio.AioRpcError, match="no model `other` here") as refused:
        await mesh.runs.GetFleet(fleet_pb2.GetFleetRequest(model="other"))
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND
    async with open_pods(tmp_path / "nobody") as pods, open_orchestrator(pods) as empty:
        (model,) = (await empty.runs.GetFleet(fleet_pb2.GetFleetRequest())).models
        assert (model.num_ready, model.problem) == (0, "no pod serves")
