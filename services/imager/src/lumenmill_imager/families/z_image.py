"""Z-Image: a single-stream diffusion transformer with Qwen3 as text encoder (Tongyi Lab)."""

from diffusers import ZImagePipeline

from lumenmill_imager.families.family import ImagerFamily

__all__ = ["ZImage"]


class ZImage(ImagerFamily):
    """Z-Image and Z-Image-Turbo. The latter has no guidance, and ignores negative prompts."""

    pipeline_class = ZImagePipeline
