"""Clips of every family over real gRPC, compared with direct calls of diffusers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    LTXConditionPipeline,
    StableVideoDiffusionPipeline,
    TextToVideoSDPipeline,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
    WanVACEPipeline,
)
from PIL import Image

from lumenmill_media import Encoding, iter_frames, put_clip, put_png
from lumenmill_neural.catalogue import read_catalogue

from .tiny import save_wan_lora

_SIZE = {"width_px": 64, "height_px": 32}
_PLAIN = {"width": 64, "height": 32}
_LIT = {"prompt": "A lemon on slate.", "light": {"text": "Warm light from the left"}}
_WORDS = "A lemon on slate. Warm light from the left"


@dataclass(frozen=True)
class _Case:
    """A request for a model, and the equal arguments for diffusers."""

    model: str
    pipeline_class: Any
    fields: Callable[[Any], dict[str, Any]]
    arguments: Callable[[Any], dict[str, Any]]
    fps: float = 16.0
    flow_shift: float | None = None
    stages: tuple[str, ...] = ("text_encode", "denoise", "decode", "encode")


_FROM_PICTURE = ("read", "text_encode", "image_encode", "denoise", "decode", "encode")


def _from_words(
    model: str,
    pipeline_class: Any,
    num_frames: int,
    fps: float = 16.0,
    flow_shift: float | None = None,
    **arguments: Any,
) -> _Case:
    """A case from a description and words of the light; `arguments` are those of the pipeline besides."""
    return _Case(
        model,
        pipeline_class,
        lambda video: {**_LIT, **_SIZE, "num_frames": num_frames},
        lambda video: {"prompt": _WORDS, "num_frames": num_frames, **_PLAIN, **arguments},
        fps,
        flow_shift,
    )


def _from_pictures(
    model: str,
    pipeline_class: Any,
    num_frames: int,
    fps: float = 16.0,
    flow_shift: float | None = None,
    pictures: tuple[str, ...] = ("image",),
    **arguments: Any,
) -> _Case:
    """A case from words and a picture in each field of `pictures`; `arguments` are those of the pipeline besides."""
    words = {"prompt": "dusk falls", "num_frames": num_frames}
    return _Case(
        model,
        pipeline_class,
        lambda video: words | _SIZE | {name: video.put_picture((64, 32), seed) for seed, name in enumerate(pictures)},
        lambda video: {
            **{name: video.picture((64, 32), seed) for seed, name in enumerate(pictures)},
            **words,
            **_PLAIN,
            **arguments,
        },
        fps,
        flow_shift,
        _FROM_PICTURE,
    )


def _control(video: Any) -> list[Image.Image]:
    return [video.picture((64, 32), seed) for seed in range(5)]


def _mask() -> Image.Image:
    return Image.fromarray(np.repeat(np.array([[0, 255]], np.uint8), 32, axis=1).repeat(32, axis=0))


def _put_mask(video: Any) -> Any:
    return put_png(video.store, _mask())


def _decoded(video: Any, clip: Any) -> list[Image.Image]:
    return list(iter_frames(video.store, clip, "clip"))


_LTX = {
    "negative_prompt": "worst quality, inconsistent motion, blurry, jittery, distorted",
    "guidance_scale": 3.0,
    "frame_rate": 24,
    "decode_timestep": 0.05,
    "decode_noise_scale": 0.025,
}
_CASES = [
    _from_words("Wan2.1-T2V-14B", WanPipeline, 5, flow_shift=5.0, guidance_scale=5.0),
    _Case(
        "Wan2.1-I2V-14B-480P",
        WanImageToVideoPipeline,
        lambda video: {
            "image": video.put_picture((128, 64)),
            "motion_prompt": "the camera moves in",
            "num_frames": 5,
            "width_px": 64,
        },
        lambda video: {
            "image": video.picture((128, 64)).resize((64, 32), Image.Resampling.LANCZOS),
            "prompt": "the camera moves in",
            "num_frames": 5,
            "guidance_scale": 5.0,
            **_PLAIN,
        },
        flow_shift=3.0,
        stages=_FROM_PICTURE,
    ),
    _from_pictures(
        "Wan2.1-FLF2V-14B-720P",
        WanImageToVideoPipeline,
        9,
        flow_shift=16.0,
        pictures=("image", "last_image"),
        guidance_scale=5.5,
    ),
    _Case(
        "Wan2.1-VACE-1.3B",
        WanVACEPipeline,
        lambda video: {
            "prompt": "a brass bowl",
            "control_clip": video.put_clip(_control(video)),
            "control_mask": _put_mask(video),
            "reference_images": [video.put_picture((48, 48), 7)],
            **_SIZE,
        },
        lambda video: {
            "prompt": "a brass bowl",
            "video": _decoded(video, video.put_clip(_control(video))),
            "mask": [_mask()] * 5,
            "reference_images": [video.picture((48, 48), 7)],
            "num_frames": 5,
            "guidance_scale": 5.0,
            **_PLAIN,
        },
        flow_shift=16.0,
        stages=_FROM_PICTURE,
    ),
    _from_words("Wan2.2-T2V-A14B", WanPipeline, 5, flow_shift=12.0, guidance_scale=4.0, guidance_scale_2=3.0),
    _from_pictures("Wan2.2-I2V-A14B", WanImageToVideoPipeline, 5, flow_shift=5.0, guidance_scale=3.5),
    _from_words("Wan2.2-TI2V-5B", WanPipeline, 5, fps=24.0, flow_shift=5.0, guidance_scale=5.0),
    _from_pictures("Wan2.2-TI2V-5B", WanImageToVideoPipeline, 5, fps=24.0, flow_shift=5.0, guidance_scale=5.0),
    _from_words("LTX-Video-0.9.5", LTXConditionPipeline, 9, fps=24.0, **_LTX),
    _from_pictures("LTX-Video-0.9.5", LTXConditionPipeline, 9, fps=24.0, **_LTX),
    _Case(
        "SVD-XT",
        StableVideoDiffusionPipeline,
        lambda video: {
            "image": video.put_picture((128, 64)),
            "num_frames": 3,
            "preset": "dynamic",
            "width_px": 128,
            "height_px": 64,
        },
        lambda video: {
            "image": video.picture((128, 64)),
            "num_frames": 3,
            "fps": 15,
            "motion_bucket_id": 3,
            "noise_aug_strength": 0.0005,
            "decode_chunk_size": 14,
            "width": 128,
            "height": 64,
        },
        fps=15.0,
        stages=("read", "image_encode", "denoise", "decode", "encode"),
    ),
    _from_words("ModelScope-T2V", TextToVideoSDPipeline, 3, fps=8.0, guidance_scale=9.0, negative_prompt=""),
]


def _plain_frames(folder: str, case: _Case, arguments: dict[str, Any]) -> np.ndarray:
    variant = read_catalogue("lumenmill_video")[case.model].variant or None
    pipe = case.pipeline_class.from_pretrained(folder, dtype=torch.float32, variant=variant)
    pipe.set_progress_bar_config(disable=True)
    if case.flow_shift is not None:
        pipe.scheduler = UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=case.flow_shift
        )
        arguments["negative_prompt"] = read_catalogue("lumenmill_video")[case.model].arguments["negative_prompt"]
    generator = torch.Generator("cpu").manual_seed(5)
    made = pipe(num_inference_steps=2, generator=generator, output_type="np", **arguments)
    return (np.asarray(made.frames[0]) * 255).round().astype(np.uint8)


@pytest.mark.parametrize("case", _CASES, ids=lambda case: f"{case.model} {case.pipeline_class.__name__}")
async def test_clips_equal_those_of_diffusers(serving: Any, case: _Case) -> None:
    async with serving(case.model) as video:
        made = await video.clip("one", seed=5, **case.fields(video))
        frames = _plain_frames(video.settings.checkpoint, case, case.arguments(video))
        assert np.array_equal(video.pixels(made.poster), frames[0])
        height, width = frames.shape[1:3]
        same = put_clip(video.store, frames, (width, height), case.fps, Encoding(20, "medium"))
        assert made.video.sha256 == same.sha256
        facts = made.video.video
        assert (facts.width_px, facts.height_px, facts.num_frames, facts.fps) == (width, height, len(frames), case.fps)
        record = made.record
        assert (record.model, record.seed) == (case.model, 5)
        assert record.parameters["num_inference_steps"] == 2 and record.parameters["step_duration_s"] > 0
        assert record.parameters["video_encoding"] == "h264 crf 20 medium"
        assert tuple(stage.stage for stage in record.stage_times) == case.stages
        assert record.licences[0].spdx_id and record.HasField("light") == ("light" in case.fields(video))


async def test_a_distilled_lora_adds_four_steps_without_guidance(
    serving: Any, checkpoints: Callable[[str], Path], tmp_path: Path
) -> None:
    lora = save_wan_lora(checkpoints("Wan2.1-T2V-14B"), tmp_path / "lora")
    async with serving("Wan2.1-T2V-14B", distilled_lora=str(lora)) as video:
        asked = {"prompt": "a lemon", "num_frames": 5, "seed": 3, **_SIZE}
        plain = await video.clip("plain", **asked)
        made = await video.clip("fast", **asked, preset="four_step", sampling={})
        after = await video.clip("after", **asked)
        pipe = WanPipeline.from_pretrained(video.settings.checkpoint, dtype=torch.float32)
        pipe.load_lora_weights(str(lora), weight_name="distilled.safetensors")
        pipe.scheduler = UniPCMultistepScheduler(
            prediction_type="flow_prediction",
            use_flow_sigmas=True,
            flow_shift=5.0,
            solver_order=1,
            disable_corrector=[0, 1, 2, 3],
        )
        frames = pipe(
            "a lemon",
            num_frames=5,
            num_inference_steps=4,
            guidance_scale=1.0,
            generator=torch.Generator("cpu").manual_seed(3),
            **_PLAIN,
        ).frames[0]
        assert np.array_equal(video.pixels(made.poster), (frames[0] * 255).round().astype(np.uint8))
        said = made.record.parameters
        assert (said["num_inference_steps"], said["guidance_scale"], said["distilled_lora"]) == (4, 1, "distilled")
        assert "distilled@" in made.record.revision
        assert after.video.sha256 == plain.video.sha256 != made.video.sha256
