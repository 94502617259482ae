"""Kolors: a latent diffusion model with a large language model as text encoder (Kuaishou)."""

from typing import Any

from diffusers import KolorsPipeline
from lumenmill.imager.v1 import imager_pb2
from lumenmill_neural.host import Plan

from ._family import ImagerFamily

__all__ = ["Kolors"]


class Kolors(ImagerFamily):
    """Kolors, with LoRA adapters where a request or the model's entry names them."""

    pipeline_class = KolorsPipeline

    def arguments(self, plan: Plan, request: imager_pb2.GenerateImagesRequest) -> dict[str, Any]:
        """See the base class."""
        return dict(plan.arguments)
