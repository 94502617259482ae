"""Cancel, pause, resume, priority, watching, lineage, listing."""

import asyncio
import base64

import grpc
import pytest

from lumenmill.common.v1 import generation_pb2
from lumenmill.orchestrator.v1 import run_pb2

from .conftest import LocalMesh, counts
from .recipes import ONE_IMAGE, SMALL


async def _until(condition: object, timeout_s: float = 10.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.02)


async def test_cancel_ends_running_jobs_at_the_service(mesh: LocalMesh) -> None:
    mesh.family.go_on.clear()
    run_id = await mesh.submit(SMALL)
    mesh.family.go_on.set()
    await _until(lambda: mesh.family.num_done["sets"] == 1)
    mesh.family.go_on.clear()
    await asyncio.sleep(0.5)
    cancelled = (await mesh.runs.CancelRun(run_pb2.CancelRunRequest(run_id=run_id))).run
    assert cancelled.state == run_pb2.RUN_STATE_CANCELLED
    await _until(lambda: mesh.family.num_cancelled >= 1)
    done = mesh.family.num_done.total()
    mesh.family.go_on.set()
    await asyncio.sleep(0.5)
    assert mesh.family.num_done.total() == done
    assert (await mesh.ended(run_id)).state == run_pb2.RUN_STATE_CANCELLED
    again = await mesh.run(SMALL)
    assert again.num_samples_accepted == 9, "the same recipe runs after a cancelled one"


async def test_cancelling_an_ended_run_is_rejected(mesh: LocalMesh) -> None:
    run = await mesh.run(ONE_IMAGE)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await mesh.runs.CancelRun(run_pb2.CancelRunRequest(run_id=run.id))
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_a_paused_run_starts_no_step_until_it_is_resumed(mesh: LocalMesh) -> None:
    mesh.family.go_on.clear()
    run_id = await mesh.submit(SMALL)
    await _until(lambda: True)
    await asyncio.sleep(1.0)
    await mesh.runs.PauseRun(run_pb2.PauseRunRequest(run_id=run_id))
    mesh.family.go_on.set()
    await asyncio.sleep(0.7)
    done = mesh.family.num_done.total()
    assert done <= 1
    await asyncio.sleep(0.5)
    assert mesh.family.num_done.total() == done
    paused = (await mesh.runs.GetRun(run_pb2.GetRunRequest(run_id=run_id))).run
    assert paused.state == run_pb2.RUN_STATE_PAUSED
    await mesh.runs.ResumeRun(run_pb2.ResumeRunRequest(run_id=run_id))
    assert (await mesh.ended(run_id)).num_samples_accepted == 9


async def test_a_run_of_high_priority_goes_first(mesh: LocalMesh) -> None:
    mesh.family.step_s = 0.03
    slow_id = await mesh.submit(ONE_IMAGE, {"tags": [str(number) for number in range(40)]}, priority=1)
    await asyncio.sleep(1.5)
    urgent = await mesh.submit(ONE_IMAGE, {"prompt": "urgent"}, priority=generation_pb2.JOB_PRIORITY_HIGH)
    assert (await mesh.ended(urgent)).num_samples_accepted == 1
    slow = (await mesh.runs.GetRun(run_pb2.GetRunRequest(run_id=slow_id))).run
    assert slow.num_items_done < 40
    await mesh.ended(slow_id)


async def test_a_watch_reports_progress_and_ends_with_the_run(mesh: LocalMesh) -> None:
    mesh.family.step_s = 0.05
    run_id = await mesh.submit(SMALL)
    seen = [r.run async for r in mesh.runs.WatchRun(run_pb2.WatchRunRequest(run_id=run_id))]
    assert seen[-1].state == run_pb2.RUN_STATE_COMPLETED
    assert len(seen) > 2
    assert any(step.num_running for run in seen for step in run.steps)
    assert [step.name for step in seen[-1].steps][:2] == ["source", "image"]
    assert all(step.num_total == step.num_accepted for step in seen[-1].steps)


async def test_lineage_names_every_execution(mesh: LocalMesh) -> None:
    run = await mesh.run(SMALL)
    variant = next(sample for sample in await mesh.samples(run_id=run.id) if sample.step == "relit")
    lineage = await mesh.runs.GetLineage(run_pb2.GetLineageRequest(sample_id=variant.id))
    assert [execution.step for execution in lineage.executions] == [
        "source", "image", "relit", "variant_caption", "change",
    ]  # fmt: skip
    relit = lineage.executions[2]
    assert (relit.call, relit.model, relit.revision) == ("relighter.Relight", "tiny", "1")
    assert variant.media["image"].sha256 in relit.output_sha256s
    assert variant.media["image"].sha256 in lineage.executions[3].input_sha256s
    assert "variants" in relit.request


async def test_runs_and_samples_are_paged(mesh: LocalMesh) -> None:
    ids = [(await mesh.run(ONE_IMAGE, {"prompt": word})).id for word in ("a", "b", "c")]
    first = await mesh.runs.ListRuns(run_pb2.ListRunsRequest(page_size=2))
    second = await mesh.runs.ListRuns(run_pb2.ListRunsRequest(page_size=2, page_token=first.next_page_token))
    assert [run.id for run in (*first.runs, *second.runs)] == ids[::-1]
    assert not second.next_page_token
    page = await mesh.runs.ListSamples(run_pb2.ListSamplesRequest(page_size=2))
    rest = await mesh.runs.ListSamples(run_pb2.ListSamplesRequest(page_size=2, page_token=page.next_page_token))
    assert [sample.run_id for sample in (*page.samples, *rest.samples)] == ids


async def test_a_run_id_is_idempotent(mesh: LocalMesh) -> None:
    run = await mesh.run(ONE_IMAGE, run_id="mine")
    assert (await mesh.run(ONE_IMAGE, run_id="mine")).create_time == run.create_time
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await mesh.submit(ONE_IMAGE, {"prompt": "other"}, run_id="mine")
    assert refused.value.code() is grpc.StatusCode.ALREADY_EXISTS


@pytest.mark.parametrize("call", ["GetRun", "CancelRun", "PauseRun", "ResumeRun"])
async def test_unknown_runs_are_not_found(mesh: LocalMesh, call: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await getattr(mesh.runs, call)(getattr(run_pb2, f"{call}Request")(run_id="unknown"))
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


async def test_models_describe_themselves(mesh: LocalMesh) -> None:
    models = (await mesh.runs.ListModels(run_pb2.ListModelsRequest())).models
    assert [(entry.name, entry.ready, entry.model.revision) for entry in models] == [("tiny", True, "1")]
    assert "lumenmill.relighter.v1.RelighterService" in models[0].model.contracts


async def test_a_new_revision_is_computed_again(mesh: LocalMesh) -> None:
    await mesh.run(ONE_IMAGE)
    mesh.family.revision = "2"
    assert (await mesh.runs.ListModels(run_pb2.ListModelsRequest())).models[0].model.revision == "2"
    run = await mesh.run(ONE_IMAGE)
    assert counts(run)["image"].num_reused == 0
    assert mesh.family.num_done["image"] == 2


async def test_a_result_is_stored_under_the_revision_that_made_it(mesh: LocalMesh) -> None:
    mesh.family.go_on.clear()
    run_id = await mesh.submit(ONE_IMAGE)
    async with asyncio.timeout(10):
        while not (await mesh.runs.GetRun(run_pb2.GetRunRequest(run_id=run_id))).run.steps[0].num_running:
            await asyncio.sleep(0.02)
    mesh.family.revision = "2"
    mesh.family.go_on.set()
    await mesh.ended(run_id)
    (sample,) = await mesh.samples(run_id=run_id)
    lineage = await mesh.runs.GetLineage(run_pb2.GetLineageRequest(sample_id=sample.id))
    assert lineage.executions[0].revision == "2"
    mesh.family.revision = "1"
    await mesh.runs.ListModels(run_pb2.ListModelsRequest())
    again = await mesh.run(ONE_IMAGE)
    assert counts(again)["image"].num_reused == 0


async def test_a_paused_run_does_not_block_other_runs_with_the_same_steps(mesh: LocalMesh) -> None:
    mesh.family.go_on.clear()
    tags = [str(number) for number in range(10)]
    paused_id = await mesh.submit(ONE_IMAGE, {"tags": tags})
    await asyncio.sleep(1.0)
    await mesh.runs.PauseRun(run_pb2.PauseRunRequest(run_id=paused_id))
    other_id = await mesh.submit(ONE_IMAGE, {"tags": tags})
    mesh.family.go_on.set()
    assert (await mesh.ended(other_id)).num_samples_accepted == 10
    await mesh.runs.ResumeRun(run_pb2.ResumeRunRequest(run_id=paused_id))
    assert (await mesh.ended(paused_id)).num_samples_accepted == 10
    assert mesh.family.num_done["image"] == 10, "each picture was made once"


async def test_items_that_wait_for_one_computation_share_its_failure(mesh: LocalMesh) -> None:
    mesh.family.go_on.clear()
    recipe = ONE_IMAGE.replace('${params.prompt} ${item}"', '${params.prompt}", seed: 1')
    run_id = await mesh.submit(recipe, {"prompt": "refuse", "tags": ["a"] * 6})
    await asyncio.sleep(1.0)
    mesh.family.go_on.set()
    run = await mesh.ended(run_id)
    assert counts(run)["image"].num_failed == 6
    assert mesh.family.num_done["image"] == 1


@pytest.mark.parametrize("token", ["9" * 700, "-5", "x"])
async def test_invalid_page_tokens_are_rejected(mesh: LocalMesh, token: str) -> None:
    page_token = base64.urlsafe_b64encode(token.encode()).decode()
    for asked in (
        mesh.runs.ListRuns(run_pb2.ListRunsRequest(page_token=page_token)),
        mesh.runs.ListSamples(run_pb2.ListSamplesRequest(page_token=page_token)),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await asked
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
async def test_parameters_that_are_not_finite_are_rejected_by_name(mesh: LocalMesh, number: float) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await mesh.submit(SMALL, {"largest_error_deg": number})
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "parameters.largest_error_deg" in (refused.value.details() or "")
