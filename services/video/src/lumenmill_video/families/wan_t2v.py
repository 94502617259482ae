"""Wan 2.1 text-to-video (Alibaba, 2025)."""

from collections.abc import Sequence
from typing import Any

from diffusers import WanPipeline

from lumenmill_video.families.clip import Clip, Media
from lumenmill_video.families.wan import WanFamily

__all__ = ["WanTextToVideo"]


class WanTextToVideo(WanFamily):
    """T2V-14B and T2V-1.3B."""

    pipeline_class = WanPipeline
    needs = ("prompt",)
    needs_text = "this model makes clips from words; describe what to show"

    def conditions(self, clips: Sequence[Clip], media: Sequence[Media]) -> dict[str, Any]:
        """See the base class."""
        return {
            "prompt": [clip.prompt for clip in clips],
            "negative_prompt": [clip.plan.arguments["negative_prompt"] for clip in clips],
        }
