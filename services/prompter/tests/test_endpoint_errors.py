"""Errors of LLM endpoints: which are worth another attempt, when, and that their own words reach the caller."""

import time
from email.utils import formatdate
from typing import Any

import grpc
import pytest
from chat_endpoint import ChatEndpoint, Reply
from endpoint_calls import REWRITTEN, failure_of, rewrite, rewrite_request

from lumenmill.prompter.v1 import prompter_pb2, prompter_pb2_grpc
from lumenmill_common import errors
from lumenmill_common.status import error_from_rpc
from lumenmill_common.testing import running_family
from lumenmill_common.testing.recording_proxy import recording_proxy
from lumenmill_prompter.families import family_from
from lumenmill_prompter.settings import PrompterSettings

# As Gemini words a limit of requests per minute.
PER_MINUTE = {"error": {"code": 429, "message": "You exceeded your current quota, check billing. Retry in 34 s."}}


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (429, {"error": {"message": "You exceeded it", "code": "insufficient_quota"}}, "quota or the balance"),
        (429, {"error": {"message": "check your plan and billing", "type": "exceeded_current_quota_error"}}, "billing"),
        (402, {"error": {"message": "Insufficient Balance"}}, "used up: Insufficient Balance"),
        (402, b"", "quota or the balance"),
        (400, {"error": {"message": "Your credit balance is too low to access the API"}}, "used up"),
        (400, {"error": {"message": "The prompt was stopped", "code": "content_filter"}}, "content filter"),
        (403, {"error": {"message": "Input was flagged", "code": 403}}, "content filter of"),
        (403, {"error": {"message": "Country not supported"}}, "Country not supported"),
        (404, {"error": {"message": "The model `tiny` does not exist"}}, "The model `tiny` does not exist"),
        (400, {"error": {"message": "maximum context length is 4096 tokens"}}, "context length is 4096"),
        (413, {"message": "Request too large"}, "Request too large"),
    ],
)
async def test_a_permanent_error_is_reported_at_once_in_the_words_of_the_endpoint(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint, status: int, body: Any, words: str
) -> None:
    endpoint.script = lambda *_: Reply(status=status, body=body)
    failed = await failure_of(stub.RewritePrompts(rewrite_request()))
    assert failed.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert words in str(failed.details()) and endpoint.base_url in str(failed.details())
    assert len(endpoint.requests) == 1


async def test_a_limit_per_minute_is_no_used_up_quota(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint
) -> None:
    endpoint.script = lambda *_: Reply(status=429, body=[PER_MINUTE])
    failed = await failure_of(stub.RewritePrompts(rewrite_request()))
    assert failed.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and "Retry in 34 s" in str(failed.details())
    assert len(endpoint.requests) == 3


@pytest.mark.parametrize("skew_s", [0.0, -7200.0])
async def test_a_date_in_retry_after_is_waited_for_by_the_clock_of_the_endpoint(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint, skew_s: float
) -> None:
    now_s = time.time() + skew_s
    headers = {"Retry-After": formatdate(now_s + 40.0, usegmt=True), "Date": formatdate(now_s, usegmt=True)}
    endpoint.script = lambda *_: Reply(status=429, headers=headers, error="slow down")
    failed = await failure_of(stub.RewritePrompts(rewrite_request()))
    refused = error_from_rpc(failed)
    assert isinstance(refused, errors.ResourceExhaustedError) and "slow down" in refused.message
    assert refused.retry_delay_s == pytest.approx(40.0, abs=1.0)


async def test_a_date_in_retry_after_that_is_past_is_no_wait(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint
) -> None:
    headers = {"Retry-After": formatdate(time.time() - 60.0, usegmt=True)}
    endpoint.script = lambda _, number: Reply(status=503, headers=headers) if number == 0 else Reply(REWRITTEN)
    started_s = time.monotonic()
    assert (await rewrite(stub)).usage.num_requests == 2
    assert time.monotonic() - started_s < 2.0


async def test_an_endpoint_on_this_machine_is_not_looked_for_at_a_proxy(
    endpoint: ChatEndpoint, openai_settings: PrompterSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.script = lambda *_: Reply(REWRITTEN)
    with recording_proxy() as proxy:
        for name, value in proxy.environment.items():
            monkeypatch.setenv(name, value)
        async with running_family(family_from(openai_settings), prompter_pb2.DESCRIPTOR) as channel:
            await rewrite(prompter_pb2_grpc.PrompterServiceStub(channel))
    assert not proxy.requested
