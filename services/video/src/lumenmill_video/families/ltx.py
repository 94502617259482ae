"""LTX-Video (HaCohen et al., 2024): a small transformer on strongly compressed latents; from words, or from a first
frame and words."""

from collections.abc import Hashable, Sequence
from typing import Any

from diffusers import LTXConditionPipeline
from PIL import Image

from lumenmill.video.v1.video_pb2 import GenerateVideoRequest
from lumenmill_neural.plan import Plan
from lumenmill_video.families.clip import Clip, Media, SourceShape
from lumenmill_video.families.clips import ClipFamily
from lumenmill_video.families.shape import fitted

__all__ = ["LtxVideo"]


class LtxVideo(ClipFamily):
    """LTX-Video 0.9.5 and later ones of the same pipeline, which makes one clip per call."""

    pipeline_class = LTXConditionPipeline
    takes = frozenset({"image"})
    needs = ("prompt", "image")
    needs_text = "this model needs words or a picture; send one of them"
    frame_step = 8
    min_num_frames = 9
    can_continue = True

    def blank_media(self, clip: Clip) -> Media:
        """See the base class."""
        return {"image": Image.new("RGB", clip.size_px, "gray")}

    def source_shape(self, request: GenerateVideoRequest) -> SourceShape:
        """Return the size of the first frame, if there is one."""
        return SourceShape(self.picture(request.image, "image").size) if request.HasField("image") else SourceShape()

    def media(self, clip: Clip) -> Media:
        """See the base class."""
        return {"image": fitted(self.picture(clip.request.image, "image"), clip.size_px)}

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
