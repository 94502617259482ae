"""Meshes in the operator's assets folder are built where a request names them."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
import structlog
from PIL import Image

from lumenmill.common.v1 import model_pb2, model_pb2_grpc
from lumenmill.common.v1.scene_pb2 import SceneDescription, SceneKind
from lumenmill.imager.v1 import imager_pb2, imager_pb2_grpc
from lumenmill_common.artifacts import open_store
from lumenmill_common.calls import call_heavy
from lumenmill_common.testing import running_service
from lumenmill_media import encode_exr
from lumenmill_studio.__main__ import studio_service
from lumenmill_studio.settings import StudioSettings

from .mesh_makers import MAKERS

_CONVERT = "is not read; convert it to .obj, .ply or .glb"
_UNUSABLE = {
    "broken.glb": b"no mesh at all",
    "moon_lamp.glb": MAKERS["glb"](),
    "chair.gltf": b"{}",
    "chair.FBX": b"Kaydara",
    "chair.stl": b"solid",
}


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
    (tmp_path / "meshes" / f"moon_lamp.{suffix}").write_bytes(MAKERS[suffix]())
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


async def test_meshes_that_cannot_be_used_are_skipped_with_a_reason(tmp_path: Path) -> None:
    meshes = tmp_path / "meshes"
    meshes.mkdir()
    for name, data in _UNUSABLE.items():
        (meshes / name).write_bytes(data)
    (meshes / "folder.obj").mkdir()
    (meshes / "moon_lamp.obj").write_bytes(MAKERS["obj"]())
    (meshes / "moon_lamp.mtl").write_bytes(b"newmtl red")
    settings = settings_for(tmp_path)
    with structlog.testing.capture_logs() as logs:
        async with running_service(studio_service(settings), settings) as channel:
            described = await model_pb2_grpc.ModelServiceStub(channel).GetModel(model_pb2.GetModelRequest())
    subjects = described.model.vocabulary.kinds[0].subjects
    assert "moon lamp" in subjects
    assert "broken" not in subjects
    reasons = {log["file"]: log["reason"] for log in logs if log["event"] == "mesh is skipped"}
    assert reasons == {
        "broken.glb": "has no triangles",
        "chair.FBX": f".fbx {_CONVERT}",
        "chair.gltf": f".gltf {_CONVERT}",
        "chair.stl": f".stl {_CONVERT}",
        "folder.obj": "is no file",
        "moon_lamp.glb": "moon_lamp.obj has the same name",
    }
    counts = [(log["num_skipped"], log["num_served"]) for log in logs if log["event"] == "meshes are skipped"]
    assert counts == [(len(reasons), 1)]


async def test_maps_that_cannot_be_used_are_skipped_with_a_reason(tmp_path: Path) -> None:
    for folder in (tmp_path / "own", tmp_path / "environment_maps"):
        folder.mkdir()
        (folder / "sky.exr").write_bytes(encode_exr(np.ones((8, 16, 3), np.float32)))
        (folder / "black.exr").write_bytes(encode_exr(np.zeros((8, 16, 3), np.float32)))
        (folder / "cut.hdr").write_bytes(b"#?RADIANCE\n\n-Y 8 +X 16\n\x02\x02")
        (folder / "sky.tif").write_bytes(b"II*\0")
        (folder / "sky.png").write_bytes(b"a preview")
        (folder / "folder.hdr").mkdir()
        (folder / os.fsdecode(b"caf\xe9.hdr")).write_bytes(b"")
    settings = settings_for(tmp_path).model_copy(update={"environment_maps_dir": tmp_path / "own"})
    with structlog.testing.capture_logs() as logs:
        async with running_service(studio_service(settings), settings) as channel:
            described = await model_pb2_grpc.ModelServiceStub(channel).GetModel(model_pb2.GetModelRequest())
    assert [artifact.name for artifact in described.model.environment_maps] == ["sky.exr", "sky.exr"]
    skipped = [log for log in logs if log["event"] == "environment map is skipped"]
    counts = [(log["num_skipped"], log["num_served"]) for log in logs if log["event"] == "environment maps are skipped"]
    assert counts == [(5, 1), (5, 1)]
    assert len(skipped) == 10 and {log["file"]: log["reason"] for log in skipped} == {
        "black.exr": "holds no light: every pixel is black, negative or not a number",
        "caf\\udce9.hdr": "has a name that is not UTF-8",
        "cut.hdr": "is a truncated or damaged Radiance image",
        "folder.hdr": "is no file",
        "sky.tif": ".tif is not read; convert it to .hdr or .exr",
    }
