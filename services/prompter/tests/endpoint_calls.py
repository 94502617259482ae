"""Calls of the LLM family that end at its endpoint."""

import itertools
import json
from typing import Any

import grpc
import pytest

from lumenmill.common.v1 import generation_pb2
from lumenmill.prompter.v1 import prompter_pb2, prompter_pb2_grpc
from lumenmill_common.calls import call_heavy
from lumenmill_common.retries import RetryPolicy

__all__ = ["REWRITTEN", "failure_of", "rewrite", "rewrite_request"]

REWRITTEN = json.dumps({"items": [{"number": 1, "text": "a brass lamp"}, {"number": 2, "text": "a «red» door"}]})
_numbers = itertools.count()


def rewrite_request() -> prompter_pb2.RewritePromptsRequest:
    job = generation_pb2.JobOptions(request_id=f"rewrite-{next(_numbers)}")
    return prompter_pb2.RewritePromptsRequest(job=job, prompts=["a lamp", "a door"], seed=9)


async def rewrite(stub: prompter_pb2_grpc.PrompterServiceStub) -> prompter_pb2.RewritePromptsResult:
    """The result of a request to which REWRITTEN is the answer."""
    result: prompter_pb2.RewritePromptsResult = await call_heavy(
        stub.RewritePrompts, rewrite_request(), retry=RetryPolicy({})
    )
    assert list(result.prompts) == ["a brass lamp", "a «red» door"]
    return result


async def failure_of(call: Any) -> grpc.aio.AioRpcError:
    """The status of a single attempt, which callers of `call_heavy` would make again."""
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        async for _ in call:
            pass
    return failed.value
