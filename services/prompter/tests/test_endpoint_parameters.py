"""Parameters that an endpoint refuses are left out, and remembered; what it says of an answer is no refusal."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from chat_endpoint import ChatEndpoint, Reply
from endpoint_calls import REWRITTEN, failure_of, rewrite, rewrite_request

from lumenmill.prompter.v1 import prompter_pb2, prompter_pb2_grpc
from lumenmill_common.testing import running_family
from lumenmill_prompter.families import family_from
from lumenmill_prompter.families.openai_compatible.endpoint import Endpoint
from lumenmill_prompter.families.openai_compatible.schema import REWRITTEN as ITEM
from lumenmill_prompter.families.openai_compatible.schema import answer_schema
from lumenmill_prompter.families.openai_compatible.usage import Usage
from lumenmill_prompter.settings import PrompterSettings

Request = dict[str, Any]


def format_of(request: Request) -> str | None:
    return request.get("response_format", {}).get("type")


def unknown_fields(names: set[str], request: Request) -> Reply | None:
    """As FastAPI refuses fields, with the request repeated beside its words."""
    bad = sorted(names & set(request))
    detail = [
        {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted", "input": request}
        for name in bad
    ]
    return Reply(status=422, body={"object": "error", "message": {"detail": detail}}) if bad else None


def accepting(test: Callable[[Request], bool], status: int, body: Any) -> Callable[[Request], Reply | None]:
    return lambda request: None if test(request) else Reply(status=status, body=body)


def no_schema(status: int, body: Any) -> Callable[[Request], Reply | None]:
    return accepting(lambda request: format_of(request) != "json_schema", status, body)


NOT_SUPPORTED = {"error": {"message": "response_format json_schema is not supported"}}
UNSUPPORTED_LIMIT = {"error": {"code": "unsupported_parameter", "message": "Unsupported: 'max_completion_tokens'"}}
SEED_UNKNOWN = [{"error": {"code": 400, "message": 'Invalid JSON payload received. Unknown name "seed": Cannot find.'}}]
UNEXPECTED = {"detail": [{"loc": ["body", "response_format", "type"], "msg": "permitted: 'text', 'json_object'"}]}


@pytest.mark.parametrize(
    ("refusing", "accepted"),
    [
        (lambda request: unknown_fields({"max_completion_tokens", "seed"}, request), ("json_schema", "max_tokens", 0)),
        (lambda request: unknown_fields({"response_format"}, request), (None, "max_completion_tokens", 1)),
        (
            accepting(lambda request: "seed" not in request, 400, SEED_UNKNOWN),
            ("json_schema", "max_completion_tokens", 0),
        ),
        (
            accepting(lambda request: "max_completion_tokens" not in request, 400, UNSUPPORTED_LIMIT),
            ("json_schema", "max_tokens", 1),
        ),
        (no_schema(422, UNEXPECTED), ("json_object", "max_completion_tokens", 1)),
        (no_schema(501, NOT_SUPPORTED), ("json_object", "max_completion_tokens", 1)),
        (no_schema(500, NOT_SUPPORTED), ("json_object", "max_completion_tokens", 1)),
        (no_schema(200, NOT_SUPPORTED), ("json_object", "max_completion_tokens", 1)),
        (
            no_schema(400, {"error": {"message": "This response_format type is unavailable now"}}),
            ("json_object", "max_completion_tokens", 1),
        ),
        (no_schema(400, {"error": "failed to parse grammar"}), ("json_object", "max_completion_tokens", 1)),
        (no_schema(422, b""), ("json_object", "max_completion_tokens", 1)),
        (no_schema(501, {"error": {"message": "Not Implemented"}}), ("json_object", "max_completion_tokens", 1)),
        (
            accepting(
                lambda request: format_of(request) == "text", 400, {"error": "'response_format.type' must be 'text'"}
            ),
            ("text", "max_completion_tokens", 1),
        ),
        (
            accepting(lambda request: "temperature" not in request, 400, {"error": "temperature is deprecated"}),
            ("json_schema", "max_completion_tokens", 1),
        ),
    ],
)
async def test_refused_parameters_are_left_out_and_remembered(
    stub: prompter_pb2_grpc.PrompterServiceStub,
    endpoint: ChatEndpoint,
    refusing: Callable[[Request], Reply | None],
    accepted: tuple[str | None, str, int],
) -> None:
    endpoint.script = lambda request, _: refusing(request) or Reply(REWRITTEN)
    await rewrite(stub)
    num_requests = len(endpoint.requests)
    assert 1 < num_requests <= 4
    await rewrite(stub)
    assert len(endpoint.requests) == num_requests + 1
    sent = endpoint.requests[-1]
    limits = {"max_completion_tokens", "max_tokens"} & set(sent)
    assert (format_of(sent), *limits, int("seed" in sent)) == accepted
    has_schema_in_prompt = '"additionalProperties"' in sent["messages"][0]["content"]
    assert has_schema_in_prompt == (format_of(sent) != "json_schema")


async def test_one_attempt_is_enough_for_an_endpoint_that_refuses_much(
    endpoint: ChatEndpoint, openai_settings: PrompterSettings
) -> None:
    unknown = {"max_completion_tokens", "max_tokens", "seed", "temperature", "response_format"}
    endpoint.script = lambda request, _: (
        unknown_fields({min(unknown & set(request), default="")}, request) or Reply(REWRITTEN)
    )
    once = openai_settings.model_copy(update={"openai_max_attempts": 1})
    async with running_family(family_from(once), prompter_pb2.DESCRIPTOR) as channel:
        await rewrite(prompter_pb2_grpc.PrompterServiceStub(channel))
    assert set(endpoint.requests[-1]) == {"model", "messages"}


async def test_refused_parameters_are_tried_again_after_a_while(
    endpoint: ChatEndpoint, openai_settings: PrompterSettings
) -> None:
    now_s = [0.0]
    client = Endpoint(openai_settings, clock_s=lambda: now_s[0])
    is_upgraded = False

    def ask() -> str | None:
        messages = [{"role": "user", "content": "Rewrite."}]
        assert client.chat(messages, answer_schema(ITEM), 1, Usage(), lambda: None).text == REWRITTEN
        return format_of(endpoint.requests[-1])

    refusing = no_schema(400, NOT_SUPPORTED)
    endpoint.script = lambda request, _: (not is_upgraded and refusing(request)) or Reply(REWRITTEN)
    assert ask() == "json_object"
    is_upgraded, now_s[0] = True, 60.0
    assert ask() == "json_object"
    now_s[0] = 3600.0
    assert ask() == "json_schema"
    client.close()


VALIDATION = {"code": "json_validate_failed", "message": "Generated JSON does not match the schema: seed not permitted"}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": VALIDATION | {"failed_generation": "{oops"}}),
        (400, {"error": {"message": "Failed to generate JSON. Please adjust your prompt."}}),
        (400, {"error": {"message": "The model output did not conform to the json_schema"}}),
        (422, {"detail": "Response does not match the response_format schema"}),
        (500, {"error": {"message": "The model produced invalid content.", "type": "model_error"}}),
    ],
)
async def test_a_rejected_answer_is_no_refusal_of_schemas(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint, status: int, body: Any
) -> None:
    endpoint.script = lambda _, number: Reply(status=status, body=body) if number == 0 else Reply(REWRITTEN)
    assert not (await rewrite(stub)).usage.HasField("cost_usd")
    assert [format_of(request) for request in endpoint.requests] == ["json_schema"] * 2
    assert all("seed" in request for request in endpoint.requests)


async def test_answers_that_stay_rejected_are_reported_in_the_words_of_the_endpoint(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint
) -> None:
    endpoint.script = lambda *_: Reply(status=400, body={"error": VALIDATION})
    failed = await failure_of(stub.RewritePrompts(rewrite_request()))
    assert failed.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert "Generated JSON does not match" in str(failed.details())


async def test_a_rejected_answer_that_is_usable_is_used(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint
) -> None:
    body = {"error": VALIDATION | {"failed_generation": f"Here you are: {REWRITTEN}"}}
    endpoint.script = lambda *_: Reply(status=400, body=body)
    await rewrite(stub)
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    ("temperature", "message", "words"),
    [
        (1.0, "max_tokens is too large: 16384. This model supports at most 4096.", "MAX_COMPLETION_TOKENS"),
        (0.7, "Unsupported value: 'temperature' does not support 0.7 with this model.", "OPENAI_TEMPERATURE"),
        (1.0, "messages[0].role: 'system' is unknown", "'system' is unknown"),
    ],
)
async def test_what_the_operator_has_set_is_not_left_out(
    endpoint: ChatEndpoint, openai_settings: PrompterSettings, temperature: float, message: str, words: str
) -> None:
    endpoint.script = lambda *_: Reply(status=400, error=message)
    settings = openai_settings.model_copy(update={"openai_temperature": temperature})
    async with running_family(family_from(settings), prompter_pb2.DESCRIPTOR) as channel:
        failed = await failure_of(prompter_pb2_grpc.PrompterServiceStub(channel).RewritePrompts(rewrite_request()))
    assert failed.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert message in str(failed.details()) and words in str(failed.details())
    assert len(endpoint.requests) == 1
