"""Overhead of the mesh per call: a service in a process of its own, compared with a bare gRPC server in another."""

import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
from figures import Figure, run_benchmark
from instant_model import instant_model

from lumenmill.common.v1 import model_pb2, model_pb2_grpc
from lumenmill.prompter.v1 import prompter_pb2, prompter_pb2_grpc
from lumenmill_common.calls import call_heavy, connect
from lumenmill_common.settings import ServiceSettings

_CALLERS = 64
_JOB_S = 10.0


class _Bare(model_pb2_grpc.ModelServiceServicer):
    async def GetModel(self, request: Any, context: Any) -> Any:  # noqa: N802 - the RPC's name
        return model_pb2.GetModelResponse(model=model_pb2.Model(family="bare", name="bare", revision="1", device="cpu"))


async def _serve_bare() -> None:
    server = grpc.aio.server()
    model_pb2_grpc.add_ModelServiceServicer_to_server(_Bare(), server)
    sys.stdout.write(f"{server.add_insecure_port('127.0.0.1:0')}\n")
    sys.stdout.flush()
    await server.start()
    await server.wait_for_termination()


@contextlib.asynccontextmanager
async def _bare_channel() -> AsyncIterator[grpc.aio.Channel]:
    process = await asyncio.create_subprocess_exec(sys.executable, __file__, "--bare", stdout=asyncio.subprocess.PIPE)
    try:
        port = int(await process.stdout.readline()) if process.stdout is not None else 0
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        process.kill()
        await process.wait()


async def _timed_s(call: Callable[[], Awaitable[Any]], num_calls: int) -> list[float]:
    taken_s = []
    for _ in range(num_calls):
        started_s = time.perf_counter()
        await call()
        taken_s.append(time.perf_counter() - started_s)
    return taken_s


async def _concurrent_s(call: Callable[[], Awaitable[Any]], calls_each: int) -> list[float]:
    taken = await asyncio.gather(*(_timed_s(call, calls_each) for _ in range(_CALLERS)))
    return [seconds for one in taken for seconds in one]


def _p99_ms(taken_s: list[float]) -> float:
    return statistics.quantiles(taken_s, n=100)[98] * 1e3


def _p50_ms(taken_s: list[float]) -> float:
    return statistics.median(taken_s) * 1e3


def _unary(channel: grpc.aio.Channel) -> Callable[[], Awaitable[Any]]:
    stub = model_pb2_grpc.ModelServiceStub(channel)
    return lambda: stub.GetModel(model_pb2.GetModelRequest())


def _job(channel: grpc.aio.Channel, prefix: str) -> Callable[[], Awaitable[Any]]:
    stub = prompter_pb2_grpc.PrompterServiceStub(channel)
    numbers = iter(range(10**9))

    async def call() -> None:
        request = prompter_pb2.WriteMotionPromptsRequest(description="a kettle", num_variants=1)
        request.job.request_id = f"{prefix}-{next(numbers)}"
        await call_heavy(stub.WriteMotionPrompts, request)

    return call


async def _measure(quick: bool) -> list[Figure]:
    num_calls, calls_each, num_jobs = (100, 5, 1) if quick else (3000, 60, 3)
    settings = ServiceSettings()
    with tempfile.TemporaryDirectory(prefix="lumenmill-mesh-") as name:
        folder = Path(name)
        with instant_model(folder) as instant, instant_model(folder, _JOB_S) as slow:
            async with (
                connect(instant, settings) as channel,
                connect(slow, settings) as slow_channel,
                _bare_channel() as bare,
            ):
                for warm in (channel, bare):
                    await _timed_s(_unary(warm), 50)
                unary_s, bare_s = await _timed_s(_unary(channel), num_calls), await _timed_s(_unary(bare), num_calls)
                concurrent_s, bare_concurrent_s = (
                    await _concurrent_s(_unary(channel), calls_each),
                    await _concurrent_s(_unary(bare), calls_each),
                )
                job_s = await _timed_s(_job(channel, "instant"), num_calls // 10)
                concurrent_job_s = await _concurrent_s(_job(channel, "concurrent"), max(calls_each // 5, 1))
                long_s = await _timed_s(_job(slow_channel, "long"), num_jobs)
    overhead = (statistics.median(long_s) - _JOB_S) / _JOB_S * 100
    return [
        Figure("unary call of a service, p50", _p50_ms(unary_s), "ms", at_most=1.0),
        Figure("unary call of a bare gRPC server, p50", _p50_ms(bare_s), "ms"),
        Figure(f"unary call of a service, p99 with {_CALLERS} callers", _p99_ms(concurrent_s), "ms"),
        Figure(f"unary call of a bare gRPC server, p99 with {_CALLERS} callers", _p99_ms(bare_concurrent_s), "ms"),
        Figure("instant job with queue, events and request id, p50", _p50_ms(job_s), "ms"),
        Figure(f"instant job, p99 with {_CALLERS} callers", _p99_ms(concurrent_job_s), "ms"),
        Figure("overhead of the mesh on a job of 10 s", overhead, "%", at_most=1.0),
    ]


def measure(quick: bool) -> list[Figure]:
    """Measure sequential calls, then calls of 64 concurrent callers, then jobs."""
    return asyncio.run(_measure(quick))


if __name__ == "__main__":
    if sys.argv[1:] == ["--bare"]:
        asyncio.run(_serve_bare())
    else:
        run_benchmark(__doc__, measure)
