"""Jobs as callers see them: re-attachment, order, back-pressure, cancellation, batches, persisted results."""

import asyncio
import hashlib
import math
import os
import time
from pathlib import Path

import grpc
import pytest

from lumenmill.common.v1 import generation_pb2, job_pb2, job_pb2_grpc, model_pb2
from lumenmill.imager.v1 import imager_pb2, imager_pb2_grpc
from lumenmill_common import errors
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.calls import call_heavy, call_unary
from lumenmill_common.jobs import JobQueue
from lumenmill_common.retries import RetryPolicy
from lumenmill_common.serve import serving
from lumenmill_common.service import Service
from lumenmill_common.settings import ServiceSettings
from lumenmill_common.testing import eventually, running_service

from .tiny_service import (
    TinyFamily,
    image_of,
    num_reattached,
    request_for,
    start,
    tiny_service,
    until_reattached,
    until_state,
)


async def test_a_call_reports_progress_and_ends_with_its_result(service: Service) -> None:
    events: list[imager_pb2.GenerateImagesResponse] = []
    async with running_service(service) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        result = await call_heavy(stub.GenerateImages, request_for("a lemon"), on_event=events.append)
    assert image_of(result).size_bytes == len("a lemon")
    assert [time.stage for time in result.images[0].record.stage_times] == ["render"]
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds[0] == "queued" and "progress" in kinds
    assert max(event.progress.step for event in events) == 3


async def test_the_same_id_attaches_to_the_running_job_and_to_its_result(service: Service, family: TinyFamily) -> None:
    async with running_service(service) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        first, second = await asyncio.gather(*(call_heavy(stub.GenerateImages, request_for("once")) for _ in range(2)))
        third = await call_heavy(stub.GenerateImages, request_for("once"))
    assert first == second == third
    assert family.prompts_done == ["once"]


async def test_media_are_inline_only_for_callers_that_request_it(service: Service) -> None:
    async with running_service(service) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        request = request_for("a lemon")
        request.job.inline_results = True
        assert image_of(await call_heavy(stub.GenerateImages, request)).inline_data == b"a lemon"
        assert not image_of(await call_heavy(stub.GenerateImages, request_for("a lemon"))).HasField("inline_data")


async def test_the_same_id_with_another_request_is_refused(service: Service) -> None:
    async with running_service(service) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        await call_heavy(stub.GenerateImages, request_for("one", "id"))
        with pytest.raises(errors.InvalidArgumentError) as refused:
            await call_heavy(stub.GenerateImages, request_for("two", "id"))
    assert refused.value.field == "job.request_id"


async def test_a_caller_reattaches_to_its_job_within_the_grace_period(service: Service, family: TinyFamily) -> None:
    family.resume.clear()
    async with running_service(service) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        call = stub.GenerateImages(request_for("lasting"))
        await call.read()
        call.cancel()
        await asyncio.sleep(0.1)  # there is no event for the disconnection at the service
        family.resume.set()
        result = await call_heavy(stub.GenerateImages, request_for("lasting"))
    assert image_of(result).uri
    assert family.prompts_done == ["lasting"]


async def test_a_job_without_callers_stops_at_its_next_step(service: Service, family: TinyFamily) -> None:
    family.num_steps = 1000
    async with running_service(service) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            async for _ in stub.GenerateImages(request_for("lost"), timeout=0.2):
                pass
        assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await eventually(lambda: family.cancelled_at_step is not None)
    assert family.cancelled_at_step < 100
    assert family.prompts_done == []


@pytest.mark.parametrize("running", [True, False])
async def test_a_cancelled_job_ends_at_once_running_or_waiting(
    service: Service, family: TinyFamily, running: bool
) -> None:
    family.num_steps = 1000
    async with running_service(service) as channel:
        stub, control = imager_pb2_grpc.ImagerServiceStub(channel), job_pb2_grpc.JobServiceStub(channel)
        calls = []
        for name, state in (("a", "RUNNING"), ("b", "QUEUED")):
            calls.append(start(stub, name))
            await until_state(service.jobs, name, state)
        victim = calls[0] if running else calls[1]
        name = "id-a" if running else "id-b"
        assert (await control.CancelJob(job_pb2.CancelJobRequest(request_id=name))).was_active
        with pytest.raises(errors.CancelledError):
            await asyncio.wait_for(victim, 1)
        assert not (await control.CancelJob(job_pb2.CancelJobRequest(request_id=name))).was_active
        for call in calls:
            call.cancel()


async def test_a_full_queue_says_when_to_retry(service: Service, family: TinyFamily) -> None:
    family.resume.clear()
    async with running_service(service) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        calls = [start(stub, name) for name in "a"]
        await until_state(service.jobs, "a", "RUNNING")
        calls += [start(stub, name) for name in "bc"]
        for name in "bc":
            await until_state(service.jobs, name, "QUEUED")
        with pytest.raises(errors.ResourceExhaustedError) as full:
            await call_heavy(stub.GenerateImages, request_for("d"), retry=RetryPolicy({}))
        assert full.value.retry_delay_s >= 1.0
        retried = asyncio.create_task(call_heavy(stub.GenerateImages, request_for("d")))
        family.resume.set()
        await asyncio.gather(*calls, retried)
    assert sorted(family.prompts_done) == ["a", "b", "c", "d"]


async def test_jobs_of_high_priority_run_first(service: Service, family: TinyFamily) -> None:
    family.resume.clear()
    async with running_service(service) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        calls = []
        for name, priority, state in (("first", 0, "RUNNING"), ("bulk", 1, "QUEUED"), ("person", 3, "QUEUED")):
            calls.append(start(stub, name, priority=priority))
            await until_state(service.jobs, name, state)
        family.resume.set()
        await asyncio.gather(*calls)
    assert family.prompts_done == ["first", "person", "bulk"]


async def test_requests_of_one_key_run_as_one_batch(service: Service, family: TinyFamily) -> None:
    family.resume.clear()
    async with running_service(service) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        blocker = start(stub, "blocker")
        await until_state(service.jobs, "blocker", "RUNNING")
        calls = [start(stub, name, preset="batched") for name in "ab"]
        for name in "ab":
            await until_state(service.jobs, name, "QUEUED")
        family.resume.set()
        results = await asyncio.gather(blocker, *calls)
    assert family.batch_sizes == [2]
    assert [image_of(result).size_bytes for result in results] == [len("blocker"), 1, 1]


async def test_callers_get_only_a_reference_for_a_bug_and_may_retry(service: Service, family: TinyFamily) -> None:
    async with running_service(service) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        for _ in range(2):
            with pytest.raises(errors.InternalError) as bug:
                await call_heavy(stub.GenerateImages, request_for("bug"))
            assert "secret" not in bug.value.message and "reference" in bug.value.message
    assert family.prompts_done == ["bug", "bug"]


async def test_a_panic_of_a_native_library_fails_only_its_job(service: Service) -> None:
    async with running_service(service) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        with pytest.raises(errors.InternalError):
            await call_heavy(stub.GenerateImages, request_for("panic"), retry=RetryPolicy({}))
        assert image_of(await asyncio.wait_for(call_heavy(stub.GenerateImages, request_for("a lemon")), 5)).uri


async def test_failures_of_persisted_results_fail_no_job(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a bug below the store")

    monkeypatch.setattr(store, "get_result", fail)
    monkeypatch.setattr(store, "put_result", fail)
    jobs = JobQueue("tiny", store=store, persist_results_over_s=0.0)
    async with running_service(tiny_service(TinyFamily(store), jobs)) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        for prompt in ("one", "two"):
            assert image_of(await asyncio.wait_for(call_heavy(stub.GenerateImages, request_for(prompt)), 5)).uri


async def test_draining_finishes_running_jobs_and_refuses_waiting_ones(service: Service, family: TinyFamily) -> None:
    family.num_steps = 20
    settings = ServiceSettings(listen_address="127.0.0.1:0", drain_s=5.0)
    async with running_service(service, settings) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        running = start(stub, "a")
        await until_state(service.jobs, "a", "RUNNING")
        waiting = start(stub, "b")
        await until_state(service.jobs, "b", "QUEUED")
        stopping = asyncio.create_task(service.jobs.stop(5.0))
        assert image_of(await running).uri
        with pytest.raises(errors.UnavailableError):
            await waiting
        await stopping
    assert family.prompts_done == ["a"]


async def test_jobs_that_exceed_the_drain_end_as_unavailable(store: ArtifactStore) -> None:
    family, jobs = TinyFamily(store), JobQueue("tiny", num_workers=3, store=store, persist_results_over_s=0.0)
    family.num_steps, family.step_s = 3, 0.4
    async with running_service(tiny_service(family, jobs)) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        cancelled, stopped = start(stub, "cancelled"), start(stub, "stopped")
        await eventually(lambda: family.num_started == 2)
        family.num_steps = 1
        last_step = start(stub, "at its last step")
        await eventually(lambda: family.num_started == 3)
        await eventually(lambda: family.num_last_steps == 1)
        assert jobs.cancel(request_for("cancelled").job.request_id)
        await jobs.stop(0.0)
        with pytest.raises(errors.CancelledError):
            await cancelled
        with pytest.raises(errors.UnavailableError, match="shutting down"):
            await stopped
        assert image_of(await last_step).uri, "a job that ends in time keeps its result"
    assert family.prompts_done == ["at its last step"]


async def test_a_caller_reattaches_over_a_new_connection_while_draining(store: ArtifactStore) -> None:
    family, jobs = TinyFamily(store), JobQueue("tiny")
    family.resume.clear()
    settings, stop = ServiceSettings(listen_address="127.0.0.1:0", drain_s=10.0), asyncio.Event()
    port_known, request = asyncio.get_running_loop().create_future(), request_for("a long job")

    async def run() -> None:
        async with serving(settings, tiny_service(family, jobs)) as port:
            port_known.set_result(port)
            await stop.wait()

    server = asyncio.create_task(run())
    address = f"127.0.0.1:{await port_known}"
    async with grpc.aio.insecure_channel(address) as first:
        call = imager_pb2_grpc.ImagerServiceStub(first).GenerateImages(request)
        await call.read()
        stop.set()
        await eventually(lambda: jobs.is_draining)
    async with grpc.aio.insecure_channel(address) as second:
        stub = imager_pb2_grpc.ImagerServiceStub(second)
        assert await state_of(second, request.job.request_id) == "JOB_STATE_RUNNING"
        with pytest.raises(errors.UnavailableError):
            await call_heavy(stub.GenerateImages, request_for("a new job"), retry=RetryPolicy({}))
        before = num_reattached()
        attached = asyncio.create_task(call_heavy(stub.GenerateImages, request, retry=RetryPolicy({})))
        await until_reattached(before)
        family.resume.set()
        assert image_of(await attached).uri
    await server
    assert family.prompts_done == ["a long job"]


async def state_of(channel: grpc.aio.Channel, request_id: str) -> str:
    answer = await call_unary(job_pb2_grpc.JobServiceStub(channel).GetJob, job_pb2.GetJobRequest(request_id=request_id))
    return job_pb2.JobState.Name(answer.state)


async def test_get_job_returns_the_state_of_a_job(service: Service, family: TinyFamily) -> None:
    family.resume.clear()
    async with running_service(service) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        first, second = request_for("first"), request_for("second")
        calls = [start(stub, "first")]
        await until_state(service.jobs, "first", "RUNNING")
        calls.append(start(stub, "second"))
        await until_state(service.jobs, "second", "QUEUED")
        ids = (first.job.request_id, second.job.request_id)
        states = {await state_of(channel, request_id) for request_id in ids}
        assert states == {"JOB_STATE_RUNNING", "JOB_STATE_QUEUED"}
        assert await state_of(channel, "no-such-job") == "JOB_STATE_UNSPECIFIED"
        family.resume.set()
        await asyncio.gather(*calls)
        assert {await state_of(channel, request_id) for request_id in ids} == {"JOB_STATE_FINISHED"}


async def test_a_job_that_always_fails_as_unavailable_is_not_retried_for_ever(
    service: Service, family: TinyFamily
) -> None:
    async with running_service(service) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        policy = RetryPolicy({errors.UnavailableError: math.inf}, max_outages=2, initial_backoff_s=0.01)
        with pytest.raises(errors.UnavailableError):
            await asyncio.wait_for(call_heavy(stub.GenerateImages, request_for("down"), retry=policy), 15)
    assert family.prompts_done == ["down"] * 3


def test_an_unset_priority_is_normal() -> None:
    assert generation_pb2.JOB_PRIORITY_LOW < generation_pb2.JOB_PRIORITY_NORMAL < generation_pb2.JOB_PRIORITY_HIGH


def _damage(folder: Path) -> None:
    (file,) = folder.glob("store/results/*/*")
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


@pytest.mark.parametrize("lost", ["nothing", "revision", "media", "result"])
async def test_a_restarted_service_answers_with_persisted_results(
    store: ArtifactStore, tmp_path: Path, lost: str
) -> None:
    async def one_life(revision: str) -> TinyFamily:
        family, jobs = TinyFamily(store), JobQueue("tiny", store=store, persist_results_over_s=0.0)
        family.describe = lambda: model_pb2.Model(family="tiny", name="tiny", revision=revision)  # type: ignore[method-assign]
        async with running_service(tiny_service(family, jobs)) as channel:
            stub = imager_pb2_grpc.ImagerServiceStub(channel)
            assert image_of(await call_heavy(stub.GenerateImages, request_for("a lemon"))).uri
        return family

    first = await one_life("1")
    if lost == "media":
        store.delete(hashlib.sha256(b"a lemon").hexdigest())
    if lost == "result":
        _damage(tmp_path)
    second = await one_life("2" if lost == "revision" else "1")
    assert first.prompts_done == ["a lemon"]
    assert second.prompts_done == ([] if lost == "nothing" else ["a lemon"])


def _make_old(folder: Path) -> None:
    for path in folder.glob("store/*/??/*"):
        os.utime(path, (0, 0))


async def test_media_of_a_persisted_result_get_a_new_time(store: ArtifactStore, tmp_path: Path) -> None:
    """Nothing else protects them from garbage collection until the caller has written its row."""
    for _ in range(2):
        _make_old(tmp_path)
        family, jobs = TinyFamily(store), JobQueue("tiny", store=store, persist_results_over_s=0.0)
        async with running_service(tiny_service(family, jobs)) as channel:
            await call_heavy(imager_pb2_grpc.ImagerServiceStub(channel).GenerateImages, request_for("a lemon"))
    assert not family.prompts_done
    (image,) = store.list()
    assert time.time() - image.modified_time_s < 60


async def test_a_persisted_result_is_returned_whatever_the_deadline(store: ArtifactStore) -> None:
    for estimate_s in (0.0, 3600.0):
        family, jobs = TinyFamily(store), JobQueue("tiny", store=store, persist_results_over_s=0.0)
        family.estimate_s = estimate_s
        async with running_service(tiny_service(family, jobs)) as channel:
            stub = imager_pb2_grpc.ImagerServiceStub(channel)
            for _ in range(2):
                answer = call_heavy(stub.GenerateImages, request_for("a lemon", preset="batched"), timeout_s=30)
                assert image_of(await answer).uri
    assert not family.prompts_done


async def test_a_persisted_result_may_have_media_by_uri_or_inline(store: ArtifactStore) -> None:
    sky = store.put_bytes(b"sky", "image/vnd.radiance")

    class EchoingFamily(TinyFamily):
        def generate(self, request, job):
            result = super().generate(request, job)
            result.images[0].light.sources.add().environment_map.map.uri = sky.uri
            result.images[0].light.sources.add().environment_map.map.inline_data = b"another sky"
            return result

    for _ in range(2):
        family = EchoingFamily(store)
        async with running_service(
            tiny_service(family, JobQueue("tiny", store=store, persist_results_over_s=0.0))
        ) as channel:
            await call_heavy(imager_pb2_grpc.ImagerServiceStub(channel).GenerateImages, request_for("a lemon"))
    assert not family.prompts_done


async def test_the_result_of_a_short_job_is_not_persisted(store: ArtifactStore, service: Service) -> None:
    async with running_service(service) as channel:
        await call_heavy(imager_pb2_grpc.ImagerServiceStub(channel).GenerateImages, request_for("a lemon"))
    assert store.delete_results_before(time.time() + 60) == 0
