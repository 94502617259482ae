"""A repeated export writes only what has changed, and reads only what it writes."""

import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from lumenmill.common.v1 import artifact_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.errors import UnavailableError
from lumenmill_orchestrator.collector import GarbageCollector
from lumenmill_orchestrator.exporters import shards
from lumenmill_orchestrator.storage import ExportStore

from .synthetic import Archive, image_sample

_ALL_IN = {"split_rule": run_pb2.SPLIT_RULE_SCENE}


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(shards, "_MAX_SAMPLES", 25)
    made = Archive(tmp_path)
    made.add([image_sample(made, "run", scene, 0) for scene in range(100)])
    yield made
    made.close()


def _files(result: run_pb2.ExportResult) -> dict[str, str]:
    return {file.path: file.artifact.sha256 for file in result.files}


def _written(result: run_pb2.ExportResult) -> list[str]:
    return [file.path for file in result.files if not file.reused]


def _count_reads(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    reads: list[str] = []
    read_bytes = archive.store.read_bytes

    def counting(artifact: artifact_pb2.Artifact, **more: Any) -> bytes:
        reads.append(artifact.sha256)
        return read_bytes(artifact, **more)

    monkeypatch.setattr(archive.store, "read_bytes", counting)
    return reads


@pytest.mark.parametrize(("export_format", "embed_media"), [("PARQUET", True), ("WEBDATASET", False)])
async def test_further_samples_write_only_the_files_that_change(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, export_format: str, embed_media: bool
) -> None:
    options = {"embed_media": embed_media, **_ALL_IN}
    first = await archive.export("run", export_format, **options)
    assert len(_written(first)) == len(first.files) >= 5
    reads = _count_reads(archive, monkeypatch)
    again = await archive.export("run", export_format, **options)
    assert _files(again) == _files(first) and not _written(again) and not reads
    archive.add([image_sample(archive, "run", 500, 0)])
    more = await archive.export("run", export_format, **options)
    assert more.num_samples == 101
    (changed,) = _written(more)
    assert changed.rsplit("/", 1)[1].startswith(("train", "validation", "test")) and len(reads) <= 25 * 3
    unchanged = {path for path, sha256 in _files(first).items() if _files(more)[path] == sha256}
    assert len(unchanged) >= len(first.files) - 1
    reads.clear()
    archive.add([image_sample(archive, "later", scene, 0) for scene in range(600, 603)])
    joined = await archive.export("run", export_format, more_run_ids=["later"], **options)
    assert joined.num_samples == 104 and len(_written(joined)) <= 3


async def test_a_metadata_file_is_written_again_only_for_a_changed_split(archive: Archive) -> None:
    first = await archive.export("run", "VIDEOX_FUN", **_ALL_IN)
    archive.add([image_sample(archive, "run", 500, 0)])
    again = await archive.export("run", "VIDEOX_FUN", **_ALL_IN)
    assert sorted(_written(first)) == ["test.json", "train.json", "validation.json"]
    assert len(_written(again)) == 1 and again.num_samples == 101


async def test_a_file_missing_in_the_store_is_written_again(archive: Archive) -> None:
    first = await archive.export("run", "PARQUET", **_ALL_IN)
    archive.store.delete(first.files[0].artifact.sha256)
    again = await archive.export("run", "PARQUET", **_ALL_IN)
    assert _written(again) == [first.files[0].path] and _files(again) == _files(first)


async def test_memory_does_not_grow_with_the_number_of_samples(archive: Archive) -> None:
    async def peak_bytes() -> int:
        tracemalloc.start()
        await archive.export("run", "PARQUET", **_ALL_IN)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    def with_new_captions(first: int, last: int) -> list[run_pb2.Sample]:
        made = []
        for number in range(first, last):
            made.append(run_pb2.Sample())
            made[-1].CopyFrom(sample)
            made[-1].id, made[-1].caption = f"run.captioned.{number}", f"caption {number}"
        return made

    sample = image_sample(archive, "run", 0, 0)
    archive.add(with_new_captions(0, 300))
    await peak_bytes()
    archive.add(with_new_captions(300, 600))
    small = await peak_bytes()
    archive.add(with_new_captions(600, 3300))
    assert await peak_bytes() < 1.5 * small


@pytest.mark.parametrize("export_format", ["PARQUET", "VIDEOX_FUN"])
async def test_reused_files_of_an_interrupted_export_are_protected_from_collection(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, export_format: str
) -> None:
    """A collection that runs before the export is saved does not remove them."""
    save = ExportStore.save

    def unavailable(*_: Any) -> None:
        raise UnavailableError("the database does not answer")

    def saved_after_a_collection(exports: ExportStore, request: Any, result: run_pb2.ExportResult) -> None:
        list(GarbageCollector(archive.engine, archive.store).collect(min_age_s=3600, dry_run=False))
        save(exports, request, result)

    monkeypatch.setattr(ExportStore, "save", unavailable)
    assert isinstance(await archive.error_of("run", export_format, **_ALL_IN), UnavailableError)
    for path in archive.folder.glob("store/objects/*/*"):
        if path.suffix in (".parquet", ".json"):
            os.utime(path, (1e9, 1e9))
    monkeypatch.setattr(ExportStore, "save", saved_after_a_collection)
    again = await archive.export("run", export_format, **_ALL_IN)
    assert not _written(again) and all(archive.store.stat(file.artifact.sha256) for file in again.files)
