"""Clips over real gRPC: they are independent of each other, and have the shape and the defaults that are documented."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from diffusers import WanTransformer3DModel

from lumenmill_media import encoders, iter_frames
from lumenmill_neural.catalogue import Catalogue, read_catalogue
from lumenmill_neural.host import ModelHost
from lumenmill_video.cost import WanCost
from lumenmill_video.families import family_of
from lumenmill_video.families.modelscope import ModelScope
from lumenmill_video.settings import VideoSettings

from .tiny import save_wan_lora

_SIZE = {"width_px": 64, "height_px": 32}


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
        said = made.record.parameters
        assert (said["video_encoder"], said["video_encoding"]) == ("libx264", "h264 5000k slow")
        shown = {preset.name: preset.parameters for preset in (await video.model()).presets}
        assert (shown["balanced"]["height"], shown["quality"]["height"]) == (480, 720)
        assert "four_step" not in shown


async def test_without_libx264_clips_have_a_bitrate(serving: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "_ENCODERS", ("mpeg4",))
    async with serving("Wan2.1-T2V-14B") as video:
        made = await video.clip("rate", prompt="a lemon", preset="quality", num_frames=5, **_SIZE)
        said = made.record.parameters
        assert (said["video_encoder"], said["video_encoding"]) == ("mpeg4", "mpeg4 5000k")
        assert made.video.video.codec == "mpeg4" and len(list(iter_frames(video.store, made.video, "video"))) == 5


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
