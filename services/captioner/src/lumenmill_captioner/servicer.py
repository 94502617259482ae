"""The captioner contract in front of a family."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
from lumenmill.captioner.v1 import captioner_pb2, captioner_pb2_grpc
from lumenmill_common.jobs import JobQueue, Work

from .families import Family


class CaptionerServicer(captioner_pb2_grpc.CaptionerServiceServicer):
    """Each RPC is one job of the family."""

    def __init__(self, family: Family, jobs: JobQueue) -> None:
        self._family, self._jobs = family, jobs

    async def Caption(
        self, request: captioner_pb2.CaptionRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> AsyncIterator[captioner_pb2.CaptionResponse]:
        """Describe one image or clip."""
        work = Work(lambda job: self._family.caption(request, job))
        async for response in self._jobs.respond(request, captioner_pb2.CaptionResponse, work):
            yield response

    async def CompareLight(
        self, request: captioner_pb2.CompareLightRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> AsyncIterator[captioner_pb2.CompareLightResponse]:
        """Say what changed in the light between two images."""
        work = Work(lambda job: self._family.compare_light(request, job))
        async for response in self._jobs.respond(request, captioner_pb2.CompareLightResponse, work):
            yield response
