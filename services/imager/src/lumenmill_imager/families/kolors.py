"""Kolors: a latent diffusion model with a large language model as text encoder (Kuaishou)."""

from diffusers import KolorsPipeline

from lumenmill_imager.families.family import ImagerFamily

__all__ = ["Kolors"]


class Kolors(ImagerFamily):
    """Kolors, with the LoRA adapters of the request or of the model's entry."""

    pipeline_class = KolorsPipeline
