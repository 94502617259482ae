"""FLUX.1: a rectified-flow transformer with distilled guidance (Black Forest Labs)."""

from diffusers import FluxPipeline

from lumenmill_imager.families.family import ImagerFamily

__all__ = ["Flux"]


class Flux(ImagerFamily):
    """FLUX.1-dev and FLUX.1-schnell."""

    pipeline_class = FluxPipeline
    has_negative_prompt = False
