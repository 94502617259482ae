"""Kolors: a latent diffusion model with a large language model as text encoder (Kuaishou)."""

from diffusers import KolorsPipeline

from lumenmill_imager.families.family import ImagerFamily

__all__ = ["Kolors"]


class Kolors(ImagerFamily):
    """Kolors, with LoRA adapters where a request or the model's entry names them."""

    pipeline_class = KolorsPipeline
