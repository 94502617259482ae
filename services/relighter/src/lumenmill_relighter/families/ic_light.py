"""IC-Light: Stable Diffusion 1.5 whose denoiser also gets the foreground, and a background that lights it (Zhang et
al., ICLR 2025). Its weights are an offset to those of the base model."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionImg2ImgPipeline, StableDiffusionPipeline
from PIL import Image, ImageOps
from safetensors.torch import load_file

from lumenmill.common.v1.light_pb2 import LightAttributes, LightKind
from lumenmill.common.v1.model_pb2 import TextInput
from lumenmill.relighter.v1.relighter_pb2 import RelightVariant
from lumenmill_common.errors import FailedPreconditionError
from lumenmill_media import linear_to_srgb
from lumenmill_neural.plan import Plan
from lumenmill_relighter.families.editing import EditingFamily, VariantInputs
from lumenmill_relighter.families.prompts import description
from lumenmill_relighter.families.sizes import Size
from lumenmill_relighter.light import Lighting, background_picture, gradient_picture, read_light, seen_behind

__all__ = ["IcLightBackground", "IcLightForeground"]

_PART = "offset"
_LATENT_CHANNELS = 4
# Of the gradients in gradio_demo.py and gradio_demo_bg.py of IC-Light.
_INITIAL_LEVELS, _BACKGROUND_LEVELS, _NO_BACKGROUND = (0, 255), (32, 224), (64, 64, 64)


class _IcLight(EditingFamily):
    """What both models share. `conditions` names the pictures that the denoiser gets in addition to the noise."""

    text_input = TextInput.TEXT_INPUT_DESCRIPTION
    takes_words_alone = False
    background_color = "#7f7f7f"
    conditions: tuple[str, ...]

    def set_up(self, pipe: Any) -> None:
        """Widen the denoiser and add the offset; the scheduler is that of gradio_demo.py."""
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
        pipe.scheduler = DPMSolverMultistepScheduler.from_config(
            pipe.scheduler.config, algorithm_type="sde-dpmsolver++", use_karras_sigmas=True, steps_offset=1
        )

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
        """Return the latents (B, 4, h, w) of pictures, without noise."""
        vae = self.pipe.vae
        pixels = self.pipe.image_processor.preprocess(pictures).to(self.host.device.torch_device, vae.dtype)
        with torch.inference_mode():
            latents = vae.encode(pixels).latent_dist.mode()
        return torch.as_tensor(latents * vae.config.scaling_factor)


class IcLightForeground(_IcLight):
    """The model `fc`: denoising starts from a picture that is bright on the side of the light."""

    pipeline_class = StableDiffusionImg2ImgPipeline
    conditions = ("foreground",)

    def variant_pictures(
        self, variant: RelightVariant, lighting: Lighting | None, work_px: Size, field: str
    ) -> dict[str, Image.Image]:
        """Return the picture that denoising starts from."""
        attributes = lighting.attributes if lighting is not None else LightAttributes()
        return {"initial": gradient_picture(attributes, *work_px, _INITIAL_LEVELS)}

    def arguments(self, plan: Plan, inputs: Sequence[VariantInputs]) -> dict[str, Any]:
        """See the base class; the size is that of the pictures, and the number of steps includes the skipped ones."""
        own = {name: value for name, value in plan.arguments.items() if name not in {"width", "height"}}
        base = super().arguments(plan.with_arguments(), inputs)
        conditions = {name: base[name] for name in ("cross_attention_kwargs", "negative_prompt")}
        steps = round(plan.arguments["num_inference_steps"] / plan.arguments["strength"])
        initial = [each.pictures.get("initial", each.picture) for each in inputs]
        return own | conditions | {"image": initial, "num_inference_steps": steps}


class IcLightBackground(_IcLight):
    """The model `fbc`: harmonises the foreground with the light of a background."""

    pipeline_class = StableDiffusionPipeline
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
            return gradient_picture(lighting.attributes, *work_px, _BACKGROUND_LEVELS, lighting.rgb)
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
