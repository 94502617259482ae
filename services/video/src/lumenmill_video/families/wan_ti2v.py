"""Wan 2.2 text-and-image-to-video (Alibaba, 2025): from words alone, or from a first frame and words."""

from collections.abc import Hashable, Sequence
from typing import Any

from diffusers import WanImageToVideoPipeline, WanPipeline

from lumenmill.video.v1.video_pb2 import GenerateVideoRequest
from lumenmill_neural.plan import Plan
from lumenmill_video.families.clip import Clip, Media, OnStep
from lumenmill_video.families.first_frame import FirstFrameFamily
from lumenmill_video.families.wan import WanFamily

__all__ = ["WanTextAndImageToVideo"]


class WanTextAndImageToVideo(FirstFrameFamily, WanFamily):
    """TI2V-5B, whose VAE makes one latent pixel of 16 × 16, and one token of 32 × 32."""

    pipeline_class = WanImageToVideoPipeline
    min_num_frames = 5

    def load(self) -> None:
        """See the base class."""
        super().load()
        parts = {name: part for name, part in self.pipe.components.items() if not name.startswith("image_")}
        self._from_words = WanPipeline(**parts, expand_timesteps=self.pipe.config.expand_timesteps)
        self._from_words.set_progress_bar_config(disable=True)
        self._from_words.encode_prompt = self.pipe.encode_prompt  # the same part, with its cache

    def pipeline(self, media: Sequence[Media]) -> Any:
        """See the base class; clips of one call are all from words, or all from the same picture."""
        return self.pipe if "image" in media[0] else self._from_words

    def call(
        self, plan: Plan, clips: Sequence[Clip], media: Sequence[Media], on_step: OnStep, *, output_type: str
    ) -> Any:
        """See the base class; the parts are offloaded by the pipeline that was loaded."""
        made = super().call(plan, clips, media, on_step, output_type=output_type)
        self.pipe.maybe_free_model_hooks()
        return made

    def condition_key(self, request: GenerateVideoRequest) -> Hashable:
        """See the base class; one call takes one picture or none."""
        return request.image.SerializeToString(deterministic=True) if request.HasField("image") else None

    def conditions(self, clips: Sequence[Clip], media: Sequence[Media]) -> dict[str, Any]:
        """See the base class."""
        return media[0] | {
            "prompt": [clip.prompt for clip in clips],
            "negative_prompt": [clip.plan.arguments["negative_prompt"] for clip in clips],
        }
