"""IC-Light as its publishers run it: the subject cut out, their prompts in chunks, and where denoising starts."""

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import torch
from PIL import Image

from lumenmill.common.v1.artifact_pb2 import Artifact, Licence
from lumenmill.common.v1.light_pb2 import Light
from lumenmill_neural.throughput import Throughput
from lumenmill_relighter.matting import estimated_matte

from .conftest import STEPS, Relighter, disc, photo
from .direct import depth_of, ic_light_fc_even
from .tiny import save_flat_depth_estimator

MODELS = ["IC-Light-fbc", "IC-Light-fc"]
LEMON = [{"description": "a lemon"}]
EVEN = Light(attributes={"hardness": 0.1})
LONG = "a lemon on slate beside a jug of water, a folded cloth, two walnuts and a brass candlestick"


def put_transparent(relighter: Relighter, picture: Image.Image, opacity: Image.Image) -> Artifact:
    rgba = picture.copy()
    rgba.putalpha(opacity)
    buffer = io.BytesIO()
    rgba.save(buffer, "PNG")
    return relighter.store.put_bytes(buffer.getvalue(), "image/png")


@pytest.mark.parametrize("prompt", ["a lemon", LONG])
async def test_light_without_a_side_starts_from_noise_and_long_prompts_are_read_to_their_end(
    prompt: str, serving: Any, checkpoints: Callable[[str], Path]
) -> None:
    async with serving("IC-Light-fc") as relighter:
        variants = [{"description": prompt, "light": EVEN}]
        (made,) = await relighter.relit("one", seed=5, variants=variants, matte=relighter.put(disc()))
        given = {
            "prompt": made.record.parameters["prompt"],
            "num_inference_steps": STEPS,
            "generator": torch.Generator("cpu").manual_seed(5),
            "matte": disc(),
        }
        assert given["prompt"].startswith(prompt)
        plain = np.asarray(ic_light_fc_even(checkpoints("IC-Light-fc"), photo(), given))
        assert np.abs(relighter.pixels(made.image).astype(int) - plain).max() <= 1


@pytest.mark.parametrize("model", MODELS)
async def test_the_end_of_a_long_prompt_counts_whatever_else_is_in_the_request(model: str, serving: Any) -> None:
    async with serving(model) as relighter:
        variants = [{"description": words} for words in (f"{LONG} at noon", f"{LONG} at dusk", "a lemon")]
        made = await relighter.relit("all", variants=variants, matte=relighter.put(disc()))
        assert len({variant.image.sha256 for variant in made}) == 3
        for index, variant in enumerate(variants):
            (alone,) = await relighter.relit(f"alone-{index}", variants=[variant], matte=relighter.put(disc()))
            assert alone.image.sha256 == made[index].image.sha256


@pytest.mark.parametrize("model", MODELS)
async def test_what_is_behind_the_subject_does_not_matter(model: str, serving: Any) -> None:
    async with serving(model) as relighter:
        matte = relighter.put(disc())
        matte.licence.CopyFrom(Licence(subject="disc.png", spdx_id="CC-BY-4.0"))
        other = Image.composite(photo(), photo(1), disc())
        (first,) = await relighter.relit("a", variants=LEMON, matte=matte)
        (second,) = await relighter.relit("b", variants=LEMON, image=relighter.put(other), matte=matte)
        (whole,) = await relighter.relit("c", variants=LEMON, matte=relighter.put(Image.new("L", (64, 48), 255)))
        assert first.image.sha256 == second.image.sha256 != whole.image.sha256
        assert first.record.parameters["matte"] == "request" and matte.licence in first.record.licences


@pytest.mark.parametrize("model", MODELS)
async def test_a_transparent_picture_is_cut_out_already(model: str, serving: Any) -> None:
    async with serving(model) as relighter:
        (given,) = await relighter.relit("a", variants=LEMON, matte=relighter.put(disc()))
        image = put_transparent(relighter, photo(), disc())
        (transparent,) = await relighter.relit("b", variants=LEMON, image=image)
        assert transparent.image.sha256 == given.image.sha256
        assert transparent.record.parameters["matte"] == "transparency"


@pytest.mark.parametrize("model", MODELS)
async def test_without_a_matte_the_subject_is_estimated(
    model: str, serving: Any, checkpoints: Callable[[str], Path]
) -> None:
    async with serving(model) as relighter:
        (estimated,) = await relighter.relit("a", variants=LEMON)
        matte = estimated_matte(photo(), depth_of(checkpoints(model), photo()))
        assert matte is not None and 0.05 < np.asarray(matte).mean() / 255 < 0.95
        (given,) = await relighter.relit("b", variants=LEMON, matte=relighter.put(matte))
        assert estimated.image.sha256 == given.image.sha256
        assert estimated.record.parameters["matte"] == "grabcut"
        stages = [{stage.stage for stage in made.record.stage_times} for made in (estimated, given)]
        assert "matte" in stages[0] and "matte" not in stages[1]
        described = await relighter.model()
        assert "IC-Light" in described.name and any("depth_estimator" in each.subject for each in described.licences)


async def test_a_picture_without_a_subject_is_refused_and_no_other_of_its_batch(
    serving: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    num_units: list[float] = []
    monkeypatch.setattr(Throughput, "add", lambda self, kind, units, duration_s: num_units.append(units))
    save_flat_depth_estimator(tmp_path / "flat")
    async with serving("IC-Light-fbc", part_checkpoints={"depth_estimator": str(tmp_path / "flat")}) as relighter:
        matte = relighter.put(disc())
        busy, refused, made = await asyncio.gather(
            relighter.relit("busy", variants=LEMON, matte=matte, seed=1),
            relighter.relit("refused", variants=LEMON),
            relighter.relit("made", variants=LEMON, matte=matte),
            return_exceptions=True,
        )
        assert isinstance(refused, grpc.aio.AioRpcError)
        assert refused.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert refused.details().startswith("matte: is missing, and nothing stands out")
        assert len(busy) == len(made) == 1
        # Neither the estimate of mattes nor what was refused counts as work of the model.
        measured = [units for units in num_units if units]
        assert len(measured) == 2 and measured[0] == measured[1]


@pytest.mark.parametrize("model", MODELS)
async def test_a_matte_that_is_none_is_refused(model: str, serving: Any) -> None:
    async with serving(model) as relighter:
        mattes = {
            "is 48×64; must be 64×48": relighter.put(disc((48, 64))),
            "has colours": relighter.put(photo()),
            "is black": relighter.put(Image.new("L", (64, 48))),
            "is not an image format known here": relighter.store.put_bytes(b"\x89PNG not really", "image/png"),
        }
        for index, (problem, matte) in enumerate(mattes.items()):
            with pytest.raises(grpc.aio.AioRpcError, match=f"matte: {problem}") as refused:
                await relighter.relit(f"bad-{index}", variants=LEMON, matte=matte)
            assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("model", MODELS)
async def test_a_picture_is_cropped_to_the_requested_shape(model: str, serving: Any) -> None:
    async with serving(model) as relighter:
        size = {"width_px": 48, "height_px": 48}
        (wide,) = await relighter.relit("a", variants=LEMON, matte=relighter.put(disc()), **size)
        middle = [relighter.put(each.crop((8, 0, 56, 48))) for each in (photo(), disc())]
        (square,) = await relighter.relit("b", variants=LEMON, image=middle[0], matte=middle[1], **size)
        assert wide.image.sha256 == square.image.sha256


async def test_even_light_has_the_dark_background_of_no_light(serving: Any) -> None:
    async with serving("IC-Light-fbc") as relighter:
        matte = relighter.put(disc())
        words = {"description": "a lemon, soft light"}
        even = {"text": "soft light", "attributes": {"hardness": 0.1}}
        (lit, unlit) = await relighter.relit("a", variants=[words | {"light": even}, words], matte=matte)
        assert lit.image.sha256 == unlit.image.sha256
