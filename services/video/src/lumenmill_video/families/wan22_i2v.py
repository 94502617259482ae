"""Wan 2.2 image-to-video (Alibaba, 2025): two transformers, one for each range of noise, and no image encoder."""

from typing import Any

from lumenmill_video.families.wan import WanFamily
from lumenmill_video.families.wan_i2v import WanImageToVideo

__all__ = ["Wan22ImageToVideo"]


class Wan22ImageToVideo(WanImageToVideo):
    """I2V-A14B. The pipeline reads the noise level at which the transformers change from the checkpoint."""

    def parts(self) -> dict[str, Any]:
        """See the base class; the transformers see the picture in the latents alone."""
        return WanFamily.parts(self)
