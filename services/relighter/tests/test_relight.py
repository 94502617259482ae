"""Relighting with every model, over real gRPC."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import torch
from PIL import Image

from lumenmill.common.v1.artifact_pb2 import Licence
from lumenmill.common.v1.light_pb2 import Light, LightKind
from lumenmill.common.v1.model_pb2 import TextInput
from lumenmill_media import encode_exr

from .conftest import STEPS, disc, photo
from .direct import DIRECT

MODELS = sorted(DIRECT)
IC_LIGHT = ["IC-Light-fbc", "IC-Light-fc"]
FROM_LEFT = Light(attributes={"azimuth_deg": -90, "elevation_deg": 0, "hardness": 0.9})
WORDS = "hard light low from the left"
# Each model follows the text of its kind and ignores the other.
LEMON = {"description": "a lemon", "edit_prompt": "make it a lemon"}
DESCRIBED = ("FLUX.1-Depth-dev", "FLUX.1-Depth-dev-lora", "IC-Light-fbc", "IC-Light-fc")
PROMPTS = {
    **dict.fromkeys(("FLUX.1-Depth-dev", "FLUX.1-Depth-dev-lora"), f"a lemon on slate, {WORDS}"),
    **dict.fromkeys(("IC-Light-fc", "IC-Light-fbc"), f"a lemon on slate, {WORDS}, best quality"),
}
INSTRUCTION = f"put the lemon on slate. The light: {WORDS}."


@pytest.mark.parametrize("model", MODELS)
async def test_pictures_equal_those_of_diffusers(
    model: str, serving: Any, checkpoints: Callable[[str], Path], depth_lora: Path
) -> None:
    async with serving(model) as relighter:
        texts = {"description": "a lemon on slate", "edit_prompt": "put the lemon on slate"}
        (made,) = await relighter.relit(
            "one",
            seed=5,
            variants=[texts | {"light": FROM_LEFT}],
            **({"matte": relighter.put(disc())} if model in IC_LIGHT else {}),
        )
        prompt = PROMPTS.get(model, INSTRUCTION)
        given = {
            "prompt": prompt,
            "num_inference_steps": STEPS,
            "generator": torch.Generator("cpu").manual_seed(5),
            **({"lora": str(depth_lora)} if model.endswith("-lora") else {}),
            **({"matte": disc()} if model in IC_LIGHT else {}),
        }
        plain = DIRECT[model](checkpoints(model), photo(), given)
        difference = np.abs(relighter.pixels(made.image).astype(int) - np.asarray(plain))
        assert difference.max() <= 1 and (difference > 0).mean() < 0.001  # sums in another order round differently
        record = made.record
        assert (record.model, record.preset, record.seed) == (model, "balanced", 5)
        assert record.parameters["prompt"] == prompt and record.parameters["num_inference_steps"] == STEPS
        assert record.light == FROM_LEFT and not made.HasField("light")
        assert {"denoise", "decode", "encode"} <= {stage.stage for stage in record.stage_times}
        described = await relighter.model()
        assert list(record.licences) == list(described.licences) and described.revision == record.revision
        assert LightKind.LIGHT_KIND_TEXT in described.light_kinds and not described.intrinsic_kinds
        kind = TextInput.TEXT_INPUT_DESCRIPTION if model in DESCRIBED else TextInput.TEXT_INPUT_INSTRUCTION
        assert described.text_input == kind


@pytest.mark.parametrize("model", MODELS)
async def test_a_variant_does_not_depend_on_its_batch(model: str, serving: Any) -> None:
    async with serving(model) as relighter:
        lemon = LEMON | {"light": {"text": "warm sun from the left"}}
        (alone,) = await relighter.relit("alone", variants=[lemon], seed=7)
        other, together = await asyncio.gather(
            relighter.relit("a", variants=[LEMON], image=relighter.put(photo(3)), seed=8),
            relighter.relit("b", variants=[{"description": "night", "edit_prompt": "make it night"}, lemon], seed=7),
        )
        assert together[1].image.sha256 == alone.image.sha256
        assert len({variant.image.sha256 for variant in (*other, *together)}) == 3
        assert [variant.record.seed for variant in together] == [7, 7]


REFUSED = [
    ({"variants": [LEMON, {"camera": {"viewpoint": {"azimuth_deg": 20}}}]}, "variants[1].camera"),
    ({"width_px": 1001, "height_px": 512}, "width_px"),
    ({"height_px": 9992}, "height_px"),
    ({"preset": "best"}, "preset"),
    ({"variants": [LEMON | {"light": {"name": "key"}}]}, "variants[0].light"),
    ({"display": {"white_balance": "WHITE_BALANCE_AUTO"}}, "display"),
]


@pytest.mark.parametrize("model", MODELS)
async def test_unsupported_requests_are_refused_with_the_field(model: str, serving: Any) -> None:
    async with serving(model) as relighter:
        broken = relighter.store.put_bytes(b"\x89PNG not really", "image/png")
        cases = [*REFUSED, ({"image": broken}, "image"), ({"image": None}, "image")]
        if "Depth" not in model:
            cases.append(({"depth": relighter.put(photo())}, "depth"))
        if model not in IC_LIGHT:
            cases.append(({"matte": relighter.put(disc())}, "matte"))
        if model != "IC-Light-fbc":
            cases.append(({"variants": [LEMON | {"environment": relighter.put(photo())}]}, "variants[0].environment"))
        if model in DESCRIBED:
            cases.append(({"variants": [LEMON, {"edit_prompt": "dim it"}]}, "variants[1].description"))
            turned = LEMON | {"camera": {"viewpoint": {"azimuth_deg": 20}}}
            cases.append(({"variants": [turned]}, "variants[0].camera"))
        else:
            cases.append(({"variants": [LEMON, {"description": "a dim room"}]}, "variants[1].edit_prompt"))
        for index, (fields, field) in enumerate(cases):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await relighter.relit(f"bad-{index}", **({"variants": [LEMON]} | fields))
            assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT, field
            assert refused.value.details().startswith(f"{field}:"), refused.value.details()
        with pytest.raises(grpc.aio.AioRpcError) as unimplemented:
            await relighter.maps("maps", image=relighter.put(photo()))
        assert unimplemented.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("model", ["FLUX.1-Kontext-dev", "IC-Light-fc", "instruct-pix2pix"])
async def test_a_cancelled_job_stops_at_the_next_step(model: str, serving: Any) -> None:
    async with serving(model, grace_period_s=0.0) as relighter:
        long = relighter.request("long", variants=[LEMON], sampling={"num_steps": 500})
        call = relighter.stub.Relight(long)
        async for event in call:
            if event.progress.stage == "denoise" and event.progress.step > 1:
                break
        call.cancel()
        # The worker is idle again long before 500 steps have passed.
        async with asyncio.timeout(4):
            await relighter.relit("next", variants=[LEMON])


async def test_results_have_the_size_of_the_picture_even_if_the_model_works_at_another(serving: Any) -> None:
    async with serving("instruct-pix2pix") as relighter:
        variants = [LEMON]
        (odd,) = await relighter.relit("odd", image=relighter.put(photo(size=(67, 51))), variants=variants)
        assert relighter.pixels(odd.image).shape == (51, 67, 3)
        assert (odd.record.parameters["width"], odd.record.parameters["height"]) == (64, 48)
        (asked,) = await relighter.relit("asked", width_px=32, variants=variants)
        assert relighter.pixels(asked.image).shape == (48, 32, 3)
        (wide,) = await relighter.relit("wide", image=relighter.put(photo(size=(2048, 32))), variants=variants)
        assert relighter.pixels(wide.image).shape == (16, 1024, 3)


async def test_licences_of_the_request_are_in_the_record(serving: Any) -> None:
    async with serving("instruct-pix2pix") as relighter:
        image = relighter.put(photo())
        image.licence.CopyFrom(Licence(subject="lemon.jpg", spdx_id="CC-BY-4.0"))
        (made,) = await relighter.relit("one", image=image, variants=[LEMON])
        assert image.licence in made.record.licences


async def test_depth_of_the_request_replaces_the_estimate(serving: Any) -> None:
    async with serving("FLUX.1-Depth-dev") as relighter:
        variants = [LEMON]
        (estimated,) = await relighter.relit("a", variants=variants)
        (given,) = await relighter.relit("b", variants=variants, depth=relighter.put(photo(9)))
        assert estimated.image.sha256 != given.image.sha256
        assert "depth" in {stage.stage for stage in estimated.record.stage_times}
        assert "depth" not in {stage.stage for stage in given.record.stage_times}
        with pytest.raises(grpc.aio.AioRpcError, match=r"variants\[0\]\.description: this model .*sees no colours"):
            await relighter.relit("c", variants=[{"light": FROM_LEFT}])


async def test_an_environment_is_the_background_that_lights_the_subject(serving: Any) -> None:
    async with serving("IC-Light-fbc") as relighter:
        words = {"description": "a lemon"}
        red, blue = (relighter.put(photo().convert("L").convert("RGB").point(lut)) for lut in (_only(0), _only(2)))
        made = await relighter.relit("a", variants=[words, words | {"environment": red}, words | {"environment": blue}])
        assert len({variant.image.sha256 for variant in made}) == 3
        all_around = np.zeros((16, 32, 3), np.float32)
        all_around[:, :4] = all_around[:, -4:] = (1, 0, 0)  # red behind the subject, nothing elsewhere
        panorama = relighter.store.put_bytes(encode_exr(all_around), "image/x-exr")
        (before_red,) = await relighter.relit("b", variants=[words | {"environment": panorama}])
        plain = relighter.put(Image.new("RGB", (64, 48), (194, 0, 0)))  # a mean of 18 % over the channels
        (before_plain,) = await relighter.relit("c", variants=[words | {"environment": plain}])
        assert before_red.image.sha256 == before_plain.image.sha256
        assert len((await relighter.model()).light_kinds) == 7


def _only(channel: int) -> list[int]:
    return [value if index == channel else 0 for index in range(3) for value in range(256)]
