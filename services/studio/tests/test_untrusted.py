"""Malicious input is refused with the name of its field, and does not affect other callers."""

import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import OpenEXR
import pytest
from PIL import Image

import lumenmill_media as media
from lumenmill.common.v1.scene_pb2 import SceneDescription
from lumenmill.relighter.v1 import relighter_pb2
from lumenmill.video.v1 import video_pb2
from lumenmill_common.artifacts import open_store
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_studio.assets import Assets
from lumenmill_studio.light import basis
from lumenmill_studio.scenes.compose import compose
from lumenmill_studio.scenes.reading import scene_from_json

SIZE = {"width_px": 96, "height_px": 72, "preset": "fast"}
SCENE_SHA256 = "5c" * 32
VIEW = "0,1,2/6x4/spp1/depth2/guide2/set"


def lit(request: Any, light_basis: Any = None) -> Any:
    """The request with one light, and with a basis where there is one."""
    light = request.variants.add().light if isinstance(request, relighter_pb2.RelightRequest) else request.light
    source = light.sources.add().area
    source.azimuth_deg, source.elevation_deg, source.irradiance = 40.0, 35.0, 3.0
    if light_basis is not None:
        request.light_basis.CopyFrom(light_basis)
    return request


@pytest.mark.asyncio(loop_scope="session")
async def test_a_forged_basis_affects_only_its_caller(studio: Any) -> None:
    scene = (await studio.still_life("forged-0", seed=11)).scene

    async def mean(request_id: str, light_basis: Any = None) -> tuple[float, Any]:
        request = lit(relighter_pb2.RelightRequest(scene=scene, **SIZE), light_basis)
        result = await studio.result(studio.relighter.Relight, request, request_id)
        return float(studio.numbers(result.variants[0].linear).mean()), result.light_basis

    honest, true_basis = await mean("forged-1")
    pictures = basis.unpacked(studio.store.read_bytes(true_basis), scene.sha256)
    forged = studio.store.put_bytes(
        basis.packed(scene.sha256, [(key, 5 * picture) for key, picture in pictures.items()]), basis.MEDIA_TYPE
    )
    assert (await mean("forged-2", forged))[0] == pytest.approx(5 * honest, rel=0.01)
    clip = lit(video_pb2.GenerateVideoRequest(scene=scene, num_frames=2, **SIZE), forged)
    await studio.result(studio.video.GenerateVideo, clip, "forged-3")
    assert (await mean("forged-4"))[0] == honest


@pytest.mark.asyncio(loop_scope="session")
async def test_a_basis_of_another_shape_is_an_invalid_argument(studio: Any) -> None:
    scene = (await studio.still_life("shape-0", seed=11)).scene
    first = await studio.result(
        studio.relighter.Relight, lit(relighter_pb2.RelightRequest(scene=scene, **SIZE)), "shape-1"
    )
    pictures = basis.unpacked(studio.store.read_bytes(first.light_basis), scene.sha256)
    small = [(key, picture[:5, :5]) for key, picture in pictures.items()]
    artifact = studio.store.put_bytes(basis.packed(scene.sha256, small), basis.MEDIA_TYPE)
    request = lit(relighter_pb2.RelightRequest(scene=scene, **SIZE), artifact)
    with pytest.raises(grpc.aio.AioRpcError, match="light_basis") as caught:
        await studio.result(studio.relighter.Relight, request, "shape-2")
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def picture() -> np.ndarray:
    return np.ones((4, 6, 3), np.float32)


def test_a_basis_is_read_back_unchanged() -> None:
    data = basis.packed(SCENE_SHA256, [((VIEW, SCENE_SHA256 + "[]"), picture())])
    assert np.array_equal(basis.unpacked(data, SCENE_SHA256)[VIEW, SCENE_SHA256 + "[]"], picture())


@pytest.mark.parametrize(
    ("view", "unit", "value"),
    [
        (VIEW, "ab" * 32 + "[]", 1.0),
        ("no view", SCENE_SHA256 + "[]", 1.0),
        (VIEW.replace("6x4", "4x6"), SCENE_SHA256 + "[]", 1.0),
        (VIEW.replace("6x4", "99999x99999"), SCENE_SHA256 + "[]", 1.0),
        (VIEW, SCENE_SHA256 + "[]", np.nan),
    ],
)
def test_a_basis_with_a_wrong_picture_is_refused(view: str, unit: str, value: float) -> None:
    data = basis.packed(SCENE_SHA256, [((view, unit), picture() * np.float32(value))])
    with pytest.raises(InvalidArgumentError, match="light_basis"):
        basis.unpacked(data, SCENE_SHA256)


def archive_of(entries: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def encrypted(data: bytes) -> bytes:
    """The archive with the flag of encryption set in every header."""
    marked = bytearray(data)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = data.find(signature)
        while start >= 0:
            marked[start + offset] |= 1
            start = data.find(signature, start + 4)
    return bytes(marked)


def compressed_otherwise(data: bytes) -> bytes:
    """The archive with an unknown compression method."""
    marked = bytearray(data)
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        marked[data.find(signature) + offset] = 77
    return bytes(marked)


INDEX = {"format": "lumenmill.light-basis", "version": 1, "scene_sha256": SCENE_SHA256, "pictures": []}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"no archive", id="no archive"),
        pytest.param(archive_of({"index.json": b"[]"}), id="a list"),
        pytest.param(archive_of({"index.json": b"[" * 100_000}), id="nested deeply"),
        pytest.param(encrypted(archive_of({"index.json": b"{}"})), id="encrypted"),
        pytest.param(compressed_otherwise(archive_of({"index.json": b"{}"})), id="unknown compression"),
        pytest.param(archive_of({"index.json": b" " * (17 << 20)}), id="large index"),
        pytest.param(
            archive_of({"index.json": json.dumps(INDEX).encode(), **{str(i): b"" for i in range(3000)}}), id="entries"
        ),
    ],
)
def test_invalid_archives_are_refused_as_a_basis(data: bytes) -> None:
    with pytest.raises(InvalidArgumentError, match="light_basis"):
        basis.unpacked(data, SCENE_SHA256)


def test_a_file_larger_than_its_view_is_not_unpacked() -> None:
    entry = {"view": VIEW, "unit": SCENE_SHA256 + "[]", "file": "a.exr"}
    data = archive_of({"index.json": json.dumps({**INDEX, "pictures": [entry]}).encode(), "a.exr": bytes(1 << 20)})
    with pytest.raises(InvalidArgumentError, match="unpacks to more"):
        basis.unpacked(data, SCENE_SHA256)


def test_the_size_limit_of_exr_files_covers_all_parts_and_channels() -> None:
    window = (np.array([0, 0], np.int32), np.array([9, 9], np.int32))
    header = {"type": OpenEXR.scanlineimage, "displayWindow": window}
    parts = [
        OpenEXR.Part(dict(header), {"RGB": np.zeros((10, 10, 3), np.float16)}, "first"),
        OpenEXR.Part(dict(header), {"RGBA": np.zeros((10, 10, 4), np.float16)}, "second"),
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "parts.exr"
        OpenEXR.File(parts).write(str(path))
        data = path.read_bytes()
    assert media.decode_exr(data, 175).shape == (10, 10, 3)
    with pytest.raises(ValueError, match="has 700 values in all channels, more than 174 RGBA pixels"):
        media.decode_exr(data, 174)


def changed_scene(path: str, value: Any) -> bytes:
    """A scene as JSON with one value changed."""
    document = json.loads(compose(SceneDescription(), "a white marble sphere on an oak table", 5).to_json())
    *parents, last = (int(step) if step.isdigit() else step for step in path.split("."))
    target = document
    for step in parents:
        target = target[step]
    target[last] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("objects.0.material", "unobtainium"),
        ("objects.0.shape", "set:nowhere"),
        ("objects.0.role", "star"),
        ("objects.0.name", ""),
        ("objects.0.name", "x" * 129),
        ("subjects", ["x" * 129]),
        ("materials", ["x" * 129]),
        ("place", "x" * 501),
        ("description", "x" * 2001),
        ("kind", "aquarium"),
        ("objects.0.seed", -1),
        ("objects.0.scale", float("nan")),
        ("objects.0.position", [0, 1e300, 0]),
        ("objects.0.position", [0, 0]),
        ("objects.0.params", {"count": 1e9}),
        ("objects", []),
        ("camera.distance", 0),
        ("camera.focal_length_mm", "long"),
        ("subject_radius", float("inf")),
        ("kind", 7),
        ("default_light", {"sources": [{"lamp": {}}]}),
        ("default_light", {"sources": [{"area": {"elevation_deg": 1000.0}}]}),
        ("default_light", "bright"),
    ],
)
def test_a_scene_that_cannot_be_built_is_refused_when_it_is_read(path: str, value: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        scene_from_json(changed_scene(path, value), "scene")
    assert caught.value.field == "scene"


def test_a_deeply_nested_scene_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="scene"):
        scene_from_json(b"[" * 200_000, "scene")


@pytest.mark.asyncio(loop_scope="session")
async def test_a_set_without_its_parameters_is_an_invalid_argument(studio: Any) -> None:
    spec = compose(SceneDescription(), "a white marble sphere on an oak table", 5)
    index = next(i for i, item in enumerate(spec.objects) if item.shape.startswith("set:"))
    scene = studio.store.put_bytes(changed_scene(f"objects.{index}.params", {}), "application/json")
    with pytest.raises(grpc.aio.AioRpcError, match="scene: cannot be built") as caught:
        await studio.result(studio.relighter.Relight, lit(relighter_pb2.RelightRequest(scene=scene, **SIZE)), "set-1")
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_pictures_that_are_no_longer_cached_are_read_again(tmp_path: Path) -> None:
    store = open_store(tmp_path.as_uri())
    assets = Assets(store, None, None, pictures_bytes=6 * 4 * 8 * 3 * 4)
    means = []
    pictures = [
        store.put_bytes(media.encode_png(np.full((4, 8, 3), 20 * i, np.uint8)), "image/png") for i in range(1, 10)
    ]
    for picture in pictures:
        assert not assets.read(picture, "light")
        means.append(float(assets.pixels(picture.sha256).mean()))
    assert [float(assets.pixels(picture.sha256).mean()) for picture in pictures] == means
    assert len(set(means)) == 9


def test_a_black_picture_is_refused_as_a_light(tmp_path: Path) -> None:
    store = open_store(tmp_path.as_uri())
    black = store.put_bytes(media.encode_png(np.zeros((4, 8, 3), np.uint8)), "image/png")
    with pytest.raises(InvalidArgumentError, match="light: holds no light"):
        Assets(store, None, None).read(black, "light")


def test_pictures_of_other_formats_and_damaged_ones_are_refused() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 10, 10)).save(buffer, "TIFF")
    good = media.encode_png(np.zeros((16, 16, 3), np.uint8))
    for data in (buffer.getvalue(), good[: len(good) // 2], b""):
        with pytest.raises(ValueError, match="PNG, JPEG or WebP"):
            media.decode_light(data)
