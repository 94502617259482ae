"""VideoService: proto to family."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
from lumenmill.video.v1 import video_pb2, video_pb2_grpc
from lumenmill_common.jobs import JobQueue, Work
from lumenmill_common.requests import refuse

from lumenmill_studio.families.mitsuba_scenes import MitsubaScenes
from lumenmill_studio.servicers.refused import NO_WEIGHTS


class VideoServicer(video_pb2_grpc.VideoServiceServicer):
    """Answers GenerateVideo and DecomposeVideo."""

    def __init__(self, family: MitsubaScenes, jobs: JobQueue) -> None:
        self._family, self._jobs = family, jobs

    async def GenerateVideo(
        self, request: video_pb2.GenerateVideoRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[video_pb2.GenerateVideoResponse]:
        """See the contract."""
        refuse(
            request,
            *NO_WEIGHTS,
            ("control_clip", "studio films scenes; give `scene` or `scene_description`"),
            ("control_mask", "studio films scenes; leave it out"),
            ("reference_images", "studio builds its subjects; describe them"),
        )
        work = Work(lambda job: self._family.skills().clips.generate(request, job))
        async for response in self._jobs.respond(request, video_pb2.GenerateVideoResponse, work):
            yield response

    async def DecomposeVideo(
        self, request: video_pb2.DecomposeVideoRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[video_pb2.DecomposeVideoResponse]:
        """See the contract."""
        work = Work(lambda job: self._family.skills().decomposition.decompose_video(request, job))
        async for response in self._jobs.respond(request, video_pb2.DecomposeVideoResponse, work):
            yield response
