"""Killed callers, damaged checkpoints, exhausted memory."""

import asyncio
import contextlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import REGISTRY

from lumenmill.imager.v1 import imager_pb2, imager_pb2_grpc
from lumenmill_common.calls import connect
from lumenmill_common.settings import ServiceSettings
from lumenmill_common.testing import eventually, free_port
from lumenmill_neural.testing import tiny_flux

from . import process

_CLIENT = Path(__file__).with_name("progress_client.py")


def _num_done(queue: str) -> float:
    labels = {"queue": queue, "request": "GenerateImagesRequest", "outcome": "ok"}
    return REGISTRY.get_sample_value("lumenmill_job_duration_seconds_count", labels) or 0.0


async def test_a_job_survives_its_killed_caller_and_is_executed_once(serving: Any) -> None:
    async with serving("FLUX.1-dev") as imager:
        num_done = _num_done("FLUX.1-dev")
        request = imager_pb2.GenerateImagesRequest(
            job={"request_id": "durable"}, prompt="a lemon", width_px=64, height_px=64, sampling={"num_steps": 300}
        )
        command = [sys.executable, _CLIENT, imager.address, request.SerializeToString().hex()]
        client = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        last_step = 0
        while last_step < 5:
            stage, step = (await client.stdout.readline()).split()
            last_step = int(step) if stage == b"denoise" else 0
        client.kill()
        await client.wait()
        steps, events = [], []
        async for event in imager.stub.GenerateImages(request):
            steps += [event.progress.step] if event.progress.stage == "denoise" and event.progress.step else []
            events.append(event)
        assert steps[0] >= last_step and steps == sorted(steps)
        again = [event async for event in imager.stub.GenerateImages(request)]
        assert len(again) == 1 and again[0].result == events[-1].result
        assert _num_done("FLUX.1-dev") == num_done + 1


async def test_a_service_with_a_damaged_checkpoint_exits_and_names_the_file(
    checkpoints: Callable[[str], Path], tmp_path: Path
) -> None:
    damaged = Path(shutil.copytree(checkpoints("SDXL"), tmp_path / "damaged"))
    weights = damaged / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    address, seen = f"127.0.0.1:{free_port()}", set()
    service = process.start(tmp_path, "SDXL", damaged, address)
    try:
        async with connect(address, ServiceSettings()) as channel:
            stub = health_pb2_grpc.HealthStub(channel)

            async def has_exited() -> bool:
                with contextlib.suppress(grpc.aio.AioRpcError):
                    seen.add((await stub.Check(health_pb2.HealthCheckRequest(), timeout=0.2)).status)
                return service.process.poll() is not None

            await eventually(has_exited, timeout_s=90)
    finally:
        service.kill()
    assert service.process.returncode == 1
    assert health_pb2.HealthCheckResponse.SERVING not in seen
    assert f"{weights} is damaged" in service.log and "Traceback" not in service.log


async def test_a_service_survives_exhausted_memory(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    tiny_flux(vae_width=48).save_pretrained(checkpoint)
    async with process.running(tmp_path, "FLUX.1-dev", checkpoint) as imager:
        stub = imager_pb2_grpc.ImagerServiceStub(imager.channel)

        async def made(request_id: str, side_px: int) -> imager_pb2.GeneratedImage:
            request = imager_pb2.GenerateImagesRequest(
                job={"request_id": request_id},
                prompt="a lemon",
                width_px=side_px,
                height_px=side_px,
                sampling={"num_steps": 1},
            )
            events = [event async for event in stub.GenerateImages(request)]
            return events[-1].result.images[0]

        await made("first", 64)  # now every thread has its stack
        imager.limit_memory(56 << 20)
        tiled = await made("in-tiles", 320)
        assert tiled.record.parameters["vae_tiling"] is True
        imager.limit_memory(30 << 20)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await made("too-large", 2048)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "one image of 2048×2048 pixels does not fit" in refused.value.details()
        small = await made("small", 64)
        assert small.record.parameters["vae_tiling"] is False
        imager.limit_memory(0)
        assert (await made("whole", 320)).record.parameters["vae_tiling"] is False
