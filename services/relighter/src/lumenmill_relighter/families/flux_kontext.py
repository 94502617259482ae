"""FLUX.1 Kontext: a flow transformer that edits a picture by instructions (Black Forest Labs, 2025)."""

from collections.abc import Sequence
from typing import Any

from diffusers import FluxKontextPipeline

from lumenmill.common.v1.model_pb2 import TextInput
from lumenmill.relighter.v1.relighter_pb2 import RelightVariant
from lumenmill_neural.plan import Plan
from lumenmill_relighter.families.editing import EditingFamily, VariantInputs
from lumenmill_relighter.families.prompts import instruction
from lumenmill_relighter.light import Lighting

__all__ = ["FluxKontext"]


class FluxKontext(EditingFamily):
    """FLUX.1-Kontext-dev."""

    pipeline_class = FluxKontextPipeline
    text_input = TextInput.TEXT_INPUT_INSTRUCTION

    def prompt(self, variant: RelightVariant, lighting: Lighting | None, field: str) -> str:
        """See the base class."""
        return instruction(variant, lighting, field)

    def arguments(self, plan: Plan, inputs: Sequence[VariantInputs]) -> dict[str, Any]:
        """See the base class; the pipeline must not resize the picture to a size of its training."""
        area = plan.arguments["width"] * plan.arguments["height"]
        return plan.arguments | {"image": [each.picture for each in inputs], "max_area": area, "_auto_resize": False}
