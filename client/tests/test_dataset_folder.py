"""A folder is synchronized with an export; no other files in it or around it change."""

import hashlib
from pathlib import Path

import pytest

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.orchestrator.v1.run_pb2 import ExportedFile, ExportResult
from lumenmill_client._dataset_folder import MANIFEST, DatasetFolder
from lumenmill_common.errors import InvalidArgumentError, UnavailableError


class Downloads:
    """Returns stored bytes and records the requested digests."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}
        self.requested: list[str] = []
        self.fails_at = ""

    def result(self, **files: str) -> ExportResult:
        """Return an export of files with these texts; `__` in names means `/`, and `.txt` is appended."""
        exported = []
        for name, text in files.items():
            sha256 = hashlib.sha256(text.encode()).hexdigest()
            self.data[sha256] = text.encode()
            exported.append(ExportedFile(path=name.replace("__", "/") + ".txt", artifact=Artifact(sha256=sha256)))
        return ExportResult(files=exported)

    async def download(self, artifact: Artifact | str, path: str | Path) -> Path:
        assert isinstance(artifact, Artifact)
        if artifact.sha256 == self.fails_at:
            raise UnavailableError("connection lost")
        self.requested.append(artifact.sha256)
        return _put(Path(path), self.data[artifact.sha256].decode())


def _put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def _texts(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }


async def test_only_differing_files_are_written_and_obsolete_ones_removed(tmp_path: Path) -> None:
    downloads, folder = Downloads(), DatasetFolder(tmp_path / "d", "parquet")
    first = await folder.save(downloads.result(a="1", sub__b="2", sub__c="3"), downloads)
    assert (first.num_written, first.num_unchanged, first.num_removed) == (3, 0, 0)
    _put(tmp_path / "d/notes.txt", "mine")
    downloads.requested.clear()
    again = await folder.save(downloads.result(a="1", other__b="22"), downloads)
    assert (again.num_written, again.num_unchanged, again.num_removed) == (1, 1, 2)
    assert len(downloads.requested) == 1
    assert _texts(tmp_path / "d") == {"a.txt": "1", "other/b.txt": "22", "notes.txt": "mine"}
    assert not (tmp_path / "d/sub").exists()


async def test_a_changed_file_is_written_again(tmp_path: Path) -> None:
    downloads, folder = Downloads(), DatasetFolder(tmp_path / "d", "parquet")
    result = downloads.result(a="1", b="2")
    await folder.save(result, downloads)
    _put(tmp_path / "d/a.txt", "?")
    assert (await folder.save(result, downloads)).num_written == 1
    assert _texts(tmp_path / "d") == {"a.txt": "1", "b.txt": "2"}


@pytest.mark.parametrize(
    "path",
    ["../out.txt", "/etc/out.txt", "a/../../out.txt", "a//b.txt", "./a.txt", "", "a\\b.txt", "C:a.txt", MANIFEST, "a/"],
)
async def test_paths_outside_the_folder_are_rejected_before_anything_is_written(tmp_path: Path, path: str) -> None:
    downloads = Downloads()
    result = downloads.result(good="1", bad="2")
    result.files[1].path = path
    with pytest.raises(InvalidArgumentError, match="path"):
        await DatasetFolder(tmp_path / "d", "parquet").save(result, downloads)
    assert not downloads.requested and not _texts(tmp_path)


async def test_links_and_damaged_manifests_do_not_reach_outside_the_folder(tmp_path: Path) -> None:
    downloads = Downloads()
    (tmp_path / "d").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "d/sub").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidArgumentError, match="by a link"):
        await DatasetFolder(tmp_path / "d", "parquet").save(downloads.result(sub__a="1"), downloads)
    victim = _put(tmp_path / "victim.txt", "mine")
    (tmp_path / "d" / MANIFEST).write_text('{"files": {"../victim.txt": ""}}')
    with pytest.raises(InvalidArgumentError):
        await DatasetFolder(tmp_path / "d", "parquet").save(downloads.result(a="1"), downloads)
    assert victim.read_text() == "mine"


async def test_foreign_files_are_not_overwritten_unless_equal(tmp_path: Path) -> None:
    downloads = Downloads()
    _put(tmp_path / "d/a.txt", "1")
    mine = _put(tmp_path / "d/b.txt", "mine")
    with pytest.raises(InvalidArgumentError, match="not of an earlier export"):
        await DatasetFolder(tmp_path / "d", "parquet").save(downloads.result(a="1", b="2"), downloads)
    assert mine.read_text() == "mine"
    assert (await DatasetFolder(tmp_path / "d", "parquet").save(downloads.result(a="1"), downloads)).num_unchanged == 1


async def test_an_interrupted_export_is_resumed(tmp_path: Path) -> None:
    downloads, folder = Downloads(), DatasetFolder(tmp_path / "d", "parquet")
    result = downloads.result(a="1", b="2")
    downloads.fails_at = result.files[1].artifact.sha256
    with pytest.raises(UnavailableError):
        await folder.save(result, downloads)
    downloads.fails_at = ""
    changed = downloads.result(a="11", b="2")
    assert (await folder.save(changed, downloads)).num_written == 2
    assert _texts(tmp_path / "d") == {"a.txt": "11", "b.txt": "2"}


async def test_equal_foreign_files_are_not_removed_later(tmp_path: Path) -> None:
    downloads, folder = Downloads(), DatasetFolder(tmp_path / "d", "parquet")
    _put(tmp_path / "d/mine.txt", "1")
    assert (await folder.save(downloads.result(mine="1", b="2"), downloads)).num_unchanged == 1
    assert (await folder.save(downloads.result(c="3"), downloads)).num_removed == 1
    assert _texts(tmp_path / "d") == {"mine.txt": "1", "c.txt": "3"}


async def test_folders_replace_files_and_files_replace_folders(tmp_path: Path) -> None:
    downloads, folder = Downloads(), DatasetFolder(tmp_path / "d", "parquet")
    result = downloads.result(sub="1")
    for path in ("sub", "sub/inner.txt", "sub"):
        result.files[0].path = path
        await folder.save(result, downloads)
        assert _texts(tmp_path / "d") == {path: "1"}


@pytest.mark.parametrize("foreign", ["sub.txt", "sub.txt/foreign/a.txt"])
async def test_foreign_files_are_not_replaced_by_folders_or_files(tmp_path: Path, foreign: str) -> None:
    downloads, folder = Downloads(), DatasetFolder(tmp_path / "d", "parquet")
    earlier = downloads.result(earlier="0")
    await folder.save(earlier, downloads)
    _put(tmp_path / "d" / foreign, "foreign")
    result = downloads.result(sub="1")
    if foreign == "sub.txt":
        result.files[0].path = "sub.txt/inner.txt"
    with pytest.raises(InvalidArgumentError, match="not of an earlier export") as rejected:
        await folder.save(result, downloads)
    assert rejected.value.field == "folder"
    assert _texts(tmp_path / "d") == {"earlier.txt": "0", foreign: "foreign"}, "rejected before anything changes"


async def test_a_file_in_place_of_the_folder_is_rejected_by_name(tmp_path: Path) -> None:
    downloads = Downloads()
    path = _put(tmp_path / "d", "a file")
    with pytest.raises(InvalidArgumentError, match=str(path)):
        await DatasetFolder(path, "parquet").save(downloads.result(a="1"), downloads)


async def test_a_folder_holds_a_dataset_of_one_format(tmp_path: Path) -> None:
    downloads = Downloads()
    await DatasetFolder(tmp_path / "d", "parquet").save(downloads.result(a="1"), downloads)
    with pytest.raises(InvalidArgumentError, match="holds a dataset of the format parquet"):
        await DatasetFolder(tmp_path / "d", "webdataset").save(downloads.result(b="1"), downloads)
    assert (tmp_path / "d" / "a.txt").exists()
