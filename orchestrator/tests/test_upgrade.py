"""Databases and store of the first release are opened by the present code; a client of its contracts is served."""

import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from lumenmill.orchestrator.v1 import artifact_service_pb2, run_pb2
from lumenmill_common.artifacts import open_store

from .conftest import LocalMesh, open_mesh
from .recipes import SMALL
from .tiny_mesh import TinyFamily

_FIRST = Path(__file__).parent / "first_release" / "state.zip"
_BASELINE = Path(__file__).parents[2] / "protos" / "baseline.binpb"
_OLD_FOLDER = "/tmp/" + "f" * 155  # noqa: S108 - is replaced, not used
_VARIANTS_AND_ORIGINAL = 3


@pytest.fixture
def first_state(tmp_path: Path) -> Path:
    """Unpack the state of the first release into a folder whose path is as long as the original one."""
    padding = len(_OLD_FOLDER) - len(str(tmp_path)) - 1
    if padding < 1:
        pytest.skip("the folder for temporary files has too long a name")
    folder = tmp_path / ("f" * padding)
    folder.mkdir()
    old, new = _OLD_FOLDER, str(folder)
    with zipfile.ZipFile(_FIRST) as state:
        state.extractall(folder, [name for name in state.namelist() if name.startswith("store/")])
        for name in ("orchestrator.sqlite", "orchestrator.sqlite.dbos"):
            dump = state.read(f"{name}.sql").decode()
            dump = dump.replace(old, new).replace(old.encode().hex().upper(), new.encode().hex().upper())
            with sqlite3.connect(folder / name) as database:
                database.executescript(dump)
    (folder / "store" / "incoming").mkdir(exist_ok=True)
    return folder


async def test_a_completed_run_of_the_first_release_is_complete(first_state: Path) -> None:
    async with open_mesh(first_state) as mesh:
        run = (await mesh.runs.GetRun(run_pb2.GetRunRequest(run_id="first"))).run
        samples = await mesh.samples(run_id="first")
        assert run.state == run_pb2.RUN_STATE_COMPLETED
        assert run.num_samples_accepted == len(samples) == 2 * _VARIANTS_AND_ORIGINAL
        for sample in samples:
            assert mesh.store.verify(sample.media["image"])
            lineage = await mesh.runs.GetLineage(run_pb2.GetLineageRequest(sample_id=sample.id))
            assert lineage.executions[0].step == "source"
        request = run_pb2.ExportRunRequest(run_id="first", format=run_pb2.EXPORT_FORMAT_PARQUET)
        *_, exported = [response async for response in mesh.runs.ExportRun(request)]
        assert exported.result.num_samples == len(samples)


async def test_an_unfinished_run_of_the_first_release_is_finished(first_state: Path) -> None:
    family = TinyFamily(open_store(f"file://{first_state}/store"))
    async with open_mesh(first_state, family=family) as mesh:
        before = sum(step.num_accepted for step in (await _run(mesh, "unfinished")).steps)
        run = await mesh.ended("unfinished")
        samples = await mesh.samples(run_id="unfinished")
    assert run.state == run_pb2.RUN_STATE_COMPLETED, run.error
    assert len({sample.id for sample in samples}) == run.num_samples_accepted == 8 * _VARIANTS_AND_ORIGINAL
    num_left = sum(step.num_accepted for step in run.steps) - before
    assert 0 < sum(family.num_done.values()) <= num_left, "results of the first release are not computed again"


async def test_results_of_the_first_release_are_reused(first_state: Path) -> None:
    family = TinyFamily(open_store(f"file://{first_state}/store"))
    async with open_mesh(first_state, family=family) as mesh:
        await mesh.ended("unfinished")  # resumed at the start; its calls are not those of this test
        family.num_done.clear()
        run = await mesh.run(SMALL, {"num_sets": 2}, "again")
    assert run.num_samples_accepted == 2 * _VARIANTS_AND_ORIGINAL
    assert not family.num_done


async def test_garbage_collection_keeps_artifacts_of_the_first_release(first_state: Path) -> None:
    async with open_mesh(first_state) as mesh:
        await mesh.ended("unfinished")
        request = artifact_service_pb2.CollectGarbageRequest(min_age_s=0)
        _ = [response async for response in mesh.artifacts.CollectGarbage(request)]
        for sample in [*await mesh.samples(run_id="first"), *await mesh.samples(run_id="unfinished")]:
            assert all(mesh.store.verify(artifact) for artifact in sample.media.values())


async def _run(mesh: LocalMesh, run_id: str) -> run_pb2.Run:
    return (await mesh.runs.GetRun(run_pb2.GetRunRequest(run_id=run_id))).run  # type: ignore[no-any-return]


class _FirstClient:
    """A client that knows only the first published contracts."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(_BASELINE.read_bytes()).file:
            self._pool.Add(file)

    async def call(self, service: str, method: str, **fields: Any) -> list[Any]:
        """Return all answers of an RPC as messages of the first contracts."""
        described = self._pool.FindServiceByName(f"lumenmill.{service}").FindMethodByName(method)
        request = message_factory.GetMessageClass(described.input_type)(**fields)
        response = message_factory.GetMessageClass(described.output_type)
        call = self._channel.stream_stream(
            f"/lumenmill.{service}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=response.FromString,
        )(iter([request]), timeout=30)
        return [answer async for answer in call]


async def test_a_client_of_the_first_contracts_is_served(mesh: LocalMesh) -> None:
    client = _FirstClient(mesh.channel)
    (submitted,) = await client.call("orchestrator.v1.RunService", "SubmitRun", recipe=SMALL, run_id="old")
    *_, watched = await client.call("orchestrator.v1.RunService", "WatchRun", run_id=submitted.run.id)
    assert watched.run.num_samples_accepted == 3 * _VARIANTS_AND_ORIGINAL
    (listed,) = await client.call("orchestrator.v1.RunService", "ListSamples", run_id="old")
    assert len(listed.samples) == 3 * _VARIANTS_AND_ORIGINAL
    (lineage,) = await client.call("orchestrator.v1.RunService", "GetLineage", sample_id=listed.samples[0].id)
    assert lineage.executions
    *_, exported = await client.call("orchestrator.v1.RunService", "ExportRun", run_id="old", format=1)
    assert exported.result.num_samples == len(listed.samples)
    sha256 = exported.result.files[0].artifact.sha256
    read = await client.call("orchestrator.v1.ArtifactService", "DownloadArtifact", sha256=sha256)
    assert b"".join(piece.chunk for piece in read)[:4] == b"PAR1"
    (models,) = await client.call("orchestrator.v1.RunService", "ListModels")
    assert [model.name for model in models.models] == ["tiny"]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await client.call("orchestrator.v1.RunService", "GetRun", run_id="never")
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
