"""Stable Video Diffusion (Blattmann et al., 2023): a clip from a first frame, without words."""

from collections.abc import Hashable, Sequence
from typing import Any

from diffusers import StableVideoDiffusionPipeline

from lumenmill.common.v1.model_pb2 import TextInput
from lumenmill.video.v1.video_pb2 import GenerateVideoRequest
from lumenmill_neural.plan import Plan
from lumenmill_video.families.clip import Clip, Media, SourceShape
from lumenmill_video.families.first_frame import FirstFrameFamily

__all__ = ["StableVideoDiffusion"]

# The values of a tier are the maximum for its memory.
_BOUNDED_BY_MEMORY = ("decode_chunk_size", "num_inference_steps")


class StableVideoDiffusion(FirstFrameFamily):
    """SVD-XT of 25 frames and SVD of 14, with presets for kinds of scenes and limits by memory."""

    pipeline_class = StableVideoDiffusionPipeline
    needs = ("image",)
    needs_text = "this model starts from a picture; send the first frame"
    text_input = TextInput.TEXT_INPUT_NONE
    min_num_frames = 2
    own_arguments = frozenset()

    def plan_of(self, preset_name: str) -> Plan:
        """See the base class; steps and chunk size are those of the preset, at most those of the memory tier."""
        plan, entry, most = self.host.plan(preset_name), self.host.entry, self.host.tier.arguments
        requested = entry.arguments | plan.preset.arguments
        return plan.with_arguments(**{name: min(requested[name], most[name]) for name in _BOUNDED_BY_MEMORY})

    def for_offload(self, plan: Plan) -> Plan:
        """See the base class; the chunk size is at most that of the current tier."""
        most = self.host.offload.tier.arguments["decode_chunk_size"]
        return plan.with_arguments(decode_chunk_size=min(plan.arguments["decode_chunk_size"], most))

    def sampling(self, request: GenerateVideoRequest) -> dict[str, Any]:
        """See the base class; guidance grows from the first frame to the last, and a request sets that of the last."""
        sampling = super().sampling(request)
        return {
            "num_inference_steps": sampling["num_inference_steps"],
            "max_guidance_scale": sampling["guidance_scale"],
        }

    def source_shape(self, request: GenerateVideoRequest) -> SourceShape:
        """Check only that the image can be read: the model has one size."""
        super().source_shape(request)
        return SourceShape()

    def condition_key(self, request: GenerateVideoRequest) -> Hashable:
        """See the base class; never equal, since the pipeline decodes the frames of a batch as one clip."""
        return object()

    def conditions(self, clips: Sequence[Clip], media: Sequence[Media]) -> dict[str, Any]:
        """See the base class."""
        return {"image": [entry["image"] for entry in media]}

    def pipeline_arguments(self, plan: Plan) -> dict[str, Any]:
        """See the base class; the model was trained on integer frames per second."""
        return super().pipeline_arguments(plan) | {"fps": round(plan.arguments["fps"])}
