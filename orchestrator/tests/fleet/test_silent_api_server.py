"""An API server that accepts connections and does not answer blocks only GetFleet; idle models send it no requests."""

import asyncio
import time
from pathlib import Path
from typing import Any

import grpc
import pytest

from lumenmill.orchestrator.v1 import fleet_pb2
from lumenmill_common.errors import UnavailableError
from lumenmill_orchestrator.fleet import ClusterCapacity, ClusterReader, KubernetesApi

from ..recipes import ONE_IMAGE
from .fake_api_server import DEPLOYMENTS, NAMESPACE, FakeApiServer, a_deployment
from .test_scaler import open_keda

_NUM_ABSENT = 12


def _recipe_for(model: str) -> str:
    return ONE_IMAGE.replace("tiny", model)


async def test_runs_and_keda_continue_without_an_answer(
    fake_api: FakeApiServer,
    tmp_path: Path,
) -> None:
    absent = {f"absent-{number}": "127.0.0.1:1" for number in range(_NUM_ABSENT)}
    on_kubernetes: dict[str, Any] = {"kubernetes_namespace": NAMESPACE, "kubernetes_release": "mill"}
    fake_api.may_answer.clear()
    async with open_keda(tmp_path, other_models=absent, **on_kubernetes) as (mesh, keda):
        for model in absent:
            await mesh.submit(_recipe_for(model))
        await asyncio.sleep(3.0)
        for _ in range(3):
            began_s = time.monotonic()
            assert await keda.is_active(model="absent-0")
            assert await keda.value(model="absent-0") > 0
            run = await mesh.run(ONE_IMAGE, {"tags": [f"tag {began_s}"]})
            assert run.num_samples_accepted == 1
            assert time.monotonic() - began_s < 3.0
        # One reading of Deployments for all callers; pods would be read after them.
        assert len(fake_api.requests) <= 2
        began_s = time.monotonic()
        with pytest.raises(grpc.aio.AioRpcError, match="has not answered within") as refused:
            await mesh.runs.GetFleet(fleet_pb2.GetFleetRequest())
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert time.monotonic() - began_s < 12.0
        fake_api.may_answer.set()


async def test_a_failed_reading_is_not_repeated_at_once(fake_api: FakeApiServer) -> None:
    fake_api.is_unavailable = True
    reader = ClusterReader(KubernetesApi(), NAMESPACE, "mill")
    for _ in range(20):
        with pytest.raises(UnavailableError, match="unable to handle the request"):
            await reader.read()
    assert len(fake_api.requests) == 1


async def test_a_cancelled_caller_does_not_end_the_reading_of_others(fake_api: FakeApiServer) -> None:
    fake_api.lists[DEPLOYMENTS] = [a_deployment("wan", 1, "keda")]
    fake_api.may_answer.clear()
    capacity = ClusterCapacity(ClusterReader(KubernetesApi(), NAMESPACE, "mill"))
    impatient, patient = asyncio.create_task(capacity.state_of("wan")), asyncio.create_task(capacity.state_of("wan"))
    await asyncio.sleep(0.3)
    impatient.cancel()
    fake_api.may_answer.set()
    state = await patient
    assert state is not None and state.is_coming
    assert [path for path, _ in fake_api.requests].count(DEPLOYMENTS) == 1


async def test_idle_models_send_no_requests(fake_api: FakeApiServer, tmp_path: Path) -> None:
    fake_api.lists[DEPLOYMENTS] = [a_deployment("wan", 0, "none")]
    absent = {f"absent-{number}": "127.0.0.1:1" for number in range(_NUM_ABSENT)}
    on_kubernetes: dict[str, Any] = {"kubernetes_namespace": NAMESPACE, "kubernetes_release": "mill"}
    async with open_keda(tmp_path, other_models=absent, **on_kubernetes) as (mesh, keda):
        await asyncio.sleep(7.0)
        assert not await keda.is_active(model="tiny")
        assert [path for path, _ in fake_api.requests] == [DEPLOYMENTS], "whether any model is scaled, once a minute"
        await mesh.runs.GetFleet(fleet_pb2.GetFleetRequest())
        assert {path for path, _ in fake_api.requests} > {DEPLOYMENTS}
