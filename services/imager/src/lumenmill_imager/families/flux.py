"""FLUX.1: a rectified-flow transformer with guidance that was distilled into it (Black Forest Labs)."""

from typing import Any

from diffusers import FluxPipeline
from lumenmill.imager.v1 import imager_pb2
from lumenmill_neural.host import Plan

from ._family import ImagerFamily

__all__ = ["Flux"]


class Flux(ImagerFamily):
    """FLUX.1-dev and FLUX.1-schnell."""

    pipeline_class = FluxPipeline
    has_negative_prompt = False

    def arguments(self, plan: Plan, request: imager_pb2.GenerateImagesRequest) -> dict[str, Any]:
        """See the base class."""
        return dict(plan.arguments)
