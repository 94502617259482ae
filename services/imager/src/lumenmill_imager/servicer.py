"""The imager contract in front of a family."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
from lumenmill.imager.v1 import imager_pb2, imager_pb2_grpc
from lumenmill_common.jobs import JobQueue

from .families import ImagerFamily


class ImagerServicer(imager_pb2_grpc.ImagerServiceServicer):
    """Each call is one job of the family, together with others of the same kind."""

    def __init__(self, family: ImagerFamily, jobs: JobQueue) -> None:
        self._family, self._jobs = family, jobs

    async def GenerateImages(
        self, request: imager_pb2.GenerateImagesRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> AsyncIterator[imager_pb2.GenerateImagesResponse]:
        """See the contract."""
        work = self._family.work(request)
        async for response in self._jobs.respond(
            request, imager_pb2.GenerateImagesResponse, work, deadline_s=context.time_remaining()
        ):
            yield response
