"""An API server that takes connections and says nothing holds up nobody but who asks for the fleet; one that nobody
needs is left alone."""
# ruff: noqa: TID252 - what the other tests of this room stand on

import asyncio
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from lumenmill.orchestrator.v1 import fleet_pb2
from lumenmill_common.errors import UnavailableError
from lumenmill_orchestrator.fleet import ClusterReader, ClusterSupply, KubernetesApi

from ..recipes import ONE_IMAGE
from .api_server import DEPLOYMENTS, NAMESPACE, ApiServer, a_deployment
from .test_scaler import open_keda

_NUM_ABSENT = 12


def _recipe_for(model: str) -> str:
    return ONE_IMAGE.replace("tiny", model)


async def test_the_walk_and_keda_go_on_without_an_answer(
    played: ApiServer,
    tmp_path: Path,
) -> None:
    absent = {f"absent-{number}": "127.0.0.1:1" for number in range(_NUM_ABSENT)}
    on_kubernetes: dict[str, Any] = {"kubernetes_namespace": NAMESPACE, "kubernetes_release": "mill"}
    played.answers.clear()
    async with open_keda(tmp_path, other_models=absent, **on_kubernetes) as (house, keda):
        for model in absent:
            await house.submit(_recipe_for(model))
        await asyncio.sleep(3.0)
        for _ in range(3):
            began_s = time.monotonic()
            assert await keda.is_active(model="absent-0")
            assert await keda.value(model="absent-0") > 0
            run = await house.run(ONE_IMAGE, {"tags": [f"tag {began_s}"]})
            assert run.num_samples_accepted == 1
            assert time.monotonic() - began_s < 3.0
        # One look at Deployments for everybody; pods would be asked for after them.
        assert len(played.asked) <= 2
        began_s = time.monotonic()
        with pytest.raises(grpc.aio.AioRpcError, match="has not answered within") as refused:
            await house.runs.GetFleet(fleet_pb2.GetFleetRequest())
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert time.monotonic() - began_s < 12.0
        played.answers.set()


async def test_a_failed_look_is_not_made_again_at_once(played: ApiServer) -> None:
    played.is_away = True
    reader = ClusterReader(KubernetesApi(), NAMESPACE, "mill")
    for _ in range(20):
        with pytest.raises(UnavailableError, match="unable to handle the request"):
            await reader.read()
    assert len(played.asked) == 1


async def test_who_gives_up_does_not_end_the_look_of_others(played: ApiServer) -> None:
    played.lists[DEPLOYMENTS] = [a_deployment("wan", 1, "keda")]
    played.answers.clear()
    supply = ClusterSupply(ClusterReader(KubernetesApi(), NAMESPACE, "mill"))
    impatient, patient = asyncio.create_task(supply.of("wan")), asyncio.create_task(supply.of("wan"))
    await asyncio.sleep(0.3)
    impatient.cancel()
    played.answers.set()
    state = await patient
    assert state is not None and state.is_coming
    assert [path for path, _ in played.asked].count(DEPLOYMENTS) == 1


async def test_idle_models_ask_nothing(played: ApiServer, tmp_path: Path) -> None:
    played.lists[DEPLOYMENTS] = [a_deployment("wan", 0, "none")]
    absent = {f"absent-{number}": "127.0.0.1:1" for number in range(_NUM_ABSENT)}
    on_kubernetes: dict[str, Any] = {"kubernetes_namespace": NAMESPACE, "kubernetes_release": "mill"}
    async with open_keda(tmp_path, other_models=absent, **on_kubernetes) as (house, keda):
        await asyncio.sleep(7.0)
        assert not await keda.is_active(model="tiny")
        assert [path for path, _ in played.asked] == [DEPLOYMENTS], "whether anything is to be scaled, once a minute"
        await house.runs.GetFleet(fleet_pb2.GetFleetRequest())
        assert {path for path, _ in played.asked} > {DEPLOYMENTS}
