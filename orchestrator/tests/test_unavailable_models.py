"""Models that no pod serves: calls wait, runs report it, and steps fail when no pod is being started."""

import asyncio
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_client.command import _follow as screen
from lumenmill_common.fair_queue import Place
from lumenmill_orchestrator.mesh import Call, CapacityState, ModelUnavailableError

from .conftest import LocalMesh, counts
from .pods import Pods, open_orchestrator, open_pods, open_queues, run_of, until_run
from .recipes import ONE_IMAGE


class _Cluster:
    """Reports that pods are being started, or not, as the test says."""

    def __init__(self, *, is_coming: bool, reason: str) -> None:
        self.state = CapacityState(is_coming, reason)

    async def state_of(self, model: str) -> CapacityState | None:
        return self.state if model == "tiny" else None


async def _serve_once(pods: Pods) -> None:
    """Let a model answer once, and scale it to zero."""
    pod = await pods.start()
    async with open_orchestrator(pods) as mesh:
        await mesh.run(ONE_IMAGE, {"tags": ["known"]})
        pods.withdraw(pod.address)
    await pod.ended()
    pods.pods.remove(pod)


async def _models(mesh: LocalMesh) -> list[run_pb2.RegisteredModel]:
    return list((await mesh.runs.ListModels(run_pb2.ListModelsRequest())).models)


async def test_a_run_waits_for_a_model_without_pods(tmp_path: Path) -> None:
    async with open_pods(tmp_path) as pods:
        await _serve_once(pods)
        async with open_orchestrator(pods) as mesh:
            (model,) = await _models(mesh)
            assert (model.ready, model.num_workers, model.model.revision) == (False, 0, "1")
            plan = await mesh.runs.PlanRecipe(run_pb2.PlanRecipeRequest(recipe=ONE_IMAGE))
            assert plan.steps[0].HasField("seconds_per_execution")
            wrong = ONE_IMAGE.replace("with: {prompt:", "with: {preset: best, prompt:")
            refused = await mesh.runs.PlanRecipe(run_pb2.PlanRecipeRequest(recipe=wrong))
            assert "no preset `best`" in refused.problems[0].message
            again = await mesh.run(ONE_IMAGE, {"tags": ["known"]})
            assert again.num_samples_accepted == counts(again)["image"].num_reused == 1, "results need no pod"
            run_id = await mesh.submit(ONE_IMAGE, {"tags": ["a", "b"]})
            waiting = await until_run(mesh, run_id, lambda run: run.waits)
            assert [(wait.model, wait.reason) for wait in waiting.waits] == [("tiny", "no pod serves")]
            assert waiting.waits[0].since_time.seconds <= waiting.create_time.seconds
            assert "waits for tiny (0:0" in screen._line(waiting)
            assert REGISTRY.get_sample_value("lumenmill_orchestrator_calls_waiting", {"model": "tiny"}) == 2
            watched = asyncio.create_task(_watch(mesh, run_id))
            pod = await pods.start()
            seen = await watched
            assert [bool(run.waits) for run in (seen[0], seen[-1])] == [True, False]
            assert (seen[-1].num_samples_accepted, pod.num_images) == (2, 2)
            ready = REGISTRY.get_sample_value("lumenmill_orchestrator_endpoints", {"model": "tiny", "state": "ready"})
            assert ready == 1


async def _watch(mesh: LocalMesh, run_id: str) -> list[run_pb2.Run]:
    return [answer.run async for answer in mesh.runs.WatchRun(run_pb2.WatchRunRequest(run_id=run_id))]


async def test_a_run_waits_for_a_model_that_never_served(tmp_path: Path) -> None:
    async with open_pods(tmp_path) as pods, open_orchestrator(pods) as mesh:
        (model,) = await _models(mesh)
        assert (model.ready, model.HasField("model")) == (False, False)
        plan = await mesh.runs.PlanRecipe(run_pb2.PlanRecipeRequest(recipe=ONE_IMAGE))
        assert (len(plan.steps), list(plan.problems)) == (2, [])
        run_id, other_id = [await mesh.submit(ONE_IMAGE, {"tags": [tag]}) for tag in ("a", "b")]
        waiting = await until_run(mesh, run_id, lambda run: run.waits)
        assert waiting.state == run_pb2.RUN_STATE_QUEUED
        await until_run(mesh, other_id, lambda run: run.waits)
        assert REGISTRY.get_sample_value("lumenmill_orchestrator_calls_waiting", {"model": "tiny"}) == 1
        await mesh.runs.CancelRun(run_pb2.CancelRunRequest(run_id=other_id))
        pod = await pods.start()
        assert (await mesh.ended(run_id)).num_samples_accepted == 1
        assert (await run_of(mesh, other_id)).state == run_pb2.RUN_STATE_CANCELLED
        assert pod.num_images == 1


async def test_calls_of_a_cancelled_run_are_removed_from_the_queue(tmp_path: Path) -> None:
    async with open_pods(tmp_path) as pods, open_orchestrator(pods) as mesh:
        run_id = await mesh.submit(ONE_IMAGE)
        await until_run(mesh, run_id, lambda run: run.waits)
        await mesh.runs.CancelRun(run_pb2.CancelRunRequest(run_id=run_id))
        await asyncio.sleep(0.3)
        assert REGISTRY.get_sample_value("lumenmill_orchestrator_calls_waiting", {"model": "tiny"}) == 0


async def test_calls_of_a_paused_run_are_removed_from_the_queue(tmp_path: Path) -> None:
    async with open_pods(tmp_path) as pods:
        await _serve_once(pods)
        async with open_orchestrator(pods) as mesh:
            run_id = await mesh.submit(ONE_IMAGE, {"tags": ["a", "b"]})
            await until_run(mesh, run_id, lambda run: run.waits)
            await mesh.runs.PauseRun(run_pb2.PauseRunRequest(run_id=run_id))
            await until_run(mesh, run_id, lambda run: not run.waits)
            assert REGISTRY.get_sample_value("lumenmill_orchestrator_calls_waiting", {"model": "tiny"}) == 0
            await mesh.runs.ResumeRun(run_pb2.ResumeRunRequest(run_id=run_id))
            await until_run(mesh, run_id, lambda run: run.waits)
            await pods.start()
            assert (await mesh.ended(run_id)).num_samples_accepted == 2


async def test_the_retry_timeout_does_not_count_while_pods_are_being_started(tmp_path: Path) -> None:
    async with open_pods(tmp_path) as pods:
        await _serve_once(pods)
        cluster = _Cluster(is_coming=True, reason="pod tiny-0 is pending: 0/3 nodes are available")
        async with open_orchestrator(pods, capacity=cluster, retry_timeout_s=0.6) as mesh:
            run_id = await mesh.submit(ONE_IMAGE, {"tags": ["a"]})
            await asyncio.sleep(2.5)
            waiting = await run_of(mesh, run_id)
            assert waiting.state == run_pb2.RUN_STATE_RUNNING
            assert [wait.reason for wait in waiting.waits] == ["pod tiny-0 is pending: 0/3 nodes are available"]
            cluster.state = CapacityState(is_coming=False, reason="the image cannot be pulled")
            run = await mesh.ended(run_id)
            (sample,) = await mesh.samples(run_id=run_id)
        assert counts(run)["image"].num_failed == 1
        assert "the image cannot be pulled" in sample.reason


async def test_a_run_fails_when_its_model_never_serves(tmp_path: Path) -> None:
    async with open_pods(tmp_path) as pods, open_orchestrator(pods, retry_timeout_s=0.5) as mesh:
        run = await mesh.run(ONE_IMAGE)
        assert run.state == run_pb2.RUN_STATE_FAILED
        assert "tiny" in run.error and "no pod serves" in run.error


async def test_the_retry_timeout_counts_each_outage_separately(tmp_path: Path) -> None:
    async with open_pods(tmp_path) as pods, open_queues(pods, retry_timeout_s=2.0) as (mesh, queues):
        model, queue = mesh.model("tiny"), queues.of("tiny")
        pod = await pods.start()
        model.resolve_soon()
        await model.wait_until_serving(5.0)
        pods.withdraw(pod.address)
        model.resolve_soon()
        await asyncio.sleep(1.5)
        pods.addresses.append(pod.address)
        model.resolve_soon()
        await model.wait_until_serving(5.0)
        pods.withdraw(pod.address)
        model.resolve_soon()
        await asyncio.sleep(0.2)
        began_s = asyncio.get_running_loop().time()
        with pytest.raises(ModelUnavailableError, match="no pod serves"):
            async with queue.slot(Call("imager.GenerateImages", "image", Place(0, run_id="mine"))):
                pass
        assert asyncio.get_running_loop().time() - began_s > 1.4, "an earlier outage does not count"
