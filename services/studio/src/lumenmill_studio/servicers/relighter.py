"""RelighterService: proto to family."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
from lumenmill.relighter.v1 import relighter_pb2, relighter_pb2_grpc
from lumenmill_common.jobs import JobQueue, Work
from lumenmill_common.requests import refuse

from lumenmill_studio.families.mitsuba_scenes import MitsubaScenes
from lumenmill_studio.servicers.refused import NO_WEIGHTS


class RelighterServicer(relighter_pb2_grpc.RelighterServiceServicer):
    """Answers Relight and Decompose."""

    def __init__(self, family: MitsubaScenes, jobs: JobQueue) -> None:
        self._family, self._jobs = family, jobs

    async def Relight(
        self, request: relighter_pb2.RelightRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[relighter_pb2.RelightResponse]:
        """See the contract."""
        refuse(request, *NO_WEIGHTS)
        work = Work(lambda job: self._family.skills().stills.relight(request, job))
        async for response in self._jobs.respond(request, relighter_pb2.RelightResponse, work):
            yield response

    async def Decompose(
        self, request: relighter_pb2.DecomposeRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[relighter_pb2.DecomposeResponse]:
        """See the contract."""
        work = Work(lambda job: self._family.skills().decomposition.decompose(request, job))
        async for response in self._jobs.respond(request, relighter_pb2.DecomposeResponse, work):
            yield response
