"""Stable Diffusion XL with DPM++ 2M Karras and rescaled guidance; with a ControlNet and an IP-Adapter where the model's
entry names them, for structure and for identity."""

from collections.abc import Hashable
from typing import Any

from diffusers import DPMSolverMultistepScheduler, StableDiffusionXLPipeline
from lumenmill.imager.v1 import imager_pb2
from lumenmill_neural.host import Plan

from ._family import ImagerFamily

__all__ = ["StableDiffusionXL"]


class StableDiffusionXL(ImagerFamily):
    """SDXL and its fine-tunes."""

    pipeline_class = StableDiffusionXLPipeline

    def set_up(self) -> None:
        """DPM++ 2M Karras (Lu et al., 2022; Karras et al., 2022)."""
        self.pipe.scheduler = DPMSolverMultistepScheduler.from_config(
            self.pipe.scheduler.config, algorithm_type="dpmsolver++", use_karras_sigmas=True
        )

    def arguments(self, plan: Plan, request: imager_pb2.GenerateImagesRequest) -> dict[str, Any]:
        """See the base class."""
        return dict(plan.arguments)

    def condition_key(self, request: imager_pb2.GenerateImagesRequest) -> Hashable:
        """Pictures that condition the call are shared by a batch."""
        return request.identity_image.sha256, request.control_image.sha256
