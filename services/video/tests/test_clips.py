"""Clips of every family over real gRPC, compared with direct calls of diffusers."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
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
    WanTransformer3DModel,
    WanVACEPipeline,
)
from PIL import Image

from lumenmill_media import Encoding, iter_frames, put_clip, put_png
from lumenmill_neural.catalogue import Catalogue, read_catalogue
from lumenmill_neural.host import ModelHost
from lumenmill_video.cost import WanCost
from lumenmill_video.families import family_of
from lumenmill_video.families.modelscope import ModelScope
from lumenmill_video.settings import VideoSettings

from .tiny import save_wan_lora

_SIZE = {"width_px": 64, "height_px": 32}
_PLAIN = {"width": 64, "height": 32}
_WORDS = "A lemon on slate. Warm light from the left"


@dataclass(frozen=True)
class _Case:
    """A request for a model, and the equal arguments for diffusers."""

    model: str
    pipeline_class: Any
    fields: Callable[[Any], dict[str, Any]]
    arguments: Callable[[Any], dict[str, Any]]
    fps: float = 16.0
    flow_shift: float | None = 3.0
    stages: tuple[str, ...] = ("text_encode", "denoise", "decode", "encode")


def _control(video: Any) -> list[Image.Image]:
    return [video.picture((64, 32), seed) for seed in range(5)]


def _mask() -> Image.Image:
    return Image.fromarray(np.repeat(np.array([[0, 255]], np.uint8), 32, axis=1).repeat(32, axis=0))


def _decoded(video: Any, clip: Any) -> list[Image.Image]:
    return list(iter_frames(video.store, clip, "clip"))


_LTX = {
    "negative_prompt": "worst quality, inconsistent motion, blurry, jittery, distorted",
    "guidance_scale": 3.0,
    "frame_rate": 24,
    "decode_timestep": 0.05,
    "decode_noise_scale": 0.025,
}
_LIT = {"prompt": "A lemon on slate.", "light": {"text": "Warm light from the left"}}
_CASES = [
    _Case(
        "Wan2.1-T2V-14B",
        WanPipeline,
        lambda video: {**_LIT, **_SIZE, "num_frames": 5},
        lambda video: {"prompt": _WORDS, "num_frames": 5, "guidance_scale": 5.0, **_PLAIN},
        flow_shift=5.0,
    ),
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
        stages=("read", "text_encode", "image_encode", "denoise", "decode", "encode"),
    ),
    _Case(
        "Wan2.1-FLF2V-14B-720P",
        WanImageToVideoPipeline,
        lambda video: {
            "image": video.put_picture((64, 32)),
            "last_image": video.put_picture((64, 32), 1),
            "prompt": "dusk falls",
            "num_frames": 9,
            **_SIZE,
        },
        lambda video: {
            "image": video.picture((64, 32)),
            "last_image": video.picture((64, 32), 1),
            "prompt": "dusk falls",
            "num_frames": 9,
            "guidance_scale": 5.5,
            **_PLAIN,
        },
        flow_shift=16.0,
        stages=("read", "text_encode", "image_encode", "denoise", "decode", "encode"),
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
        stages=("read", "text_encode", "image_encode", "denoise", "decode", "encode"),
    ),
    _Case(
        "Wan2.2-T2V-A14B",
        WanPipeline,
        lambda video: {**_LIT, **_SIZE, "num_frames": 5},
        lambda video: {
            "prompt": _WORDS,
            "num_frames": 5,
            "guidance_scale": 4.0,
            "guidance_scale_2": 3.0,
            **_PLAIN,
        },
        flow_shift=12.0,
    ),
    _Case(
        "Wan2.2-I2V-A14B",
        WanImageToVideoPipeline,
        lambda video: {"image": video.put_picture((64, 32)), "prompt": "dusk falls", "num_frames": 5, **_SIZE},
        lambda video: {
            "image": video.picture((64, 32)),
            "prompt": "dusk falls",
            "num_frames": 5,
            "guidance_scale": 3.5,
            **_PLAIN,
        },
        flow_shift=5.0,
        stages=("read", "text_encode", "image_encode", "denoise", "decode", "encode"),
    ),
    _Case(
        "Wan2.2-TI2V-5B",
        WanPipeline,
        lambda video: {**_LIT, **_SIZE, "num_frames": 5},
        lambda video: {"prompt": _WORDS, "num_frames": 5, "guidance_scale": 5.0, **_PLAIN},
        fps=24.0,
        flow_shift=5.0,
    ),
    _Case(
        "Wan2.2-TI2V-5B",
        WanImageToVideoPipeline,
        lambda video: {"image": video.put_picture((64, 32)), "prompt": "dusk falls", "num_frames": 5, **_SIZE},
        lambda video: {
            "image": video.picture((64, 32)),
            "prompt": "dusk falls",
            "num_frames": 5,
            "guidance_scale": 5.0,
            **_PLAIN,
        },
        fps=24.0,
        flow_shift=5.0,
        stages=("read", "text_encode", "image_encode", "denoise", "decode", "encode"),
    ),
    _Case(
        "LTX-Video-0.9.5",
        LTXConditionPipeline,
        lambda video: {**_LIT, **_SIZE, "num_frames": 9},
        lambda video: {"prompt": _WORDS, "num_frames": 9, **_PLAIN, **_LTX},
        fps=24.0,
        flow_shift=None,
    ),
    _Case(
        "LTX-Video-0.9.5",
        LTXConditionPipeline,
        lambda video: {"image": video.put_picture((64, 32)), "prompt": "dusk falls", "num_frames": 9, **_SIZE},
        lambda video: {
            "image": video.picture((64, 32)),
            "prompt": "dusk falls",
            "num_frames": 9,
            **_PLAIN,
            **_LTX,
        },
        fps=24.0,
        flow_shift=None,
        stages=("read", "text_encode", "image_encode", "denoise", "decode", "encode"),
    ),
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
        flow_shift=None,
        stages=("read", "image_encode", "denoise", "decode", "encode"),
    ),
    _Case(
        "ModelScope-T2V",
        TextToVideoSDPipeline,
        lambda video: {**_LIT, **_SIZE, "num_frames": 3},
        lambda video: {"prompt": _WORDS, "num_frames": 3, "guidance_scale": 9.0, "negative_prompt": "", **_PLAIN},
        fps=8.0,
        flow_shift=None,
    ),
]


def _put_mask(video: Any) -> Any:
    return put_png(video.store, _mask())


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


@pytest.mark.parametrize("model", ["Wan2.1-T2V-14B", "ModelScope-T2V"])
async def test_a_clip_does_not_depend_on_other_jobs_in_the_queue(serving: Any, model: str) -> None:
    async with serving(model, batch_size=20) as video:
        alone = await video.clip("alone", prompt="a lemon", seed=7, num_frames=5, **_SIZE)
        together = await asyncio.gather(
            video.clip("a", prompt="a lemon", seed=7, num_frames=5, **_SIZE),
            video.clip("b", prompt="a brass bowl in the dark", seed=8, num_frames=5, **_SIZE),
        )
        assert together[0].video.sha256 == alone.video.sha256 != together[1].video.sha256


@pytest.mark.parametrize("model", ["Wan2.1-T2V-14B", "Wan2.1-I2V-14B-480P", "ModelScope-T2V"])
async def test_clips_of_one_batch_do_not_affect_each_other(
    serving: Any, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on a GPU; on the CPU the batch size is 1.
    monkeypatch.setattr(ModelHost, "max_batch_size", property(lambda host: 2))
    async with serving(model) as video:
        picture = {"image": video.put_picture((64, 32))} if "I2V" in model else {}
        asked = [
            {"prompt": prompt, "seed": seed, "num_frames": 5, **_SIZE, **picture}
            for seed, prompt in enumerate(("a lemon", "a bowl", "a knife"))
        ]
        # The first starts at once; the others wait and form a batch.
        together = await asyncio.gather(*(video.clip(f"t{seed}", **asked[seed]) for seed in range(3)))
        for seed, made in enumerate(together):
            alone = await video.clip(f"a{seed}", **asked[seed])
            difference = np.abs(video.pixels(made.poster).astype(int) - video.pixels(alone.poster))
            assert difference.max() <= 2, seed
            assert not np.array_equal(video.pixels(made.poster), video.pixels(together[seed - 1].poster))


def test_a_clip_counts_as_five_images_in_batch_size() -> None:
    host: Any = SimpleNamespace(max_batch_size=4)
    for batch_size, clips in ((0, 4), (1, 1), (5, 1), (6, 2), (16, 4), (100, 4)):
        settings = VideoSettings(model="ModelScope-T2V", batch_size=batch_size)
        assert ModelScope(host, settings).max_batch_size == clips


async def test_the_same_request_is_executed_once(serving: Any) -> None:
    async with serving("Wan2.1-T2V-14B") as video:
        asked = {"prompt": "a lemon", "num_frames": 5, **_SIZE}
        one, other = await asyncio.gather(video.clip("same", **asked), video.clip("same", **asked))
        again = await video.clip("same", **asked)
        assert one == other == again


async def test_clips_have_the_aspect_ratio_of_the_picture(serving: Any) -> None:
    async with serving("Wan2.1-I2V-14B-480P") as video:
        made = await video.clip("tall", image=video.put_picture((30, 60)), width_px=32, num_frames=5)
        assert (made.video.video.width_px, made.video.video.height_px) == (32, 64)
        assert (await video.model()).presets[0].parameters["flow_shift"] == 3
        said = made.record.parameters
        assert (said["prompt"], said["flow_shift"], said["width"], said["height"]) == ("", 3, 32, 64)


async def test_presets_of_svd_differ_in_encoding_and_memory(serving: Any) -> None:
    async with serving("Wan2.1-T2V-14B", video_encoding="bitrate") as video:
        made = await video.clip("rate", prompt="a lemon", preset="quality", num_frames=5, **_SIZE)
        assert made.record.parameters["video_encoding"] == "h264 5000k slow"
        shown = {preset.name: preset.parameters for preset in (await video.model()).presets}
        assert (shown["balanced"]["height"], shown["quality"]["height"]) == (480, 720)
        assert "four_step" not in shown


_SHARED, _SHAKING, _CUTS = "色调艳丽，过曝", "镜头晃动，色调艳丽", "镜头切换，镜头晃动，色调艳丽"


@pytest.mark.parametrize(
    ("model", "guidance_scale", "flow_shift", "num_steps", "negative_prompt"),
    [
        ("Wan2.1-T2V-14B", 5, 5, 50, _SHARED),
        ("Wan2.1-T2V-1.3B", 6, 8, 50, _SHARED),
        ("Wan2.1-I2V-14B-480P", 5, 3, 40, _SHAKING),
        ("Wan2.1-I2V-14B-720P", 5, 5, 40, _SHAKING),
        ("Wan2.1-FLF2V-14B-720P", 5.5, 16, 50, _CUTS),
        ("Wan2.1-VACE-14B", 5, 16, 50, _SHARED),
        ("Wan2.1-VACE-1.3B", 5, 16, 50, _SHARED),
        ("Wan2.2-T2V-A14B", 4, 12, 40, _SHARED),
        ("Wan2.2-I2V-A14B", 3.5, 5, 40, _SHARED),
        ("Wan2.2-TI2V-5B", 5, 5, 50, _SHARED),
    ],
)
def test_wan_has_the_defaults_of_its_own_code(
    model: str, guidance_scale: float, flow_shift: float, num_steps: int, negative_prompt: str
) -> None:
    family = _family(read_catalogue("lumenmill_video"), model)
    found = family.with_derived(family.plan_of("")).arguments
    assert (found["guidance_scale"], found["flow_shift"], found["num_inference_steps"]) == (
        guidance_scale,
        flow_shift,
        num_steps,
    )
    assert found["negative_prompt"].startswith(negative_prompt)


def test_a_last_frame_adds_to_the_cost_of_a_step(checkpoints: Callable[[str], Path]) -> None:
    costs = [
        WanCost.of(WanTransformer3DModel.from_pretrained(checkpoints(model), subfolder="transformer").config)
        for model in ("Wan2.1-T2V-14B", "Wan2.1-I2V-14B-480P", "Wan2.1-FLF2V-14B-720P")
    ]
    assert [cost.num_image_tokens for cost in costs] == [0, 257, 514]


def _family(catalogue: Catalogue, model: str) -> Any:
    settings = VideoSettings(model=model, device="cpu")
    return family_of(ModelHost(settings, None, catalogue), settings)  # type: ignore[arg-type]


def test_svd_uses_the_minimum_of_preset_and_memory_tier() -> None:
    entry = read_catalogue("lumenmill_video")["SVD-XT"]
    found = {}
    for memory_gib in (40, 24, 12):
        tier = entry.tiers[entry.tier_for(memory_gib)]
        one = entry.model_copy(update={"tiers": (tier,)})
        family = _family({"SVD-XT": one}, "SVD-XT")
        plans = {name: family.plan_of(name).arguments for name in entry.presets}
        found[memory_gib] = [
            (plans[name]["decode_chunk_size"], plans[name]["num_inference_steps"])
            for name in ("quality", "static", "dynamic", "smooth", "fast")
        ]
    assert found == {
        40: [(12, 70), (10, 60), (14, 60), (12, 60), (6, 50)],
        24: [(10, 60), (10, 60), (10, 60), (10, 60), (6, 50)],
        12: [(6, 50), (6, 50), (6, 50), (6, 50), (6, 50)],
    }


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


async def test_adapters_of_a_request_change_the_clip_and_their_licences_are_recorded(
    serving: Any, checkpoints: Callable[[str], Path], tmp_path: Path
) -> None:
    lora = save_wan_lora(checkpoints("Wan2.1-T2V-14B"), tmp_path / "lora") / "distilled.safetensors"
    async with serving("Wan2.1-T2V-14B") as video:
        weights = video.store.put_file(lora, "application/octet-stream")
        weights.licence.subject, weights.licence.spdx_id = "a style", "CC-BY-4.0"
        asked = {"prompt": "a lemon", "num_frames": 5, "seed": 3, **_SIZE}
        plain = await video.clip("plain", **asked)
        none = await video.clip("none", **asked, adapters=[{"weights": weights, "scale": 0}])
        made = await video.clip("made", **asked, adapters=[{"weights": weights}])
        assert none.video.sha256 == plain.video.sha256 != made.video.sha256
        assert [licence.subject for licence in made.record.licences] == ["Wan2.1-T2V-14B", "a style"]
        assert (await video.clip("after", **asked)).video.sha256 == plain.video.sha256
