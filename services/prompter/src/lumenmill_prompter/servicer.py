"""The prompter contract in front of a family."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
from lumenmill.prompter.v1 import prompter_pb2, prompter_pb2_grpc
from lumenmill_common.jobs import JobQueue, Work

from .families import Family


class PrompterServicer(prompter_pb2_grpc.PrompterServiceServicer):
    """Each RPC is one job of the family."""

    def __init__(self, family: Family, jobs: JobQueue) -> None:
        self._family, self._jobs = family, jobs

    async def GeneratePromptSets(
        self, request: prompter_pb2.GeneratePromptSetsRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> AsyncIterator[prompter_pb2.GeneratePromptSetsResponse]:
        """Write prompt sets from a brief."""
        work = Work(lambda job: self._family.generate_prompt_sets(request, job))
        async for response in self._jobs.respond(request, prompter_pb2.GeneratePromptSetsResponse, work):
            yield response

    async def WriteEditPrompts(
        self, request: prompter_pb2.WriteEditPromptsRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> AsyncIterator[prompter_pb2.WriteEditPromptsResponse]:
        """Write relight and edit instructions."""
        work = Work(lambda job: self._family.write_edit_prompts(request, job))
        async for response in self._jobs.respond(request, prompter_pb2.WriteEditPromptsResponse, work):
            yield response

    async def WriteMotionPrompts(
        self, request: prompter_pb2.WriteMotionPromptsRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> AsyncIterator[prompter_pb2.WriteMotionPromptsResponse]:
        """Write motion prompts."""
        work = Work(lambda job: self._family.write_motion_prompts(request, job))
        async for response in self._jobs.respond(request, prompter_pb2.WriteMotionPromptsResponse, work):
            yield response

    async def RewritePrompts(
        self, request: prompter_pb2.RewritePromptsRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> AsyncIterator[prompter_pb2.RewritePromptsResponse]:
        """Rewrite prompts one for one."""
        work = Work(lambda job: self._family.rewrite_prompts(request, job))
        async for response in self._jobs.respond(request, prompter_pb2.RewritePromptsResponse, work):
            yield response
