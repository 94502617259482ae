"""Stable Diffusion XL conditioned on an identity by an IP-Adapter (Ye et al., 2023) and on structure by a ControlNet
(Zhang et al., 2023)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

import torch
from diffusers import ControlNetModel, StableDiffusionXLControlNetPipeline
from PIL import Image
from transformers import CLIPImageProcessorPil, CLIPVisionModelWithProjection

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.imager.v1 import imager_pb2
from lumenmill_common.errors import FailedPreconditionError
from lumenmill_imager.families.family import ImageInputs
from lumenmill_imager.families.sdxl import StableDiffusionXL
from lumenmill_media import Limits, read_rgb
from lumenmill_neural.plan import Plan
from lumenmill_neural.stages import Steps

__all__ = ["StableDiffusionXLIdentity"]

_Request = imager_pb2.GenerateImagesRequest
_Condition = Literal["identity_image", "control_image"]
_IDENTITY: Final = "identity_image"
_CONTROL: Final = "control_image"
_CONDITIONS: tuple[_Condition, ...] = (_IDENTITY, _CONTROL)


class StableDiffusionXLIdentity(StableDiffusionXL):
    """Either picture may be left out: its scale is then 0, which gives exactly SDXL. The control picture is resized to
    the result; of the identity picture the central square is used.

    The model's entry has the parts `controlnet` and `identity`. Its `options` name the adapter's weights
    (`identity_weights`) and its image encoder (`identity_encoder`) within the latter.
    """

    pipeline_class = StableDiffusionXLControlNetPipeline

    def parts(self) -> dict[str, Any]:
        """Return the ControlNet, and the image encoder of the IP-Adapter."""
        dtype = self.host.device.dtype(self.host.entry.dtype)
        encoder_folder = self._part("identity") / self.host.entry.options["identity_encoder"]
        try:
            encoder = CLIPVisionModelWithProjection.from_pretrained(
                encoder_folder, dtype=dtype, use_safetensors=True, local_files_only=True
            )
            controlnet = ControlNetModel.from_pretrained(
                self._part("controlnet"), dtype=dtype, use_safetensors=True, local_files_only=True
            )
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise FailedPreconditionError(
                f"a part is no ControlNet or image encoder: {' '.join(str(error).split())[:300]}",
                "LUMENMILL_PART_CHECKPOINTS",
            ) from error
        side_px = encoder.config.image_size
        return {
            "controlnet": controlnet,
            "image_encoder": encoder,
            # Always the processor that needs no torchvision, since the two round differently.
            "feature_extractor": CLIPImageProcessorPil(size=side_px, crop_size=side_px),
        }

    def set_up(self, pipe: Any) -> None:
        """Set the scheduler and load the IP-Adapter."""
        super().set_up(pipe)
        weights = Path(self.host.entry.options["identity_weights"])
        pipe.load_ip_adapter(
            str(self._part("identity")),
            subfolder=str(weights.parent),
            weight_name=weights.name,
            image_encoder_folder=None,
            local_files_only=True,
        )

    def refused(self) -> list[tuple[str, str]]:
        """See the base class; both pictures are accepted."""
        return [entry for entry in super().refused() if entry[0] not in _CONDITIONS]

    def conditions(self, request: _Request) -> dict[str, Artifact]:
        """See the base class."""
        return {name: getattr(request, name) for name in _CONDITIONS if request.HasField(name)}

    def plan(self, request: _Request) -> Plan:
        """See the base class; the scale of an absent picture is 0."""
        plan, conditions = super().plan(request), self.conditions(request)
        return plan.with_arguments(
            identity_scale=None if _IDENTITY in conditions else 0.0,
            controlnet_conditioning_scale=None if _CONTROL in conditions else 0.0,
        )

    def arguments(self, plan: Plan, request: _Request) -> dict[str, Any]:
        """See the base class."""
        call, size_px = dict(plan.arguments), (plan.arguments["width"], plan.arguments["height"])
        self.pipe.set_ip_adapter_scale(call.pop("identity_scale"))
        return call | {
            "image": self._picture(request, _CONTROL, size_px),
            "ip_adapter_image": self._picture(request, _IDENTITY, size_px),
        }

    def pictures(
        self, plan: Plan, inputs: Sequence[ImageInputs], steps: Steps, arguments: dict[str, Any] | None = None
    ) -> list[Image.Image]:
        """See the base class; the guidance is rescaled, which this pipeline of diffusers has no argument for."""
        call = dict(arguments) if arguments is not None else self.arguments(plan, _Request(prompt="light"))
        with _rescaled_guidance(self.pipe.unet, call["guidance_scale"], call.pop("guidance_rescale", 0.0)):
            return super().pictures(plan, inputs, steps, call)

    def _picture(self, request: _Request, name: _Condition, size_px: tuple[int, int]) -> Image.Image:
        settings = self.host.settings
        if not request.HasField(name):
            return Image.new("RGB", size_px)
        limits = Limits(max_bytes=settings.max_media_bytes, max_pixels=settings.max_media_pixels)
        return read_rgb(self.host.store, getattr(request, name), name, limits)

    def _part(self, name: str) -> Path:
        part = self.host.part(name)
        if part is None:
            raise FailedPreconditionError(f"{self.host.name} needs the part {name}", "LUMENMILL_PART_CHECKPOINTS")
        return part.folder


@contextmanager
def _rescaled_guidance(unet: torch.nn.Module, guidance_scale: float, rescale: float) -> Iterator[None]:
    """Rescale the guidance of all calls of a U-Net in the block: section 3.4 of Lin et al., 2023 (arXiv:2305.08891).

    The pipeline adds to the unconditional half of each output, B × C × H × W, `guidance_scale` times the difference to
    the conditional half. To multiply that sum by a number, both halves are multiplied by it.
    """

    def after(module: torch.nn.Module, inputs: tuple[Any, ...], output: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        unconditional, conditional = output[0].chunk(2)
        guided = unconditional + guidance_scale * (conditional - unconditional)
        ratio = _deviations(conditional) / _deviations(guided)
        return (output[0] * (rescale * ratio + 1 - rescale).repeat(2, 1, 1, 1),)

    if guidance_scale <= 1 or not rescale:  # without guidance the output has one half
        yield
        return
    handle = unet.register_forward_hook(after)
    try:
        yield
    finally:
        handle.remove()


def _deviations(pictures: torch.Tensor) -> torch.Tensor:
    return pictures.std(dim=(1, 2, 3), keepdim=True)
