"""Jobs whose rest is done while the worker goes on, and deadlines that cannot be met."""

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
from lumenmill_common.testing import running_service
from tiny_service import TinyFamily, image_of, request_for


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


def start(stub: Any, prompt: str) -> "asyncio.Task[Any]":
    return asyncio.create_task(
        call_heavy(stub.GenerateImages, request_for(prompt, preset="later"), retry=RetryPolicy({}))
    )


async def test_the_worker_takes_the_next_job_while_the_rest_of_the_first_runs(
    service: Service, family: TinyFamily
) -> None:
    family.finish_on.clear()
    async with running_service(service) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        first, second = start(stub, "first"), start(stub, "second")
        await until(lambda: sorted(family.prompts_done) == ["first", "second"])
        assert not first.done() and not second.done()
        family.finish_on.set()
        results = await asyncio.gather(first, second)
    assert [image_of(result).size_bytes for result in results] == [len("first"), len("second")]
    assert [time.stage for time in results[0].images[0].record.stage_times] == ["render", "encode"]


async def test_unfinished_jobs_do_not_pile_up(service: Service, family: TinyFamily) -> None:
    """The worker waits when what it made is not encoded as fast; memory would fill up with pictures otherwise."""
    family.finish_on.clear()
    service.jobs.max_queue_length = 10
    async with running_service(service) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        calls = [start(stub, f"picture {index}") for index in range(6)]
        await until(lambda: len(family.prompts_done) >= 3)
        await asyncio.sleep(0.3)
        assert len(family.prompts_done) == 3
        family.finish_on.set()
        await asyncio.gather(*calls)
    assert len(family.prompts_done) == 6


async def test_a_rest_that_fails_fails_its_job_alone_and_may_be_tried_again(
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


async def test_a_job_that_is_cancelled_while_it_is_finished_ends_as_cancelled(
    service: Service, family: TinyFamily
) -> None:
    family.finish_on.clear()
    async with running_service(service) as channel:
        stub, control = imager_pb2_grpc.ImagerServiceStub(channel), job_pb2_grpc.JobServiceStub(channel)
        call = start(stub, "unwanted")
        await until(lambda: family.num_finishing == 1)
        assert (await control.CancelJob(job_pb2.CancelJobRequest(request_id="id-unwanted"))).was_active
        family.finish_on.set()
        with pytest.raises(errors.CancelledError):
            await asyncio.wait_for(call, 2)
        assert image_of(await start(stub, "next")).uri


async def test_callers_join_a_job_that_is_being_finished(service: Service, family: TinyFamily) -> None:
    family.finish_on.clear()
    async with running_service(service) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        first = start(stub, "once")
        await until(lambda: family.num_finishing == 1)
        second = start(stub, "once")
        await asyncio.sleep(0.05)
        family.finish_on.set()
        assert await first == await second
    assert family.prompts_done == ["once"]


async def test_draining_waits_for_what_is_being_finished(service: Service, family: TinyFamily) -> None:
    family.finish_on.clear()
    async with running_service(service) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        call = start(stub, "almost there")
        await until(lambda: family.num_finishing == 1)
        stopping = asyncio.create_task(service.jobs.stop(5.0))
        await asyncio.sleep(0.1)
        assert not stopping.done() and not call.done()
        family.finish_on.set()
        assert image_of(await call).uri
        await stopping


@pytest.mark.parametrize(
    ("estimate_s", "deadline_s", "in_time"), [(30.0, 5.0, False), (3.0, 5.0, True), (None, 5.0, True)]
)
async def test_a_deadline_that_cannot_be_met_is_refused_before_anything_is_done(
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


async def test_jobs_that_wait_count_towards_a_deadline(service: Service, family: TinyFamily) -> None:
    family.num_steps, family.step_s, family.estimate_s = 1, 0.4, 0.4
    async with running_service(service) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        await call_heavy(stub.GenerateImages, request_for("teaches the pace"))
        family.go_on.clear()
        waiting = [asyncio.create_task(call_heavy(stub.GenerateImages, request_for(name))) for name in "ab"]
        await asyncio.sleep(0.1)
        with pytest.raises(errors.DeadlineExceededError, match=r"takes about 0\.8 s"):
            await call_heavy(
                stub.GenerateImages, request_for("late", preset="batched"), timeout_s=0.7, retry=RetryPolicy({})
            )
        family.go_on.set()
        await asyncio.gather(*waiting)
    assert "late" not in family.prompts_done
