"""Wan 2.1 VACE (Jiang et al., 2025): a clip controlled by another clip, a mask and reference images.

A clip is continued as VACE extends one from its first frame: the control clip begins with the known frame, which the
mask preserves. Later frames are those of the request's control clip, else grey, and are generated.
"""

from collections.abc import Callable, Hashable, Sequence
from itertools import islice
from typing import Any

from diffusers import WanVACEPipeline
from PIL import Image

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.video.v1.video_pb2 import GenerateVideoRequest
from lumenmill_common.artifacts import media_type_of
from lumenmill_common.errors import FailedPreconditionError, InvalidArgumentError
from lumenmill_media import iter_frames, probe_clip
from lumenmill_neural.catalogue import ModelEntry
from lumenmill_video.families.clip import Clip, Media, SourceShape
from lumenmill_video.families.shape import check_same_size, fitted, fitted_mask
from lumenmill_video.families.wan import WanFamily

__all__ = ["WanVace"]

# Recorded clips may be longer than the result; their first frames are used.
_MAX_CONTROL_FRAMES = 1000
# Frames without control, as in the documentation of WanVACEPipeline.
_GREY = (128, 128, 128)
_PRESERVED, _GENERATED = 0, 255
_Fit = Callable[[Image.Image], Image.Image]


class WanVace(WanFamily):
    """VACE-1.3B and VACE-14B. The pipeline makes one clip per call."""

    pipeline_class = WanVACEPipeline
    takes = frozenset({"control_clip", "control_mask", "reference_images"})
    needs = ("control_clip", "prompt")
    needs_text = "this model needs a control clip or words; send one of them"

    @classmethod
    def continues(cls, entry: ModelEntry) -> bool:
        """See the base class."""
        return True

    def load(self) -> None:
        """See the base class."""
        for name, preset in self.host.entry.presets.items():
            if preset.step_cache is not None and preset.step_cache.kind != "taylor_seer":
                raise FailedPreconditionError(
                    f"preset {name}: a cache of blocks adds VACE's control twice; use taylor_seer or none", "presets"
                )
        super().load()

    def check_fields(self, request: GenerateVideoRequest) -> None:
        """See the base class."""
        super().check_fields(request)
        if request.HasField("control_mask") and not request.HasField("control_clip"):
            raise InvalidArgumentError("control_mask", "is the mask of a control clip; send `control_clip` too")

    def source_shape(self, request: GenerateVideoRequest) -> SourceShape:
        """Return the size of the control clip, and as many of its frames as the model can make."""
        for index, artifact in enumerate(request.reference_images):
            self.picture(artifact, f"reference_images[{index}]")
        if not request.HasField("control_clip"):
            return SourceShape()
        facts = probe_clip(self.host.store, request.control_clip, "control_clip", _MAX_CONTROL_FRAMES, self.limits)
        requested = self.requested_num_frames(request)
        if requested > facts.num_frames:
            raise InvalidArgumentError("control_clip", f"has {facts.num_frames} frames; {requested} are requested")
        size_px = facts.width_px, facts.height_px
        if request.HasField("control_mask"):
            self._check_mask(request.control_mask, size_px, requested or facts.num_frames)
        most = min(facts.num_frames, self.host.entry.max_num_frames)
        return SourceShape(size_px, (most - 1) // self.frame_step * self.frame_step + 1)

    def _check_mask(self, mask: Artifact, size_px: tuple[int, int], num_frames: int) -> None:
        if _is_clip(mask):
            facts = probe_clip(self.host.store, mask, "control_mask", _MAX_CONTROL_FRAMES, self.limits)
            check_same_size("control_mask", (facts.width_px, facts.height_px), size_px, "the control clip")
            if facts.num_frames < num_frames:
                raise InvalidArgumentError("control_mask", f"has {facts.num_frames} frames; {num_frames} are needed")
        else:
            check_same_size("control_mask", self.picture(mask, "control_mask").size, size_px, "the control clip")

    def media(self, clip: Clip) -> Media:
        """See the base class."""
        request, num_frames = clip.request, clip.plan.arguments["num_frames"]
        references = [
            self.picture(artifact, f"reference_images[{index}]")
            for index, artifact in enumerate(request.reference_images)
        ]
        found: Media = {"reference_images": references} if references else {}
        if request.HasField("control_clip"):
            found["video"] = self._first_frames(
                request.control_clip, "control_clip", num_frames, lambda frame: fitted(frame, clip.size_px)
            )
        if request.HasField("control_mask"):
            found["mask"] = self._masks(
                request.control_mask, num_frames, lambda frame: fitted_mask(frame, clip.size_px)
            )
        return found

    def _masks(self, mask: Artifact, num_frames: int, fit: _Fit) -> list[Image.Image]:
        if _is_clip(mask):
            return self._first_frames(mask, "control_mask", num_frames, fit)
        return [fit(self.picture(mask, "control_mask"))] * num_frames

    def _first_frames(self, artifact: Artifact, field: str, num_frames: int, fit: _Fit) -> list[Image.Image]:
        """Return frames that are resized one by one: a 4K frame takes 25 MB."""
        decoded = iter_frames(self.host.store, artifact, field, self.limits)
        frames = [fit(frame) for frame in islice(decoded, num_frames)]
        if len(frames) < num_frames:
            raise InvalidArgumentError(field, f"has {len(frames)} frames that can be decoded; {num_frames} are needed")
        return frames

    def condition_key(self, request: GenerateVideoRequest) -> Hashable:
        """See the base class; never equal."""
        return object()

    def conditions(self, clips: Sequence[Clip], media: Sequence[Media]) -> dict[str, Any]:
        """See the base class."""
        (clip,) = clips
        controls = _controls(clip, media[0]) if clip.segments else media[0]
        return controls | {"prompt": clip.prompt, "negative_prompt": clip.plan.arguments["negative_prompt"]}

    def num_leading(self, media: Sequence[Media]) -> int:
        """See the base class."""
        return len(media[0].get("reference_images", ()))

    def generators(self, clips: Sequence[Clip]) -> Any:
        """See the base class; the pipeline takes no list."""
        return self.host.device.generator(clips[0].seed)


def _controls(clip: Clip, media: Media) -> Media:
    """Return the media of one segment: its part of the control clip, and its first frame where that is known."""
    part = slice(clip.first_frame, clip.first_frame + clip.plan.arguments["num_frames"])
    found = {name: value[part] if name in ("video", "mask") else value for name, value in media.items()}
    known = found.pop("image", None)
    if known is None:
        return found
    num_frames = clip.plan.arguments["num_frames"]
    video = found.get("video", [Image.new("RGB", clip.size_px, _GREY)] * num_frames)
    mask = found.get("mask", [Image.new("L", clip.size_px, _GENERATED)] * num_frames)
    found["video"] = [known, *video[1:]]
    found["mask"] = [Image.new("L", clip.size_px, _PRESERVED), *mask[1:]]
    return found


def _is_clip(mask: Artifact) -> bool:
    return (mask.media_type or media_type_of(mask.uri)).startswith("video/")
