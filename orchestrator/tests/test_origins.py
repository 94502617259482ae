"""Scene keys and licences of samples."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict

from lumenmill.common.v1 import artifact_pb2
from lumenmill.orchestrator.v1 import artifact_service_pb2 as service_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_orchestrator.exporters import ExportedSample
from lumenmill_orchestrator.exporters.columns import row_of
from lumenmill_orchestrator.exporters.splits import environment_maps_of

from .conftest import LocalMesh
from .recipes import SMALL

_CC_BY = artifact_pb2.Licence(spdx_id="CC-BY-4.0", allows_commercial_use=True)
_PHOTOS = """\
lumenmill: 1
name: photos
parameters:
  photos: {type: "list[artifact]"}
source: {items: "${params.photos}"}
steps:
  caption:
    call: captioner.Caption
    model: tiny
    with: {subject: {media: "${item}"}}
samples:
  photo: {kind: image, media: {image: "${item}"}, caption: "${caption.text}"}
"""
_PHOTO_CLIP = """\
lumenmill: 1
name: photo-clip
parameters:
  tags: {type: "list[string]", default: [once]}
  photo: {type: artifact}
  map: {type: artifact}
source: {items: "${params.tags}"}
steps:
  image:
    call: imager.GenerateImages
    model: tiny
    with:
      prompt: anything
      light: {sources: [{environment_map: {map: "${params.map}"}}]}
  clip:
    call: video.GenerateVideo
    model: tiny
    with: {image: "${params.photo}", motion_prompt: slowly}
samples:
  image: {kind: image, media: {image: "${image.images[0].image}"}}
  clip: {kind: clip, media: {video: "${clip.video}"}, record: "${clip.record}"}
"""
_MOVING_LIGHT = """\
lumenmill: 1
name: moving-light
parameters:
  pairs: {type: "list[string]", default: [once]}
  maps: {type: "list[artifact]"}
source: {items: "${params.pairs}"}
steps:
  clips:
    call: video.GenerateVideo
    model: tiny
    for_each: ${params.pairs}
    with:
      prompt: "${each}"
      light_path:
        interpolation: LIGHT_INTERPOLATION_BLEND
        keyframes:
          - {time_fraction: 0, light: {sources: [{environment_map: {map: "${params.maps[0]}"}}]}}
          - {time_fraction: 1, light: {sources: [{background: {image: "${params.maps[1]}"}}]}}
samples:
  clip: {kind: clip, for_each: "${clips}", media: {video: "${each.video}"}, record: "${each.record}"}
  bare: {kind: clip, media: {video: "${clips[0].video}"}}
"""


async def _upload(mesh: LocalMesh, data: bytes, media_type: str, licence: artifact_pb2.Licence | None = None) -> Any:
    async def parts() -> AsyncIterator[service_pb2.UploadArtifactRequest]:
        header = service_pb2.UploadHeader(media_type=media_type, name="theirs", licence=licence)
        yield service_pb2.UploadArtifactRequest(header=header)
        yield service_pb2.UploadArtifactRequest(chunk=data)

    artifact = (await mesh.artifacts.UploadArtifact(parts())).artifact
    return MessageToDict(artifact, preserving_proto_field_name=True)


def _photo(mesh: LocalMesh, text: str) -> bytes:
    return mesh.store.read_bytes(mesh.family.picture(text))


async def test_a_scene_has_the_same_key_in_all_runs_and_samples(mesh: LocalMesh) -> None:
    few = await mesh.run(SMALL, {"num_sets": 3, "num_lights": 1})
    many = await mesh.run(SMALL, {"num_sets": 5, "num_lights": 3})
    keys = {run.id: [s.scene_key for s in await mesh.samples(run_id=run.id)] for run in (few, many)}
    assert len(keys[few.id]) == 3 * 2 and len(set(keys[few.id])) == 3
    assert len(keys[many.id]) == 5 * 4 and len(set(keys[many.id])) == 5
    assert set(keys[few.id]) < set(keys[many.id])


async def test_a_photograph_is_a_scene_of_its_own_in_all_recipes(mesh: LocalMesh) -> None:
    photo = await _upload(mesh, _photo(mesh, "one"), "image/png", _CC_BY)
    other = await _upload(mesh, _photo(mesh, "two"), "image/png")
    sky = await _upload(mesh, b"#?RADIANCE", "image/vnd.radiance")
    first = await mesh.run(_PHOTOS, {"photos": [photo, other]})
    second = await mesh.run(_PHOTO_CLIP, {"photo": photo, "map": sky})
    assert {s.scene_key for s in await mesh.samples(run_id=first.id)} == {photo["sha256"], other["sha256"]}
    assert {s.scene_key for s in await mesh.samples(run_id=second.id)} == {photo["sha256"]}


async def test_a_linear_photograph_is_a_scene_of_its_own_under_any_name(mesh: LocalMesh) -> None:
    photo = await _upload(mesh, b"\x76\x2f\x31\x01 a photograph", "image/x-exr")
    run = await mesh.run(_PHOTOS, {"photos": [photo, {**photo, "name": "a copy"}]})
    assert {sample.scene_key for sample in await mesh.samples(run_id=run.id)} == {photo["sha256"]}


async def test_clips_with_light_paths_have_the_maps_of_all_keyframes(mesh: LocalMesh) -> None:
    maps = [await _upload(mesh, f"#?RADIANCE {number}".encode(), "image/vnd.radiance") for number in range(3)]
    run = await mesh.run(_MOVING_LIGHT, {"maps": maps})
    clip, bare = sorted(await mesh.samples(run_id=run.id), key=lambda sample: sample.record.family, reverse=True)
    assert clip.record.family == "tiny" and not bare.record.family
    for sample in (clip, bare):
        assert environment_maps_of(sample) == [maps[0]["sha256"], maps[1]["sha256"]]
    row = row_of(ExportedSample(bare, "train"), {})
    assert row["model_family"] is None and row["seed"] is None, "unknown values are null"


async def test_samples_have_the_licences_of_their_own_inputs_only(mesh: LocalMesh) -> None:
    photo = await _upload(mesh, _photo(mesh, "one"), "image/png", _CC_BY)
    sky = await _upload(mesh, b"#?RADIANCE", "image/vnd.radiance")
    run = await mesh.run(_PHOTO_CLIP, {"photo": photo, "map": sky})
    image, clip = sorted(await mesh.samples(run_id=run.id), key=lambda sample: sample.kind)
    assert {(each.subject, each.spdx_id) for each in image.licences} == {
        ("tiny", "CC0-1.0"),
        ("theirs", "LicenseRef-not-stated"),
    }
    assert not next(each for each in image.licences if each.subject == "theirs").HasField("allows_commercial_use")
    assert {(each.subject, each.spdx_id) for each in clip.licences} == {("tiny", "CC0-1.0"), ("theirs", "CC-BY-4.0")}


async def test_stated_licences_are_recorded_and_change_no_content_key(mesh: LocalMesh) -> None:
    photo = await _upload(mesh, _photo(mesh, "one"), "image/png")
    stated = await _upload(mesh, _photo(mesh, "one"), "image/png", _CC_BY)
    assert (photo["sha256"], stated["licence"]["subject"]) == (stated["sha256"], "theirs")
    await mesh.run(_PHOTOS, {"photos": [photo]})
    again = await mesh.run(_PHOTOS, {"photos": [stated]})
    assert again.steps[0].num_reused == 1
    (sample,) = await mesh.samples(run_id=again.id)
    assert sample.verdict == run_pb2.VERDICT_ACCEPTED
    assert [each.spdx_id for each in sample.licences] == ["CC0-1.0", "CC-BY-4.0"]


async def test_only_photographs_with_stated_licences_are_exported_for_commercial_use(mesh: LocalMesh) -> None:
    unstated = await _upload(mesh, _photo(mesh, "one"), "image/png")
    stated = await _upload(mesh, _photo(mesh, "two"), "image/png", _CC_BY)
    request = run_pb2.ExportRunRequest(format=run_pb2.EXPORT_FORMAT_IMAGEFOLDER, for_commercial_use=True)
    request.run_id = (await mesh.run(_PHOTOS, {"photos": [unstated, stated]})).id
    result = [response async for response in mesh.runs.ExportRun(request)][-1].result
    assert (result.num_samples, result.num_excluded_by_licence) == (1, 1)
    assert [(each.licence.subject, each.reason) for each in result.licence_exclusions] == [
        ("theirs", "does not state whether commercial use is allowed")
    ]
    request.run_id = (await mesh.run(_PHOTOS, {"photos": [unstated]})).id
    with pytest.raises(grpc.aio.AioRpcError) as rejected:
        _ = [response async for response in mesh.runs.ExportRun(request)]
    assert rejected.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "theirs (LicenseRef-not-stated)" in (rejected.value.details() or "")
