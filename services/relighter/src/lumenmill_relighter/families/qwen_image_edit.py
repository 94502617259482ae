"""Qwen-Image-Edit: a flow transformer that edits a picture by instructions, encoded by Qwen2.5-VL (Alibaba, 2025)."""

from collections.abc import Sequence
from typing import Any

from diffusers import QwenImageEditPipeline
from PIL import Image
from transformers import BatchFeature
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from lumenmill.common.v1.model_pb2 import TextInput
from lumenmill.relighter.v1.relighter_pb2 import RelightVariant
from lumenmill_neural.plan import Plan
from lumenmill_relighter.families.editing import EditingFamily, VariantInputs
from lumenmill_relighter.families.prompts import instruction
from lumenmill_relighter.light import Lighting

__all__ = ["ImageTextProcessor", "QwenImageEdit"]

_PROCESSOR = "processor"
_IMAGE_TOKEN = "<|image_pad|>"  # noqa: S105 - a token of a tokenizer
# Of the example in the model card: guidance needs a negative prompt, even an empty one.
_NO_NEGATIVE = " "


class ImageTextProcessor:
    """As Qwen2VLProcessor for texts and images, without torchvision, which that class needs for clips."""

    def __init__(self, image_processor: Any, tokenizer: Any) -> None:
        self.image_processor, self.tokenizer = image_processor, tokenizer

    def __call__(
        self, text: list[str], images: Image.Image | list[Image.Image], *, padding: bool, return_tensors: str
    ) -> BatchFeature:
        """Return tensors of texts with one image each, whose token is repeated for each of its merged patches."""
        features = self.image_processor(images=images, return_tensors=return_tensors)
        merged = self.image_processor.merge_size**2
        counts = [int(grid.prod()) // merged for grid in features["image_grid_thw"]]
        filled = [each.replace(_IMAGE_TOKEN, _IMAGE_TOKEN * n) for each, n in zip(text, counts, strict=True)]
        return BatchFeature({**self.tokenizer(filled, padding=padding, return_tensors=return_tensors), **features})


class QwenImageEdit(EditingFamily):
    """Qwen-Image-Edit. Its text encoder sees the picture resized to one megapixel."""

    pipeline_class = QwenImageEditPipeline
    text_input = TextInput.TEXT_INPUT_INSTRUCTION
    guidance_argument = "true_cfg_scale"

    def parts(self) -> dict[str, Any]:
        """See the base class; `set_up` adds the processor."""
        return {_PROCESSOR: None}

    def set_up(self, pipe: Any) -> None:
        """Add the processor that needs no torchvision."""
        folder = self.host.checkpoint().folder / _PROCESSOR
        image_processor = Qwen2VLImageProcessorPil.from_pretrained(folder, local_files_only=True)
        pipe.register_modules(processor=ImageTextProcessor(image_processor, pipe.tokenizer))

    def prompt(self, variant: RelightVariant, lighting: Lighting | None, field: str) -> str:
        """See the base class."""
        return instruction(variant, lighting, field)

    def arguments(self, plan: Plan, inputs: Sequence[VariantInputs]) -> dict[str, Any]:
        """See the base class."""
        pictures = [each.picture for each in inputs]
        return plan.arguments | {"image": pictures, "negative_prompt": [_NO_NEGATIVE] * len(inputs)}
