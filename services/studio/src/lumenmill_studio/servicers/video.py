"""VideoService: proto to family."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
from lumenmill.video.v1 import video_pb2, video_pb2_grpc
from lumenmill_common.jobs import JobQueue, Work

from lumenmill_studio.families.mitsuba_scenes import MitsubaScenes


class VideoServicer(video_pb2_grpc.VideoServiceServicer):
    """Answers GenerateVideo and DecomposeVideo."""

    def __init__(self, family: MitsubaScenes, jobs: JobQueue) -> None:
        self._family, self._jobs = family, jobs

    async def GenerateVideo(
        self, request: video_pb2.GenerateVideoRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[video_pb2.GenerateVideoResponse]:
        """See the contract."""
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
