"""The same pictures by diffusers and transformers alone, with the arguments of the model cards."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    FluxControlPipeline,
    FluxKontextPipeline,
    FluxPipeline,
    QwenImageEditPipeline,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from PIL import Image
from safetensors.torch import load_file
from transformers import DepthAnythingForDepthEstimation
from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from lumenmill_relighter.families.qwen_image_edit import ImageTextProcessor

from .tiny import FLUX_PARTS

Given = dict[str, Any]


def depth_of(folder: Path, picture: Image.Image) -> Image.Image:
    processor = DPTImageProcessorPil.from_pretrained(folder / "depth_estimator")
    model = DepthAnythingForDepthEstimation.from_pretrained(folder / "depth_estimator")
    with torch.no_grad():
        predicted = model(**processor(images=picture, return_tensors="pt")).predicted_depth
    resized = torch.nn.functional.interpolate(predicted[None], picture.size[::-1], mode="bicubic")[0, 0].numpy()
    near = (resized - resized.min()) / (resized.max() - resized.min())
    return Image.fromarray(np.round(near * 255).astype(np.uint8)).convert("RGB")


def flux_depth(folder: Path, picture: Image.Image, given: Given) -> Image.Image:
    pipe = FluxControlPipeline.from_pretrained(folder)
    return _flux_depth(pipe, folder, picture, given)


def flux_depth_lora(folder: Path, picture: Image.Image, given: Given) -> Image.Image:
    parts = FluxPipeline.from_pretrained(folder).components
    pipe = FluxControlPipeline(**{name: parts[name] for name in FLUX_PARTS})
    pipe.load_lora_weights(given.pop("lora"), adapter_name="depth")
    pipe.set_adapters("depth", 0.85)
    return _flux_depth(pipe, folder, picture, given)


def _flux_depth(pipe: Any, folder: Path, picture: Image.Image, given: Given) -> Image.Image:
    size = {"width": picture.width, "height": picture.height}
    return pipe(control_image=depth_of(folder, picture), guidance_scale=10.0, **size, **given).images[0]


def kontext(folder: Path, picture: Image.Image, given: Given) -> Image.Image:
    pipe = FluxKontextPipeline.from_pretrained(folder)
    size = {"width": picture.width, "height": picture.height, "max_area": picture.width * picture.height}
    return pipe(image=picture, guidance_scale=2.5, _auto_resize=False, **size, **given).images[0]


def qwen(folder: Path, picture: Image.Image, given: Given) -> Image.Image:
    pipe = QwenImageEditPipeline.from_pretrained(folder, processor=None)
    image_processor = Qwen2VLImageProcessorPil.from_pretrained(folder / "processor")
    pipe.register_modules(processor=ImageTextProcessor(image_processor, pipe.tokenizer))
    size = {"width": picture.width, "height": picture.height}
    return pipe(image=[picture], true_cfg_scale=4.0, negative_prompt=" ", **size, **given).images[0]


def pix2pix(folder: Path, picture: Image.Image, given: Given) -> Image.Image:
    pipe = StableDiffusionInstructPix2PixPipeline.from_pretrained(folder)
    pipe.scheduler = EulerAncestralDiscreteScheduler.from_config(pipe.scheduler.config)
    return pipe(image=picture, guidance_scale=7.5, image_guidance_scale=1.5, **given).images[0]


def _ic_light(pipeline_class: Any, folder: Path, num_seen: int) -> Any:
    """Build the pipeline as published: more input channels, offset added, forward wrapped."""
    pipe = pipeline_class.from_pretrained(folder)
    base = pipe.unet.state_dict()
    offset = load_file(next((folder / "offset").iterdir()))
    first = torch.zeros_like(offset["conv_in.weight"])
    first[:, :4] = base["conv_in.weight"]
    base["conv_in.weight"] = first
    wide = UNet2DConditionModel.from_config({**pipe.unet.config, "in_channels": 4 * (1 + num_seen)})
    wide.load_state_dict({name: base[name] + offset[name] for name in base})
    wide.register_to_config(in_channels=4)
    forward = wide.forward

    def seeing(sample: torch.Tensor, *args: Any, cross_attention_kwargs: dict[str, Any], **kwargs: Any) -> Any:
        seen = torch.cat([cross_attention_kwargs["concat_conds"]] * (len(sample) // 1))
        return forward(torch.cat([sample, seen], dim=1), *args, **kwargs)

    wide.forward = seeing
    pipe.unet = wide.eval()
    pipe.scheduler = DPMSolverMultistepScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        algorithm_type="sde-dpmsolver++",
        use_karras_sigmas=True,
        steps_offset=1,
    )
    return pipe


def _cut_out(picture: Image.Image, matte: Image.Image) -> np.ndarray:
    alpha = np.asarray(matte, np.float32)[..., None] / 255
    return (127 + (np.asarray(picture, np.float32) - 127) * alpha).astype(np.uint8)


def _latents(pipe: Any, pixels: np.ndarray) -> torch.Tensor:
    scaled = torch.from_numpy(pixels[None].astype(np.float32)) / 127.0 - 1.0
    with torch.no_grad():
        return pipe.vae.encode(scaled.movedim(-1, 1)).latent_dist.mode() * pipe.vae.config.scaling_factor


def _ramp(high: int, low: int, size: tuple[int, int]) -> np.ndarray:
    ramp = np.round(np.linspace(high, low, size[0])).astype(np.uint8)
    return np.broadcast_to(ramp[None, :, None], (size[1], size[0], 3)).copy()


def _chunk_embeddings(pipe: Any, text: str) -> torch.Tensor:
    tokens = pipe.tokenizer(text, add_special_tokens=False)["input_ids"]
    chunks = [tokens[first : first + 75] for first in range(0, len(tokens), 75)]
    ids = [[pipe.tokenizer.bos_token_id, *each, *[pipe.tokenizer.eos_token_id] * (76 - len(each))] for each in chunks]
    with torch.no_grad():
        return pipe.text_encoder(torch.tensor(ids)).last_hidden_state


def _words(pipe: Any, prompt: str) -> dict[str, torch.Tensor]:
    """Embeddings of the prompt and of the negative prompt, the shorter one repeated."""
    both = [_chunk_embeddings(pipe, text) for text in (prompt, _NEGATIVE)]
    length = max(map(len, both))
    prompt_embeds, negative = (torch.cat([each] * -(-length // len(each)))[:length].flatten(0, 1) for each in both)
    return {"prompt_embeds": prompt_embeds[None], "negative_prompt_embeds": negative[None]}


_NEGATIVE = "lowres, bad anatomy, bad hands, cropped, worst quality"


def ic_light_fc(folder: Path, picture: Image.Image, given: Given) -> Image.Image:
    """Relight from the left: denoising starts from a picture that is white there."""
    pipe = _ic_light(StableDiffusionImg2ImgPipeline, folder, 1)
    steps = round(given.pop("num_inference_steps") / 0.9)
    arguments = _words(pipe, given.pop("prompt")) | {
        "image": _latents(pipe, _ramp(255, 0, picture.size)),
        "cross_attention_kwargs": {"concat_conds": _latents(pipe, _cut_out(picture, given.pop("matte")))},
    }
    return pipe(strength=0.9, num_inference_steps=steps, guidance_scale=2.0, **arguments, **given).images[0]


def ic_light_fc_even(folder: Path, picture: Image.Image, given: Given) -> Image.Image:
    """Relight without a side: denoising starts from noise."""
    pipe = _ic_light(StableDiffusionPipeline, folder, 1)
    seen = {"concat_conds": _latents(pipe, _cut_out(picture, given.pop("matte")))}
    arguments = _words(pipe, given.pop("prompt")) | {"width": picture.width, "height": picture.height}
    return pipe(cross_attention_kwargs=seen, guidance_scale=2.0, **arguments, **given).images[0]


def ic_light_fbc(folder: Path, picture: Image.Image, given: Given) -> Image.Image:
    """Relight from the left: the background is bright there."""
    pipe = _ic_light(StableDiffusionPipeline, folder, 2)
    foreground, background = _cut_out(picture, given.pop("matte")), _ramp(224, 32, picture.size)
    seen = {"concat_conds": torch.cat([_latents(pipe, each) for each in (foreground, background)], dim=1)}
    arguments = _words(pipe, given.pop("prompt")) | {"width": picture.width, "height": picture.height}
    return pipe(cross_attention_kwargs=seen, guidance_scale=7.0, **arguments, **given).images[0]


DIRECT: dict[str, Callable[[Path, Image.Image, Given], Image.Image]] = {
    "FLUX.1-Depth-dev": flux_depth,
    "FLUX.1-Depth-dev-lora": flux_depth_lora,
    "FLUX.1-Kontext-dev": kontext,
    "IC-Light-fbc": ic_light_fbc,
    "IC-Light-fc": ic_light_fc,
    "Qwen-Image-Edit": qwen,
    "instruct-pix2pix": pix2pix,
}
