"""Decoding in child processes: results, refusals, limits on time and memory, crashes, cancellation."""

import asyncio
import contextlib
import copy
import functools
import heapq
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from lumenmill.common.v1 import job_pb2, job_pb2_grpc
from lumenmill.imager.v1 import imager_pb2, imager_pb2_grpc
from lumenmill_common import errors
from lumenmill_common.cancellation import cancelled_by
from lumenmill_common.decoding import DecodeLimits, DecodingPool, decoding_pool
from lumenmill_common.families import family_service
from lumenmill_common.jobs import JobQueue, Work
from lumenmill_common.service import Service
from lumenmill_common.testing import eventually, running_service

from .tiny_service import TinyFamily, request_for, start, until_state

_LIMITS = DecodeLimits(max_s=60.0)
_LONG_S = 600.0


@pytest.fixture(scope="module")
def pool() -> Iterator[DecodingPool]:
    with contextlib.closing(DecodingPool()) as made:
        yield made


def _num_killed(reason: str) -> float:
    return REGISTRY.get_sample_value("lumenmill_decoding_processes_killed_total", {"reason": reason}) or 0.0


def test_a_function_runs_in_a_process_that_is_kept(pool: DecodingPool) -> None:
    first = pool.run(os.getpid, field="image", limits=_LIMITS)
    assert first != os.getpid()
    assert pool.run(os.getpid, field="image", limits=_LIMITS) == first
    assert pool.run(len, b"light" * 100_000, field="image", limits=_LIMITS) == 500_000


def test_arrays_are_returned_as_they_are(pool: DecodingPool) -> None:
    made = pool.run(np.arange, 3_000_000, field="image", limits=_LIMITS)
    assert made.dtype == np.int64 and np.array_equal(made, np.arange(3_000_000))
    made += 1
    assert made[0] == 1


def test_what_the_decoder_refuses_names_the_field(pool: DecodingPool) -> None:
    with pytest.raises(errors.InvalidArgumentError, match=r"image: invalid literal"):
        pool.run(int, "light", field="image", limits=_LIMITS)


async def test_of_a_bug_of_a_decoder_callers_see_only_a_reference(
    pool: DecodingPool, service: Service, family: TinyFamily
) -> None:
    def generate(*_: object) -> imager_pb2.GenerateImagesResult:
        return pool.run(os.getpid, 1, field="image", limits=_LIMITS)  # type: ignore[return-value]  # it raises

    family.generate = generate  # type: ignore[method-assign]
    with capture_logs() as logs:
        async with running_service(service) as channel:
            with pytest.raises(errors.InternalError) as bug:
                await start(imager_pb2_grpc.ImagerServiceStub(channel), "x")
    [logged] = [entry for entry in logs if entry["event"] == "unexpected error"]
    assert "takes no arguments" in str(logged["exc_info"])
    assert bug.value.message == f"internal error, reference {logged['reference']} in the log"


def test_a_file_that_takes_too_long_is_refused_and_its_process_replaced(pool: DecodingPool) -> None:
    process, num_killed = pool.run(os.getpid, field="image", limits=_LIMITS), _num_killed("time")
    with pytest.raises(errors.InvalidArgumentError, match=r"image: took longer than 0.2 s to decode"):
        pool.run(time.sleep, _LONG_S, field="image", limits=DecodeLimits(max_s=0.2))
    assert _num_killed("time") == num_killed + 1
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert pool.run(os.getpid, field="image", limits=_LIMITS) != process


def test_a_file_that_needs_too_much_memory_is_refused(pool: DecodingPool) -> None:
    limits = DecodeLimits(max_s=60.0, max_memory_bytes=256 << 20)
    with pytest.raises(errors.InvalidArgumentError, match="image: needs more than 256 MiB of memory to decode"):
        pool.run(bytes, 300 << 20, field="image", limits=limits)
    assert len(pool.run(bytes, 100 << 20, field="image", limits=limits)) == 100 << 20


def test_a_file_that_crashes_its_decoder_is_refused(pool: DecodingPool) -> None:
    with pytest.raises(errors.InvalidArgumentError, match=r"image: .*crashes its decoder \(SIGABRT\)"):
        pool.run(os.abort, field="image", limits=_LIMITS)


async def test_a_process_that_ended_while_idle_is_replaced(pool: DecodingPool) -> None:
    process = pool.run(os.getpid, field="image", limits=_LIMITS)
    os.kill(process, 9)
    status = Path(f"/proc/{process}/stat")
    await eventually(lambda: status.read_text().rpartition(")")[2].split()[0] == "Z")
    assert pool.run(os.getpid, field="image", limits=_LIMITS) != process


# What a file may run in the process of its decoder; the socket is the first argument of the program.
_TAKEN_OVER = """
import fcntl, json, os, pickle, socket, struct, sys, time
from lumenmill_common.decoding.messages import new_memory
connection, memory = socket.socket(fileno=int(sys.argv[1])), new_memory()
def reply(head, sizes=None, descriptors=(memory,)):
    os.pwrite(memory, head, 0)
    socket.send_fds(connection, [struct.pack("=Q", len(head)) if sizes is None else sizes], descriptors)
"""


def _take_over(pool: DecodingPool, code: str) -> None:
    pool.run(exec, _TAKEN_OVER + code, {}, field="image", limits=DecodeLimits(60.0, max_memory_bytes=256 << 20))


def test_results_of_decoders_are_plain_values_and_arrays(pool: DecodingPool) -> None:
    with pytest.raises(errors.InternalError, match="cannot hold a functools:partial"):
        pool.run(functools.partial, print, field="image", limits=_LIMITS)
    values = {("a", 1): [None, True, 0.5, b"light"], "b": (np.float32(2.0), float("inf"))}
    assert pool.run(copy.copy, values, field="image", limits=_LIMITS) == values


@pytest.mark.parametrize(
    "array", [np.zeros((0, 3), np.float16), np.arange(6.0).reshape(2, 3).T, np.arange(9)[::-2], np.array(5, ">i4")]
)
def test_arrays_of_any_layout_are_returned(pool: DecodingPool, array: np.ndarray) -> None:
    made = pool.run(copy.copy, array, field="image", limits=_LIMITS)
    assert made.dtype == array.dtype and made.shape == array.shape and np.array_equal(made, array)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("lumenmill_common.decoding.child", "subprocess.Popen"),
        ("lumenmill_common.artifacts.folder_store", "FileIO"),
        ("lumenmill_common.decoding.pool", "DecodingPool"),
    ],
)
@pytest.mark.parametrize("encoding", ["pickle", "json"])
def test_replies_cannot_name_classes_that_are_no_results(
    pool: DecodingPool, module: str, name: str, encoding: str
) -> None:
    protocol_4 = f"\x80\x04\x8c{chr(len(module))}{module}\x8c{chr(len(name))}{name}\x93."
    head = (
        protocol_4.encode("latin-1")
        if encoding == "pickle"
        else json.dumps(["tuple", ["result", ["class", f"{module}:{name}", ["dict", []]]]]).encode()
    )
    with pytest.raises(errors.InternalError, match="sent no reply"):
        _take_over(pool, f"reply({head!r})")


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("os.ftruncate(memory, 1 << 40); reply(b'', struct.pack('=Q', 1 << 40))", "1099511627776 bytes, more than"),
        ("reply(b'[]', struct.pack('=2Q', 2, 1 << 20))", "may end before its last part"),
        ("reply(b'[]', b'abc')", "no sizes"),
        ("reply(b'[]', descriptors=())", "no memory"),
        ("reply(b'[]', descriptors=(os.open('/dev/zero', os.O_RDWR),))", "may end before its last part"),
        ("reply(b'[' * 100_000)", "RecursionError"),
    ],
)
def test_replies_that_are_no_messages_end_their_process(pool: DecodingPool, code: str, problem: str) -> None:
    num_killed = _num_killed("error")
    with pytest.raises(errors.InternalError, match=problem):
        _take_over(pool, code)
    assert _num_killed("error") == num_killed + 1


def test_of_a_large_file_with_a_small_reply_no_more_is_mapped_than_the_reply() -> None:
    head = json.dumps(["tuple", ["result", None]]).encode()
    with contextlib.closing(DecodingPool()) as pool:
        _take_over(pool, f"os.ftruncate(memory, 1 << 40); reply({head!r}); time.sleep(600)")


def test_a_process_that_closes_its_socket_and_runs_on_is_killed(pool: DecodingPool) -> None:
    process, started_s = pool.run(os.getpid, field="image", limits=_LIMITS), time.monotonic()
    with pytest.raises(errors.InvalidArgumentError, match="crashes its decoder"):
        _take_over(pool, "connection.close(); time.sleep(600)")
    assert time.monotonic() - started_s < 30.0
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_files_of_the_working_directory_are_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "resource.py").write_text("raise SystemExit('the file of a user')")
    monkeypatch.chdir(tmp_path)
    with contextlib.closing(DecodingPool()) as pool:
        assert pool.run(len, b"light", field="image", limits=_LIMITS) == 5


def test_a_process_is_not_used_again_if_its_result_cannot_be_converted(pool: DecodingPool) -> None:
    def refuse(_: int) -> None:
        raise errors.InvalidArgumentError("clip", "is dark")

    process = pool.run(os.getpid, field="image", limits=_LIMITS)
    with pytest.raises(errors.InvalidArgumentError, match="clip: is dark"):
        list(pool.iterate(refuse, heapq.merge, range(5), field="clip", limits=_LIMITS))
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert pool.run(len, b"light", field="image", limits=_LIMITS) == 5


def test_elements_are_decoded_one_by_one(pool: DecodingPool) -> None:
    assert list(pool.iterate(int, heapq.merge, range(5), field="clip", limits=_LIMITS)) == [0, 1, 2, 3, 4]
    num_killed = _num_killed("cancelled")
    some = pool.iterate(int, heapq.merge, range(1 << 40), field="clip", limits=_LIMITS)
    assert [next(some), next(some)] == [0, 1]
    some.close()
    assert pool.run(os.getpid, field="image", limits=_LIMITS) and _num_killed("cancelled") == num_killed


def test_a_cancelled_caller_does_not_wait_for_its_file(pool: DecodingPool) -> None:
    cancelled, num_killed = threading.Event(), _num_killed("cancelled")

    def check() -> None:
        if cancelled.is_set():
            raise errors.CancelledError("the job was cancelled")

    threading.Timer(0.2, cancelled.set).start()
    with cancelled_by(check), pytest.raises(errors.CancelledError):
        pool.run(time.sleep, _LONG_S, field="image", limits=_LIMITS)
    assert _num_killed("cancelled") == num_killed + 1


class _Reader(TinyFamily):
    """Decodes before it renders; `is_early` before the job is queued."""

    is_early = False

    def generate_images(self, request: imager_pb2.GenerateImagesRequest) -> Work:
        if request.prompt == "slow early":
            self._decode()
        work = super().generate_images(request)
        if request.prompt != "slow":
            return work  # type: ignore[return-value]
        return Work(lambda _: self._decode())  # type: ignore[arg-type,return-value]

    def _decode(self) -> None:
        self.num_started += 1
        try:
            decoding_pool().run(time.sleep, _LONG_S, field="image", limits=DecodeLimits(max_s=_LONG_S))
        except errors.CancelledError:
            self.cancelled_at_step = 0
            raise


@pytest.fixture
def reader(family: TinyFamily) -> _Reader:
    return _Reader(family.store)


@pytest.fixture
def reading(reader: _Reader, jobs: JobQueue) -> Service:
    return family_service(reader, jobs, imager_pb2.DESCRIPTOR)


async def test_cancel_job_frees_the_worker_while_a_file_is_decoded(reading: Service, reader: _Reader) -> None:
    async with running_service(reading) as channel:
        stub, control = imager_pb2_grpc.ImagerServiceStub(channel), job_pb2_grpc.JobServiceStub(channel)
        slow = start(stub, "slow")
        await until_state(reading.jobs, "slow", "RUNNING")  # type: ignore[arg-type]
        assert (await control.CancelJob(job_pb2.CancelJobRequest(request_id="id-slow"))).was_active
        with pytest.raises(errors.CancelledError):
            await asyncio.wait_for(slow, 10)
        await asyncio.wait_for(start(stub, "a lemon"), 30)


@pytest.mark.parametrize("prompt", ["slow", "slow early"])
async def test_the_deadline_of_a_caller_ends_the_decoding(reading: Service, reader: _Reader, prompt: str) -> None:
    async with running_service(reading) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        call = stub.GenerateImages(request_for(prompt), timeout=1.0)
        with contextlib.suppress(Exception):
            await call.read()
            await call.read()
        await eventually(lambda: reader.cancelled_at_step == 0)
        await asyncio.wait_for(start(stub, "a lemon"), 30)
    assert reader.num_started == 2
