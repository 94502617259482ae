"""Where a job is whose call broke, or that an earlier process had started."""

import asyncio

from lumenmill.common.v1 import job_pb2

from lumenmill_orchestrator.mesh.endpoint import Endpoint
from lumenmill_orchestrator.mesh.model import MeshModel

__all__ = ["whereabouts"]

_ANSWER_WITHIN_S = 2.0
# What a broken connection to a process that lives gets to be made again.
_RECONNECT_WITHIN_S = 3.0
_BEST = (job_pb2.JOB_STATE_RUNNING, job_pb2.JOB_STATE_FINISHED)


async def whereabouts(model: MeshModel, request_id: str, last: Endpoint, *, broke: bool) -> Endpoint | None:
    """The endpoint that has a job, or None where nobody does.

    `last` is where the call was, or is about to go. `broke` says that its connection did, so that it is given time to
    answer again; where it did not, and there is nobody else, nobody is asked. Draining endpoints are asked too: they
    refuse new jobs, and finish those that they have.
    """
    there = [*model.endpoints.values(), *model.departed.values()]
    asked = [endpoint for endpoint in there if endpoint.answers or endpoint is last]
    if not broke and asked == [last]:
        return None
    questions = [
        asyncio.create_task(_asked(endpoint, request_id, until_connected=broke and endpoint is last))
        for endpoint in asked
    ]
    queued_at: Endpoint | None = None
    try:
        for question in asyncio.as_completed(questions):
            endpoint, state = await question
            if state in _BEST:
                return endpoint
            if state == job_pb2.JOB_STATE_QUEUED:
                queued_at = endpoint
    finally:
        for task in questions:
            task.cancel()
    return queued_at


async def _asked(
    endpoint: Endpoint,
    request_id: str,
    *,
    until_connected: bool,
) -> "tuple[Endpoint, job_pb2.JobState.ValueType]":
    within_s = _RECONNECT_WITHIN_S if until_connected else _ANSWER_WITHIN_S
    return endpoint, await endpoint.job_state(request_id, within_s=within_s, until_connected=until_connected)
