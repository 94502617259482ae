"""Stable Video Diffusion XT (Blattmann et al., 2023): a picture that begins to move, without words."""

from collections.abc import Hashable, Sequence
from typing import Any

from diffusers import StableVideoDiffusionPipeline
from lumenmill.video.v1.video_pb2 import GenerateVideoRequest
from lumenmill_neural.plan import Plan
from PIL import Image

from lumenmill_video.families.clips import Clip, ClipFamily, Media
from lumenmill_video.families.shape import fitted

__all__ = ["StableVideoDiffusion"]

# A tier's are the most that its memory is good for.
_BOUNDED_BY_MEMORY = ("decode_chunk_size", "num_inference_steps")


class StableVideoDiffusion(ClipFamily):
    """SVD-XT, by presets for kinds of scenes and by memory."""

    pipeline_class = StableVideoDiffusionPipeline
    takes = frozenset({"image"})
    needs = ("image",)
    needs_text = "this model starts from a picture; send the first frame"
    has_words = False
    min_num_frames = 2
    own_arguments = frozenset()

    def plan_of(self, preset_name: str) -> Plan:
        """Steps and frames decoded at once are those of the preset, or what the memory tier is good for, if less."""
        plan, entry, most = self.host.plan(preset_name), self.host.entry, self.host.tier.arguments
        wanted = entry.arguments | plan.preset.arguments
        return plan.with_arguments(**{name: min(wanted[name], most[name]) for name in _BOUNDED_BY_MEMORY})

    def as_placed(self, plan: Plan) -> Plan:
        """No more frames are decoded at once than the tier of now is good for."""
        most = self.host.offload.tier.arguments["decode_chunk_size"]
        return plan.with_arguments(decode_chunk_size=min(plan.arguments["decode_chunk_size"], most))

    def sampling(self, request: GenerateVideoRequest) -> dict[str, Any]:
        """Guidance grows from the first frame to the last; a request sets the last frame's."""
        asked = super().sampling(request)
        return {"num_inference_steps": asked["num_inference_steps"], "max_guidance_scale": asked["guidance_scale"]}

    def blank_media(self, clip: Clip) -> Media:
        """See the base class."""
        return {"image": Image.new("RGB", clip.size_px, "gray")}

    def followed(self, request: GenerateVideoRequest) -> Any:
        """Only looks whether it is a picture: the model knows one size."""
        self.picture(request.image, "image")
        return super().followed(request)

    def media(self, clip: Clip) -> Media:
        """See the base class."""
        return {"image": fitted(self.picture(clip.request.image, "image"), clip.size_px)}

    def condition_key(self, request: GenerateVideoRequest) -> Hashable:
        """Never equal: the pipeline decodes the frames of a batch as if they were one clip's."""
        return object()

    def conditions(self, clips: Sequence[Clip], media: Sequence[Media]) -> dict[str, Any]:
        """See the base class."""
        return {"image": [entry["image"] for entry in media]}

    def pipeline_arguments(self, plan: Plan) -> dict[str, Any]:
        """The model was trained on whole frames per second."""
        return super().pipeline_arguments(plan) | {"fps": round(plan.arguments["fps"])}
