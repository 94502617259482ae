"""The grammar family behind a real server."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest

from lumenmill.common.v1 import artifact_pb2, generation_pb2, light_pb2, model_pb2, model_pb2_grpc
from lumenmill.prompter.v1 import prompter_pb2, prompter_pb2_grpc
from lumenmill_common import errors
from lumenmill_common.calls import call_heavy, call_unary
from lumenmill_common.retries import RetryPolicy
from lumenmill_common.testing import running_family
from lumenmill_prompter.families.grammar import GrammarFamily

ALLEY = artifact_pb2.Artifact(uri="file:///store/alley.hdr", name="urban_alley_01_1k.hdr")


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    async with running_family(GrammarFamily(), prompter_pb2.DESCRIPTOR) as opened:
        yield opened


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> prompter_pb2_grpc.PrompterServiceStub:
    return prompter_pb2_grpc.PrompterServiceStub(channel)


def job(name: str) -> generation_pb2.JobOptions:
    return generation_pb2.JobOptions(request_id=name)


def sets_request(name: str, seed: int = 1, **brief: object) -> prompter_pb2.GeneratePromptSetsRequest:
    return prompter_pb2.GeneratePromptSetsRequest(job=job(name), brief=prompter_pb2.Brief(**brief), seed=seed)


async def test_model_description_is_correct(channel: grpc.aio.Channel) -> None:
    stub = model_pb2_grpc.ModelServiceStub(channel)
    model = (await call_unary(stub.GetModel, model_pb2.GetModelRequest())).model
    assert (model.family, list(model.contracts)) == ("grammar", ["lumenmill.prompter.v1.PrompterService"])
    assert light_pb2.LIGHT_KIND_BACKGROUND not in model.light_kinds
    assert model.licences[0].allows_commercial_use


async def test_prompt_sets(stub: prompter_pb2_grpc.PrompterServiceStub) -> None:
    request = sets_request(
        "sets", num_img_sets=6, num_relight_variants=3, num_video_variants=2, num_videos=2, environment_maps=[ALLEY]
    )
    result = await call_heavy(stub.GeneratePromptSets, request)
    assert len(result.prompt_sets) == 6 and len(result.video_prompts) == 2
    assert all(len(entry.relight_prompts) == 3 and len(entry.motion_prompts) == 2 for entry in result.prompt_sets)
    for entry in result.prompt_sets:
        for relight in entry.relight_prompts:
            # Many descriptions begin with their scene and have it in capitals.
            assert entry.scene.description[1:] in relight.description and relight.light.text in relight.description
            assert relight.description == entry.image_prompt.replace(entry.light.text, relight.light.text)
    assert len({entry.id for entry in [*result.prompt_sets, *result.video_prompts]}) == 8
    assert not result.HasField("usage") and result.record.family == "grammar" and result.record.seed == 1


async def test_a_brief_can_be_written_in_parts(stub: prompter_pb2_grpc.PrompterServiceStub) -> None:
    whole = await call_heavy(stub.GeneratePromptSets, sets_request("whole", num_img_sets=8))
    tail = await call_heavy(stub.GeneratePromptSets, sets_request("tail", num_img_sets=3, first_set_index=5))
    assert list(whole.prompt_sets[5:]) == list(tail.prompt_sets)


async def test_the_same_id_gives_the_same_result(stub: prompter_pb2_grpc.PrompterServiceStub) -> None:
    request = sets_request("again", num_img_sets=2)
    first, second = [await call_heavy(stub.GeneratePromptSets, request) for _ in range(2)]
    assert first == second
    with pytest.raises(errors.InvalidArgumentError) as refused:
        await call_heavy(stub.GeneratePromptSets, sets_request("again", num_img_sets=3))
    assert refused.value.field == "job.request_id"


async def test_a_caller_that_leaves_stops_the_work(stub: prompter_pb2_grpc.PrompterServiceStub) -> None:
    call = stub.GeneratePromptSets(sets_request("long", num_img_sets=5000))
    async for event in call:
        if event.WhichOneof("event") == "progress":
            break
    call.cancel()
    async with asyncio.timeout(10):
        again = await call_heavy(stub.RewritePrompts, prompter_pb2.RewritePromptsRequest(job=job("r"), prompts=["a"]))
    assert list(again.prompts) == ["A."]


async def test_edit_prompts_differ_and_one_moves_the_camera(stub: prompter_pb2_grpc.PrompterServiceStub) -> None:
    request = prompter_pb2.WriteEditPromptsRequest(
        job=job("edit"),
        description="A copper kettle on an oak table in a kitchen. Soft light comes from the left.",
        num_variants=4,
        seed=3,
    )
    result = await call_heavy(stub.WriteEditPrompts, request)
    prompts = result.relight_prompts
    assert len({prompt.light.text for prompt in prompts}) == 4
    assert [prompt.HasField("camera") for prompt in prompts] == [False, False, False, True]
    assert any("kettle" in prompt.text for prompt in prompts)
    assert [prompt.description for prompt in prompts] == [
        f"A copper kettle on an oak table in a kitchen, lit by {prompt.light.text}." for prompt in prompts
    ]


async def test_motion_prompts_start_from_the_given_light(stub: prompter_pb2_grpc.PrompterServiceStub) -> None:
    source = light_pb2.LightSource(area=light_pb2.AreaLight(azimuth_deg=-60, elevation_deg=30, irradiance=3.0))
    light = light_pb2.Light(text="a softbox from the left", sources=[source])
    request = prompter_pb2.WriteMotionPromptsRequest(
        job=job("motion"), description="A marble bust before a grey backdrop", num_variants=4, light=light
    )
    result = await call_heavy(stub.WriteMotionPrompts, request)
    paths = [motion.light_path for motion in result.motion_prompts if motion.HasField("light_path")]
    assert len(paths) == 2
    assert all(path.keyframes[0].light.sources[0] == source for path in paths)
    assert all(path.keyframes[0].light.text == "a softbox from the left" for path in paths)


async def test_rewriting_drops_openers_and_invents_nothing(stub: prompter_pb2_grpc.PrompterServiceStub) -> None:
    prompts = [
        "The image shows a red chair,  masterpiece, 8k.  In this photo, we can see a window",
        "  This picture depicts what appears to be a lamp ",
        "A plain sentence about soft light from the left.",
    ]
    request = prompter_pb2.RewritePromptsRequest(job=job("rewrite"), prompts=prompts)
    result = await call_heavy(stub.RewritePrompts, request)
    assert list(result.prompts) == ["A red chair. A window.", "A lamp.", prompts[2]]


@pytest.mark.parametrize(
    ("brief", "field"),
    [
        ({"background_text": "You are a poet."}, "brief.background_text"),
        ({"theme": "submarines", "num_img_sets": 1}, "brief.theme"),
        ({"light_kinds": [light_pb2.LIGHT_KIND_BACKGROUND], "num_img_sets": 1}, "brief.light_kinds[0]"),
        ({"light_kinds": [light_pb2.LIGHT_KIND_ENVIRONMENT_MAP], "num_img_sets": 1}, "brief.light_kinds"),
        ({"num_relight_variants": 99}, "brief.num_relight_variants"),
        ({"num_img_sets": 100_000, "num_relight_variants": 32}, "brief.num_img_sets"),
    ],
)
async def test_a_wrong_brief_is_refused_by_field(
    stub: prompter_pb2_grpc.PrompterServiceStub, brief: dict[str, object], field: str
) -> None:
    with pytest.raises(errors.InvalidArgumentError) as refused:
        await call_heavy(stub.GeneratePromptSets, sets_request("bad", **brief), retry=RetryPolicy({}))
    assert refused.value.field == field


async def test_an_instruction_is_for_llm_families(stub: prompter_pb2_grpc.PrompterServiceStub) -> None:
    request = prompter_pb2.RewritePromptsRequest(job=job("poem"), prompts=["a"], instruction="Make it rhyme.")
    with pytest.raises(errors.InvalidArgumentError, match="openai"):
        await call_heavy(stub.RewritePrompts, request, retry=RetryPolicy({}))
