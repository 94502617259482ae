"""Files that break readers: rejected with their field or read, within limits of memory and time."""

from pathlib import Path

import numpy as np
import pytest

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.orchestrator.v1 import artifact_service_pb2, run_pb2

from . import bad_files as files
from .call_results import violations_of
from .checked_calls import CheckedCalls, assert_lit, assert_rejected
from .corpus import RECIPE, key_light, radiance_map
from .processes import Process

_PNG, _EXR, _HDR, _MP4 = "image/png", "image/x-exr", "image/vnd.radiance", "video/mp4"
_GLB, _OBJ, _PLY = "model/gltf-binary", "model/obj", "model/ply"
_SCENE, _BASIS = "application/vnd.lumenmill.scene+json", "application/vnd.lumenmill.light-basis+zip"
_TRIANGLE = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)

# The tiny recipe, with a map for each item in the place of a prompt.
_OF_MAPS = RECIPE.replace('"list[string]", default: [a copper kettle]', '"list[artifact]"').replace(
    'prompt: "${item}"', 'prompt: a jug, light: {sources: [{environment_map: {map: "${item}"}}]}'
)

# URIs.


def _uris(calls: CheckedCalls) -> dict[str, str]:
    base, uri = calls.mesh.store.base_uri, calls.corpus.artifacts["image"].uri
    key = uri.removeprefix(base)
    return {
        "another file": "file:///etc/passwd",
        "the store": base,
        "a folder": f"{base}objects/{key.split('/')[1]}",
        "above": f"{base}../{key}",
        "around": f"{base}objects/../{key}",
        "escaped": f"{base}%2e%2e/{key}",
        "nothing after": f"{uri}\0",
        "another bucket": f"s3://other/{key}",
        "the network": f"http://127.0.0.1:9/{key}",
    }


_PLACES = (
    *("another file", "the store", "a folder", "above", "around"),
    *("escaped", "nothing after", "another bucket", "the network"),
)


@pytest.mark.parametrize("place", _PLACES)
def test_nothing_outside_the_store_is_read(calls: CheckedCalls, place: str) -> None:
    uri, known = _uris(calls)[place], calls.corpus.artifacts["map"].sha256
    assert_rejected(calls.caption(media={"uri": uri}), "subject.media.uri")
    assert_rejected(calls.caption(media={"uri": uri, "sha256": known}), "subject.media.uri")
    # A wrong URI is rejected even with the digest of a map that studio has read before.
    light = {"sources": [{"environment_map": {"map": calls.corpus.artifacts["map"]}}]}
    assert_lit(calls, calls.relight({"light": light}))
    light = {"sources": [{"environment_map": {"map": {"uri": uri, "sha256": known}}}]}
    assert_rejected(calls.relight({"light": light}), "variants[0].light.sources[0].environment_map.map.uri")
    assert_rejected(calls.relight({"environment": {"uri": uri, "sha256": known}}), "variants[0].environment.uri")
    submitted = run_pb2.SubmitRunRequest(recipe=_OF_MAPS)
    submitted.parameters.update({"prompts": [{"uri": uri}]})
    result = calls.call("orchestrator", "RunService.SubmitRun", submitted)
    assert violations_of(result)[0][0] in ("parameters.prompts[0].uri", "parameters.fields"), result.message


def test_links_and_folders_in_the_store_are_not_artifacts(calls: CheckedCalls, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    objects = calls.mesh.folder / "store" / "objects" / "ee"
    objects.mkdir(exist_ok=True)
    names = {"link": f"ee{'0' * 62}", "folder": f"ee{'1' * 62}"}
    (objects / f"{names['link']}.png").symlink_to(secret)
    (objects / f"{names['folder']}.png").mkdir()
    try:
        for sha256 in names.values():
            uri = f"{calls.mesh.store.base_uri}objects/ee/{sha256}.png"
            assert calls.caption(media={"uri": uri}).code.name == "NOT_FOUND"
            download = artifact_service_pb2.DownloadArtifactRequest(sha256=sha256)
            assert calls.call("orchestrator", "ArtifactService.DownloadArtifact", download).code.name == "NOT_FOUND"
        verified = calls.call("orchestrator", "ArtifactService.VerifyStore", artifact_service_pb2.VerifyStoreRequest())
        assert verified.code.name == "OK" and not any(response.HasField("damaged") for response in verified.responses)
    finally:
        (objects / f"{names['link']}.png").unlink()
        (objects / f"{names['folder']}.png").rmdir()


def test_contradicting_digests_are_rejected(calls: CheckedCalls) -> None:
    image, other = calls.corpus.artifacts["image"], "0" * 64
    assert_rejected(calls.caption(media={"uri": image.uri, "sha256": other}), "subject.media.sha256")
    inline = {"inline_data": calls.corpus.contents["image"], "sha256": other}
    assert_rejected(calls.caption(media=inline), "subject.media.sha256")


# Pictures.

_BROKEN_PICTURES = {
    "50,000 × 50,000": (files.png_bomb(50_000, 50_000), _PNG),
    "gigapixel WebP": (files.animated_webp_of_a_gigapixel(), "image/webp"),
    "text": (b"not a picture", _PNG),
    "nothing": (b"", _PNG),
    "cut off": (files.png()[:60], _PNG),
    "EXR of 2^60 pixels": (files.exr_with_window(0, 0, 1 << 30, 1 << 30), _EXR),
    "EXR of negative size": (files.exr_with_window(0, 0, -100, -100), _EXR),
    "EXR of the whole plane": (files.exr_with_window(-(1 << 31), -(1 << 31), (1 << 31) - 1, (1 << 31) - 1), _EXR),
    "EXR that claims more": (files.exr_with_window(0, 0, 5999, 5998), _EXR),
    "HDR of negative size": (files.radiance(b"-Y -16 +X 32", b"\x80" * 2048), _HDR),
    "HDR of 50,000 × 50,000": (files.radiance(b"-Y 50000 +X 50000", b"\x80" * 2048), _HDR),
    "HDR cut off": (radiance_map()[:1000], _HDR),
}
_DARK_MAPS = {
    "black HDR": (radiance_map(b"\0\0\0\0"), _HDR),
    "EXR of NaN": (files.exr(np.full((16, 32, 3), np.nan, np.float32)), _EXR),
    "EXR of negative light": (files.exr(np.full((16, 32, 3), -1, np.float32)), _EXR),
    "EXR of −∞": (files.exr(np.full((16, 32, 3), -np.inf, np.float32)), _EXR),
}
_BRIGHT_MAPS = {
    "EXR of ∞": (files.exr(np.full((16, 32, 3), np.inf, np.float32)), _EXR),
    "EXR of 10^38": (files.exr(np.full((16, 32, 3), 1e38, np.float32)), _EXR),
    "HDR of the largest exponent": (radiance_map(b"\xff\xff\xff\xff"), _HDR),
    "a square": (radiance_map(width=30, height=30), _HDR),
    "one pixel": (radiance_map(width=1, height=1), _HDR),
}


@pytest.mark.parametrize("name", _BROKEN_PICTURES)
def test_broken_images_are_rejected_in_every_field(calls: CheckedCalls, name: str) -> None:
    picture = calls.put(*_BROKEN_PICTURES[name])
    assert_rejected(calls.caption(media=picture), "subject.media")
    assert_rejected(calls.caption(linear=picture), "subject.linear")
    assert_rejected(calls.caption(intrinsics=[{"kind": 2, "data": picture}]), "subject.intrinsics[0].data")
    light = {"sources": [{"environment_map": {"map": picture}}]}
    assert_rejected(calls.caption(requested_light=light), "subject.requested_light.sources[0].environment_map.map")
    assert_rejected(calls.relight({"light": light}), "variants[0].light.sources[0].environment_map.map")
    light = {"sources": [{"background": {"image": picture}}]}
    assert_rejected(calls.relight({"light": light}), "variants[0].light.sources[0].background.image")
    assert_rejected(calls.relight({"environment": picture}), "variants[0].environment")


@pytest.mark.parametrize("name", _DARK_MAPS)
def test_maps_without_light_are_rejected(calls: CheckedCalls, name: str) -> None:
    light = {"sources": [{"environment_map": {"map": calls.put(*_DARK_MAPS[name])}}]}
    assert_rejected(calls.relight({"light": light}), "variants[0].light.sources[0].environment_map.map")
    assert_rejected(calls.caption(requested_light=light), "subject.requested_light.sources[0].environment_map.map")


@pytest.mark.parametrize("name", _BRIGHT_MAPS)
def test_maps_of_odd_shape_or_extreme_brightness_light_the_scene(calls: CheckedCalls, name: str) -> None:
    light = {"sources": [{"environment_map": {"map": calls.put(*_BRIGHT_MAPS[name])}}]}
    assert_lit(calls, calls.relight({"light": light}))
    assert calls.caption(requested_light=light).code.name == "OK"


def test_the_largest_accepted_images_stay_within_memory(calls: CheckedCalls) -> None:
    assert calls.caption(media=calls.put(files.png_bomb(8000, 7999, 8, 3), _PNG)).code.name == "OK"
    grey = np.full((4096, 8192, 3), 0.5, np.float16)
    light = {"sources": [{"environment_map": {"map": calls.put(files.exr(grey), _EXR)}}]}
    assert_lit(calls, calls.relight({"light": light}))
    assert calls.caption(requested_light=light).code.name == "OK"


# Clips.

_BROKEN_CLIPS = {
    "nothing": b"",
    "text": b"not a clip",
    "cut off in its header": files.clip()[:300],
    "cut off in its frames": files.clip()[:-600],
    "of 50,000 × 50,000": files.clip_with_wrong_header(b"avc1", 24, 0xC350C350),
}


@pytest.mark.parametrize("name", _BROKEN_CLIPS)
def test_broken_clips_are_rejected(calls: CheckedCalls, name: str) -> None:
    result = calls.caption(media=calls.put(_BROKEN_CLIPS[name], _MP4))
    if name != "of 50,000 × 50,000":  # the size in the H.264 stream takes precedence
        assert_rejected(result, "subject.media")


def test_clips_with_a_wrong_length_and_long_clips_are_read_in_time(calls: CheckedCalls) -> None:
    wrong = files.clip_with_wrong_header(b"stts", 8, 100_000)
    calls.caption(media=calls.put(wrong, _MP4))
    assert calls.caption(media=calls.put(files.long_clip(10_000), _MP4)).code.name == "OK"


# Meshes, bases, scenes.

_PLY_HEAD = b"ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
_BROKEN_MESHES = {
    "indices out of range": (files.glb(_TRIANGLE, [0, 1, 9]), _GLB),
    "indices far out of range": (files.glb(_TRIANGLE, [0, 1, 1 << 31]), _GLB),
    "numbers in a file": (files.glb(_TRIANGLE, [0, 1, 2], uri="file:///etc/passwd"), _GLB),
    "numbers above": (files.glb(_TRIANGLE, [0, 1, 2], uri="../../../../etc/passwd"), _GLB),
    "numbers on the network": (files.glb(_TRIANGLE, [0, 1, 2], uri="http://127.0.0.1:9/x"), _GLB),
    "NaN": (files.glb(np.full((3, 3), np.nan), [0, 1, 2]), _GLB),
    "∞": (files.glb(np.full((3, 3), np.inf), [0, 1, 2]), _GLB),
    "flat": (files.glb(_TRIANGLE * [1, 0, 1], [0, 1, 2]), _GLB),
    "obj indices": (b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 999999\n", _OBJ),
    "obj from zero": (b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 0 0 0\n", _OBJ),
    "3,000,000 faces": (b"v 0 0 0\nv 1 0 0\nv 0 1 0\n" + b"f 1 2 3\n" * 3_000_000, _OBJ),
    "empty": (b"", _OBJ),
    "ply indices": (
        _PLY_HEAD + b"element face 1\nproperty list uchar int vertex_indices\nend_header\n"
        b"0 0 0\n1 0 0\n0 1 0\n3 0 1 99999\n",
        _PLY,
    ),
    "2,000,000,000 vertices": (
        _PLY_HEAD.replace(b"vertex 3", b"vertex 2000000000").replace(b"ascii", b"binary_little_endian")
        + b"end_header\n",
        _PLY,
    ),
    "a picture": (files.png(), _PNG),
}


def _scene_of(calls: CheckedCalls, uri: str, sha256: str = "") -> Artifact:
    return calls.put(files.scene_of_mesh(calls.corpus.contents["scene"], uri, sha256), _SCENE)


@pytest.mark.parametrize("name", _BROKEN_MESHES)
def test_broken_meshes_are_rejected(calls: CheckedCalls, name: str) -> None:
    mesh = calls.put(*_BROKEN_MESHES[name])
    assert_rejected(calls.relight({"light": key_light()}, scene=_scene_of(calls, mesh.uri, mesh.sha256)), "scene")


def test_meshes_outside_the_store_are_rejected(calls: CheckedCalls) -> None:
    for uri in ("file:///etc/passwd", calls.mesh.store.base_uri, "../../etc/passwd", ""):
        assert_rejected(calls.relight({"light": key_light()}, scene=_scene_of(calls, uri)), "scene")


def test_a_mesh_of_a_million_faces_in_one_place_is_rendered_in_time(calls: CheckedCalls) -> None:
    mesh = calls.put(b"v 0 0 0\nv 1 0 0\nv 0 1 0\n" + b"f 1 2 3\n" * 1_000_000, _OBJ)
    assert_lit(calls, calls.relight({"light": key_light()}, scene=_scene_of(calls, mesh.uri, mesh.sha256)))


def test_a_light_basis_that_decompresses_to_gigabytes_is_rejected(calls: CheckedCalls) -> None:
    bomb = files.light_basis_bomb(calls.corpus.contents["light_basis"], 4096, 40)
    assert_rejected(calls.relight({"light": key_light()}, light_basis=calls.put(bomb, _BASIS)), "light_basis")


def test_studio_starts_with_a_broken_mesh_of_the_operator_and_names_it(tmp_path: Path) -> None:
    (tmp_path / "meshes").mkdir()
    (tmp_path / "meshes" / "broken.glb").write_bytes(_BROKEN_MESHES["numbers in a file"][0])
    environment = {"LUMENMILL_STORE_URL": (tmp_path / "store").as_uri(), "LUMENMILL_ASSETS_DIR": str(tmp_path)}
    process = Process("studio", tmp_path, environment | {"LUMENMILL_RENDER_VARIANT": "scalar"})
    process.start()
    try:
        process.connect()
        assert process.is_serving()
        assert "broken.glb" in process.log_file.read_text() and "Traceback" not in process.log_file.read_text()
    finally:
        process.end()
