"""Every model of the imager over real gRPC, compared with diffusers: pictures, batches, records, refusals."""

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import torch
from diffusers import (
    ControlNetModel,
    DPMSolverMultistepScheduler,
    Flux2KleinPipeline,
    FluxPipeline,
    KolorsPipeline,
    QwenImagePipeline,
    StableDiffusionXLControlNetPipeline,
    StableDiffusionXLPipeline,
    ZImagePipeline,
)
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import rescale_noise_cfg
from PIL import Image
from transformers import CLIPVisionModelWithProjection

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.imager.v1 import imager_pb2
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_media import put_png
from lumenmill_neural.catalogue import read_catalogue
from lumenmill_neural.requests import checked_size

from .tiny import SAVERS, save_lora

MODELS = list(SAVERS)
PROMPT, NEGATIVE = "a lemon on slate", "a brass bowl"
PIPELINES: dict[str, Any] = {
    "FLUX.1-dev": FluxPipeline,
    "FLUX.1-schnell": FluxPipeline,
    "SDXL": StableDiffusionXLPipeline,
    "SDXL-identity": StableDiffusionXLControlNetPipeline,
    "Kolors": KolorsPipeline,
    "FLUX.2-klein-4B": Flux2KleinPipeline,
    "Qwen-Image-2512": QwenImagePipeline,
    "Z-Image-Turbo": ZImagePipeline,
}
WITHOUT_GUIDANCE = {"FLUX.1-schnell", "FLUX.2-klein-4B", "Z-Image-Turbo"}
# The settings of the model cards.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "FLUX.1-dev": {"guidance_scale": 3.5},
    "FLUX.1-schnell": {"guidance_scale": 0.0, "max_sequence_length": 256},
    "SDXL": {"guidance_scale": 7.5, "guidance_rescale": 0.7, "negative_prompt": NEGATIVE},
    "SDXL-identity": {
        "guidance_scale": 7.5,
        "controlnet_conditioning_scale": 0.5,
        "negative_prompt": NEGATIVE,
    },
    "Kolors": {"guidance_scale": 5.0, "negative_prompt": NEGATIVE},
    "FLUX.2-klein-4B": {"guidance_scale": 1.0},
    "Qwen-Image-2512": {"true_cfg_scale": 4.0, "negative_prompt": NEGATIVE},
    "Z-Image-Turbo": {"guidance_scale": 0.0},
}


def pixels(imager: Any, image: Any) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(imager.store.read_bytes(image.image))))


def picture_of(seed: int, size_px: tuple[int, int] = (48, 40)) -> Image.Image:
    shape = (size_px[1], size_px[0], 3)
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def conditions_of(imager: Any, model: str) -> dict[str, Artifact]:
    """Return the pictures that condition a model."""
    if model != "SDXL-identity":
        return {}
    return {
        "identity_image": put_png(imager.store, picture_of(1)),
        "control_image": put_png(imager.store, picture_of(2)),
    }


def diffusers_pipe(model: str, folder: Path) -> Any:
    """Load a pipeline as the documentation of diffusers does."""
    parts: dict[str, Any] = {}
    if model == "SDXL-identity":
        encoder = folder / "identity" / "models" / "image_encoder"
        parts["controlnet"] = ControlNetModel.from_pretrained(folder / "controlnet", dtype=torch.float32)
        parts["image_encoder"] = CLIPVisionModelWithProjection.from_pretrained(encoder, dtype=torch.float32)
    pipe = PIPELINES[model].from_pretrained(folder, dtype=torch.float32, **parts)
    if model.startswith("SDXL"):
        pipe.scheduler = DPMSolverMultistepScheduler.from_config(
            pipe.scheduler.config, algorithm_type="dpmsolver++", use_karras_sigmas=True
        )
    if model == "SDXL-identity":
        name = "ip-adapter-plus-face_sdxl_vit-h.safetensors"
        pipe.load_ip_adapter(
            str(folder / "identity"), subfolder="sdxl_models", weight_name=name, image_encoder_folder=None
        )
        pipe.set_ip_adapter_scale(0.6)
        rescale_guidance(pipe, 0.7)
    return pipe


def rescale_guidance(pipe: Any, rescale: float) -> None:
    """Rescale a pipeline's guidance where it enters the scheduler, by the function of diffusers."""
    conditional: list[torch.Tensor] = []
    pipe.unet.register_forward_hook(lambda module, inputs, output: conditional.append(output[0].chunk(2)[1]))
    step = pipe.scheduler.step

    def rescaled(noise: torch.Tensor, *args: Any, **options: Any) -> Any:
        return step(rescale_noise_cfg(noise, conditional[-1], rescale), *args, **options)

    pipe.scheduler.step = rescaled


def diffusers_pixels(pipe: Any, model: str, seed: int) -> np.ndarray:
    arguments = dict(ARGUMENTS[model])
    if model == "SDXL-identity":
        arguments |= {"ip_adapter_image": picture_of(1), "image": picture_of(2)}
    generator = torch.Generator("cpu").manual_seed(seed)
    made = pipe(prompt=PROMPT, width=64, height=64, num_inference_steps=2, generator=generator, **arguments)
    return np.asarray(made.images[0])


async def refusal(imager: Any, **fields: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await imager.images(f"bad-{abs(hash(str(fields)))}", **({"prompt": PROMPT} | fields))
    return refused.value.code(), refused.value.details()


@pytest.mark.parametrize("model", MODELS)
async def test_pictures_equal_those_of_diffusers_in_any_batch(
    serving: Any, checkpoints: Callable[[str], Path], model: str
) -> None:
    async with serving(model) as imager:
        fields = conditions_of(imager, model) | {"prompt": PROMPT, "negative_prompt": NEGATIVE}
        (first, second), *_ = await asyncio.gather(
            imager.images("two", seed=5, num_images=2, **fields),
            imager.images("other", prompt="a brass bowl in a dark room", seed=9),
            imager.images("another", **(fields | {"prompt": "soft light from the left"})),
        )
        (alone,) = await imager.images("alone", seed=6, **fields)
        made = pixels(imager, first), pixels(imager, second)
    pipe = diffusers_pipe(model, checkpoints(model))
    assert made[0].std() > 5
    # Guidance that is rescaled at another place rounds differently.
    tolerance = 1 if model == "SDXL-identity" else 0
    np.testing.assert_allclose(made[0], diffusers_pixels(pipe, model, 5), rtol=0, atol=tolerance)
    np.testing.assert_allclose(made[1], diffusers_pixels(pipe, model, 6), rtol=0, atol=tolerance)
    assert alone.image.sha256 == second.image.sha256


@pytest.mark.parametrize("model", MODELS)
async def test_the_record_states_how_a_picture_was_made(serving: Any, model: str) -> None:
    async with serving(model) as imager:
        conditions = conditions_of(imager, model)
        light = {"text": "soft light from the left", "name": "key"}
        (made,) = await imager.images("one", prompt=PROMPT, seed=(1 << 64) - 1, light=light, **conditions)
        described, entry = await imager.model(), imager.entry
        record = made.record
        assert (record.model, record.family, record.preset, record.seed) == (
            model,
            entry.family,
            "balanced",
            (1 << 64) - 1,
        )
        assert record.revision == described.revision and record.revision.startswith("sha256:")
        assert record.light.name == "key"
        assert record.parameters["num_inference_steps"] == 2
        guidance_scale = ARGUMENTS[model].get("true_cfg_scale", ARGUMENTS[model].get("guidance_scale"))
        assert record.parameters["guidance_scale"] == guidance_scale
        assert record.parameters["placement"] == "resident"
        image_encode = ["image_encode"] if conditions else []
        stages = ["text_encode", *image_encode, "denoise", "decode", "encode"]
        assert [stage.stage for stage in record.stage_times] == stages
        assert record.licences[0].allows_commercial_use == (model not in {"FLUX.1-dev", "Kolors"})
        assert len(record.licences) == 1 + len(entry.parts) and list(described.licences) == list(record.licences)
        for name, artifact in conditions.items():
            assert record.parameters[name] == artifact.sha256
        assert (made.image.image.width_px, made.image.image.height_px) == (64, 64)
        # The text of the light changes the picture.
        (dark,) = await imager.images("two", prompt=PROMPT, seed=(1 << 64) - 1, **conditions)
        assert dark.image.sha256 != made.image.sha256


@pytest.mark.parametrize("model", MODELS)
async def test_unsupported_requests_are_refused_with_the_field_and_the_remedy(serving: Any, model: str) -> None:
    async with serving(model) as imager:
        multiple = imager.entry.size_multiple_px
        wrong: dict[str, dict[str, Any]] = {
            "prompt": {"prompt": " ", "scene": {"description": "a lemon"}},
            "width_px": {"width_px": 64 * multiple + 1},
            "height_px": {"height_px": 2048 + multiple},
            "preset": {"preset": "best"},
            "camera": {"camera": {"viewpoint": {"azimuth_deg": 20.0}}},
            "light.text": {"light": {"sources": [{"directional": {"irradiance": 1.0}}]}},
            "display": {"display": {"exposure_ev": 1.0}},
        }
        if model != "SDXL-identity":
            wrong["identity_image"] = {"identity_image": put_png(imager.store, picture_of(1))}
            wrong["control_image"] = {"control_image": put_png(imager.store, picture_of(1))}
        if model in WITHOUT_GUIDANCE:
            wrong["sampling.guidance_scale"] = {"sampling": {"num_steps": 2, "guidance_scale": 3.5}}
        for field, fields in wrong.items():
            code, details = await refusal(imager, **fields)
            assert code is grpc.StatusCode.INVALID_ARGUMENT and details.startswith(f"{field}: "), details
        assert f"{64 * multiple} or {65 * multiple}" in (await refusal(imager, width_px=64 * multiple + 1))[1]


@pytest.mark.parametrize("model", [model for model in MODELS if model not in {"FLUX.1-schnell", "SDXL-identity"}])
async def test_an_adapter_of_the_store_changes_the_picture_and_its_licence_is_recorded(
    serving: Any, checkpoints: Callable[[str], Path], tmp_path: Path, model: str
) -> None:
    pipe = PIPELINES[model].from_pretrained(checkpoints(model))
    path = save_lora(type(pipe), getattr(pipe, "unet", None) or pipe.transformer, tmp_path / "lora")
    async with serving(model) as imager:
        weights = imager.store.put_file(path, "application/vnd.safetensors", name="light-lora")
        weights.licence.spdx_id = "CC-BY-4.0"
        (plain,) = await imager.images("plain", prompt=PROMPT)
        (changed,) = await imager.images("changed", prompt=PROMPT, adapters=[{"weights": weights}])
        (zero,) = await imager.images("zero", prompt=PROMPT, adapters=[{"weights": weights, "scale": 0}])
        (again,) = await imager.images("again", prompt=PROMPT)
        assert changed.image.sha256 != plain.image.sha256
        assert zero.image.sha256 == again.image.sha256 == plain.image.sha256
        terms = changed.record.licences[1]
        assert (terms.subject, terms.spdx_id) == ("light-lora", "CC-BY-4.0")
        assert len(plain.record.licences) == 1
        text = imager.store.put_bytes(b"no weights", "text/plain")
        code, details = await refusal(imager, adapters=[{"weights": text}])
        assert code is grpc.StatusCode.INVALID_ARGUMENT and details.startswith("adapters[0].weights: ")


async def test_identity_and_structure_change_the_picture_and_are_optional(serving: Any) -> None:
    async with serving("SDXL") as imager:
        (plain,) = await imager.images("plain", prompt=PROMPT, preset="fast", sampling={"num_steps": 2})
        plain_pixels = pixels(imager, plain).astype(int)
    async with serving("SDXL-identity") as imager:
        both = conditions_of(imager, "SDXL-identity")
        asked = {
            "neither": {},
            "identity": {"identity_image": both["identity_image"]},
            "control": {"control_image": both["control_image"]},
            "both": both,
        }
        made = {name: (await imager.images(name, prompt=PROMPT, **given))[0] for name, given in asked.items()}
        assert len({image.image.sha256 for image in made.values()}) == 4
        neither_pixels = pixels(imager, made["neither"]).astype(int)
        assert made["neither"].record.parameters["identity_scale"] == 0
        assert made["control"].record.parameters["controlnet_conditioning_scale"] == 0.5
        noise = imager.store.put_bytes(b"no picture", "image/png")
        for field in ("identity_image", "control_image"):
            code, details = await refusal(imager, **{field: noise})
            assert code is grpc.StatusCode.INVALID_ARGUMENT and details.startswith(f"{field}: ")
    assert plain.record.licences[0].spdx_id == made["both"].record.licences[0].spdx_id
    # Without conditions it is SDXL, with the same scheduler and guidance.
    assert np.abs(plain_pixels - neither_pixels).max() <= 1


@pytest.mark.parametrize("model", ["SDXL", "SDXL-identity"])
async def test_sdxl_has_the_settings_of_production(serving: Any, model: str) -> None:
    async with serving(model) as imager:
        presets = {preset.name: preset.parameters for preset in (await imager.model()).presets}
        assert {name: shown["num_inference_steps"] for name, shown in presets.items()} == {
            "balanced": 40,
            "fast": 30,
            "quality": 50,
        }
        for shown in presets.values():
            assert (shown["guidance_scale"], shown["guidance_rescale"]) == (7.5, 0.7)
            default_px = (1920, 1080) if model == "SDXL" else (1024, 1024)
            assert (shown["width"], shown["height"]) == default_px
        (made,) = await imager.images("wide", prompt=PROMPT, width_px=192, height_px=104)
        assert pixels(imager, made).shape == (104, 192, 3)
        assert made.record.parameters["guidance_rescale"] == pytest.approx(0.7)


@pytest.mark.parametrize(
    "size_px", [(1024, 1024), (1792, 1024), (1024, 1792), (1280, 768), (1024, 576), (1920, 1080)], ids=str
)
def test_sdxl_makes_all_sizes_of_production(size_px: tuple[int, int]) -> None:
    entry = read_catalogue("lumenmill_imager")["SDXL"]
    assert checked_size(entry, *size_px, default_px=(1920, 1080)) == size_px
    for width_px in (size_px[0] - 3, size_px[0] + 3):
        with pytest.raises(InvalidArgumentError, match=rf"multiple of 8: .*\b{size_px[0]}\b") as refused:
            checked_size(entry, width_px, size_px[1], default_px=(1920, 1080))
        assert refused.value.field == "width_px"


async def test_a_cancelled_job_stops_at_the_next_step(serving: Any) -> None:
    async with serving("FLUX.1-dev", grace_period_s=0.0) as imager:
        request = imager_pb2.GenerateImagesRequest(
            job={"request_id": "long"}, prompt=PROMPT, width_px=256, height_px=256, sampling={"num_steps": 500}
        )
        call = imager.stub.GenerateImages(request)
        async for event in call:
            if event.progress.stage == "denoise" and event.progress.step > 1:
                break
        call.cancel()
        # The worker is idle again long before 500 steps have passed.
        async with asyncio.timeout(5):
            await imager.images("next", prompt=PROMPT)


async def test_a_deadline_that_cannot_be_met_is_refused_at_once(serving: Any) -> None:
    async with serving("FLUX.1-dev") as imager:
        await imager.images("first", prompt=PROMPT, width_px=128, height_px=128)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await imager.events(
                "late", deadline_s=3, prompt=PROMPT, width_px=2048, height_px=2048, sampling={"num_steps": 500}
            )
        assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert "takes about" in refused.value.details()
