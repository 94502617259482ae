"""ImagerService: proto to family."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
from lumenmill.imager.v1 import imager_pb2, imager_pb2_grpc
from lumenmill_common.jobs import JobQueue, Work
from lumenmill_common.requests import refuse

from lumenmill_studio.families.mitsuba_scenes import MitsubaScenes
from lumenmill_studio.servicers.refused import NO_WEIGHTS


class ImagerServicer(imager_pb2_grpc.ImagerServiceServicer):
    """Answers GenerateImages."""

    def __init__(self, family: MitsubaScenes, jobs: JobQueue) -> None:
        self._family, self._jobs = family, jobs

    async def GenerateImages(
        self, request: imager_pb2.GenerateImagesRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[imager_pb2.GenerateImagesResponse]:
        """See the contract."""
        refuse(
            request,
            *NO_WEIGHTS,
            ("identity_image", "studio builds its subjects; describe them"),
            ("control_image", "studio builds its scenes; describe them"),
        )
        work = Work(lambda job: self._family.skills().stills.generate(request, job))
        async for response in self._jobs.respond(request, imager_pb2.GenerateImagesResponse, work):
            yield response
