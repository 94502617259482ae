"""LTX-Video (HaCohen et al., 2024): a small transformer on strongly compressed latents; from words, or from a first
frame and words."""

from collections.abc import Hashable, Sequence
from typing import Any

from diffusers import LTXConditionPipeline

from lumenmill.video.v1.video_pb2 import GenerateVideoRequest
from lumenmill_neural.plan import Plan
from lumenmill_video.families.clip import Clip, Media
from lumenmill_video.families.first_frame import FirstFrameFamily

__all__ = ["LtxVideo"]


class LtxVideo(FirstFrameFamily):
    """LTX-Video 0.9.5 and later ones of the same pipeline, which makes one clip per call."""

    pipeline_class = LTXConditionPipeline
    frame_step = 8
    min_num_frames = 9

    def condition_key(self, request: GenerateVideoRequest) -> Hashable:
        """See the base class; never equal."""
        return object()

    def conditions(self, clips: Sequence[Clip], media: Sequence[Media]) -> dict[str, Any]:
        """See the base class."""
        (clip,) = clips
        return media[0] | {"prompt": clip.prompt, "negative_prompt": clip.plan.arguments["negative_prompt"]}

    def pipeline_arguments(self, plan: Plan) -> dict[str, Any]:
        """See the base class; the frame rate is a condition of this model."""
        return super().pipeline_arguments(plan) | {"frame_rate": plan.arguments["fps"]}

    def generators(self, clips: Sequence[Clip]) -> Any:
        """See the base class; the pipeline takes no list."""
        return self.host.device.generator(clips[0].seed)
