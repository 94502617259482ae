"""The relighter contract in front of a family."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from lumenmill.relighter.v1 import relighter_pb2, relighter_pb2_grpc
from lumenmill_common.jobs import JobQueue

from .families import RelighterFamily


class RelighterServicer(relighter_pb2_grpc.RelighterServiceServicer):
    """Each call is one job of the family, together with others of the same kind."""

    def __init__(self, family: RelighterFamily, jobs: JobQueue) -> None:
        self._family, self._jobs = family, jobs

    async def Relight(
        self, request: relighter_pb2.RelightRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> AsyncIterator[relighter_pb2.RelightResponse]:
        """See the contract."""
        work = await asyncio.to_thread(self._family.relight, request)
        async for response in self._jobs.respond(
            request, relighter_pb2.RelightResponse, work, deadline_s=context.time_remaining()
        ):
            yield response

    async def Decompose(
        self, request: relighter_pb2.DecomposeRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> AsyncIterator[relighter_pb2.DecomposeResponse]:
        """See the contract."""
        work = await asyncio.to_thread(self._family.decompose, request)
        async for response in self._jobs.respond(
            request, relighter_pb2.DecomposeResponse, work, deadline_s=context.time_remaining()
        ):
            yield response
