"""Wan 2.1 image-to-video (Alibaba, 2025): from a first frame, and to a last one for models trained on both."""

from collections.abc import Hashable, Sequence
from typing import Any

from diffusers import WanImageToVideoPipeline
from PIL import Image
from transformers import CLIPVisionModel

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.video.v1.video_pb2 import GenerateVideoRequest
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_neural.catalogue import ModelEntry
from lumenmill_video.families.clip import Clip, Media, SourceShape
from lumenmill_video.families.shape import fitted
from lumenmill_video.families.wan import WanFamily

__all__ = ["WanImageToVideo"]


class WanImageToVideo(WanFamily):
    """I2V-14B-480P and I2V-14B-720P, and FLF2V-14B-720P, which needs both frames."""

    pipeline_class = WanImageToVideoPipeline
    takes = frozenset({"image", "last_image"})
    needs = ("image",)
    needs_text = "this model starts from a picture; send the first frame"
    min_num_frames = 5

    def parts(self) -> dict[str, Any]:
        """See the base class; the model cards load the image encoder in float32 too."""
        return super().parts() | {"image_encoder": self.float32_part(CLIPVisionModel, "image_encoder")}

    @classmethod
    def continues(cls, entry: ModelEntry) -> bool:
        """See the base class; a model with a last frame ends there."""
        return not entry.options.get("last_image")

    @property
    def _has_last_image(self) -> bool:
        return bool(self.host.entry.options.get("last_image"))

    def check_fields(self, request: GenerateVideoRequest) -> None:
        """See the base class."""
        super().check_fields(request)
        if request.HasField("last_image") and not self._has_last_image:
            raise InvalidArgumentError("last_image", "this model takes no last frame; leave it out")
        if self._has_last_image and not request.HasField("last_image"):
            raise InvalidArgumentError("last_image", "this model goes from a first frame to a last one; send both")

    def blank_media(self, clip: Clip) -> Media:
        """See the base class."""
        grey = Image.new("RGB", clip.size_px, "gray")
        return {"image": grey, "last_image": grey if self._has_last_image else None}

    def source_shape(self, request: GenerateVideoRequest) -> SourceShape:
        """Return the size of the first frame."""
        image = self.picture(request.image, "image")
        if request.HasField("last_image"):
            self.picture(request.last_image, "last_image")
        return SourceShape(image.size)

    def media(self, clip: Clip) -> Media:
        """See the base class."""

        def fit(artifact: Artifact, field: str) -> Image.Image:
            return fitted(self.picture(artifact, field), clip.size_px)

        request = clip.request
        last = fit(request.last_image, "last_image") if request.HasField("last_image") else None
        return {"image": fit(request.image, "image"), "last_image": last}

    def condition_key(self, request: GenerateVideoRequest) -> Hashable:
        """See the base class; one call takes one picture."""
        return (
            request.image.SerializeToString(deterministic=True),
            request.last_image.SerializeToString(deterministic=True),
        )

    def conditions(self, clips: Sequence[Clip], media: Sequence[Media]) -> dict[str, Any]:
        """See the base class."""
        return media[0] | {
            "prompt": [clip.prompt for clip in clips],
            "negative_prompt": [clip.plan.arguments["negative_prompt"] for clip in clips],
        }
