"""Meshes in the operator's assets folder are built where a request names them."""

import io
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from lumenmill.common.v1 import model_pb2, model_pb2_grpc
from lumenmill.common.v1.scene_pb2 import SceneDescription, SceneKind
from lumenmill.imager.v1 import imager_pb2, imager_pb2_grpc
from lumenmill_common.artifacts import open_store
from lumenmill_common.calls import call_heavy
from lumenmill_common.errors import FailedPreconditionError
from lumenmill_common.testing import running_service
from lumenmill_studio.__main__ import studio_service
from lumenmill_studio.settings import StudioSettings


def settings_for(folder: Path) -> StudioSettings:
    return StudioSettings(
        listen_address="127.0.0.1:0",
        metrics_address="",
        drain_s=0.0,
        store_url=f"file://{folder}/store",
        assets_dir=folder,
    )


@pytest.mark.parametrize("suffix", ["obj", "ply", "glb"])
async def test_a_subject_named_like_a_mesh_of_the_operator_is_built_from_it(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "meshes").mkdir()
    trimesh.creation.icosphere(subdivisions=3).export(tmp_path / "meshes" / f"moon_lamp.{suffix}")
    settings = settings_for(tmp_path)
    scene = SceneDescription(kind=SceneKind.SCENE_KIND_PORTRAIT, subjects=["moon lamp"], materials=["white marble"])
    request = imager_pb2.GenerateImagesRequest(scene=scene, preset="fast", width_px=96, height_px=72)
    request.job.request_id = "own"
    async with running_service(studio_service(settings), settings) as channel:
        described = await model_pb2_grpc.ModelServiceStub(channel).GetModel(model_pb2.GetModelRequest())
        assert all("moon lamp" in kind.subjects for kind in described.model.vocabulary.kinds)
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        image = (await call_heavy(stub.GenerateImages, request)).images[0]
    store = open_store(settings.store_url)
    assert b"moon lamp" in store.read_bytes(image.scene)
    assert image.built_scene.description.startswith("a white marble moon lamp")
    pixels = np.asarray(Image.open(io.BytesIO(store.read_bytes(image.image))).convert("L"))
    assert pixels.std() > 5
    assert ".meshes" in image.record.revision, "another file under the same name is another revision's"


async def test_the_service_does_not_start_with_an_unreadable_mesh_and_names_it(tmp_path: Path) -> None:
    (tmp_path / "meshes").mkdir()
    (tmp_path / "meshes" / "broken.glb").write_bytes(b"no mesh at all")
    settings = settings_for(tmp_path)
    with pytest.raises(FailedPreconditionError, match=r"broken\.glb"):
        async with running_service(studio_service(settings), settings):
            pass
