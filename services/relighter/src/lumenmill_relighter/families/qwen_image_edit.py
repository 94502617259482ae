"""Qwen-Image-Edit: a flow transformer that edits a picture as words say, told by Qwen2.5-VL (Alibaba, 2025)."""

from collections.abc import Sequence
from typing import Any

from diffusers import QwenImageEditPipeline
from lumenmill.relighter.v1.relighter_pb2 import RelightVariant
from lumenmill_neural.plan import Plan
from PIL import Image
from transformers import BatchFeature
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from lumenmill_relighter.families.editing import EditingFamily, Item
from lumenmill_relighter.families.prompts import instruction
from lumenmill_relighter.light import Lighting

__all__ = ["PicturesAndWords", "QwenImageEdit"]

_PROCESSOR = "processor"
_IMAGE_TOKEN = "<|image_pad|>"  # noqa: S105 - a token of a tokenizer
# The model card's example: nothing in particular to be led away from, which guidance needs a text for.
_NO_NEGATIVE = " "


class PicturesAndWords:
    """What Qwen2VLProcessor does with words and pictures. That class wants torchvision, for clips, which never come."""

    def __init__(self, image_processor: Any, tokenizer: Any) -> None:
        self.image_processor, self.tokenizer = image_processor, tokenizer

    def __call__(
        self, text: list[str], images: Image.Image | list[Image.Image], *, padding: bool, return_tensors: str
    ) -> BatchFeature:
        """Tensors of the texts, each with one picture, whose mark is repeated as often as it has merged patches."""
        pictures = self.image_processor(images=images, return_tensors=return_tensors)
        merged = self.image_processor.merge_size**2
        counts = [int(grid.prod()) // merged for grid in pictures["image_grid_thw"]]
        filled = [words.replace(_IMAGE_TOKEN, _IMAGE_TOKEN * n) for words, n in zip(text, counts, strict=True)]
        return BatchFeature({**self.tokenizer(filled, padding=padding, return_tensors=return_tensors), **pictures})


class QwenImageEdit(EditingFamily):
    """Qwen-Image-Edit. It sees the picture reduced, or enlarged, to a megapixel."""

    pipeline_class = QwenImageEditPipeline
    guidance_argument = "true_cfg_scale"

    def parts(self) -> dict[str, Any]:
        """The processor is made here."""
        return {_PROCESSOR: None}

    def set_up(self, pipe: Any) -> None:
        """The processor, without torchvision."""
        folder = self.host.checkpoint().folder / _PROCESSOR
        image_processor = Qwen2VLImageProcessorPil.from_pretrained(folder, local_files_only=True)
        pipe.register_modules(processor=PicturesAndWords(image_processor, pipe.tokenizer))

    def prompt(self, variant: RelightVariant, lighting: Lighting | None, field: str) -> str:
        """See the base class."""
        return instruction(variant, lighting)

    def arguments(self, plan: Plan, items: Sequence[Item]) -> dict[str, Any]:
        """See the base class."""
        pictures = [item.picture for item in items]
        return plan.arguments | {"image": pictures, "negative_prompt": [_NO_NEGATIVE] * len(items)}
