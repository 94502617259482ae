"""InstructPix2Pix: Stable Diffusion 1.5 that edits a picture by instructions (Brooks et al., CVPR 2023)."""

from collections.abc import Sequence
from typing import Any

from diffusers import EulerAncestralDiscreteScheduler, StableDiffusionInstructPix2PixPipeline

from lumenmill.common.v1.model_pb2 import TextInput
from lumenmill.relighter.v1.relighter_pb2 import RelightVariant
from lumenmill_neural.plan import Plan
from lumenmill_relighter.families.editing import EditingFamily, VariantInputs
from lumenmill_relighter.families.prompts import instruction
from lumenmill_relighter.light import Lighting

__all__ = ["InstructPix2Pix"]


class InstructPix2Pix(EditingFamily):
    """timbrooks/instruct-pix2pix, without its safety checker."""

    pipeline_class = StableDiffusionInstructPix2PixPipeline
    text_input = TextInput.TEXT_INPUT_INSTRUCTION

    def set_up(self, pipe: Any) -> None:
        """Set the scheduler of the model card."""
        pipe.scheduler = EulerAncestralDiscreteScheduler.from_config(pipe.scheduler.config)
        pipe.register_modules(safety_checker=None)
        pipe.register_to_config(requires_safety_checker=False)

    def prompt(self, variant: RelightVariant, lighting: Lighting | None, field: str) -> str:
        """See the base class."""
        return instruction(variant, lighting, field)

    def arguments(self, plan: Plan, inputs: Sequence[VariantInputs]) -> dict[str, Any]:
        """See the base class; the size is that of the pictures."""
        own = {name: value for name, value in plan.arguments.items() if name not in {"width", "height"}}
        return own | {"image": [each.picture for each in inputs]}
