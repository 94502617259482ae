"""One clip to make, what it is made from, and its frames."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lumenmill.video.v1.video_pb2 import GenerateVideoRequest
from lumenmill_neural.plan import Plan
from lumenmill_neural.requests import seeds_from

__all__ = ["Clip", "Frames", "Media", "OnStep", "PendingFrames", "Pixels", "SourceShape"]

Frames = NDArray[np.float32]
Pixels = NDArray[np.uint8]
PendingFrames = Frames | Callable[[], Frames]
"""Frames of a clip, or a function that decodes them while the worker computes the next clip."""
Media = dict[str, Any]
"""Pictures of a clip, resized to it, by the argument names of the pipeline."""
OnStep = Callable[[object, int, object, dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class SourceShape:
    """Size and length of the media that a clip is made from; None and 0 if they do not determine the clip's."""

    size_px: tuple[int, int] | None = None
    num_frames: int = 0


@dataclass(frozen=True)
class Clip:
    """One clip to make; its request has been checked."""

    request: GenerateVideoRequest
    plan: Plan
    prompt: str
    segments: tuple[int, ...] = ()
    """Frames of each segment of a clip that is continued from its own last frames; empty if it is made in one call."""
    segment: int = 0
    """Which of them this is, for one segment of a clip."""

    @property
    def seed(self) -> int:
        """Seed of the clip or segment: each segment has the next one, since equal noise would repeat the motion."""
        return seeds_from(self.request.seed, self.segment + 1)[self.segment]

    def each_segment(self) -> list["Clip"]:
        """Return the segments of a clip of several, as clips of their own length."""
        return [
            replace(self, plan=self.plan.with_arguments(num_frames=num_frames), segment=index)
            for index, num_frames in enumerate(self.segments)
        ]

    @property
    def first_frame(self) -> int:
        """Index in the whole clip of the first frame; that of a later segment is the last one of the segment before."""
        return sum(num_frames - 1 for num_frames in self.segments[: self.segment])

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        return self.plan.arguments["width"], self.plan.arguments["height"]
