"""Every RPC over real gRPC: results, and errors for wrong requests."""

import io
import json
import re
import zipfile
from typing import Any

import av
import grpc
import numpy as np
import pytest
from PIL import Image

from lumenmill.common.v1 import model_pb2, model_pb2_grpc
from lumenmill.common.v1.intrinsics_pb2 import IntrinsicKind
from lumenmill.common.v1.light_pb2 import Light, LightInterpolation
from lumenmill.imager.v1 import imager_pb2
from lumenmill.relighter.v1 import relighter_pb2
from lumenmill.video.v1 import video_pb2

SIZE = {"width_px": 96, "height_px": 72, "preset": "fast"}

pytestmark = pytest.mark.asyncio(loop_scope="session")


def area(azimuth_deg: float, temperature_k: float = 6504, irradiance: float = 3.0) -> Light:
    light = Light()
    source = light.sources.add().area
    source.azimuth_deg, source.elevation_deg, source.irradiance = azimuth_deg, 35.0, irradiance
    source.color.temperature_k = temperature_k
    return light


async def test_get_model_describes_the_capabilities(studio: Any) -> None:
    model = (await model_pb2_grpc.ModelServiceStub(studio.channel).GetModel(model_pb2.GetModelRequest())).model
    assert model.family == "studio"
    assert model.needs_scene
    assert model.text_input == model_pb2.TEXT_INPUT_DESCRIPTION
    assert next(preset.name for preset in model.presets) == "balanced"
    assert len(model.light_kinds) == 6
    assert len(model.intrinsic_kinds) == 8
    assert "lumenmill.video.v1.VideoService" in model.contracts
    assert [entry.kind for entry in model.vocabulary.kinds] == [1, 2, 3, 4]
    assert "jug" in model.vocabulary.kinds[0].subjects
    assert "on an oak table" in model.vocabulary.kinds[0].places
    assert "copper" in model.vocabulary.materials
    assert model.vocabulary.synonyms["pitcher"] == "jug"


async def test_a_prompt_becomes_a_picture_a_scene_and_a_light(studio: Any) -> None:
    request = imager_pb2.GenerateImagesRequest(prompt="a copper kettle and two lemons on a slate table", seed=7, **SIZE)
    image = (await studio.result(studio.imager.GenerateImages, request, "generate-1")).images[0]
    pixels = Image.open(io.BytesIO(studio.store.read_bytes(image.image)))
    assert pixels.size == (96, 72)
    assert image.image.image.tone_map == "lumenmill-filmic"
    scene = json.loads(studio.store.read_bytes(image.scene))
    assert scene["description"] == "a copper kettle and two lemons on a slate table"
    assert image.light.text
    assert image.light.attributes.HasField("azimuth_deg")
    assert image.record.licences[0].spdx_id == "CC0-1.0"


@pytest.mark.parametrize("prompt", ["", "   "])
async def test_a_blank_prompt_is_refused(studio: Any, prompt: str) -> None:
    request = imager_pb2.GenerateImagesRequest(prompt=prompt, **SIZE)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await studio.result(studio.imager.GenerateImages, request, f"blank-{len(prompt)}")
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (refused.value.details() or "").startswith("prompt: set `prompt` to some words")


async def test_the_same_seed_gives_the_same_bytes(studio: Any) -> None:
    first = await studio.still_life("same-1")
    second = await studio.still_life("same-2")
    other = await studio.still_life("same-3", seed=4)
    assert first.image.sha256 == second.image.sha256
    assert first.linear.sha256 == second.linear.sha256
    assert first.scene.sha256 != other.scene.sha256


async def test_relight_returns_variants_and_a_basis_that_can_be_reused(studio: Any) -> None:
    scene = (await studio.still_life("relight-0")).scene
    request = relighter_pb2.RelightRequest(scene=scene, **SIZE)
    for azimuth in (-70, 70):
        request.variants.add().light.CopyFrom(area(azimuth))
    result = await studio.result(studio.relighter.Relight, request, "relight-1")
    left, right = (studio.numbers(variant.linear).mean(axis=(0, 2)) for variant in result.variants)
    assert left[:48].sum() / left[48:].sum() > right[:48].sum() / right[48:].sum()
    again = relighter_pb2.RelightRequest(scene=scene, light_basis=result.light_basis, **SIZE)
    again.variants.add().light.CopyFrom(area(70, 3000, 1.0))
    warm = await studio.result(studio.relighter.Relight, again, "relight-2")
    red, _, blue = studio.numbers(warm.variants[0].linear).mean(axis=(0, 1))
    assert red > 1.5 * blue
    assert warm.light_basis.sha256 == result.light_basis.sha256


async def test_relight_renders_from_the_requested_viewpoint(studio: Any) -> None:
    scene = (await studio.still_life("view-0")).scene
    request = relighter_pb2.RelightRequest(scene=scene, **SIZE)
    request.variants.add().camera.viewpoint.azimuth_deg = 35
    request.variants.add().camera.viewpoint.azimuth_deg = 0
    turned, straight = (await studio.result(studio.relighter.Relight, request, "view-1")).variants
    assert turned.image.sha256 != straight.image.sha256
    assert turned.record.camera.viewpoint.azimuth_deg == pytest.approx(35)


async def test_intrinsic_maps_reconstruct_the_picture(studio: Any) -> None:
    image = await studio.still_life("intrinsics-0")
    request = relighter_pb2.DecomposeRequest(scene=image.scene, image=image.image, preset="fast")
    maps = {
        entry.kind: entry for entry in (await studio.result(studio.relighter.Decompose, request, "intrinsics-1")).maps
    }
    assert len(maps) == 8
    data = {kind: studio.numbers(entry.data) for kind, entry in maps.items()}
    kind = IntrinsicKind
    rebuilt = data[kind.INTRINSIC_KIND_ALBEDO] * data[kind.INTRINSIC_KIND_SHADING] + data[kind.INTRINSIC_KIND_RESIDUAL]
    linear = studio.numbers(image.linear)
    assert np.abs(rebuilt - linear).max() < 2e-3 * max(1.0, float(linear.max()))
    normals = data[kind.INTRINSIC_KIND_NORMALS]
    lengths = np.linalg.norm(normals, axis=2)
    seen = data[kind.INTRINSIC_KIND_DEPTH][..., 0] > 0
    assert np.allclose(lengths[seen], 1, atol=5e-3)
    assert (normals[seen][:, 2] > -0.05).mean() > 0.99
    assert set(np.unique(data[kind.INTRINSIC_KIND_INSTANCE_MASK])) >= {1.0, 2.0}
    assert all(entry.exact for entry in maps.values())
    assert all(entry.preview.media_type == "image/png" for entry in maps.values())


async def test_an_orbit_clip_decodes_and_matches_its_ground_truth(studio: Any) -> None:
    scene = (await studio.still_life("orbit-0")).scene
    request = video_pb2.GenerateVideoRequest(scene=scene, num_frames=5, fps=10, **SIZE)
    request.camera.path.orbit.sweep_deg = 40
    result = await studio.result(studio.video.GenerateVideo, request, "orbit-1")
    with av.open(io.BytesIO(studio.store.read_bytes(result.video))) as clip:
        frames = [frame.to_ndarray(format="rgb24") for frame in clip.decode(video=0)]
        assert clip.streams.video[0].codec_context.pix_fmt == "yuv420p"
    assert len(frames) == 5
    assert np.abs(frames[0].astype(int) - frames[4]).mean() > 2
    truth = [json.loads(line) for line in studio.store.read_bytes(result.frames).splitlines()]
    assert truth[0]["camera"]["viewpoint"].get("azimuth_deg", 0) == 0
    assert truth[4]["camera"]["viewpoint"]["azimuth_deg"] == pytest.approx(40)
    eye = np.array(truth[4]["camera"]["world_from_camera"])[:3, 3]
    assert np.degrees(np.arctan2(eye[0], eye[2])) == pytest.approx(40, abs=0.01)


async def test_a_clip_lasts_as_long_as_requested(studio: Any) -> None:
    scene = (await studio.still_life("duration-0")).scene
    request = video_pb2.GenerateVideoRequest(scene=scene, duration_s=0.5, fps=8, **SIZE)
    result = await studio.result(studio.video.GenerateVideo, request, "duration-1")
    assert (result.video.video.num_frames, result.record.parameters["num_frames"]) == (4, 4)
    too_long = video_pb2.GenerateVideoRequest(scene=scene, duration_s=100, fps=8, **SIZE)
    with pytest.raises(grpc.aio.AioRpcError, match="duration_s: is 100; at most 60: 480 frames at 8 per second"):
        await studio.result(studio.video.GenerateVideo, too_long, "duration-2")
    too_short = video_pb2.GenerateVideoRequest(scene=scene, duration_s=0.001, fps=8, **SIZE)
    with pytest.raises(
        grpc.aio.AioRpcError, match=r"duration_s: is 0\.001; at least 0\.125: one frame at 8 per second"
    ):
        await studio.result(studio.video.GenerateVideo, too_short, "duration-3")


@pytest.mark.parametrize(
    ("move", "eye_ratio", "right_deg", "up_deg"),
    [
        ({"dolly": {"end_distance_ratio": 0.5}}, 0.5, 0, 0),
        ({"pan": {"sweep_deg": 10}}, 1, 10, 0),
        ({"tilt": {"sweep_deg": 10}}, 1, 0, 10),
        ({"static": {}}, 1, 0, 0),
    ],
)
async def test_camera_moves_end_at_the_requested_pose(
    studio: Any, move: dict[str, Any], eye_ratio: float, right_deg: float, up_deg: float
) -> None:
    name = next(iter(move))
    scene = (await studio.still_life(f"{name}-0")).scene
    request = video_pb2.GenerateVideoRequest(scene=scene, num_frames=3, camera={"path": move}, **SIZE)
    result = await studio.result(studio.video.GenerateVideo, request, f"{name}-1")
    truth = [json.loads(line) for line in studio.store.read_bytes(result.frames).splitlines()]
    first, last = (np.array(truth[index]["camera"]["world_from_camera"]) for index in (0, -1))
    assert np.linalg.norm(last[:3, 3]) / np.linalg.norm(first[:3, 3]) == pytest.approx(eye_ratio, abs=0.15)
    forward = first[:3, :3].T @ -last[:3, 2]  # the camera looks along its −Z
    assert np.degrees(np.arctan2(forward[0], -forward[2])) == pytest.approx(right_deg, abs=0.5)
    assert np.degrees(np.arcsin(forward[1])) == pytest.approx(up_deg, abs=0.5)


async def test_a_clip_of_a_moving_light_decomposes_into_maps(studio: Any) -> None:
    scene = (await studio.still_life("move-0")).scene
    request = video_pb2.GenerateVideoRequest(scene=scene, num_frames=4, **SIZE)
    request.light_path.interpolation = LightInterpolation.LIGHT_INTERPOLATION_BLEND
    for time, azimuth in ((0.0, -70.0), (1.0, 70.0)):
        request.light_path.keyframes.add(time_fraction=time).light.CopyFrom(area(azimuth))
    clip = await studio.result(studio.video.GenerateVideo, request, "move-1")
    kinds = [IntrinsicKind.INTRINSIC_KIND_DEPTH, IntrinsicKind.INTRINSIC_KIND_SHADING]
    request = video_pb2.DecomposeVideoRequest(scene=scene, frames=clip.frames, video=clip.video, kinds=kinds)
    depth, shading = (await studio.result(studio.video.DecomposeVideo, request, "move-2")).maps

    def numbers(entry: object, name: str) -> np.ndarray:
        with zipfile.ZipFile(io.BytesIO(studio.store.read_bytes(entry.data))) as archive:  # type: ignore[attr-defined]
            assert len(archive.namelist()) == 4
            import lumenmill_media as media

            return media.decode_exr(archive.read(name))

    assert np.array_equal(numbers(depth, "000000.exr"), numbers(depth, "000003.exr"))
    assert np.abs(numbers(shading, "000000.exr") - numbers(shading, "000003.exr")).mean() > 0.01
    assert depth.preview.video.num_frames == 4


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (lambda request: request.ClearField("scene"), grpc.StatusCode.FAILED_PRECONDITION, "scene"),
        (lambda request: setattr(request, "preset", "best"), grpc.StatusCode.INVALID_ARGUMENT, "preset"),
        (lambda request: setattr(request, "width_px", 97), grpc.StatusCode.INVALID_ARGUMENT, "width_px"),
        (
            lambda request: setattr(request.variants[0], "edit_prompt", "make it dusk"),
            grpc.StatusCode.INVALID_ARGUMENT,
            "variants[0].edit_prompt",
        ),
        (
            lambda request: setattr(request.variants[0], "description", "a jug at dusk"),
            grpc.StatusCode.INVALID_ARGUMENT,
            "variants[0].description",
        ),
        (
            lambda request: setattr(request.variants[0].light, "text", "dusk"),
            grpc.StatusCode.INVALID_ARGUMENT,
            "variants[0].light.sources",
        ),
        (
            lambda request: request.variants[0].camera.path.static.SetInParent(),
            grpc.StatusCode.INVALID_ARGUMENT,
            "variants[0].camera.path",
        ),
    ],
)
async def test_errors_of_relight_requests_name_the_field(
    studio: Any, change: object, code: grpc.StatusCode, words: str
) -> None:
    scene = (await studio.still_life("bad-0")).scene
    request = relighter_pb2.RelightRequest(scene=scene)
    request.variants.add()
    change(request)  # type: ignore[operator]
    if words in ("scene", "preset", "width_px"):
        request.variants[0].light.CopyFrom(area(0))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await studio.result(studio.relighter.Relight, request, "bad-" + re.sub(r"\W", "-", words))
    assert caught.value.code() == code
    assert words in (caught.value.details() or "")


async def test_a_damaged_scene_and_a_wrong_basis_are_refused(studio: Any) -> None:
    image = await studio.still_life("broken-0")
    broken = studio.store.put_bytes(b'{"format": "something else"}', "application/json")
    request = relighter_pb2.DecomposeRequest(scene=broken)
    with pytest.raises(grpc.aio.AioRpcError, match="not a lumenmill scene"):
        await studio.result(studio.relighter.Decompose, request, "broken-1")
    relight = relighter_pb2.RelightRequest(scene=image.scene, light_basis=image.linear, **SIZE)
    relight.variants.add().light.CopyFrom(area(0))
    with pytest.raises(grpc.aio.AioRpcError, match="light_basis"):
        await studio.result(studio.relighter.Relight, relight, "broken-2")


async def test_jobs_can_be_reattached_and_cancelled(studio: Any) -> None:
    image = await studio.still_life("attach-1")
    again = await studio.still_life("attach-1")
    assert again.image == image.image
    request = imager_pb2.GenerateImagesRequest(prompt="a bronze bust in a niche", preset="quality")
    request.job.request_id = "cancel-1"
    call = studio.imager.GenerateImages(request)
    async for response in call:
        if response.HasField("progress"):
            break
    from lumenmill.common.v1 import job_pb2, job_pb2_grpc

    answer = await job_pb2_grpc.JobServiceStub(studio.channel).CancelJob(
        job_pb2.CancelJobRequest(request_id="cancel-1")
    )
    assert answer.was_active
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in call:
            pass
    assert caught.value.code() == grpc.StatusCode.CANCELLED


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sampling", {"num_steps": 4}),
        ("adapters", [{"weights": {"uri": "file:///a"}}]),
        ("control_image", {"uri": "file:///a"}),
    ],
)
async def test_fields_for_diffusion_models_are_refused(studio: Any, field: str, value: object) -> None:
    request = imager_pb2.GenerateImagesRequest(prompt="a jug", **{field: value})
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await studio.result(studio.imager.GenerateImages, request, f"refused-{field}")
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert field in refused.value.details()


async def test_a_matte_is_refused(studio: Any) -> None:
    request = relighter_pb2.RelightRequest(matte={"uri": "file:///a"}, variants=[{"light": {"text": "noon"}}])
    with pytest.raises(grpc.aio.AioRpcError, match="matte: studio renders the whole scene") as refused:
        await studio.result(studio.relighter.Relight, request, "refused-matte")
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
