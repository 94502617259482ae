"""The video contract in front of a family."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from lumenmill.video.v1 import video_pb2, video_pb2_grpc
from lumenmill_common.jobs import JobQueue

from .families import VideoFamily


class VideoServicer(video_pb2_grpc.VideoServiceServicer):
    """Each call is one job of the family. Requests are checked in a thread, since media are opened for it."""

    def __init__(self, family: VideoFamily, jobs: JobQueue) -> None:
        self._family, self._jobs = family, jobs

    async def GenerateVideo(
        self, request: video_pb2.GenerateVideoRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> AsyncIterator[video_pb2.GenerateVideoResponse]:
        """See the contract."""
        work = await asyncio.to_thread(self._family.generation, request)
        async for response in self._jobs.respond(
            request, video_pb2.GenerateVideoResponse, work, deadline_s=context.time_remaining()
        ):
            yield response

    async def DecomposeVideo(
        self, request: video_pb2.DecomposeVideoRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> AsyncIterator[video_pb2.DecomposeVideoResponse]:
        """See the contract."""
        work = await asyncio.to_thread(self._family.decomposition, request)
        async for response in self._jobs.respond(
            request, video_pb2.DecomposeVideoResponse, work, deadline_s=context.time_remaining()
        ):
            yield response
