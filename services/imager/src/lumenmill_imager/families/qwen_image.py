"""Qwen-Image: a multimodal diffusion transformer with Qwen2.5-VL as text encoder (Qwen team)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from diffusers import QwenImagePipeline
from PIL import Image

from lumenmill.imager.v1 import imager_pb2
from lumenmill_imager.families.family import ImageInputs, ImagerFamily
from lumenmill_neural.plan import Plan
from lumenmill_neural.stages import Steps

__all__ = ["QwenImage"]

# Of the model card, for requests without a negative prompt.
_NO_NEGATIVE_PROMPT = " "


class QwenImage(ImagerFamily):
    """Qwen-Image and its later versions, with classifier-free guidance."""

    pipeline_class = QwenImagePipeline

    def arguments(self, plan: Plan, request: imager_pb2.GenerateImagesRequest) -> dict[str, Any]:
        """See the base class; in this pipeline `guidance_scale` is that of distilled models."""
        call = super().arguments(plan, request)
        return call | {"true_cfg_scale": call.pop("guidance_scale")}

    def pictures(
        self, plan: Plan, inputs: Sequence[ImageInputs], steps: Steps, arguments: dict[str, Any] | None = None
    ) -> list[Image.Image]:
        """See the base class."""
        given = [replace(each, negative_prompt=each.negative_prompt or _NO_NEGATIVE_PROMPT) for each in inputs]
        return super().pictures(plan, given, steps, arguments)
