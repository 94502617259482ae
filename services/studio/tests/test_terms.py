"""Records of results contain the terms of use of all assets that were used."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
import pytest
import pytest_asyncio

import lumenmill_media as media
from lumenmill.common.v1 import model_pb2, model_pb2_grpc
from lumenmill.common.v1.artifact_pb2 import Artifact, Licence
from lumenmill.common.v1.light_pb2 import Light
from lumenmill.common.v1.scene_pb2 import SceneDescription, SceneKind
from lumenmill.imager.v1 import imager_pb2, imager_pb2_grpc
from lumenmill_common.artifacts import ArtifactStore, open_store
from lumenmill_common.calls import call_heavy
from lumenmill_common.errors import FailedPreconditionError
from lumenmill_common.testing import running_service
from lumenmill_studio.__main__ import studio_service
from lumenmill_studio.settings import StudioSettings

from .mesh_makers import MAKERS

STATED = """
- files: environment_maps/sky*.exr
  spdx_id: CC-BY-NC-4.0
  subject: Skies by A. Painter
- files: meshes/*
  spdx_id: LicenseRef-our-own
  allows_commercial_use: true
"""
SKIES = Licence(subject="Skies by A. Painter", spdx_id="CC-BY-NC-4.0", allows_commercial_use=False)


@dataclass(frozen=True)
class Studio:
    """A running studio and the store that it shares with its callers."""

    channel: grpc.aio.Channel
    store: ArtifactStore


def put_map(path: Path, radiance: float) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(media.encode_exr(np.full((16, 32, 3), radiance, np.float32)))


def settings_for(folder: Path) -> StudioSettings:
    return StudioSettings(
        listen_address="127.0.0.1:0",
        metrics_address="",
        drain_s=0.0,
        render_variant="scalar",
        store_url=f"file://{folder}/store",
        assets_dir=folder,
    )


@pytest_asyncio.fixture
async def own(tmp_path: Path) -> AsyncIterator[Studio]:
    """A studio with two maps and a mesh of the operator; terms are stated for all but one of the maps."""
    put_map(tmp_path / "environment_maps" / "sky_noon.exr", 1.0)
    put_map(tmp_path / "environment_maps" / "yard.exr", 2.0)
    (tmp_path / "meshes").mkdir()
    (tmp_path / "meshes" / "moon_lamp.ply").write_bytes(MAKERS["ply"]())
    (tmp_path / "licences.yaml").write_text(STATED)
    settings = settings_for(tmp_path)
    async with running_service(studio_service(settings), settings) as channel:
        yield Studio(channel, open_store(settings.store_url))


async def licences_under(studio: Studio, environment_map: Artifact, subject: str = "sphere") -> dict[str, Licence]:
    """The terms in the record of a small picture, by what they cover."""
    light = Light()
    light.sources.add().environment_map.map.CopyFrom(environment_map)
    scene = SceneDescription(kind=SceneKind.SCENE_KIND_PORTRAIT, subjects=[subject], materials=["plaster"])
    request = imager_pb2.GenerateImagesRequest(scene=scene, light=light, preset="fast", width_px=32, height_px=24)
    request.job.request_id = f"terms-{environment_map.licence.spdx_id}"
    made = await call_heavy(imager_pb2_grpc.ImagerServiceStub(studio.channel).GenerateImages, request)
    return {licence.subject: licence for licence in made.images[0].record.licences}


async def test_terms_of_the_operator_are_in_the_model_and_in_records(own: Studio) -> None:
    model = (await model_pb2_grpc.ModelServiceStub(own.channel).GetModel(model_pb2.GetModelRequest())).model
    sky, yard = model.environment_maps
    assert sky.licence == SKIES
    assert not yard.HasField("licence")
    offered = {licence.subject: licence for licence in model.licences}
    assert offered["sky_noon.exr"].spdx_id == "CC-BY-NC-4.0"
    assert not offered["sky_noon.exr"].allows_commercial_use
    assert offered["yard.exr"].spdx_id == "LicenseRef-operator-supplied"
    assert not offered["yard.exr"].HasField("allows_commercial_use")

    # The operator's terms apply to files with the same digest, whatever the request states.
    stated = Artifact(uri=sky.uri, sha256=sky.sha256, licence=Licence(spdx_id="CC0-1.0"))
    recorded = await licences_under(own, stated, "moon lamp")
    assert recorded["Skies by A. Painter"] == SKIES
    assert recorded["moon_lamp.ply"] == Licence(
        subject="moon_lamp.ply", spdx_id="LicenseRef-our-own", allows_commercial_use=True
    )


async def test_corrected_terms_of_a_mesh_change_the_revision(own: Studio, tmp_path: Path) -> None:
    async def described(channel: grpc.aio.Channel) -> model_pb2.Model:
        return (await model_pb2_grpc.ModelServiceStub(channel).GetModel(model_pb2.GetModelRequest())).model

    settings, revisions = settings_for(tmp_path), [(await described(own.channel)).revision]
    for text in (STATED.replace("LicenseRef-our-own", "LicenseRef-theirs"), STATED):
        (tmp_path / "licences.yaml").write_text(text)
        async with running_service(studio_service(settings), settings) as channel:
            revisions.append((await described(channel)).revision)
    assert revisions[0] == revisions[2] != revisions[1]


@pytest.mark.parametrize("is_inline", [True, False])
async def test_terms_in_a_request_are_recorded(own: Studio, is_inline: bool) -> None:
    data = media.encode_exr(np.full((16, 32, 3), 3.0, np.float32))
    artifact = (
        Artifact(inline_data=data, media_type="image/x-exr") if is_inline else own.store.put_bytes(data, "image/x-exr")
    )
    artifact.name = "mine.exr"
    artifact.licence.spdx_id = "CC0-1.0"
    recorded = await licences_under(own, artifact)
    assert recorded["mine.exr"] == Licence(subject="mine.exr", spdx_id="CC0-1.0", allows_commercial_use=True)
    artifact.ClearField("licence")
    unknown = (await licences_under(own, artifact))["mine.exr"]
    assert unknown.spdx_id == "LicenseRef-operator-supplied"
    assert not unknown.HasField("allows_commercial_use")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "- files: a\n  spdx_id: MIT\n- files: b\n  spdx: MIT\n",
            r"licences\.yaml, entry at line 3: spdx_id: .*; spdx:",
        ),
        ("- files: a\n  spdx_id: CC0 1.0\n", r"licences\.yaml, entry at line 1: spdx_id"),
        ("- files: [a\n", r"licences\.yaml: .*line 2"),
        ("files: a\n", r"licences\.yaml: must be a list"),
    ],
)
async def test_the_service_does_not_start_with_invalid_terms_and_names_the_line(
    tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "licences.yaml").write_text(text)
    settings = settings_for(tmp_path)
    with pytest.raises(FailedPreconditionError, match=words):
        async with running_service(studio_service(settings), settings):
            pass
