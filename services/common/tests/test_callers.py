"""Callers with roles: who may call what, whose jobs they may cancel, and what happens when the table is wrong."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from lumenmill.common.v1 import generation_pb2, job_pb2, job_pb2_grpc, model_pb2, model_pb2_grpc
from lumenmill.imager.v1 import imager_pb2_grpc
from lumenmill_common import errors
from lumenmill_common.calls import call_unary, connect
from lumenmill_common.jobs import JobQueue
from lumenmill_common.serve import serving
from lumenmill_common.service import Service
from lumenmill_common.settings import ServiceSettings
from lumenmill_common.testing import start_process
from lumenmill_common.testing.callers import security_of, token_of, write_callers

from .test_serving import program
from .tiny_service import TinyFamily, request_for, start, tiny_service, until_state

_ROLES = {"rita": "reader", "sam": "submitter", "sue": "submitter", "ada": "admin", "console": "service"}
Connect = Callable[[str], grpc.aio.Channel]


@pytest.fixture
def callers(tmp_path: Path) -> Path:
    return write_callers(tmp_path / "callers", **_ROLES)


@contextlib.asynccontextmanager
async def _serving(service: Service, callers: Path) -> AsyncIterator[Connect]:
    """Serve with a table, and yield a function that returns the channel of a caller."""
    settings = ServiceSettings(listen_address="127.0.0.1:0", callers_file=callers, drain_s=0.0)
    async with contextlib.AsyncExitStack() as stack:
        port = await stack.enter_async_context(serving(settings, service))
        channels: dict[str, grpc.aio.Channel] = {}

        def channel_of(name: str) -> grpc.aio.Channel:
            if name not in channels:
                channels[name] = connect(f"127.0.0.1:{port}", security_of(callers.parent, name))
            return channels[name]

        yield channel_of
        for channel in channels.values():
            await channel.close()


def _images(channel: grpc.aio.Channel) -> Any:
    return imager_pb2_grpc.ImagerServiceStub(channel)


async def _generate(channel: grpc.aio.Channel, *metadata: tuple[str, str], **request: Any) -> None:
    async for _ in _images(channel).GenerateImages(request_for("x", **request), metadata=metadata):
        pass


async def _model(channel: grpc.aio.Channel) -> str:
    response = await call_unary(model_pb2_grpc.ModelServiceStub(channel).GetModel, model_pb2.GetModelRequest())
    return str(response.model.name)


async def _cancel(channel: grpc.aio.Channel, prompt: str) -> bool:
    request = job_pb2.CancelJobRequest(request_id=request_for(prompt).job.request_id)
    return bool((await call_unary(job_pb2_grpc.JobServiceStub(channel).CancelJob, request)).was_active)


async def test_a_reader_reads_and_is_told_which_role_a_call_of_the_model_needs(
    service: Service, family: TinyFamily, callers: Path
) -> None:
    async with _serving(service, callers) as channel_of:
        assert await _model(channel_of("rita")) == "tiny"
        with pytest.raises(errors.PermissionDeniedError, match="needs the role submitter, and `rita` has the role"):
            await start(_images(channel_of("rita")), "x")
        assert not family.num_started
        await start(_images(channel_of("sam")), "x")


async def test_only_an_admin_asks_for_the_highest_priority(service: Service, callers: Path) -> None:
    high = generation_pb2.JOB_PRIORITY_HIGH
    async with _serving(service, callers) as channel_of:
        with pytest.raises(errors.PermissionDeniedError, match="JOB_PRIORITY_HIGH needs the role admin"):
            await start(_images(channel_of("sam")), "x", priority=high)
        await start(_images(channel_of("ada")), "x", priority=high)


async def test_only_the_submitter_or_an_admin_cancels_a_job(
    service: Service, family: TinyFamily, jobs: JobQueue, callers: Path
) -> None:
    family.resume.clear()
    async with _serving(service, callers) as channel_of:
        mine = start(_images(channel_of("sam")), "mine")
        await until_state(jobs, "mine", "RUNNING")
        other = start(_images(channel_of("sam")), "other")
        await until_state(jobs, "other", "QUEUED")
        request = job_pb2.GetJobRequest(request_id="id-mine")
        found = await call_unary(job_pb2_grpc.JobServiceStub(channel_of("rita")).GetJob, request)
        assert (found.state, found.submitter) == (job_pb2.JOB_STATE_RUNNING, "sam")
        with pytest.raises(errors.PermissionDeniedError, match="`sam` submitted, needs the role admin"):
            await _cancel(channel_of("sue"), "other")
        assert await _cancel(channel_of("sam"), "other")
        assert await _cancel(channel_of("ada"), "mine")
        family.resume.set()
        for task in (mine, other):
            with pytest.raises(errors.CancelledError):
                await task


async def test_a_part_of_the_mesh_acts_for_a_caller_with_the_role_that_it_states(
    service: Service, family: TinyFamily, jobs: JobQueue, callers: Path
) -> None:
    family.resume.clear()
    high = generation_pb2.JOB_PRIORITY_HIGH
    as_sam = ("lumenmill-caller", "sam")
    async with _serving(service, callers) as channel_of:
        console = channel_of("console")
        for role, request in (("reader", {}), ("submitter", {"priority": high})):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await _generate(console, as_sam, ("lumenmill-caller-role", role), **request)
            assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
        call = asyncio.create_task(_generate(console, as_sam, ("lumenmill-caller-role", "submitter")))
        await until_state(jobs, "x", "RUNNING")
        assert jobs.submitter_of("id-x") == "sam"
        with pytest.raises(errors.PermissionDeniedError):
            await _cancel(channel_of("sue"), "x")
        assert await _cancel(channel_of("sam"), "x")
        family.resume.set()
        with pytest.raises(grpc.aio.AioRpcError):
            await call


@pytest.mark.parametrize("name", ["rita", "sam", "ada"])
async def test_other_callers_cannot_act_for_anybody(service: Service, callers: Path, name: str) -> None:
    async with _serving(service, callers) as channel_of:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await _generate(channel_of(name), ("lumenmill-caller", "sue"), ("lumenmill-caller-role", "submitter"))
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert "needs the role service" in refused.value.details()


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ([("lumenmill-caller", "sam")], "lumenmill-caller-role"),
        ([("lumenmill-caller", "sam"), ("lumenmill-caller-role", "root")], "lumenmill-caller-role"),
        ([("lumenmill-caller-role", "admin")], "lumenmill-caller"),
        ([("lumenmill-caller", "a b"), ("lumenmill-caller-role", "admin")], "lumenmill-caller"),
    ],
)
async def test_a_part_of_the_mesh_states_both_name_and_role(
    service: Service, callers: Path, metadata: list[tuple[str, str]], field: str
) -> None:
    async with _serving(service, callers) as channel_of:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await _generate(channel_of("console"), *metadata)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details().startswith(f"{field}: ")


async def test_a_caller_has_a_limit_of_waiting_jobs_and_the_others_go_on(family: TinyFamily, callers: Path) -> None:
    family.resume.clear()
    jobs = JobQueue("tiny", max_queue_length=16, max_queued_per_caller=2, store=family.store)
    async with _serving(tiny_service(family, jobs), callers) as channel_of:
        running = start(_images(channel_of("sam")), "running")
        await until_state(jobs, "running", "RUNNING")
        waiting = [start(_images(channel_of("sam")), f"waits {number}") for number in range(2)]
        for number in range(2):
            await until_state(jobs, f"waits {number}", "QUEUED")
        with pytest.raises(errors.ResourceExhaustedError, match=r"2 jobs of `sam` .*MAX_QUEUED_JOBS_PER_CALLER"):
            await start(_images(channel_of("sam")), "one more")
        others = [start(_images(channel_of("sue")), "of sue")]
        others += [start(_images(channel_of("console")), f"of the mesh {number}") for number in range(4)]
        for prompt in ("of sue", "of the mesh 3"):
            await until_state(jobs, prompt, "QUEUED")
        family.resume.set()
        await asyncio.gather(running, *waiting, *others)


async def test_callers_take_turns_at_a_model(family: TinyFamily, callers: Path) -> None:
    family.resume.clear()
    jobs = JobQueue("tiny", max_queue_length=64, store=family.store)
    async with _serving(tiny_service(family, jobs), callers) as channel_of:
        flood = [start(_images(channel_of("sam")), f"flood {number}") for number in range(12)]
        await until_state(jobs, "flood 11", "QUEUED")
        one = start(_images(channel_of("sue")), "one")
        await until_state(jobs, "one", "QUEUED")
        family.resume.set()
        await asyncio.gather(one, *flood)
    assert family.prompts_done.index("one") <= 2, "the running job and one turn of the other caller"


def _row(**changes: Any) -> str:
    return json.dumps({"name": "sam", "role": "submitter", "sha256s": ["a" * 64]} | changes)


_WRONG_TABLES = {
    "empty": ("", "has no callers"),
    "blank": ("\n  \n", "has no callers"),
    "a token alone": ("s3cret-of-somebody\n", "line 1: is not one JSON object"),
    "no object": ('["sam"]', "line 1"),
    "an unknown key": (_row(digest="s3cret"), "line 1: digest"),
    "an unknown role": (_row(role="root"), "line 1: role"),
    "no role": ('{"name": "sam", "sha256s": []}', "line 1: role"),
    "an empty name": (_row(name=""), "line 1: name"),
    "a name with a line break": (_row(name="sam\n"), "line 1: name"),
    "no digest": (_row(sha256s=[]), "line 1: sha256s"),
    "a token in place of its digest": (_row(sha256s=["s3cret-of-somebody"]), "line 1: sha256s.0"),
    "a name twice": (f"{_row()}\n{_row(sha256s=['b' * 64])}", "line 2: `sam` is in an earlier line"),
    "a token twice": (f"{_row()}\n\n{_row(name='sue')}", "line 3: `sue` has a token of `sam`"),
    "a key twice": ('{"role": "reader", "role": "admin", "name": "sam", "sha256s": ["' + "a" * 64 + '"]}', "line 1"),
    "deeply nested": ("[" * 100_000, "line 1"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", _WRONG_TABLES)
async def test_a_wrong_table_lets_nobody_in(service: Service, callers: Path, tmp_path: Path, wrong: str) -> None:
    text, problem = _WRONG_TABLES[wrong]
    other = tmp_path / "other"
    other.write_text(text)
    with pytest.raises(errors.InvalidArgumentError) as refused:
        async with serving(ServiceSettings(listen_address="127.0.0.1:0", callers_file=other), service):
            pass
    assert problem in refused.value.message and "s3cret" not in refused.value.message
    assert refused.value.message.startswith("LUMENMILL_CALLERS_FILE")


@pytest.mark.parametrize("wrong", ["empty", "a token alone", "a name twice", "missing"])
async def test_a_table_that_becomes_wrong_lets_nobody_in_until_it_is_mended(
    service: Service, callers: Path, tmp_path: Path, wrong: str
) -> None:
    table = tmp_path / callers.name
    good = table.read_text()
    async with _serving(service, table) as channel_of:
        channel = channel_of("ada")
        assert await _model(channel) == "tiny"
        table.unlink()
        if wrong != "missing":
            table.write_text(_WRONG_TABLES[wrong][0])
        stub = model_pb2_grpc.ModelServiceStub(channel)
        with pytest.raises(errors.UnavailableError, match="refuses every call until it can"):
            await call_unary(stub.GetModel, model_pb2.GetModelRequest())
        table.write_text(good)
        assert await _model(channel) == "tiny"


async def test_a_removed_caller_is_refused_at_once_and_a_replaced_token_works_beside_the_old_one(
    service: Service, callers: Path, tmp_path: Path
) -> None:
    table = tmp_path / callers.name
    async with _serving(service, table) as channel_of:
        assert await _model(channel_of("sam")) == await _model(channel_of("sue")) == "tiny"
        kept = [row for line in table.read_text().splitlines() if (row := json.loads(line))["name"] != "sam"]
        [sue] = [row for row in kept if row["name"] == "sue"]
        sue["sha256s"].insert(0, "c" * 64)
        table.write_text("\n".join(json.dumps(row) for row in kept))
        with pytest.raises(errors.UnauthenticatedError):
            await _model(channel_of("sam"))
        assert await _model(channel_of("sue")) == "tiny"


async def test_the_token_of_a_mesh_without_a_table_is_that_of_the_operator(
    service: Service, jobs: JobQueue, tmp_path: Path
) -> None:
    security = security_of(tmp_path, "whoever")
    settings = ServiceSettings(listen_address="127.0.0.1:0", drain_s=0.0, token_file=security.token_file)
    async with serving(settings, service) as port, connect(f"127.0.0.1:{port}", security) as channel:
        await start(_images(channel), "x", priority=generation_pb2.JOB_PRIORITY_HIGH)
        assert jobs.submitter_of("id-x") == "operator"


def test_a_service_does_not_start_with_a_wrong_table(tmp_path: Path) -> None:
    table = tmp_path / "callers"
    table.write_text(token_of("sam"))
    service = start_process(program(), tmp_path, callers_file=table)
    try:
        assert service.process.wait(30) == 1
    finally:
        service.kill()
    assert "LUMENMILL_CALLERS_FILE: line 1: is not one JSON object" in service.log
    assert token_of("sam") not in service.log
