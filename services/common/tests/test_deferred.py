"""Deferred work of jobs, and deadlines that cannot be met."""

import asyncio
from typing import Any

import grpc
import pytest

from lumenmill.common.v1 import job_pb2, job_pb2_grpc
from lumenmill.imager.v1 import imager_pb2_grpc
from lumenmill_common import errors
from lumenmill_common.calls import call_heavy
from lumenmill_common.retries import RetryPolicy
from lumenmill_common.service import Service
from lumenmill_common.testing import eventually, running_service

from .tiny_service import TinyFamily, image_of, num_reattached, request_for, until_reattached, until_state
from .tiny_service import start as start_call


def start(stub: imager_pb2_grpc.ImagerServiceStub, prompt: str) -> "asyncio.Task[Any]":
    return start_call(stub, prompt, preset="deferred")


async def test_the_worker_computes_the_next_job_during_deferred_work(service: Service, family: TinyFamily) -> None:
    family.resume_deferred.clear()
    async with running_service(service) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        first, second = start(stub, "first"), start(stub, "second")
        await eventually(lambda: sorted(family.prompts_done) == ["first", "second"])
        assert not first.done() and not second.done()
        family.resume_deferred.set()
        results = await asyncio.gather(first, second)
    assert [image_of(result).size_bytes for result in results] == [len("first"), len("second")]
    assert [time.stage for time in results[0].images[0].record.stage_times] == ["render", "encode"]


async def test_the_number_of_jobs_with_deferred_work_is_limited(service: Service, family: TinyFamily) -> None:
    """The worker waits for slow encoding; otherwise pictures would fill the memory."""
    family.resume_deferred.clear()
    service.jobs.max_queue_length = 10
    async with running_service(service) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        calls = [start(stub, f"picture {index}") for index in range(6)]
        await eventually(lambda: len(family.prompts_done) >= 3)
        await asyncio.sleep(0.3)  # the fourth job must not start
        assert len(family.prompts_done) == 3
        family.resume_deferred.set()
        await asyncio.gather(*calls)
    assert len(family.prompts_done) == 6


async def test_failed_deferred_work_fails_only_its_job_and_may_be_repeated(
    service: Service, family: TinyFamily
) -> None:
    async with running_service(service) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        for _ in range(2):
            broken, whole = start(stub, "broken"), start(stub, "whole")
            with pytest.raises(errors.UnavailableError, match="the encoder is away"):
                await broken
            assert image_of(await whole).uri
    assert family.prompts_done.count("broken") == 2


async def test_a_job_that_is_cancelled_during_deferred_work_ends_as_cancelled(
    service: Service, family: TinyFamily
) -> None:
    family.resume_deferred.clear()
    async with running_service(service) as channel:
        stub, control = imager_pb2_grpc.ImagerServiceStub(channel), job_pb2_grpc.JobServiceStub(channel)
        call = start(stub, "unwanted")
        await eventually(lambda: family.num_deferred == 1)
        assert (await control.CancelJob(job_pb2.CancelJobRequest(request_id="id-unwanted"))).was_active
        family.resume_deferred.set()
        with pytest.raises(errors.CancelledError):
            await asyncio.wait_for(call, 2)
        assert image_of(await start(stub, "next")).uri


async def test_callers_attach_to_a_job_during_deferred_work(service: Service, family: TinyFamily) -> None:
    family.resume_deferred.clear()
    async with running_service(service) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        first = start(stub, "once")
        await eventually(lambda: family.num_deferred == 1)
        before = num_reattached()
        second = start(stub, "once")
        await until_reattached(before)
        family.resume_deferred.set()
        assert await first == await second
    assert family.prompts_done == ["once"]


async def test_draining_waits_for_deferred_work(service: Service, family: TinyFamily) -> None:
    family.resume_deferred.clear()
    async with running_service(service) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        call = start(stub, "almost there")
        await eventually(lambda: family.num_deferred == 1)
        stopping = asyncio.create_task(service.jobs.stop(5.0))
        await asyncio.sleep(0.1)  # it must not stop yet
        assert not stopping.done() and not call.done()
        family.resume_deferred.set()
        assert image_of(await call).uri
        await stopping


@pytest.mark.parametrize(
    ("estimate_s", "deadline_s", "in_time"), [(30.0, 5.0, False), (3.0, 5.0, True), (None, 5.0, True)]
)
async def test_a_deadline_that_cannot_be_met_is_refused_before_any_work(
    service: Service, family: TinyFamily, estimate_s: float | None, deadline_s: float, in_time: bool
) -> None:
    family.estimate_s = estimate_s
    async with running_service(service) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        events = stub.GenerateImages(request_for("a lemon", preset="batched"), timeout=deadline_s)
        if in_time:
            assert [event async for event in events][-1].result.images
        else:
            with pytest.raises(grpc.aio.AioRpcError, match=r"takes about 30\.0 s, and the deadline is in") as refused:
                await events.read()
            assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert family.prompts_done == (["a lemon"] if in_time else [])


async def test_waiting_jobs_count_towards_a_deadline(service: Service, family: TinyFamily) -> None:
    family.num_steps, family.step_s, family.estimate_s = 1, 0.4, 0.4
    async with running_service(service) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        await call_heavy(stub.GenerateImages, request_for("first"))
        family.resume.clear()
        waiting = [start_call(stub, "a")]
        await until_state(service.jobs, "a", "RUNNING")
        waiting.append(start_call(stub, "b"))
        await until_state(service.jobs, "b", "QUEUED")
        with pytest.raises(errors.DeadlineExceededError, match=r"takes about 0\.8 s"):
            await call_heavy(
                stub.GenerateImages, request_for("late", preset="batched"), timeout_s=0.7, retry=RetryPolicy({})
            )
        family.resume.set()
        await asyncio.gather(*waiting)
    assert "late" not in family.prompts_done
