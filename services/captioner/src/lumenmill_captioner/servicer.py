"""The captioner contract in front of a family."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
from lumenmill.captioner.v1 import captioner_pb2, captioner_pb2_grpc
from lumenmill_common.jobs import JobQueue

from .families import Family


class CaptionerServicer(captioner_pb2_grpc.CaptionerServiceServicer):
    """Each RPC is one job of the family."""

    def __init__(self, family: Family, jobs: JobQueue) -> None:
        self._family, self._jobs = family, jobs

    async def Caption(
        self, request: captioner_pb2.CaptionRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> AsyncIterator[captioner_pb2.CaptionResponse]:
        """Describe one image or clip."""
        work = self._family.caption_work(request)
        async for response in self._jobs.respond(
            request, captioner_pb2.CaptionResponse, work, deadline_s=context.time_remaining()
        ):
            yield response

    async def CompareLight(
        self, request: captioner_pb2.CompareLightRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> AsyncIterator[captioner_pb2.CompareLightResponse]:
        """Say what changed in the light between two images."""
        work = self._family.compare_light_work(request)
        async for response in self._jobs.respond(request, captioner_pb2.CompareLightResponse, work):
            yield response
