"""Licences of samples: those of models, of records, and of environment maps, corrections included."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from lumenmill.common.v1 import artifact_pb2, generation_pb2, model_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.artifacts import artifacts_in, open_store

from .conftest import LocalMesh, open_mesh
from .test_origins import _CC_BY, _PHOTOS, _photo, _upload
from .tiny_mesh import TinyFamily

_FREE = artifact_pb2.Licence(subject="sky.hdr", spdx_id="CC0-1.0", allows_commercial_use=True)
_FORBIDDEN = artifact_pb2.Licence(subject="sky.hdr", spdx_id="CC-BY-NC-4.0", allows_commercial_use=False)
_SOURCE = """\
lumenmill: 1
name: source
source:
  call: imager.GenerateImages
  model: tiny
  count: 1
  with: {prompt: a kettle}
  items: ${result.images}
steps:
  caption: {call: captioner.Caption, model: tiny, with: {subject: {media: "${item.image}"}}}
samples:
  image: {kind: image, media: {image: "${item.image}"}, caption: "${caption.text}"}
"""
_PROMPTED = """\
lumenmill: 1
name: prompted
source:
  call: prompter.GeneratePromptSets
  model: tiny
  count: 1
  with: {brief: {num_img_sets: 1}}
  items: ${result.prompt_sets}
steps:
  image: {call: imager.GenerateImages, model: tiny, with: {prompt: "${item.image_prompt}"}}
samples:
  image: {kind: image, media: {image: "${image.images[0].image}"}}
"""
_LIT = """\
lumenmill: 1
name: lit
parameters:
  tags: {type: "list[string]", default: [once]}
  map: {type: artifact}
  unused: {type: "list[artifact]", default: []}
source: {items: "${params.tags}"}
steps:
  image:
    call: imager.GenerateImages
    model: tiny
    with:
      prompt: "a kettle"
      light: {sources: [{environment_map: {map: "${params.map}"}}]}
samples:
  image: {kind: image, media: {image: "${image.images[0].image}"}, record: "${image.images[0].record}"}
"""
_OFFERED = _LIT.replace("${params.map}", "${models.tiny.environment_maps[0]}").replace("  map: {type: artifact}\n", "")
_MOVING = """\
lumenmill: 1
name: moving
parameters:
  tags: {type: "list[string]", default: [once]}
source: {items: "${params.tags}"}
steps:
  image:
    call: video.GenerateVideo
    model: tiny
    with:
      prompt: "a kettle"
      light_path:
        interpolation: LIGHT_INTERPOLATION_BLEND
        keyframes:
          - {time_fraction: 0, light: {text: dark}}
          - {time_fraction: 1, light: {sources: [{environment_map: {map: "${models.tiny.environment_maps[0]}"}}]}}
samples:
  clip: {kind: clip, media: {video: "${image.video}"}, record: "${image.record}"}
"""


def _as_studio(request: Any) -> list[artifact_pb2.Licence]:
    """Return the licence of the map of a light, as studio records it."""
    (artifact,) = artifacts_in(request)
    licence = artifact_pb2.Licence()
    licence.CopyFrom(artifact.licence)
    licence.subject = licence.subject or artifact.name
    licence.spdx_id = licence.spdx_id or "LicenseRef-operator-supplied"
    return [licence]


def _with_maps(*licences: artifact_pb2.Licence) -> Callable[[model_pb2.Model], None]:
    """Return a change of the description that adds maps with these licences, all named `sky.hdr`."""

    def change(model: model_pb2.Model) -> None:
        for number, licence in enumerate(licences):
            data = artifact_pb2.Artifact(inline_data=f"#?RADIANCE {number}".encode(), media_type="image/vnd.radiance")
            model.environment_maps.add(name="sky.hdr", licence=licence).MergeFrom(data)
            model.licences.append(licence)

    return change


class Family(TinyFamily):
    """A tiny family with another description, whose records have further licences."""

    change: Callable[[model_pb2.Model], None] = staticmethod(lambda model: None)
    recorded: Callable[[Any], list[artifact_pb2.Licence]] = staticmethod(lambda request: [])

    def describe(self) -> model_pb2.Model:
        model = super().describe()
        self.change(model)
        return model

    def record(self, request: Any) -> generation_pb2.GenerationRecord:
        record = super().record(request)
        record.licences.extend(self.recorded(request))
        return record


@contextlib.asynccontextmanager
async def _open_mesh(folder: Path, **more: Any) -> AsyncIterator[LocalMesh]:
    family = Family(open_store(f"file://{folder}/store"))
    for name, value in more.items():
        setattr(family, name, value)
    async with open_mesh(folder, family=family) as mesh:
        yield mesh


async def _licences(mesh: LocalMesh, run: run_pb2.Run) -> list[tuple[str, str]]:
    """Return (subject, SPDX identifier) of the licences of a run's only sample."""
    assert run.state == run_pb2.RUN_STATE_COMPLETED, run.error
    (sample,) = await mesh.samples(run_id=run.id)
    return [(licence.subject, licence.spdx_id) for licence in sample.licences]


async def _is_commercial(mesh: LocalMesh, run: run_pb2.Run) -> bool:
    """Return whether the samples of a run are exported for commercial use."""
    request = run_pb2.ExportRunRequest(
        run_id=run.id, format=run_pb2.EXPORT_FORMAT_PARQUET, for_commercial_use=True, split_rule=2
    )  # type: ignore[arg-type]
    try:
        *_, last = [response async for response in mesh.runs.ExportRun(request)]
    except grpc.aio.AioRpcError as error:
        assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
        return False
    return bool(last.result.num_samples) and not last.result.num_excluded_by_licence


@pytest.mark.parametrize(
    ("map_name", "stated", "expected"),
    [("", None, ("tiny", "LicenseRef-not-stated")), ("sky.hdr", _FREE, ("tiny", "LicenseRef-not-stated")),
     ("", artifact_pb2.Licence(spdx_id="CC-BY-NC-4.0", allows_commercial_use=False), ("", "CC-BY-NC-4.0"))],
    ids=["none", "of its map", "without a subject, with a map without a name"],
)  # fmt: skip
async def test_samples_have_the_licence_of_their_model_or_that_none_is_stated(
    tmp_path: Path, map_name: str, stated: artifact_pb2.Licence | None, expected: tuple[str, str]
) -> None:
    def change(model: model_pb2.Model) -> None:
        del model.licences[:]
        model.licences.extend([stated] if stated is not None else [])
        model.environment_maps.add(sha256="a" * 64, media_type="image/vnd.radiance", name=map_name)

    async with _open_mesh(tmp_path, change=change) as mesh:
        photo = await _upload(mesh, _photo(mesh, "one"), "image/png", _CC_BY)
        run = await mesh.run(_PHOTOS, {"photos": [photo]})
        assert await _licences(mesh, run) == [expected, ("theirs", "CC-BY-4.0")]
        assert not await _is_commercial(mesh, run)


@pytest.mark.parametrize(
    "recipe",
    [
        _SOURCE,
        _SOURCE.replace("${result.images}", "${result.images[*].image}").replace("item.image", "item"),
        _PROMPTED,
    ],
    ids=["in the item", "not in the item", "outside the items"],
)
async def test_samples_have_the_licences_recorded_by_their_source(tmp_path: Path, recipe: str) -> None:
    def recorded(request: Any) -> list[artifact_pb2.Licence]:
        return [] if getattr(request, "prompt", "").startswith("a kettle number") else [_FORBIDDEN]

    async with _open_mesh(tmp_path, recorded=recorded) as mesh:
        run = await mesh.run(recipe)
        assert await _licences(mesh, run) == [("tiny", "CC0-1.0"), ("sky.hdr", "CC-BY-NC-4.0")]
        assert not await _is_commercial(mesh, run)


@pytest.mark.parametrize(
    ("recipe", "before", "after"),
    [(_OFFERED, _FREE, _FORBIDDEN), (_OFFERED, _FORBIDDEN, _FREE), (_MOVING, _FREE, _FORBIDDEN)],
    ids=["stricter", "freer", "of a light path"],
)
def test_corrected_licences_of_offered_maps_apply_to_reused_results(
    tmp_path: Path, recipe: str, before: artifact_pb2.Licence, after: artifact_pb2.Licence
) -> None:
    async def run_under(licence: artifact_pb2.Licence) -> tuple[int, list[tuple[str, str]], bool]:
        async with _open_mesh(tmp_path, change=_with_maps(licence), recorded=_as_studio) as mesh:
            run = await mesh.run(recipe)
            return run.steps[0].num_reused, await _licences(mesh, run), await _is_commercial(mesh, run)

    for licence, num_reused in ((before, 0), (after, 1)):
        found = asyncio.run(run_under(licence))
        licences = [("tiny", "CC0-1.0"), ("sky.hdr", licence.spdx_id)]
        assert found == (num_reused, licences, licence.allows_commercial_use)


@pytest.mark.parametrize("name", ["theirs", "another name"])
async def test_licences_stated_later_apply_to_reused_results(tmp_path: Path, name: str) -> None:
    async with _open_mesh(tmp_path, recorded=_as_studio) as mesh:
        unstated = await _upload(mesh, b"#?RADIANCE", "image/vnd.radiance")
        assert not await _is_commercial(mesh, await mesh.run(_LIT, {"map": unstated}))
        stated = {**unstated, "name": name, "licence": {"spdx_id": "CC0-1.0", "allows_commercial_use": True}}
        run = await mesh.run(_LIT, {"map": stated})
        assert run.steps[0].num_reused == 1
        assert await _licences(mesh, run) == [("tiny", "CC0-1.0"), (name, "CC0-1.0")]
        assert await _is_commercial(mesh, run)


async def test_two_licences_of_one_file_both_count(tmp_path: Path) -> None:
    async with _open_mesh(tmp_path, recorded=_as_studio) as mesh:
        sky = await _upload(mesh, b"#?RADIANCE", "image/vnd.radiance", _FORBIDDEN)
        free = {**sky, "licence": {"spdx_id": "CC0-1.0", "allows_commercial_use": True}}
        for given in ({"map": sky, "unused": [free]}, {"map": free, "unused": [sky]}):
            assert not await _is_commercial(mesh, await mesh.run(_LIT, given))


async def test_a_recorded_licence_counts_where_it_may_be_of_another_file_of_the_same_name(tmp_path: Path) -> None:
    def recorded(request: Any) -> list[artifact_pb2.Licence]:  # of the map, and of a 3D mesh with the same name
        return [_FREE, _FORBIDDEN]

    async with _open_mesh(tmp_path, change=_with_maps(_FREE), recorded=recorded) as mesh:
        run = await mesh.run(_OFFERED)
        assert ("sky.hdr", "CC-BY-NC-4.0") in await _licences(mesh, run)
        assert not await _is_commercial(mesh, run)
