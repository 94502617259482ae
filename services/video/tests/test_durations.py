"""Clips of a duration: continued from their last frame where it is longer than what the model makes at once."""

import asyncio
import errno
import os
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import torch
import yaml
from diffusers import (
    StableVideoDiffusionPipeline,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
    WanVACEPipeline,
)
from PIL import Image

from lumenmill.video.v1 import video_pb2
from lumenmill_common.errors import ResourceExhaustedError
from lumenmill_media import Encoding, iter_frames, put_clip
from lumenmill_neural.catalogue import read_catalogue
from lumenmill_video.families import FAMILIES
from lumenmill_video.families.segments import frame_file, num_frames_of, segments_of
from lumenmill_video.families.svd import StableVideoDiffusion

_SVD, _I2V, _TI2V, _VACE = "SVD-XT", "Wan2.1-I2V-14B-480P", "Wan2.2-TI2V-5B", "Wan2.1-VACE-1.3B"
_VACE_PARTS: tuple[tuple[str, Any], ...] = (("RGB", (128, 128, 128)), ("L", 255), ("L", 0))
_SEED = 5


@pytest.fixture
def short(tmp_path: Path) -> Callable[[str, int], Path]:
    """`short(model, num_frames)` returns a file of entries in which the model makes no more frames at once."""

    def write(model: str, num_frames: int) -> Path:
        entry = read_catalogue("lumenmill_video")[model].model_dump(mode="json")
        entry["max_num_frames"] = entry["arguments"]["num_frames"] = num_frames
        path = tmp_path / "models.yaml"
        path.write_text(yaml.safe_dump({model: entry}))
        return path

    return write


def _segments(call: Callable[..., Any], picture: Image.Image | None, segments: tuple[int, ...]) -> np.ndarray:
    """Return the frames of calls of diffusers, each of which starts with the last frame of the one before."""
    frames: list[np.ndarray] = []
    for index, num_frames in enumerate(segments):
        generator = torch.Generator("cpu").manual_seed(_SEED + index)
        made = call(image=picture, num_frames=num_frames, generator=generator, num_inference_steps=2, output_type="np")
        pixels = (np.asarray(made.frames[0]) * 255).round().astype(np.uint8)
        frames += list(pixels[1:] if index else pixels)
        picture = Image.fromarray(pixels[-1])
    return np.asarray(frames)


async def test_svd_continues_from_its_last_frame(serving: Any, short: Callable[[str, int], Path]) -> None:
    async with serving(_SVD, presets_file=short(_SVD, 3)) as video:
        events = await video.events(
            "long", image=video.put_picture((64, 64)), duration_s=0.4, width_px=64, height_px=64, seed=_SEED
        )
        pipe = StableVideoDiffusionPipeline.from_pretrained(
            video.settings.checkpoint, dtype=torch.float32, variant="fp16"
        )
        frames = _segments(
            lambda **given: pipe(
                width=64,
                height=64,
                fps=15,
                motion_bucket_id=2,
                noise_aug_strength=0.0004,
                decode_chunk_size=10,
                **given,
            ),
            video.picture((64, 64)),
            (3, 3, 2),
        )
        made = events[-1].result
        assert len(frames) == 6 and np.array_equal(video.pixels(made.poster), frames[0])
        assert made.video.sha256 == put_clip(video.store, frames, (64, 64), 15, Encoding(20, "medium")).sha256
        said = made.record.parameters
        assert (said["num_frames"], said["num_segments"], list(said["segment_num_frames"])) == (6, 3, [3, 3, 2])
        steps = [event.progress for event in events if event.progress.stage == "denoise" and event.progress.step]
        assert {progress.total for progress in steps} <= {6}


async def test_wan_continues_from_its_last_frame(serving: Any, short: Callable[[str, int], Path]) -> None:
    async with serving(_I2V, presets_file=short(_I2V, 5)) as video:
        asked = {"image": video.put_picture((64, 32)), "prompt": "dusk falls", "width_px": 64, "seed": _SEED}
        made, other = await asyncio.gather(
            video.clip("long", duration_s=0.55, **asked), video.clip("short", num_frames=5, **asked)
        )
        pipe = WanImageToVideoPipeline.from_pretrained(video.settings.checkpoint, dtype=torch.float32)
        pipe.scheduler = UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        )
        frames = _segments(
            lambda **given: pipe(
                prompt="dusk falls",
                negative_prompt=read_catalogue("lumenmill_video")[_I2V].arguments["negative_prompt"],
                width=64,
                height=32,
                **given,
            ),
            video.picture((64, 32)),
            (5, 5),
        )
        same = put_clip(video.store, frames, (64, 32), 16, Encoding(20, "medium"))
        assert made.video.sha256 == same.sha256 and made.video.video.num_frames == 9
        first = list(iter_frames(video.store, other.video, "video"))
        assert len(first) == 5 and "num_segments" not in other.record.parameters
        stages = [stage.stage for stage in made.record.stage_times]
        assert stages == ["read", "text_encode", "image_encode", "denoise", "decode", "encode"]


async def test_a_clip_from_words_continues_from_its_last_frame(serving: Any, short: Callable[[str, int], Path]) -> None:
    async with serving(_TI2V, presets_file=short(_TI2V, 5)) as video:
        made = await video.clip("long", prompt="dusk falls", duration_s=0.37, width_px=64, height_px=32, seed=_SEED)
        pipes = [
            pipe.from_pretrained(video.settings.checkpoint, dtype=torch.float32)
            for pipe in (WanPipeline, WanImageToVideoPipeline)
        ]
        for pipe in pipes:
            pipe.scheduler = UniPCMultistepScheduler(
                prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=5.0
            )

        def call(image: Image.Image | None, **given: Any) -> Any:
            pipe, media = (pipes[0], {}) if image is None else (pipes[1], {"image": image})
            negative = read_catalogue("lumenmill_video")[_TI2V].arguments["negative_prompt"]
            return pipe(prompt="dusk falls", negative_prompt=negative, width=64, height=32, **media, **given)

        same = put_clip(video.store, _segments(call, None, (5, 5)), (64, 32), 24, Encoding(20, "medium"))
        assert made.video.sha256 == same.sha256 and made.record.parameters["num_segments"] == 2


async def test_vace_continues_from_its_last_frame(serving: Any, short: Callable[[str, int], Path]) -> None:
    """From words alone, and with a control clip of which each segment has its part."""
    control = [Image.new("RGB", (64, 32), (20 * index, 60, 90)) for index in range(9)]
    grey, generated, preserved = [Image.new(mode, (64, 32), tone) for mode, tone in _VACE_PARTS]
    async with serving(_VACE, presets_file=short(_VACE, 5)) as video:
        asked = {"prompt": "dusk falls", "duration_s": 0.55, "width_px": 64, "height_px": 32, "seed": _SEED}
        stored = video.put_clip(control)
        reference = video.put_picture((48, 48), 7)
        made, controlled = await asyncio.gather(
            video.clip("words", **asked),
            video.clip("control", control_clip=stored, reference_images=[reference], **asked),
        )
        pipe = WanVACEPipeline.from_pretrained(video.settings.checkpoint, dtype=torch.float32)
        pipe.scheduler = UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=16.0
        )
        decoded = list(iter_frames(video.store, stored, "video"))

        def call(frames: list[Image.Image], references: list[Image.Image] | None, image: Any, **given: Any) -> Any:
            if image is not None:
                frames = [image, *frames[1:]]
            mask = [generated if image is None else preserved, *[generated] * 4]
            negative = read_catalogue("lumenmill_video")[_VACE].arguments["negative_prompt"]
            return pipe(
                prompt="dusk falls", negative_prompt=negative, width=64, height=32, guidance_scale=5.0,
                video=frames, mask=mask, reference_images=references, **given,
            )  # fmt: skip

        words = _segments(lambda image, **given: call([grey] * 5, None, image, **given), None, (5, 5))
        parts = iter([decoded[:5], decoded[4:]])
        pictures = [video.picture((48, 48), 7)]
        shown = _segments(lambda image, **given: call(next(parts), pictures, image, **given), None, (5, 5))
        for result, frames in ((made, words), (controlled, shown)):
            assert result.video.sha256 == put_clip(video.store, frames, (64, 32), 16, Encoding(20, "medium")).sha256
            assert list(result.record.parameters["segment_num_frames"]) == [5, 5]


def test_each_model_that_can_start_from_a_picture_continues() -> None:
    known = read_catalogue("lumenmill_video")
    ends = {name for name, entry in known.items() if not FAMILIES[entry.family].continues(entry)}
    assert ends == {
        "Wan2.1-T2V-14B", "Wan2.1-T2V-1.3B", "Wan2.1-FLF2V-14B-720P", "Wan2.2-T2V-A14B", "ModelScope-T2V", "Marigold",
    }  # fmt: skip


async def test_models_say_whether_they_continue_clips(serving: Any) -> None:
    for model, continues in ((_SVD, True), (_VACE, True), ("Wan2.1-T2V-14B", False)):
        async with serving(model) as video:
            assert (await video.model()).continues_clips is continues


async def test_refused_durations_name_the_models_that_continue(serving: Any) -> None:
    async with serving("ModelScope-T2V") as video:
        code, said = await video.refusal("long", prompt="a lemon", duration_s=4.1)
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert said.startswith(
            "duration_s: is 4.1; at most 4: this model makes 32 frames, and cannot continue a clip; "
        )
        can = said.rpartition("; ")[2].removesuffix(" can").split(", ")
        assert {_SVD, _I2V, _TI2V, _VACE, "LTX-Video-0.9.5"} <= set(can)
        assert {"ModelScope-T2V", "Wan2.1-T2V-14B", "Wan2.1-FLF2V-14B-720P", "Marigold"}.isdisjoint(can)


@pytest.mark.parametrize(
    ("model", "duration_s", "shortest"),
    [
        ("Wan2.1-T2V-14B", 0.001, "is 0.001; at least 0.0625: one frame at 16 per second"),
        (_I2V, 0.3, "is 0.3; at least 0.3125: the 5 frames of the shortest clip at 16 per second"),
    ],
)
async def test_a_duration_shorter_than_the_shortest_clip_is_refused(
    serving: Any, model: str, duration_s: float, shortest: str
) -> None:
    async with serving(model) as video:
        image = {"image": video.put_picture((64, 32))} if model == _I2V else {}
        code, said = await video.refusal("short", prompt="a lemon", duration_s=duration_s, **image)
        assert code is grpc.StatusCode.INVALID_ARGUMENT and said == f"duration_s: {shortest}"


async def test_a_duration_that_the_model_makes_at_once_is_one_segment(serving: Any) -> None:
    async with serving("Wan2.1-T2V-14B") as video:
        made = await video.clip("one", prompt="a lemon", duration_s=0.5, width_px=64, height_px=32)
        assert made.video.video.num_frames == 9 and "num_segments" not in made.record.parameters


async def test_a_continued_clip_is_cancelled_at_the_next_step(serving: Any, short: Callable[[str, int], Path]) -> None:
    async with serving(_SVD, presets_file=short(_SVD, 3), grace_period_s=0.0) as video:
        fields = {"image": video.put_picture((64, 64)), "width_px": 64, "height_px": 64}
        request = video_pb2.GenerateVideoRequest(
            job={"request_id": "long"}, sampling={"num_steps": 12}, duration_s=20, **fields
        )
        call = video.stub.GenerateVideo(request)
        async for event in call:
            if event.progress.stage == "denoise" and event.progress.step > 12:  # in the second segment
                assert event.progress.total == 12 * 150
                break
        call.cancel()
        # The worker is idle again long before 150 segments have passed.
        async with asyncio.timeout(10):
            await video.clip("next", num_frames=3, **fields)


async def test_frames_of_finished_segments_are_released(
    serving: Any, short: Callable[[str, int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded, made = StableVideoDiffusion.decoded_frames, weakref.WeakSet[Any]()
    alive: list[int] = []

    class Frames(np.ndarray):
        """Frames that can be counted."""

        __hash__ = object.__hash__  # type: ignore[assignment]

    def counted(self: Any, *args: Any) -> Any:
        alive.append(len(made))
        frames = [each.view(Frames) for each in decoded(self, *args)]
        made.update(frames)
        return frames

    async with serving(_SVD, presets_file=short(_SVD, 3)) as video:
        monkeypatch.setattr(StableVideoDiffusion, "decoded_frames", counted)
        await video.clip("long", image=video.put_picture((64, 64)), duration_s=1, width_px=64, height_px=64)
        assert len(alive) == 7 and max(alive) <= 1


def test_segments_are_as_even_as_possible() -> None:
    for num_frames, most, step, expected in [
        (75, 25, 1, (20, 20, 19, 19)),  # five seconds of SVD-XT
        (70, 14, 1, (13, 13, 13, 12, 12, 12)),
        (161, 81, 4, (81, 81)),
        (165, 81, 4, (57, 57, 53)),
        (25, 25, 1, (25,)),
        (1, 81, 4, (1,)),
        (1, 1, 4, (1,)),
    ]:
        found = segments_of(num_frames, most, step)
        assert found == expected and 1 + sum(frames - 1 for frames in found) == num_frames


def test_a_duration_is_rounded_to_frames_that_the_model_can_make() -> None:
    assert [num_frames_of(5, 16, 4, 1), num_frames_of(5, 15, 1, 2), num_frames_of(0.3125, 16, 4, 5)] == [81, 75, 5]
    assert [num_frames_of(0.04167, 24, 8, 1), num_frames_of(0.2083, 24, 4, 5)] == [1, 5], "as refusals round them"


def test_frames_of_a_long_clip_are_in_a_file(tmp_path: Path) -> None:
    frames = frame_file(3, (4, 2))
    frames[1] = 7
    assert isinstance(frames, np.memmap) and frames.shape == (3, 2, 4, 3) and frames.sum() == 7 * 24


def _refusing(number: int) -> Callable[..., None]:
    def refuse(*args: int) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL])
def test_a_file_system_that_cannot_reserve_space_is_used(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(os, "posix_fallocate", _refusing(number))
    frames = frame_file(3, (4, 2))
    frames[2] = 1
    assert frames.shape == (3, 2, 4, 3) and frames.sum() == 24


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_resource_exhausted(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(os, "posix_fallocate", _refusing(number))
    with pytest.raises(ResourceExhaustedError, match="ask for a shorter or smaller clip"):
        frame_file(3, (4, 2))
