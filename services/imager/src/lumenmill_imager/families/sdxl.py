"""Stable Diffusion XL with DPM++ 2M Karras and rescaled guidance."""

from typing import Any

from diffusers import DPMSolverMultistepScheduler, StableDiffusionXLPipeline

from lumenmill_imager.families.family import ImagerFamily

__all__ = ["StableDiffusionXL"]


class StableDiffusionXL(ImagerFamily):
    """SDXL and its fine-tunes."""

    pipeline_class: Any = StableDiffusionXLPipeline

    def set_up(self, pipe: Any) -> None:
        """Set the scheduler to DPM++ 2M Karras (Lu et al., 2022; Karras et al., 2022)."""
        pipe.scheduler = DPMSolverMultistepScheduler.from_config(
            pipe.scheduler.config, algorithm_type="dpmsolver++", use_karras_sigmas=True
        )
