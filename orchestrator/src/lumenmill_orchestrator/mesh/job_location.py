"""Job locations: the endpoint that holds the job of a call that broke, or that an earlier process started."""

import asyncio

from lumenmill.common.v1 import job_pb2
from lumenmill_orchestrator.mesh.endpoint import Endpoint
from lumenmill_orchestrator.mesh.model_endpoints import ModelEndpoints

__all__ = ["find_job"]

_ANSWER_TIMEOUT_S = 2.0
# For a broken connection to a running process, which is made again.
_RECONNECT_TIMEOUT_S = 3.0
_BEST = (job_pb2.JOB_STATE_RUNNING, job_pb2.JOB_STATE_FINISHED)


async def find_job(model: ModelEndpoints, request_id: str, last: Endpoint, *, is_broken: bool) -> Endpoint | None:
    """Return the endpoint that holds a job, or None where none does.

    `last` is where the call was, or is about to go. `is_broken` says that its connection broke, so that it is given
    time to reconnect; otherwise, if it is the only endpoint, no request is made. Draining endpoints are asked too: they
    refuse new jobs, and finish those that they have.
    """
    known = [*model.endpoints.values(), *model.removed.values()]
    asked = [endpoint for endpoint in known if endpoint.responds or endpoint is last]
    if not is_broken and asked == [last]:
        return None
    tasks = [asyncio.create_task(_state_at(each, request_id, reconnect=is_broken and each is last)) for each in asked]
    queued_at: Endpoint | None = None
    try:
        for task in asyncio.as_completed(tasks):
            endpoint, state = await task
            if state in _BEST:
                return endpoint
            if state == job_pb2.JOB_STATE_QUEUED:
                queued_at = endpoint
    finally:
        for each in tasks:
            each.cancel()
    return queued_at


async def _state_at(
    endpoint: Endpoint, request_id: str, *, reconnect: bool
) -> "tuple[Endpoint, job_pb2.JobState.ValueType]":
    timeout_s = _RECONNECT_TIMEOUT_S if reconnect else _ANSWER_TIMEOUT_S
    return endpoint, await endpoint.job_state(request_id, timeout_s=timeout_s, wait_for_connection=reconnect)
