"""ModelScope text-to-video (Wang et al., 2023), also known as damo text-to-video."""

from collections.abc import Sequence
from typing import Any

from diffusers import TextToVideoSDPipeline

from lumenmill_neural.plan import Plan
from lumenmill_video.families.clip import Clip, Media, OnStep
from lumenmill_video.families.clips import ClipFamily

__all__ = ["ModelScope"]


class ModelScope(ClipFamily):
    """text-to-video-ms-1.7b."""

    pipeline_class = TextToVideoSDPipeline
    needs = ("prompt",)
    needs_text = "this model makes clips from words; describe what to show"

    def conditions(self, clips: Sequence[Clip], media: Sequence[Media]) -> dict[str, Any]:
        """See the base class."""
        return {
            "prompt": [clip.prompt for clip in clips],
            "negative_prompt": [clip.plan.arguments["negative_prompt"] for clip in clips],
        }

    def call(
        self, plan: Plan, clips: Sequence[Clip], media: Sequence[Media], on_step: OnStep, *, output_type: str
    ) -> Any:
        """See the base class; this pipeline has an older kind of callback."""
        made = self.pipe(
            **self.conditions(clips, media),
            generator=self.generators(clips),
            callback=lambda step, timestep, latents: on_step(self.pipe, step, timestep, {}),
            output_type=output_type,
            **self.pipeline_arguments(plan),
        )
        return made.frames
