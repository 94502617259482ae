"""The contracts that the service framework keeps for every service: its model, and its jobs."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import grpc

from lumenmill.common.v1 import job_pb2, job_pb2_grpc, model_pb2, model_pb2_grpc
from lumenmill_common.errors import UnavailableError
from lumenmill_common.jobs import JobQueue

__all__ = ["JobServicer", "ModelServicer"]


class ModelServicer(model_pb2_grpc.ModelServiceServicer):
    """Describes the model behind a service."""

    def __init__(
        self,
        describe: Callable[[], model_pb2.Model],
        contracts: Sequence[str],
        jobs: JobQueue | None,
        ready: asyncio.Event,
    ) -> None:
        """`contracts` are the full names of the proto services that it serves; `ready` is set once it is loaded."""
        self._describe, self._contracts, self._jobs, self._ready = describe, contracts, jobs, ready

    async def GetModel(
        self, request: model_pb2.GetModelRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> model_pb2.GetModelResponse:
        """See the contract."""
        if not self._ready.is_set():
            raise UnavailableError("the model is being loaded")
        model = model_pb2.Model()
        model.CopyFrom(await asyncio.to_thread(self._describe))
        model.contracts[:] = self._contracts
        if self._jobs:
            model.limits.max_queue_length = self._jobs.max_queue_length
            model.limits.num_workers = self._jobs.num_workers
        return model_pb2.GetModelResponse(model=model)


class JobServicer(job_pb2_grpc.JobServiceServicer):
    """Reports and cancels jobs outside of the calls that started them."""

    def __init__(self, jobs: JobQueue) -> None:
        self._jobs = jobs

    async def CancelJob(
        self, request: job_pb2.CancelJobRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> job_pb2.CancelJobResponse:
        """See the contract."""
        return job_pb2.CancelJobResponse(was_active=self._jobs.cancel(request.request_id))

    async def GetJob(
        self, request: job_pb2.GetJobRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> job_pb2.GetJobResponse:
        """See the contract."""
        state, submitter = self._jobs.state_of(request.request_id), self._jobs.submitter_of(request.request_id)
        return job_pb2.GetJobResponse(state=state, submitter=submitter)
