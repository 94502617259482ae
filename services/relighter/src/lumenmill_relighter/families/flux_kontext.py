"""FLUX.1 Kontext: a flow transformer that edits a picture as words say (Black Forest Labs, 2025)."""

from collections.abc import Sequence
from typing import Any

from diffusers import FluxKontextPipeline
from lumenmill.relighter.v1.relighter_pb2 import RelightVariant
from lumenmill_neural.plan import Plan

from lumenmill_relighter.families.editing import EditingFamily, Item
from lumenmill_relighter.families.prompts import instruction
from lumenmill_relighter.light import Lighting

__all__ = ["FluxKontext"]


class FluxKontext(EditingFamily):
    """FLUX.1-Kontext-dev."""

    pipeline_class = FluxKontextPipeline

    def prompt(self, variant: RelightVariant, lighting: Lighting | None, field: str) -> str:
        """See the base class."""
        return instruction(variant, lighting)

    def arguments(self, plan: Plan, items: Sequence[Item]) -> dict[str, Any]:
        """The picture's own size is kept: the pipeline would else change it to one that it knows from training."""
        area = plan.arguments["width"] * plan.arguments["height"]
        return plan.arguments | {"image": [item.picture for item in items], "max_area": area, "_auto_resize": False}
