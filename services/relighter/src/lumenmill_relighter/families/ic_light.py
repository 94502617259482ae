"""IC-Light: Stable Diffusion 1.5 whose denoiser also gets the foreground, and a background that lights it (Zhang et
al., ICLR 2025). Its weights are an offset to those of the base model."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionImg2ImgPipeline, StableDiffusionPipeline
from PIL import Image, ImageOps
from safetensors.torch import load_file

from lumenmill.common.v1.light_pb2 import LightKind
from lumenmill.common.v1.model_pb2 import TextInput
from lumenmill.relighter.v1.relighter_pb2 import RelightRequest, RelightVariant
from lumenmill_common.errors import FailedPreconditionError, InvalidArgumentError
from lumenmill_common.jobs import JobContext
from lumenmill_media import linear_to_srgb, read_light, read_rgba
from lumenmill_neural.plan import Plan
from lumenmill_neural.stages import Steps
from lumenmill_relighter.depth import DepthEstimator
from lumenmill_relighter.families.editing import EditingFamily, VariantInputs
from lumenmill_relighter.families.prompt_chunks import encode_in_chunks, num_chunks
from lumenmill_relighter.families.prompts import description
from lumenmill_relighter.families.sizes import Size
from lumenmill_relighter.light import Lighting, background_picture, gradient_picture, has_side, seen_behind
from lumenmill_relighter.matting import GREY, cut_out, estimated_matte, read_matte

__all__ = ["IcLightBackground", "IcLightForeground"]

_PART = "offset"
_LATENT_CHANNELS = 4
# Of the gradients in gradio_demo.py and gradio_demo_bg.py of IC-Light.
_INITIAL_LEVELS, _BACKGROUND_LEVELS, _NO_BACKGROUND = (0, 255), (32, 224), (64, 64, 64)
_MATTE, _INITIAL = "matte", "initial"


class _IcLight(EditingFamily):
    """What both models share. `conditions` names the pictures that the denoiser gets in addition to the noise."""

    pipeline_class = StableDiffusionPipeline
    text_input = TextInput.TEXT_INPUT_DESCRIPTION
    takes_words_alone = False
    takes_matte = True
    conditions: tuple[str, ...]

    def load(self) -> None:
        """See the base class."""
        self._depth_estimator = DepthEstimator(self.host, _MATTE)
        self._depth_estimator.load()
        super().load()

    def set_up(self, pipe: Any) -> None:
        """Widen the denoiser and add the offset; scheduler and encoding of prompts are those of gradio_demo.py."""
        checkpoint, name = self.host.part(_PART), str(self.host.entry.options["weights"])
        if checkpoint is None or not (weights := checkpoint.folder / name).is_file():
            raise FailedPreconditionError(f"{_PART}: {name} is missing", "LUMENMILL_PART_CHECKPOINTS")
        _widen(pipe.unet, _LATENT_CHANNELS * (1 + len(self.conditions)))
        offset = load_file(weights)
        own = pipe.unet.state_dict()
        if {name: tensor.shape for name, tensor in own.items()} != {name: t.shape for name, t in offset.items()}:
            raise FailedPreconditionError(f"{_PART}: {name} does not fit the base model", "LUMENMILL_PART_CHECKPOINTS")
        pipe.unet.load_state_dict({name: own[name] + offset[name].to(own[name].dtype) for name in own})
        pipe.unet.register_forward_pre_hook(_add_condition, with_kwargs=True)
        pipe.register_modules(safety_checker=None)
        pipe.register_to_config(requires_safety_checker=False)
        # The demos leave out `beta_schedule`, so that it is not the one that Stable Diffusion was trained with.
        pipe.scheduler = DPMSolverMultistepScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="linear",
            algorithm_type="sde-dpmsolver++",
            use_karras_sigmas=True,
            steps_offset=1,
        )
        pipe.encode_prompt = partial(encode_in_chunks, pipe)

    def picture_of(self, request: RelightRequest) -> tuple[Image.Image, dict[str, str]]:
        """Return the subject before grey, as far as the request cuts it out: by a matte, or by transparency."""
        rgba = read_rgba(self.host.store, request.image, "image", self.limits)
        opacity = rgba.getchannel("A")
        is_cut_out = opacity.getextrema() != (255, 255)
        picture = cut_out(rgba.convert("RGB"), opacity) if is_cut_out else rgba.convert("RGB")
        if not request.HasField("matte"):
            return picture, {_MATTE: "transparency"} if is_cut_out else {}
        matte = read_matte(self.host.store, request.matte, _MATTE, self.limits, picture.size)
        return cut_out(picture, matte), {_MATTE: "request"}

    def resized(self, picture: Image.Image, work_px: Size, *, is_requested: bool) -> Image.Image:
        """See the base class; crop to the shape that is requested, like the background."""
        if is_requested:
            return ImageOps.fit(picture, work_px, Image.Resampling.LANCZOS)
        return super().resized(picture, work_px, is_requested=is_requested)

    def prepared(self, inputs: list[VariantInputs], job: JobContext | None = None) -> list[VariantInputs]:
        """Cut the subject out of a picture from which the request did not."""
        if job is None or _MATTE in inputs[0].parameters:
            return inputs
        picture = inputs[0].picture
        with job.stage(_MATTE):
            matte = estimated_matte(picture, self._depth_estimator.depth_of(picture))
        if matte is None:
            raise InvalidArgumentError(
                _MATTE, "is missing, and nothing stands out from the rest of `image`; give one, white for the subject"
            )
        subject = cut_out(picture, matte)
        return [replace(each, picture=subject, parameters={_MATTE: "grabcut"}) for each in inputs]

    def pictures(self, plan: Plan, inputs: Sequence[VariantInputs], steps: Steps) -> list[Image.Image]:
        """See the base class. Inputs are computed together if they start alike and have as many chunks of words."""
        groups: dict[tuple[bool, int], list[int]] = {}
        for index, each in enumerate(inputs):
            key = _INITIAL in each.pictures, num_chunks(self.pipe.tokenizer, each.prompt)
            groups.setdefault(key, []).append(index)
        made: dict[int, Image.Image] = {}
        for indices in groups.values():
            made.update(zip(indices, super().pictures(plan, [inputs[index] for index in indices], steps), strict=True))
        return [made[index] for index in range(len(inputs))]

    def light_kinds(self) -> list[LightKind.ValueType]:
        """Return all kinds: their side and colour reach the model as pictures, the rest as words."""
        return [kind for kind in LightKind.values() if kind != LightKind.LIGHT_KIND_UNSPECIFIED]

    def prompt(self, variant: RelightVariant, lighting: Lighting | None, field: str) -> str:
        """See the base class; a light or an environment alone is enough, since the model sees the picture."""
        words = description(variant, lighting, field, light_is_enough=True) if self._needs_words(variant) else ""
        added = str(self.host.entry.options["added_prompt"])
        return f"{words}, {added}" if words else added

    def _needs_words(self, variant: RelightVariant) -> bool:
        has_words = variant.HasField("light") or bool(variant.description.strip())
        return has_words or not variant.HasField("environment")

    def arguments(self, plan: Plan, inputs: Sequence[VariantInputs]) -> dict[str, Any]:
        """See the base class: the latents of the conditions, and the negative prompt."""
        latents = [self._latents([self._condition(each, name) for each in inputs]) for name in self.conditions]
        negative = [str(self.host.entry.options["negative_prompt"])] * len(inputs)
        return plan.arguments | {
            "cross_attention_kwargs": {"condition": torch.cat(latents, dim=1)},
            "negative_prompt": negative,
        }

    def _condition(self, inputs: VariantInputs, name: str) -> Image.Image:
        return inputs.picture if name == "foreground" else inputs.pictures[name]

    def _latents(self, pictures: list[Image.Image]) -> torch.Tensor:
        """Return the latents (B, 4, h, w) of pictures, without noise.

        Pixels are scaled as in gradio_demo.py, so that the grey behind the subject is zero.
        """
        vae = self.pipe.vae
        pixels_bhwc = torch.from_numpy(np.stack([np.asarray(picture, np.float32) for picture in pictures]))
        pixels = (pixels_bhwc.movedim(-1, 1) / GREY - 1).to(self.host.device.torch_device, vae.dtype)
        with torch.inference_mode():
            latents = vae.encode(pixels).latent_dist.mode()
        return torch.as_tensor(latents * vae.config.scaling_factor)


class IcLightForeground(_IcLight):
    """The model `fc`: denoising starts from a picture that is bright on the side of the light, if it has one."""

    conditions = ("foreground",)

    def load(self) -> None:
        """See the base class; add the pipeline that starts from a picture, of the same parts."""
        super().load()
        self._from_picture = StableDiffusionImg2ImgPipeline(**self.pipe.components, requires_safety_checker=False)
        self._from_picture.set_progress_bar_config(disable=True)
        self._from_picture.encode_prompt = self.pipe.encode_prompt

    def variant_pictures(
        self, variant: RelightVariant, lighting: Lighting | None, work_px: Size, field: str
    ) -> dict[str, Image.Image]:
        """Return the picture that denoising starts from; none for a light without a side."""
        if lighting is None or not has_side(lighting.attributes):
            return {}
        return {_INITIAL: gradient_picture(lighting.attributes, *work_px, _INITIAL_LEVELS)}

    def pipeline_for(self, inputs: Sequence[VariantInputs]) -> Any:
        """See the base class."""
        return self._from_picture if _INITIAL in inputs[0].pictures else self.pipe

    def arguments(self, plan: Plan, inputs: Sequence[VariantInputs]) -> dict[str, Any]:
        """See the base class. From a picture, the size is that of the picture, and the number of steps includes the
        skipped ones."""
        arguments = super().arguments(plan, inputs)
        strength = arguments.pop("strength")
        if _INITIAL not in inputs[0].pictures:
            return arguments
        own = {name: value for name, value in arguments.items() if name not in {"width", "height"}}
        return own | {
            "image": self._latents([each.pictures[_INITIAL] for each in inputs]),
            "strength": strength,
            "num_inference_steps": round(arguments["num_inference_steps"] / strength),
        }


class IcLightBackground(_IcLight):
    """The model `fbc`: harmonises the foreground with the light of a background."""

    takes_environment = True
    conditions = ("foreground", "background")

    def variant_pictures(
        self, variant: RelightVariant, lighting: Lighting | None, work_px: Size, field: str
    ) -> dict[str, Image.Image]:
        """Return the background.

        It is the environment of the variant; else what the maps and pictures of the light show behind the subject; else
        a gradient in the colour of the light, bright on its side; else a uniform dark grey.
        """
        return {"background": self._background(variant, lighting, work_px, field)}

    def _background(self, variant: RelightVariant, lighting: Lighting | None, work_px: Size, field: str) -> Image.Image:
        if variant.HasField("environment"):
            store, limit = self.host.store, self.limits.max_bytes
            linear, shows_all_around = read_light(store, variant.environment, f"{field}.environment", limit)
            if shows_all_around:
                return background_picture(seen_behind(linear, *work_px))
            picture = Image.fromarray(np.round(linear_to_srgb(linear) * 255).astype(np.uint8))
            return ImageOps.fit(picture, work_px, Image.Resampling.LANCZOS)
        kinds = {source.WhichOneof("kind") for source in variant.light.sources}
        if lighting is not None and lighting.environment is not None and kinds & {"environment_map", "background"}:
            view = background_picture(seen_behind(lighting.environment, 64, max(64 * work_px[1] // work_px[0], 1)))
            return view.resize(work_px, Image.Resampling.BICUBIC)
        if lighting is not None and lighting.attributes.ListFields():
            levels = _BACKGROUND_LEVELS if has_side(lighting.attributes) else (_NO_BACKGROUND[0], _NO_BACKGROUND[0])
            return gradient_picture(lighting.attributes, *work_px, levels, lighting.rgb)
        return Image.new("RGB", work_px, _NO_BACKGROUND)

    def _condition(self, inputs: VariantInputs, name: str) -> Image.Image:
        if name == "background" and name not in inputs.pictures:
            return Image.new("RGB", inputs.picture.size, _NO_BACKGROUND)
        return super()._condition(inputs, name)


def _widen(unet: Any, in_channels: int) -> None:
    """Add input channels with zero weights to the first convolution.

    The configuration keeps the number of channels that the pipeline makes noise for.
    """
    old = unet.conv_in
    new = torch.nn.Conv2d(in_channels, old.out_channels, old.kernel_size, old.stride, old.padding).to(old.weight)
    with torch.no_grad():
        new.weight.zero_()
        new.weight[:, : old.in_channels].copy_(old.weight)
        new.bias.copy_(old.bias)
    unet.conv_in = new


def _add_condition(unet: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Concatenate the latents of the conditions to the noise, once for each branch of guidance."""
    others = dict(kwargs["cross_attention_kwargs"])
    sample, condition = args[0], others.pop("condition")
    condition = condition.to(sample).repeat(sample.shape[0] // condition.shape[0], 1, 1, 1)
    return (torch.cat([sample, condition], dim=1), *args[1:]), kwargs | {"cross_attention_kwargs": others or None}
