"""Answers of LLM endpoints in the shapes in which they come: used where they are usable, else a typed error."""

import json
from typing import Any

import grpc
import pytest
from chat_endpoint import API_KEY, ChatEndpoint, Reply, completion
from endpoint_calls import REWRITTEN, failure_of, rewrite, rewrite_request

from lumenmill.prompter.v1 import prompter_pb2_grpc
from lumenmill_common.calls import call_heavy
from lumenmill_common.retries import RetryPolicy

PART = {"type": "text", "text": REWRITTEN}
CHOICE = completion({"content": REWRITTEN})["choices"][0]


def stream(*deltas: Any) -> bytes:
    events = [json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}) for delta in deltas]
    return "".join(f"data: {event}\n\n" for event in (*events, "[DONE]")).encode()


@pytest.mark.parametrize(
    "body",
    [
        completion({"content": [PART]}),
        completion({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": '{"items": []}'}]}, PART]}),
        completion({"content": [REWRITTEN[:20], {"type": "output_text", "text": REWRITTEN[20:]}]}),
        completion({"content": PART}),
        completion({"content": json.loads(REWRITTEN)}),
        completion(REWRITTEN),
        completion(None, choices=[{"text": REWRITTEN}]),
        completion(None, choices=[None, {"message": None}, CHOICE]),
        completion(None, choices=[CHOICE | {"finish_reason": None}], error=None),
        completion(None, choices=[CHOICE], error={"code": 0, "message": ""}),
        [completion({"content": REWRITTEN})],
        stream({"content": REWRITTEN[:9]}, {"content": REWRITTEN[9:]}, {}),
        b"\xef\xbb\xbf" + json.dumps(completion({"content": REWRITTEN})).encode(),
    ],
)
async def test_an_answer_in_another_shape_is_used(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint, body: Any
) -> None:
    endpoint.script = lambda *_: Reply(body=body, headers={"Content-Type": "text/plain"})
    await rewrite(stub)
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    "content",
    [
        f"Sure! Here is {{what}} you asked for:\n\n```json\n{REWRITTEN}\n```\nHope {{it}} helps.",
        f"{REWRITTEN}\n\nLet me know if you want changes.",
        f'<think>\nTwo {{items}}, so {{"items": [{{"number": 1}}]}} …\n</think>\n\n{REWRITTEN}',
        f'The user wants {{"items": [1]}}.</think>{REWRITTEN}',
        f"{REWRITTEN}<think>Is that right? It is.</think>",
        f"\ufeff{REWRITTEN}",
        f'A draft: {{"items": []}}. Better: {REWRITTEN}',
        f'The schema is {{"type": "object"}}, so: {REWRITTEN} {{"done": true}}',
    ],
)
async def test_the_json_object_is_found_in_prose_reasoning_and_fences(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint, content: str
) -> None:
    endpoint.script = lambda *_: Reply(content)
    await rewrite(stub)
    assert len(endpoint.requests) == 1


async def test_texts_with_line_breaks_and_broken_characters_are_used(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint
) -> None:
    endpoint.script = lambda *_: Reply(REWRITTEN.replace("brass lamp", "brass\nlamp\\ud83d"))
    result = await call_heavy(stub.RewritePrompts, rewrite_request(), retry=RetryPolicy({}))
    assert result.prompts[0] == "a brass\nlamp?" and len(endpoint.requests) == 1


@pytest.mark.parametrize(
    ("usage", "num_tokens", "is_known"),
    [
        ({"prompt_tokens": 7, "completion_tokens": 5}, (7, 5), True),
        ({"prompt_tokens": "7", "completion_tokens": 5.0}, (7, 5), True),
        ({"input_tokens": 7, "output_tokens": 5}, (7, 5), True),
        ({"prompt_tokens": 7, "completion_tokens": None}, (7, 0), False),
        ({"prompt_tokens": -1, "completion_tokens": "many"}, (0, 0), False),
        ({}, (0, 0), False),
        (None, (0, 0), False),
        ([7, 5], (0, 0), False),
    ],
)
async def test_cost_is_left_out_where_tokens_are_unknown(
    stub: prompter_pb2_grpc.PrompterServiceStub,
    endpoint: ChatEndpoint,
    usage: Any,
    num_tokens: tuple[int, int],
    is_known: bool,
) -> None:
    endpoint.script = lambda *_: Reply(body=completion({"content": REWRITTEN}, usage=usage))
    reported = (await rewrite(stub)).usage
    assert (reported.num_prompt_tokens, reported.num_completion_tokens) == num_tokens
    assert reported.HasField("cost_usd") == is_known


SORRY = json.dumps({"choices": [{"message": {"content": "\ud800 sorry"}}]}).encode()
DEEP = b'{"choices": [{"message": {"content": ' + 500 * b"[" + 500 * b"]" + b"}}]}"


async def test_an_answer_with_a_broken_character_is_sent_back_and_mended(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint
) -> None:
    endpoint.script = lambda _, number: Reply(body=SORRY) if number == 0 else Reply(REWRITTEN)
    await rewrite(stub)
    assert endpoint.requests[1]["messages"][2] == {"role": "assistant", "content": "? sorry"}


HTML = b"<!DOCTYPE html><html><head><title>Sign in</title><style>p {}</style></head><body><p>Please log in</p></body>"


@pytest.mark.parametrize(
    ("reply", "words", "num_requests"),
    [
        (Reply(body=HTML, headers={"Content-Type": "text/html"}), "Sign in Please log in", 1),
        (Reply(body={"status": "ok"}), '{"status": "ok"}', 1),
        (Reply(body=b"null"), "something else than a chat completion", 1),
        (Reply(body=completion(None)), "no content", 3),
        (Reply(body=completion(None, choices=[])), "no content", 3),
        (Reply(body=completion(None, choices=None)), "no content", 3),
        (Reply(body=completion({"content": None, "reasoning_content": "Two items …"})), "no content", 3),
        (Reply("", finish_reason="length"), "MAX_COMPLETION_TOKENS", 3),
        (Reply("", finish_reason="content_filter"), "content filter", 3),
        (Reply(REWRITTEN[:30], finish_reason="content_filter"), "content filter", 3),
        (Reply(body=completion({"content": [{"type": "refusal", "refusal": "I won't."}]})), "refuses: I won't.", 3),
        (Reply(refusal="I \udc00 won't."), "refuses: I ? won't.", 3),
        (Reply(body={"error": {"code": "invalid_api_key", "message": "a \ud800 key"}}), "a ? key", 1),
        (Reply(body={"error": {"message": "no \udfff model"}}, status=404), "no ? model", 1),
        (Reply(body={"error": {"code": "invalid_api_key", "message": f"wrong key {API_KEY}"}}), "wrong key …", 1),
        (Reply(body={"error": {"code": "insufficient_quota", "message": "no tokens left"}}), "no tokens left", 1),
        (Reply(body={"error": "model not loaded", "code": 404}), "model not loaded", 1),
    ],
)
async def test_an_answer_without_content_is_an_error_that_names_the_endpoint(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint, reply: Reply, words: str, num_requests: int
) -> None:
    endpoint.script = lambda *_: reply
    failed = await failure_of(stub.RewritePrompts(rewrite_request()))
    assert failed.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert words in str(failed.details()) and endpoint.base_url in str(failed.details())
    assert API_KEY not in str(failed.details())
    assert len(endpoint.requests) == num_requests


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(body=b""), "nothing or with broken JSON"),
        (Reply(body=b'{"id": "x", "choices": ['), "nothing or with broken JSON"),
        (Reply(body=DEEP), "nothing or with broken JSON"),
        (Reply(body={"error": "engine \ud800 died"}), "engine ? died"),
        (Reply(body=b'{"error": ' + 900 * b"[" + 900 * b"]" + b"}", status=500), "status 500"),
        (Reply(body=b"upstream timed out"), "upstream timed out"),
        (Reply(body={"error": {"message": "Provider returned error", "code": 502}}), "502: Provider returned error"),
        (Reply(body={"error": "engine died"}), "engine died"),
        (Reply(body=completion(None, choices=[{"error": {"code": 503, "message": "no GPU"}}])), "503: no GPU"),
        (Reply(body={"base_resp": {"status_code": 1002, "status_msg": "busy"}, "choices": None}), "busy"),
        (Reply(body=[{"error": {"code": 503, "message": "The model is overloaded."}}], status=503), "overloaded"),
        (Reply(body=b"<html><body><h1>502 Bad Gateway</h1></body></html>", status=502), "502: 502 Bad Gateway"),
        (Reply(body={"detail": "starting"}, status=500), "500: starting"),
        (Reply(body={"detail": "The response of the engine is not valid"}, status=502), "engine is not valid"),
    ],
)
async def test_a_fault_that_may_pass_is_unavailable_after_all_attempts(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint, reply: Reply, words: str
) -> None:
    endpoint.script = lambda *_: reply
    failed = await failure_of(stub.RewritePrompts(rewrite_request()))
    assert failed.code() == grpc.StatusCode.UNAVAILABLE
    assert words in str(failed.details()) and endpoint.base_url in str(failed.details())
    assert len(endpoint.requests) == 3


@pytest.mark.parametrize("body", [b'{"choices": [', {"error": {"message": "busy", "code": 503}}])
async def test_a_fault_that_passes_is_not_noticed(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint, body: Any
) -> None:
    endpoint.script = lambda _, number: Reply(body=body) if number == 0 else Reply(REWRITTEN)
    assert (await rewrite(stub)).usage.num_requests == 2
