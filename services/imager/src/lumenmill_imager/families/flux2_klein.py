"""FLUX.2 [klein]: a rectified-flow transformer for four steps, with Qwen3 as text encoder (Black Forest Labs)."""

from diffusers import Flux2KleinPipeline

from lumenmill_imager.families.family import ImagerFamily

__all__ = ["Flux2Klein"]


class Flux2Klein(ImagerFamily):
    """FLUX.2 [klein], as text to image."""

    pipeline_class = Flux2KleinPipeline
    has_negative_prompt = False
