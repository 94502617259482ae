"""Refused and cancelled requests, over real gRPC."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.video.v1 import video_pb2
from lumenmill_common.errors import FailedPreconditionError
from lumenmill_neural.catalogue import StepCache, read_catalogue
from lumenmill_neural.host import ModelHost
from lumenmill_video.__main__ import video_service
from lumenmill_video.families import family_of
from lumenmill_video.settings import VideoSettings

_SMALL = {"width_px": 64, "height_px": 32, "num_frames": 5}
_T2V, _I2V, _FLF2V, _VACE = "Wan2.1-T2V-14B", "Wan2.1-I2V-14B-480P", "Wan2.1-FLF2V-14B-720P", "Wan2.1-VACE-1.3B"
_A14B, _SVD, _MODELSCOPE = "Wan2.2-T2V-A14B", "SVD-XT", "ModelScope-T2V"


class _Media:
    """Media by name, put into the store of a service when a case needs them."""

    def __init__(self, video: Any) -> None:
        self._video = video

    def __getitem__(self, name: str) -> Artifact:
        video = self._video
        made = {
            "picture": lambda: video.put_picture((64, 32)),
            "square": lambda: video.put_picture((32, 32)),
            "clip": lambda: video.put_clip([video.picture((64, 32))] * 5),
            "short": lambda: video.put_clip([video.picture((64, 32))] * 3),
            "empty": lambda: video.store.put_bytes(b"", "video/mp4"),
            "noise": lambda: video.store.put_bytes(b"no picture" * 20, "image/png"),
            "long": lambda: video.put_clip([video.picture((16, 16))] * 1001),
            "torn": lambda: video.store.put_bytes(
                video.store.read_bytes(video.put_clip([video.picture((64, 32))] * 5))[:200], "video/mp4"
            ),
            "cut": lambda: video.store.put_bytes(
                video.store.read_bytes(video.put_clip([video.picture((64, 32))] * 5))[:-300], "video/mp4"
            ),
        }
        artifact: Artifact = made[name]()
        return artifact


_REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (_T2V, {"width_px": 100}, "width_px: is 100; must be a multiple of 16: 96 or 112"),
    (_T2V, {"height_px": 1296}, "height_px: is 1296; at most 1280"),
    (_T2V, {"num_frames": 80}, "num_frames: is 80; must be 1 more than a multiple of 4: 77 or 81"),
    (_T2V, {"num_frames": 85}, "num_frames: is 85; at most 81"),
    (_T2V, {"num_frames": 0, "duration_s": 6}, "duration_s: is 6; at most 5.06: this model makes 81 frames"),
    (_T2V, {"num_frames": 0, "duration_s": 6, "fps": 30}, "duration_s: is 6; at most 2.7: this model makes 81 frames"),
    (_T2V, {"duration_s": 6}, "set `num_frames` or `duration_s`, not both"),
    (_T2V, {"preset": "four_step"}, "preset: 'four_step' is none of balanced, fast, quality"),
    (_T2V, {"display": {"exposure": "EXPOSURE_GROUP"}}, "display: this model renders nothing"),
    (_T2V, {"image": "picture"}, "image: this model starts from no picture"),
    (_T2V, {"control_clip": "clip"}, "control_clip: this model takes no control clip"),
    (_T2V, {"reference_images": ["picture"]}, "reference_images: this model takes no reference images"),
    (_T2V, {"light": {"sources": [{"sun_sky": {}}]}}, "light.text: this model takes light as words only"),
    (_T2V, {"camera": {"path": {"orbit": {"sweep_deg": 20}}}}, "camera.path: this model takes a moving camera"),
    (_T2V, {"camera": {"viewpoint": {"azimuth_deg": 20}}}, "camera.viewpoint: this model takes no viewpoint"),
    (_T2V, {"prompt": "", "image": "picture"}, "image: this model starts from no picture"),
    (_I2V, {}, "image: this model starts from a picture"),
    (_I2V, {"image": "clip"}, "image: is an MP4 clip; send a PNG, JPEG or WebP image"),
    (_I2V, {"image": "noise"}, "image: is not an image format known here"),
    (_I2V, {"image": "picture", "last_image": "picture"}, "last_image: this model takes no last frame"),
    (_I2V, {"image": "picture", "num_frames": 1}, "num_frames: is 1; at least 5"),
    (_FLF2V, {"image": "picture"}, "last_image: this model goes from a first frame to a last one"),
    (
        _FLF2V,
        {"image": "picture", "last_image": "picture", "num_frames": 0, "duration_s": 9},
        "duration_s: is 9; at most 5.06",
    ),
    (_A14B, {"adapters": [{"weights": "picture"}]}, "adapters: this model has two transformers"),
    (_VACE, {"control_clip": "picture"}, "control_clip: is a PNG image; send a clip"),
    (_VACE, {"control_clip": "empty"}, "control_clip: is damaged, or not a clip"),
    (_VACE, {"control_clip": "torn"}, "control_clip: is cut off: its index"),
    (_VACE, {"control_clip": "cut"}, "control_clip: "),
    (_VACE, {"control_clip": "long"}, "control_clip: has more than 1000 frames"),
    (_VACE, {"control_clip": "short"}, "control_clip: has 3 frames; 5 are requested"),
    (_VACE, {"control_clip": "clip", "num_frames": 0, "duration_s": 1}, "control_clip: has 5 frames; 17 are requested"),
    (_VACE, {"control_mask": "picture"}, "control_mask: is the mask of a control clip"),
    (_VACE, {"control_clip": "clip", "control_mask": "square"}, "control_mask: has 32×32 pixels; must have those of"),
    (_VACE, {"control_clip": "clip", "control_mask": "short"}, "control_mask: has 3 frames; 5 are needed"),
    (_VACE, {"control_clip": "clip", "reference_images": ["picture", "empty"]}, "reference_images[1]: is empty"),
    (_SVD, {"image": "picture"}, "prompt: this model takes no words"),
    (
        _SVD,
        {"prompt": "", "image": "picture", "motion_prompt": "it turns"},
        "motion_prompt: this model takes no words",
    ),
    (_SVD, {"prompt": "", "image": "picture"}, "height_px: is 32; must be a multiple of 64: 64 or 128"),
    (
        _SVD,
        {"prompt": "", "image": "picture", "height_px": 64, "adapters": [{"weights": "picture"}]},
        "adapters: this model takes none",
    ),
    (_MODELSCOPE, {"num_frames": 33}, "num_frames: is 33; at most 32"),
    (_MODELSCOPE, {"num_frames": 0, "duration_s": 5}, "duration_s: is 5; at most 4: this model makes 32 frames"),
]


def _request(video: Any, fields: dict[str, Any]) -> dict[str, Any]:
    media = _Media(video)
    made: dict[str, Any] = {"prompt": "a lemon", **_SMALL}
    for name, value in fields.items():
        if name in {"image", "last_image", "control_clip", "control_mask"}:
            made[name] = media[value]
        elif name == "reference_images":
            made[name] = [media[entry] for entry in value]
        elif name == "adapters":
            made[name] = [{"weights": media[entry["weights"]]} for entry in value]
        else:
            made[name] = value
    return made


@pytest.mark.parametrize("model", [_T2V, _I2V, _FLF2V, _VACE, _A14B, _SVD, _MODELSCOPE])
async def test_unsupported_requests_are_refused_with_the_field(serving: Any, model: str) -> None:
    async with serving(model) as video:
        for index, (_, fields, words) in enumerate(case for case in _REFUSED if case[0] == model):
            code, said = await video.refusal(f"bad-{index}", **_request(video, fields))
            assert code is grpc.StatusCode.INVALID_ARGUMENT and words in said, (fields, said)


async def test_structure_with_words_is_accepted(serving: Any) -> None:
    async with serving(_T2V) as video:
        made = await video.clip(
            "both",
            prompt="A brass bowl.",
            motion_prompt="The camera circles the bowl",
            camera={"path": {"orbit": {"sweep_deg": 20}}},
            scene_description={"kind": 1},
            light={"text": "noon sun", "sources": [{"sun_sky": {"sun_elevation_deg": 80}}]},
            **_SMALL,
        )
        said = made.record.parameters
        assert said["prompt"] == "A brass bowl. The camera circles the bowl. noon sun"
        assert made.record.light.text == "noon sun" and not made.record.HasField("camera")
        assert "静态" in said["negative_prompt"]


async def test_models_that_make_clips_do_not_decompose_them(serving: Any) -> None:
    async with serving(_T2V) as video:
        call = video.stub.DecomposeVideo(video_pb2.DecomposeVideoRequest(job={"request_id": "no"}))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            _ = [event async for event in call]
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("model", [_T2V, _VACE, _SVD, _MODELSCOPE])
async def test_a_cancelled_job_stops_at_the_next_step(serving: Any, model: str) -> None:
    async with serving(model, grace_period_s=0.0) as video:
        words = {} if model == _SVD else {"prompt": "a lemon"}
        image = {"image": video.put_picture((128, 64))} if model == _SVD else {}
        fields = {"width_px": 128, "height_px": 64, "num_frames": 5, **words, **image}
        request = video_pb2.GenerateVideoRequest(job={"request_id": "long"}, sampling={"num_steps": 500}, **fields)
        call = video.stub.GenerateVideo(request)
        async for event in call:
            if event.progress.stage == "denoise" and event.progress.step > 1:
                assert event.progress.total == 500
                break
        call.cancel()
        # The worker is idle again long before 500 steps have passed.
        async with asyncio.timeout(10):
            await video.clip("next", **fields)


async def test_a_deadline_that_cannot_be_met_is_refused_at_once(serving: Any) -> None:
    async with serving(_T2V) as video:
        await video.clip("first", prompt="a lemon", **_SMALL)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await video.events(
                "late", 3, prompt="a lemon", width_px=1280, height_px=720, num_frames=81, sampling={"num_steps": 500}
            )
        assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert "takes about" in (refused.value.details() or "")


def test_vace_refuses_a_cache_of_blocks() -> None:
    entry = read_catalogue("lumenmill_video")[_VACE]
    preset = entry.presets["fast"].model_copy(update={"step_cache": StepCache(kind="first_block")})
    cached = entry.model_copy(update={"presets": {"fast": preset}})
    settings = VideoSettings(model=_VACE, device="cpu")
    family = family_of(ModelHost(settings, None, {_VACE: cached}), settings)  # type: ignore[arg-type]
    with pytest.raises(FailedPreconditionError, match="adds VACE's control twice"):
        family.load()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"model": "Wan9"}, "is none of Wan2.1-T2V-14B"),
        ({"model": _SVD, "distilled_lora": "/models/lora"}, "has no few-step preset"),
    ],
)
def test_settings_without_a_matching_model_are_refused_at_start(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(FailedPreconditionError, match=words):
        video_service(VideoSettings(device="cpu", **settings))


def test_a_distilled_lora_is_refused_for_models_of_the_presets_file(tmp_path: Path) -> None:
    own = read_catalogue("lumenmill_video")[_SVD].model_dump(mode="json")
    file = tmp_path / "own.yaml"
    file.write_text(yaml.safe_dump({"mine": own}))
    with pytest.raises(FailedPreconditionError, match="mine is an entry of LUMENMILL_PRESETS_FILE: add the LoRA there"):
        video_service(VideoSettings(device="cpu", model="mine", presets_file=file, distilled_lora="/models/lora"))


def test_every_model_states_its_licence_and_defaults() -> None:
    for name, entry in read_catalogue("lumenmill_video").items():
        assert entry.source and entry.licence.url and list(entry.presets)[:3] == ["balanced", "fast", "quality"], name
        bound = {"SVD-XT", "SVD", "ModelScope-T2V"}
        assert entry.licence.of(name).allows_commercial_use == (name not in bound), name
