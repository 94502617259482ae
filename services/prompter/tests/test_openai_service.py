"""The LLM family behind a real server, against a real HTTP endpoint that speaks the chat-completions protocol."""

import asyncio
import json
import time
from typing import Any

import grpc
import protovalidate
import pytest
from chat_endpoint import API_KEY, ChatEndpoint, Reply, items
from endpoint_calls import failure_of

from lumenmill.common.v1 import artifact_pb2, generation_pb2, light_pb2, model_pb2, model_pb2_grpc, scene_pb2
from lumenmill.prompter.v1 import prompter_pb2, prompter_pb2_grpc
from lumenmill_common import errors
from lumenmill_common.calls import call_heavy, call_unary
from lumenmill_common.retries import RetryPolicy
from lumenmill_common.testing import running_family
from lumenmill_prompter.families import family_from
from lumenmill_prompter.settings import PrompterSettings

NOUNS = ("kettle", "lantern", "guitar", "microscope", "teapot", "helmet", "globe", "radio", "camera", "violin")


def source(**changes: Any) -> dict[str, Any]:
    plain = {
        "type": "area", "azimuth_deg": -60, "elevation_deg": 30, "size_deg": 12, "strength": 1.0,
        "color_temperature_k": 3000, "color_rgb": None, "map": None, "rotation_deg": None, "turbidity": None,
    }  # fmt: skip
    return plain | changes


def light(text: str = "a warm softbox from the left", **changes: Any) -> dict[str, Any]:
    return {"text": text, "sources": [source(**changes)]}


def prompt_set(noun: str, **changes: Any) -> dict[str, Any]:
    return {
        "scene": {
            "kind": "still_life",
            "description": f"a {noun} on a {noun} stand beside a {noun} case",
            "subjects": [noun],
            "materials": ["brass"],
            "place": "on a bench",
        },
        "light": light(),
        "relights": [
            {
                "instruction": "Relight the scene with cool light from the right; keep everything else.",
                "light": light("cool light from the right", azimuth_deg=80, color_temperature_k=9000),
            }
        ],
        "motions": [
            {"text": "The camera orbits slowly.", "camera": {"move": "orbit", "amount": 30}, "light_end": None},
            {
                "text": "The light wanders to the right.",
                "camera": None,
                "light_end": light("a warm softbox from the right", azimuth_deg=60),
            },
        ],
    } | changes


def request_for(num_img_sets: int, name: str = "r", **brief: Any) -> prompter_pb2.GeneratePromptSetsRequest:
    counts = {"num_relight_variants": 1, "num_video_variants": 2} | brief
    return prompter_pb2.GeneratePromptSetsRequest(
        job=generation_pb2.JobOptions(request_id=name),
        brief=prompter_pb2.Brief(num_img_sets=num_img_sets, **counts),
        seed=9,
    )


def next_nouns(endpoint: ChatEndpoint, batch_size: int) -> None:
    """Script: each request gets the next `batch_size` new sets."""
    endpoint.script = lambda _, number: items(
        *(prompt_set(NOUNS[(number * batch_size + k) % 10]) for k in range(batch_size))
    )


async def test_sets_come_in_batches_with_tokens_and_cost(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint
) -> None:
    next_nouns(endpoint, 2)
    result = await call_heavy(stub.GeneratePromptSets, request_for(4, prompts_batch_size=2, theme="old tools"))
    assert len(endpoint.requests) == 2
    assert (result.usage.num_prompt_tokens, result.usage.num_completion_tokens) == (200, 100)
    assert result.usage.num_requests == 2
    assert result.usage.cost_usd == pytest.approx((200 * 1.0 + 100 * 4.0) / 1e6)
    first = result.prompt_sets[0]
    protovalidate.validate(result)
    assert first.image_prompt == (
        "A kettle on a kettle stand beside a kettle case, lit by a warm softbox from the left."
    )
    assert first.light.attributes.azimuth_deg == -60 and first.light.attributes.color_temperature_k == 3000
    assert first.relight_prompts[0].light.sources[0].area.azimuth_deg == 80
    assert first.relight_prompts[0].description == (
        "A kettle on a kettle stand beside a kettle case, lit by cool light from the right."
    )
    assert first.motion_prompts[0].camera.path.orbit.sweep_deg == 30
    assert first.motion_prompts[1].light_path.interpolation == light_pb2.LIGHT_INTERPOLATION_MOVE
    assert first.motion_prompts[1].light_path.keyframes[0].light == first.light
    assert len({entry.id for entry in result.prompt_sets}) == 4


async def test_texts_numbers_and_schema_reach_the_model(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint
) -> None:
    next_nouns(endpoint, 2)
    brief = {"background_text": "You are terse.", "edit_task_text": "Write $num_sets of ${num_relight_variants}."}
    await call_heavy(stub.GeneratePromptSets, request_for(2, **brief))
    sent = endpoint.requests[0]
    assert sent["messages"][0] == {"role": "system", "content": "You are terse."}
    assert sent["messages"][1]["content"].startswith("Write 2 of 1.")
    assert sent["model"] == "tiny" and sent["seed"] == 9
    assert sent["response_format"]["json_schema"]["strict"] is True
    assert endpoint.authorizations[0] == f"Bearer {API_KEY}"


async def test_malformed_answers_are_sent_back_and_mended(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint
) -> None:
    lying = prompt_set("globe", light=light("a warm softbox from the left", azimuth_deg=75))
    answers = [Reply('{"items": ['), items(lying), items(prompt_set("globe"))]
    endpoint.script = lambda _, number: answers[number]
    result = await call_heavy(stub.GeneratePromptSets, request_for(1))
    assert result.prompt_sets[0].scene.subjects == ["globe"] and result.usage.num_requests == 3
    assert "not valid JSON" in endpoint.requests[1]["messages"][-1]["content"]
    assert "other side" in endpoint.requests[2]["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("text", "changes", "problem"),
    [
        ("light through a window on the right", {"azimuth_deg": -75}, "another side"),
        ("a lamp straight behind the subject", {"azimuth_deg": 40}, "another side"),
        ("amber light from the left", {"azimuth_deg": -75, "color_temperature_k": 6000}, "words contradict"),
        ("chilly light from the left", {"azimuth_deg": -75, "color_temperature_k": 3000}, "words contradict"),
    ],
)
async def test_words_that_contradict_the_numbers_of_a_light_are_sent_back(
    stub: prompter_pb2_grpc.PrompterServiceStub,
    endpoint: ChatEndpoint,
    text: str,
    changes: Any,
    problem: str,
) -> None:
    answers = [items(prompt_set("globe", light=light(text, **changes))), items(prompt_set("globe"))]
    endpoint.script = lambda _, number: answers[number]
    result = await call_heavy(stub.GeneratePromptSets, request_for(1))
    assert result.usage.num_requests == 2
    assert problem in endpoint.requests[1]["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("a warm lamp on the left, its shadow falling from the left to the right", {}),
        ("a hard bulb, not from the right, with shadows to the right", {}),
        ("a warm softbox almost overhead on the left", {"azimuth_deg": 120, "elevation_deg": 88}),
        ("tungsten light that meets the blue of dusk", {}),
    ],
)
async def test_words_that_agree_with_the_numbers_of_a_light_are_kept(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint, text: str, changes: Any
) -> None:
    endpoint.script = lambda _, number: items(prompt_set("globe", light=light(text, **changes)))
    result = await call_heavy(stub.GeneratePromptSets, request_for(1))
    assert result.usage.num_requests == 1 and result.prompt_sets[0].light.text == text


async def test_answers_that_stay_wrong_end_in_an_error(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint
) -> None:
    endpoint.script = lambda _, number: items({"scene": "a kettle"})
    with pytest.raises(errors.FailedPreconditionError, match="unusable"):
        await call_heavy(stub.GeneratePromptSets, request_for(1), retry=RetryPolicy({}))
    assert len(endpoint.requests) == 3


async def test_an_endpoint_without_json_schema_gets_the_schema_in_the_prompt(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint
) -> None:
    def script(request: dict[str, Any], _: int) -> Reply:
        if request["response_format"]["type"] == "json_schema":
            return Reply(status=400, error="response_format json_schema is not supported")
        return Reply("```json\n" + items(prompt_set("radio")).content + "\n```")

    endpoint.script = script
    await call_heavy(stub.GeneratePromptSets, request_for(1))
    fallback = endpoint.requests[1]
    assert fallback["response_format"] == {"type": "json_object"}
    schema = json.loads(fallback["messages"][0]["content"].split("nothing else:\n")[1])
    assert schema["properties"]["items"]["items"]["properties"]["relights"]
    assert len(endpoint.requests) == 2


async def test_rate_limits_are_waited_out_for_retry_after(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint
) -> None:
    def script(_: dict[str, Any], number: int) -> Reply:
        if number == 0:
            return Reply(status=429, headers={"Retry-After": "0.15"}, error="slow down")
        return items(prompt_set("camera"))

    endpoint.script = script
    started_s = time.monotonic()
    result = await call_heavy(stub.GeneratePromptSets, request_for(1))
    assert time.monotonic() - started_s > 0.15 and result.usage.num_requests == 2


async def test_near_duplicates_are_asked_for_again(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint
) -> None:
    again = prompt_set("violin")
    again["scene"] = again["scene"] | {"description": "The violin, beside a violin case, on a violin stand"}
    answers = [items(prompt_set("violin"), again), items(prompt_set("helmet"))]
    endpoint.script = lambda _, number: answers[number]
    result = await call_heavy(stub.GeneratePromptSets, request_for(2))
    assert [entry.scene.subjects[0] for entry in result.prompt_sets] == ["violin", "helmet"]
    assert "a violin on a violin stand" in endpoint.requests[1]["messages"][1]["content"]


async def test_a_model_that_only_repeats_itself_is_given_up(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint
) -> None:
    endpoint.script = lambda *_: items(prompt_set("violin"))
    with pytest.raises(errors.FailedPreconditionError, match="1 of 2"):
        await call_heavy(stub.GeneratePromptSets, request_for(2, prompts_batch_size=1), retry=RetryPolicy({}))


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, grpc.StatusCode.FAILED_PRECONDITION),
        (404, grpc.StatusCode.FAILED_PRECONDITION),
        (429, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (503, grpc.StatusCode.UNAVAILABLE),
    ],
)
async def test_faults_of_the_endpoint_have_names(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint, status: int, code: grpc.StatusCode
) -> None:
    endpoint.script = lambda *_: Reply(status=status, headers={"Retry-After": "0.01"}, error=f"no, {API_KEY}")
    failed = await failure_of(stub.GeneratePromptSets(request_for(1)))
    assert failed.code() == code and API_KEY not in str(failed.details())


async def test_a_slow_endpoint_is_unavailable(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint
) -> None:
    endpoint.script = lambda *_: Reply(delay_s=2.2)
    failed = await failure_of(stub.GeneratePromptSets(request_for(1)))
    assert failed.code() == grpc.StatusCode.UNAVAILABLE and "in time" in str(failed.details())


async def test_a_refusal_is_reported(stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint) -> None:
    endpoint.script = lambda *_: Reply(refusal="I would rather not.")
    with pytest.raises(errors.FailedPreconditionError, match="rather not"):
        await call_heavy(stub.GeneratePromptSets, request_for(1), retry=RetryPolicy({}))


async def test_cancelling_stops_between_requests(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint
) -> None:
    def script(_: dict[str, Any], number: int) -> Reply:
        reply = items(prompt_set(NOUNS[number % 10]))
        reply.delay_s = 0.1
        return reply

    endpoint.script = script
    call = stub.GeneratePromptSets(request_for(10, prompts_batch_size=1))
    async for event in call:
        if event.progress.step >= 1:
            break
    call.cancel()
    await asyncio.sleep(0.5)  # no event reports the end of the job
    num_requests = len(endpoint.requests)
    await asyncio.sleep(0.4)  # no further request may arrive
    assert len(endpoint.requests) == num_requests < 10


async def test_environment_maps_are_named_by_the_model(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint
) -> None:
    alley = artifact_pb2.Artifact(uri="file:///store/alley.hdr", name="alley.hdr")
    wrong = light("the light of a desert", type="environment_map", map="desert.hdr")
    right = light("the light of an alley", type="environment_map", map="alley.hdr", rotation_deg=90)
    answers = [items(prompt_set("radio", light=wrong)), items(prompt_set("radio", light=right))]
    endpoint.script = lambda _, number: answers[number]
    result = await call_heavy(stub.GeneratePromptSets, request_for(1, environment_maps=[alley]))
    environment = result.prompt_sets[0].light.sources[0].environment_map
    assert environment.map == alley and environment.rotation_deg == 90
    assert "alley.hdr" in endpoint.requests[1]["messages"][-1]["content"]


async def test_videos_edits_motions_and_rewrites(
    stub: prompter_pb2_grpc.PrompterServiceStub, endpoint: ChatEndpoint
) -> None:
    whole = prompt_set("guitar")
    video = {"scene": whole["scene"], "light": whole["light"], "motion": whole["motions"][0]}
    options = generation_pb2.JobOptions(request_id="one")

    endpoint.script = lambda *_: items(video)
    sets = await call_heavy(stub.GeneratePromptSets, request_for(0, num_videos=1))
    assert sets.video_prompts[0].text.endswith("The camera orbits slowly.")
    assert sets.video_prompts[0].scene.kind == scene_pb2.SCENE_KIND_STILL_LIFE

    endpoint.script = lambda *_: items(whole["relights"][0])
    edits = await call_heavy(
        stub.WriteEditPrompts,
        prompter_pb2.WriteEditPromptsRequest(job=options, description="A guitar. Warm light.", num_variants=1),
    )
    assert edits.relight_prompts[0].description == "A guitar, lit by cool light from the right."
    assert edits.relight_prompts[0].light.attributes.color_temperature_k == 9000 and edits.usage.num_requests == 1

    endpoint.script = lambda *_: items(whole["motions"][1])
    start = sets.video_prompts[0].light
    motions = await call_heavy(
        stub.WriteMotionPrompts,
        prompter_pb2.WriteMotionPromptsRequest(job=options, description="A guitar.", num_variants=1, light=start),
    )
    assert motions.motion_prompts[0].light_path.keyframes[0].light == start

    def rewrite(request: dict[str, Any], _: int) -> Reply:
        count = request["messages"][1]["content"].count("blurry")
        return items(*({"number": n, "text": f"clear {n} of {count}"} for n in range(1, count + 1) if n != 2))

    endpoint.script = rewrite
    rewritten = await call_heavy(
        stub.RewritePrompts,
        prompter_pb2.RewritePromptsRequest(job=options, prompts=["blurry a", "blurry b", "blurry c"]),
    )
    assert list(rewritten.prompts) == ["clear 1 of 3", "clear 1 of 1", "clear 3 of 3"]


async def test_model_description_is_correct(channel: grpc.aio.Channel, openai_settings: PrompterSettings) -> None:
    stub = model_pb2_grpc.ModelServiceStub(channel)
    model = (await call_unary(stub.GetModel, model_pb2.GetModelRequest())).model
    assert (model.family, model.name) == ("openai", "tiny")
    assert not model.licences[0].HasField("allows_commercial_use")
    assert API_KEY not in str(model)


async def test_a_service_without_a_model_name_does_not_start(openai_settings: PrompterSettings) -> None:
    nameless = openai_settings.model_copy(update={"openai_model": ""})
    with pytest.raises(errors.FailedPreconditionError, match="LUMENMILL_OPENAI_MODEL"):
        async with running_family(family_from(nameless), prompter_pb2.DESCRIPTOR):
            pass
