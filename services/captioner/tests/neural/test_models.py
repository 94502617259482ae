"""Each architecture over real gRPC: its text, progress, and handling of invalid answers."""

import io
import shutil
import time
from pathlib import Path
from typing import Any

import av
import grpc
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from scenes import Lamp, arrived_light, exr_bytes
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer, LogitsProcessor

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import artifact_pb2
from lumenmill_captioner.families.vision_language.answer import Answer, ClipAnswer
from lumenmill_captioner.families.vision_language.prompt import question
from lumenmill_common import errors
from lumenmill_common.calls import call_heavy
from lumenmill_neural.catalogue import read_catalogue
from lumenmill_neural.transformers_model import ImageTextModel, Turn

from .conftest import clip_subject, image_subject, picture
from .tiny import SAVERS

_NUM_TOKENS = 64
_IMAGE = {"Qwen2.5-VL-7B": "<|image_pad|>", "Qwen3-VL-8B": "<|image_pad|>", "InternVL3-8B": "<IMG_CONTEXT>"}


def _png(size_px: tuple[int, int]) -> bytes:
    target = io.BytesIO()
    picture(0, size_px).save(target, "PNG")
    return target.getvalue()


def _answer_of_transformers(folder: Path, name: str, asked: str, pictures: list[Image.Image], **arguments: Any) -> str:
    """The library's own answer to a question, without a processor: pictures and text are combined here."""
    tokenizer, processor = AutoTokenizer.from_pretrained(folder), AutoImageProcessor.from_pretrained(folder)
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    seen = processor(images=pictures, return_tensors="pt", **arguments)
    token = _IMAGE[name]
    per_patch = 4 if "image_grid_thw" in seen else 1
    content = [{"type": "image"} for _ in pictures] + [{"type": "text", "text": asked}]
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )
    parts = text.split(token)
    if "image_grid_thw" in seen:
        counts = [int(grid.prod()) // per_patch for grid in seen["image_grid_thw"]]
        filled = [token * count for count in counts]
    else:
        filled = [f"<img>{token * int(count)}</img>" for count in seen.pop("num_patches")]
    text = parts[0] + "".join(image + part for image, part in zip(filled, parts[1:], strict=True))
    words = tokenizer(text, return_tensors="pt")
    if "image_grid_thw" in seen:
        words["mm_token_type_ids"] = (words["input_ids"] == tokenizer.convert_tokens_to_ids(token)).long()
    made = model.generate(**words, **seen, do_sample=False, max_new_tokens=_NUM_TOKENS)
    return str(tokenizer.decode(made[0, words["input_ids"].shape[1] :], skip_special_tokens=True)).strip()


def _frames_of(clip: bytes, num_frames: int) -> list[Image.Image]:
    with av.open(io.BytesIO(clip)) as container:
        frames = [Image.fromarray(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    return [frames[index] for index in np.linspace(0, len(frames) - 1, num_frames).round().astype(int)]


def _answers(result: captioner_pb2.CaptionResult) -> list[str]:
    return list(result.record.parameters["answers"])


@pytest.mark.parametrize("name", SAVERS)
async def test_the_words_are_those_of_transformers(serving: Any, checkpoint_of: Any, name: str) -> None:
    request = captioner_pb2.CaptionRequest(instruction="Say what <|image_pad|> is.")
    entry = read_catalogue("lumenmill_captioner")[name]
    arguments = entry.arguments | entry.presets["fast"].arguments
    async with serving(name, num_tokens=_NUM_TOKENS) as captioner:
        still, clip = image_subject(captioner.store), clip_subject(captioner.store)
        result = await captioner.caption("still", still, preset="fast", instruction=request.instruction)
        moving = await captioner.caption("clip", clip, preset="fast", instruction=request.instruction)
        frames = _frames_of(captioner.store.read_bytes(clip.media), 4)
    folder, asked = checkpoint_of(name), question(request, "", "", 0, Answer).replace("<|im", "< |im")
    plain = _answer_of_transformers(folder, name, asked, [picture()], **arguments["image_processor"])
    assert len(plain) > 20 and _answers(result)[0] == plain
    asked = question(request, "", "", 4, ClipAnswer).replace("<|im", "< |im")
    plain = _answer_of_transformers(folder, name, asked, frames, **arguments["frame_processor"])
    assert len(plain) > 20 and _answers(moving)[0] == plain
    for made in (result, moving):
        # Random weights write no JSON: after two questions the caption is the measured one.
        assert len(_answers(made)) == 2 and made.scores["answer_kept_fraction"] == 0.0
        assert made.text.endswith(made.light_text) and "light_agreement" not in made.scores
        assert made.measurement.methods["dominant_colors"] and "sharpness" in made.scores
        record = made.record
        assert (record.model, record.preset, record.family) == (name, "fast", "vision_language")
        assert record.parameters["max_new_tokens"] == _NUM_TOKENS and record.parameters["measured_side_px"] == 512
        assert 2 <= record.parameters["num_tokens"] <= 2 * _NUM_TOKENS
        stages = [stage.stage for stage in record.stage_times]
        assert stages == ["read", "measure", "describe", "encode_image", "generate", "score"]
        assert [licence.subject for licence in record.licences] == [name, "lumenmill photometric"]


async def test_the_model_and_its_presets_are_described(serving: Any) -> None:
    async with serving("Qwen3-VL-8B", num_tokens=8) as captioner:
        model = await captioner.model()
        assert (model.family, model.name) == ("vision_language", "Qwen3-VL-8B")
        assert [preset.name for preset in model.presets] == ["balanced", "fast", "quality"]
        assert "photometric" in model.revision and "prompt" in model.revision and model.limits.max_width_px == 0
        with pytest.raises(errors.InvalidArgumentError, match="balanced, fast, quality") as refused:
            await captioner.caption("bad", image_subject(captioner.store), preset="best")
        assert refused.value.field == "preset"
        again = await captioner.caption("one", image_subject(captioner.store), preset="fast")
        assert again.record.revision == model.revision


@pytest.mark.parametrize(
    ("data", "media_type", "problem"),
    [
        (b"no picture", "image/png", "not an image format known here"),
        (b"no clip", "video/mp4", "damaged"),
        (_png((3000, 20)), "image/png", "100 times"),
    ],
)
async def test_wrong_media_are_refused_by_field(serving: Any, data: bytes, media_type: str, problem: str) -> None:
    async with serving("Qwen2.5-VL-7B") as captioner:
        media = artifact_pb2.Artifact(inline_data=data, media_type=media_type)
        with pytest.raises(errors.InvalidArgumentError, match=problem) as refused:
            await captioner.caption("bad", captioner_pb2.Subject(media=media))
        assert refused.value.field == "subject.media"


@pytest.mark.parametrize("name", SAVERS)
async def test_odd_pictures_are_accepted(serving: Any, name: str) -> None:
    async with serving(name, "no", "no", "no", "no", "no", "no", "no", "no") as captioner:
        store = captioner.store
        media = [store.put_bytes(_png(size_px), "image/png") for size_px in ((1, 1), (3, 3), (1, 60))]
        media.append(store.put_bytes(exr_bytes(np.full((20, 30, 3), 0.4, np.float32)), "image/x-exr"))
        for index, artifact in enumerate(media):
            result = await captioner.caption(f"odd{index}", captioner_pb2.Subject(media=artifact), preset="fast")
            assert list(result.record.parameters["answers"]) == ["no", "no"]


async def test_cancelling_stops_at_the_next_token(serving: Any) -> None:
    async with serving("Qwen2.5-VL-7B", grace_period_s=0.0) as captioner:
        request = captioner_pb2.CaptionRequest(
            job={"request_id": "long"}, subject=image_subject(captioner.store), preset="quality"
        )
        call, steps = captioner.stub.Caption(request), []
        async for event in call:
            if event.progress.stage == "generate":
                steps.append((event.progress.step, event.progress.total))
                if event.progress.step > 1:
                    break
        call.cancel()
        assert steps[-1][0] < 512 and steps[-1][1] == 1024
        queue_is_free_s = time.monotonic()
        with pytest.raises(errors.InvalidArgumentError):  # the next job is done at once
            media = artifact_pb2.Artifact(inline_data=b"x", media_type="image/png")
            await captioner.caption("next", captioner_pb2.Subject(media=media))
        assert time.monotonic() - queue_is_free_s < 2.0


async def test_a_deadline_that_cannot_be_met_is_refused_at_once(serving: Any) -> None:
    async with serving("Qwen2.5-VL-7B") as captioner:
        subject = image_subject(captioner.store)
        await captioner.caption("first", subject, preset="fast")
        request = captioner_pb2.CaptionRequest(job={"request_id": "late"}, subject=subject, seed=1, preset="fast")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            async for _ in captioner.stub.Caption(request, timeout=0.2):
                pass
        assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert "takes about" in str(refused.value.details())


class _Full(LogitsProcessor):
    """A device that runs out of memory at the third token, once."""

    def __init__(self) -> None:
        self.num_calls = 0

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self.num_calls += 1
        if self.num_calls == 4:  # one was for the word that is written when the model is loaded
            raise torch.OutOfMemoryError("out of memory")
        return scores


async def test_a_request_that_exceeds_memory_is_refused_and_the_service_continues(serving: Any) -> None:
    async with serving("Qwen2.5-VL-7B", num_tokens=8, processors=[_Full()]) as captioner:
        subject = image_subject(captioner.store)
        with pytest.raises(grpc.aio.AioRpcError, match=r"1 picture\(s\) of 90×60 pixels does not fit") as refused:
            async for _ in captioner.stub.Caption(
                captioner_pb2.CaptionRequest(job={"request_id": "large"}, subject=subject)
            ):
                pass
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await captioner.caption("again", subject)).record.parameters["num_tokens"] == 16


@pytest.mark.parametrize("name", SAVERS)
def test_offloaded_weights_write_the_same(checkpoint_of: Any, name: str) -> None:
    given = {"dtype": torch.float32, "use_safetensors": True, "local_files_only": True}
    pipe, device = ImageTextModel.from_pretrained(str(checkpoint_of(name)), **given), torch.device("cpu")

    def written() -> list[int]:
        inputs = pipe.inputs([Turn("user", "Say it.", [picture()])], {}, device)
        return pipe.model.generate(**inputs, do_sample=False, max_new_tokens=12)[0].tolist()

    resident = written()
    pipe.enable_sequential_cpu_offload(device)
    assert all(weight.is_meta for weight in pipe.model.parameters()) and written() == resident
    pipe.remove_all_hooks()
    assert not any(weight.is_meta for weight in pipe.model.parameters()) and written() == resident


def _cut_off(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def _without_a_weight(folder: Path) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    del weights[next(name for name in weights if "visual" in name)]
    save_file(weights, path, {"format": "pt"})


def _without_words(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()


def _of_another_kind(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "bert", "hidden_size": 32}')


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (_cut_off, "model.safetensors is damaged"),
        (_without_a_weight, "lacks 1 weights"),
        (_without_words, "no chat template"),
        (_of_another_kind, "no processor for bert"),
    ],
)
async def test_a_damaged_checkpoint_is_not_served(
    serving: Any, checkpoint_of: Any, tmp_path: Path, damage: Any, problem: str
) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(checkpoint_of("Qwen2.5-VL-7B"), folder)
    damage(folder)
    with pytest.raises(errors.FailedPreconditionError, match=problem) as refused:
        async with serving("Qwen2.5-VL-7B", checkpoint=str(folder)) as captioner:
            await captioner.model()
    assert refused.value.field == "LUMENMILL_CHECKPOINT"


async def test_light_is_compared_by_the_photometric_family(serving: Any) -> None:
    async with serving("Qwen2.5-VL-7B") as captioner:
        subjects = [image_subject(captioner.store, seed) for seed in (0, 1)]
        for subject, azimuth_deg in zip(subjects, (-60.0, 60.0), strict=True):
            subject.arrived_light.CopyFrom(arrived_light(Lamp(azimuth_deg, 30.0)))
        request = captioner_pb2.CompareLightRequest(job={"request_id": "change"}, before=subjects[0], after=subjects[1])
        change = await call_heavy(captioner.stub.CompareLight, request)
        assert change.text == "The light has moved from the front left to the front right."
        assert change.record.family == "photometric"
