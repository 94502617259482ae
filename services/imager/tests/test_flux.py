"""FLUX.1 over real gRPC."""

import asyncio
import io
from typing import Any

import grpc
import numpy as np
import pytest
import torch
from diffusers import FluxPipeline
from PIL import Image


def _pixels(imager: Any, image: Any) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(imager.store.read_bytes(image.image))))


async def test_pictures_are_those_of_diffusers(serving: Any) -> None:
    async with serving("FLUX.1-dev") as imager:
        (made,) = await imager.images("one", prompt="a lemon on slate", seed=5)
        pipe = FluxPipeline.from_pretrained(imager.settings.checkpoint, dtype=torch.float32)
        plain = pipe(
            "a lemon on slate",
            width=64,
            height=64,
            num_inference_steps=2,
            guidance_scale=3.5,
            generator=torch.Generator("cpu").manual_seed(5),
        ).images[0]
        assert np.array_equal(_pixels(imager, made), np.asarray(plain))
        record = made.record
        assert (record.model, record.preset, record.seed) == ("FLUX.1-dev", "balanced", 5)
        assert record.parameters["num_inference_steps"] == 2
        assert [stage.stage for stage in record.stage_times] == ["text_encode", "denoise", "decode", "encode"]
        assert not record.licences[0].allows_commercial_use


async def test_a_picture_does_not_depend_on_what_it_is_batched_with(serving: Any) -> None:
    async with serving("FLUX.1-dev") as imager:
        alone = await imager.images("alone", prompt="a lemon", seed=7)
        together = await asyncio.gather(
            imager.images("a", prompt="a lemon", seed=7),
            imager.images("b", prompt="a brass bowl in a dark room", seed=8, num_images=2),
        )
        assert together[0][0].image.sha256 == alone[0].image.sha256
        assert len({image.image.sha256 for image in together[1]}) == 2


async def test_bad_sizes_are_refused_with_what_would_be_right(serving: Any) -> None:
    async with serving("FLUX.1-dev") as imager:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await imager.images("bad", prompt="a lemon", width_px=1000)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "width_px" in refused.value.details() and "992 or 1008" in refused.value.details()


async def test_cancelling_stops_at_the_next_step(serving: Any) -> None:
    async with serving("FLUX.1-dev", grace_period_s=0.0) as imager:
        from lumenmill.imager.v1 import imager_pb2

        request = imager_pb2.GenerateImagesRequest(
            job={"request_id": "long"}, prompt="a lemon", width_px=256, height_px=256, sampling={"num_steps": 500}
        )
        call = imager.stub.GenerateImages(request)
        async for event in call:
            if event.progress.stage == "denoise" and event.progress.step > 1:
                break
        call.cancel()
        # The worker is free again long before 500 steps are over.
        async with asyncio.timeout(5):
            await imager.images("next", prompt="a lemon")


async def test_a_deadline_that_cannot_be_met_is_refused_at_once(serving: Any) -> None:
    async with serving("FLUX.1-dev") as imager:
        await imager.images("first", prompt="a lemon", width_px=128, height_px=128)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await imager.events(
                "late", deadline_s=3, prompt="a lemon", width_px=2048, height_px=2048, sampling={"num_steps": 500}
            )
        assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert "takes about" in refused.value.details()
