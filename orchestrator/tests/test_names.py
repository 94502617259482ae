"""Names that callers choose never lead out of a dataset, whatever store and database hold it."""

import asyncio
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.errors import FailedPreconditionError, LumenmillError
from lumenmill_common.settings import StoreSettings
from lumenmill_orchestrator.names import is_name, name_from
from lumenmill_orchestrator.recipe import KnownModel, check_recipe

from .conftest import LocalMesh, open_mesh
from .postgres import postgres_server
from .recipes import ONE_IMAGE
from .stores import minio, stored  # noqa: F401 - fixtures
from .synthetic import Archive, image_sample

_KNOWN = {"tiny": KnownModel("tiny")}
_MEDIA = 'media: {image: "${image.images[0].image}"}'
_ESCAPES = ["../../../x", "/etc/x", "a/b", "..", "A", "a.b", "a-b", "x\\y", "é", "a" * 64, "a\n"]
_MEMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[a-z0-9_]+)?(\.[a-z0-9]+)+")


def _problems(text: str) -> list[str]:
    return [f"{found.path}: {found.message}" for found in check_recipe(text, "r.yaml", {}, _KNOWN).problems]


@pytest.mark.parametrize("role", _ESCAPES)
def test_roles_of_recipes_are_names(role: str) -> None:
    quoted = role.replace("\\", "\\\\").replace("\n", "\\n")
    text = ONE_IMAGE.replace(_MEDIA, f'media: {{"{quoted}": "${{image.images[0].image}}"}}')
    (problem,) = _problems(text)
    assert "is not a role of media" in problem
    value = f'{{"{quoted}": "${{image.images[0].image}}"}}'
    conditional = f'media: {{when: {{value: "${{params.prompt}}", empty: false}}, value: {value}}}'
    assert any("is not a role of media" in each for each in _problems(ONE_IMAGE.replace(_MEDIA, conditional)))


@pytest.mark.parametrize("name", ["../../x", "a/b", "my-sample", "é", "1", "a" * 64])
def test_samples_and_steps_of_recipes_have_names(name: str) -> None:
    assert "cannot name a sample" in _problems(ONE_IMAGE.replace("  image:\n    kind", f'  "{name}":\n    kind'))[0]
    step = ONE_IMAGE.replace("steps:\n", f'steps:\n  "{name}": {{call: imager.GenerateImages, model: tiny}}\n')
    assert any("cannot name a step" in problem for problem in _problems(step))


@pytest.mark.parametrize("group", ["../x", "My set", "a/b", "-a", "a" * 64])
def test_groups_of_recipes_are_names(group: str) -> None:
    (problem,) = _problems(ONE_IMAGE.replace(_MEDIA, f'group: "{group}"\n    {_MEDIA}'))
    assert problem.startswith("samples.image.group: ") and "cannot name a group" in problem
    assert not _problems(ONE_IMAGE.replace(_MEDIA, f"group: set-1_a\n    {_MEDIA}"))


def test_any_text_has_a_name_of_its_own() -> None:
    texts = [
        "photo 1.jpg",
        "photo-1.jpg",
        "../../etc/passwd",
        "Ünïcödé",
        "",
        "a" * 500,
        "a" * 501,
        "-",
        "..",
        "\0",
        "A",
    ]
    names = [name_from(text) for text in texts]
    assert all(is_name(name) for name in names) and len(set(names)) == len(texts)
    assert name_from("set-1") == "set-1" and names[0].startswith("photo-1-jpg-")


async def test_groups_made_from_texts_of_items_are_names_and_can_be_listed(tmp_path: Path) -> None:
    async with open_mesh(tmp_path) as mesh:
        run = await mesh.run(
            ONE_IMAGE.replace(_MEDIA, f"group: ${{item}}\n    {_MEDIA}"), {"tags": ["../My Photo.jpg"]}
        )
        (sample,) = await mesh.samples(run_id=run.id)
        assert is_name(sample.group_id) and sample.group_id.startswith("my-photo-jpg-")
        assert [found.id for found in await mesh.samples(group_id=sample.group_id)] == [sample.id]


async def test_media_without_a_digest_become_no_sample(mesh: LocalMesh) -> None:
    media = 'media: {image: {sha256: "${item}", media_type: image/png}}'
    run = await mesh.run(ONE_IMAGE.replace(_MEDIA, media), {"tags": ["../../../x"]})
    assert run.num_items_failed == 1 and "is not a digest" in run.item_error
    assert not await mesh.samples(run_id=run.id)


@pytest.mark.parametrize("run_id", ["../x", "a/b", "A", "-a", "a" * 64, "a.b", "a\n"])
async def test_ids_of_runs_and_groups_are_names(mesh: LocalMesh, run_id: str) -> None:
    calls = [
        mesh.runs.SubmitRun(run_pb2.SubmitRunRequest(run_id=run_id, recipe=ONE_IMAGE)),
        mesh.runs.GetRun(run_pb2.GetRunRequest(run_id=run_id)),
        mesh.runs.CancelRun(run_pb2.CancelRunRequest(run_id=run_id)),
        mesh.runs.PauseRun(run_pb2.PauseRunRequest(run_id=run_id)),
        mesh.runs.ResumeRun(run_pb2.ResumeRunRequest(run_id=run_id)),
        mesh.runs.ListSamples(run_pb2.ListSamplesRequest(run_id=run_id)),
        mesh.runs.ListSamples(run_pb2.ListSamplesRequest(group_id=run_id)),
        mesh.runs.WatchRun(run_pb2.WatchRunRequest(run_id=run_id)).read(),
        mesh.runs.ExportRun(run_pb2.ExportRunRequest(run_id=run_id, format=run_pb2.EXPORT_FORMAT_PARQUET)).read(),
        mesh.runs.ExportRun(
            run_pb2.ExportRunRequest(run_id="a", more_run_ids=[run_id], format=run_pb2.EXPORT_FORMAT_PARQUET)
        ).read(),
    ]
    for answer in await asyncio.gather(*calls, return_exceptions=True):
        assert isinstance(answer, grpc.aio.AioRpcError) and answer.code() is grpc.StatusCode.INVALID_ARGUMENT, answer
    assert (
        await mesh.runs.SubmitRun(run_pb2.SubmitRunRequest(run_id="my_run-1", recipe=ONE_IMAGE))
    ).run.id == "my_run-1"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield ""
        return
    with postgres_server(tmp_path) as server:
        yield server.url


@pytest.fixture
def archive(tmp_path: Path, stored: StoreSettings, database_url: str) -> Iterator[Archive]:  # noqa: F811
    made = Archive(tmp_path, stored, database_url)
    yield made
    made.close()


async def test_no_member_of_a_tar_leads_out_of_its_folder(archive: Archive, tmp_path: Path) -> None:
    """Rows that an earlier version stored are exported by this one."""
    for number, role in enumerate(["../../../x", "/x", "a/b", "..", "a-b"]):
        sample = image_sample(archive, f"role-{number}", 1, number)
        sample.media[role].CopyFrom(archive.picture(role))
        archive.add([sample])
        error = await archive.error_of(f"role-{number}", "WEBDATASET")
        assert isinstance(error, FailedPreconditionError) and "is not a role of media" in error.message
    escaping = image_sample(archive, "id", 1, 9)
    escaping.id = "id/../../x"
    archive.add([escaping])
    assert "has an id that cannot name files" in (await archive.error_of("id", "WEBDATASET")).message
    archive.add([image_sample(archive, "good", 2, number) for number in range(3)])
    await archive.export("good", "WEBDATASET", tmp_path / "d")
    members = []
    for path in (tmp_path / "d").rglob("*.tar"):
        with tarfile.open(path) as tar:
            members += tar.getnames()
    assert len(members) == 9 and all(_MEMBER.fullmatch(name) for name in members), members


@pytest.mark.parametrize("export_format", ["IMAGEFOLDER", "DIFFSYNTH", "VIDEOX_FUN", "WEBDATASET"])
@pytest.mark.parametrize(
    ("field", "value"), [("sha256", "../../../x"), ("sha256", ""), ("media_type", "image/../../x")]
)
async def test_no_file_of_a_dataset_leads_out_of_it(tmp_path: Path, export_format: str, field: str, value: str) -> None:
    archive = Archive(tmp_path)
    sample = image_sample(archive, "run", 1, 0)
    setattr(sample.media["image"], field, value)
    archive.add([sample])
    try:
        result = await archive.export("run", export_format)
    except LumenmillError as error:
        assert "digest" in error.message or "artifact" in error.message
    else:
        assert all(re.fullmatch(r"[A-Za-z0-9_./-]+", file.path) and ".." not in file.path for file in result.files)
    archive.close()
