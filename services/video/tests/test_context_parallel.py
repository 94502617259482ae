"""Context parallelism: several processes on the CPU, instead of GPUs, compute exactly the same clip together."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from safetensors.torch import load_file, save_file

from lumenmill.video.v1 import video_pb2
from lumenmill_common.artifacts import open_store_from
from lumenmill_common.calls import connect
from lumenmill_common.errors import FailedPreconditionError
from lumenmill_common.testing import ServiceProcess, eventually, start_process
from lumenmill_neural.catalogue import read_catalogue
from lumenmill_video.__main__ import video_service
from lumenmill_video.settings import VideoSettings

from . import short_of_memory
from .conftest import Video
from .tiny import save_wan_lora

_WORDS = {"prompt": "A lemon on slate", "seed": 3}
_SIZE = {"width_px": 64, "height_px": 48, "num_frames": 9}


@contextlib.asynccontextmanager
async def _context_parallel(
    folder: Path,
    model: str,
    checkpoint: Path,
    num_processes: int = 2,
    **environment: str,
) -> AsyncIterator[tuple[Video, "subprocess.Popen[bytes]"]]:
    """Start a service, whose process is rank 0, and the other ranks. They are connected when it is ready."""
    given = {"model": model, "checkpoint": checkpoint, "device": "cpu", "gpus": num_processes, "metrics_address": ""}
    service = start_process(["-m", "lumenmill_video"], folder, environment=environment, drain_s=60, **given)
    try:
        settings = VideoSettings(model=model, store_url=f"file://{folder}/store")
        async with connect((await service.addresses())["grpc"], settings) as channel:
            video = Video(channel, open_store_from(settings), settings)
            await _ready(video, service)
            yield video, service.process
    finally:
        service.kill()


async def _ready(video: Video, service: ServiceProcess) -> None:
    async def has_model_or_has_ended() -> bool:
        with contextlib.suppress(grpc.aio.AioRpcError):
            await video.model()
            return True
        return service.process.poll() is not None

    await eventually(has_model_or_has_ended, timeout_s=120)
    if service.process.poll() is not None:
        raise RuntimeError(service.log)


def _other_ranks(process: "subprocess.Popen[bytes]") -> list[int]:
    """Return the processes of other ranks; a service has a process that decodes files beside them."""
    children = Path(f"/proc/{process.pid}/task").glob("*/children")
    pids = [int(pid) for file in children for pid in file.read_text().split()]
    return [pid for pid in pids if b"context_parallel" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def _lives(pid: int) -> bool:
    return Path(f"/proc/{pid}/cmdline").exists() and bool(Path(f"/proc/{pid}/cmdline").read_bytes())


async def _ended(process: "subprocess.Popen[bytes]", other_ranks: list[int]) -> int:
    """Return the exit status of the service, after the other ranks have ended too."""
    status = await asyncio.to_thread(process.wait, 30)
    await eventually(lambda: not any(map(_lives, other_ranks)))
    return status


@pytest.mark.parametrize("model", ["Wan2.1-T2V-14B", "Wan2.1-I2V-14B-480P"])
async def test_a_clip_is_bit_identical(
    serving: Any, checkpoints: Callable[[str], Path], tmp_path: Path, model: str
) -> None:
    sizes = [_SIZE, {"width_px": 96, "height_px": 64, "num_frames": 5}]

    async def clips(video: Video, name: str) -> list[Any]:
        media = {"image": video.put_picture((64, 48))} if "I2V" in model else {}
        asked = (_WORDS | media | size for size in sizes)
        return [await video.clip(f"{name}-{index}", **fields) for index, fields in enumerate(asked)]

    async with serving(model) as video:
        alone = await clips(video, "alone")
    async with _context_parallel(tmp_path, model, checkpoints(model)) as (video, process):
        assert len(other_ranks := _other_ranks(process)) == 1
        together = await clips(video, "together")
        process.terminate()
        assert await _ended(process, other_ranks) == 0
    assert [made.video.sha256 for made in together] == [made.video.sha256 for made in alone]
    record = together[0].record
    assert record.parameters["gpus"] == 2
    assert "+gpus2+" in record.revision and "gpus" not in alone[0].record.revision


async def _long_clip(video: Video) -> Any:
    """Return a call that has begun denoising, with hundreds of steps to come."""
    request = video_pb2.GenerateVideoRequest(job={"request_id": "long"}, **_WORDS, **_SIZE, sampling={"num_steps": 500})
    call = video.stub.GenerateVideo(request)
    async for event in call:
        if event.progress.stage == "denoise" and event.progress.step >= 2:
            return call
    raise AssertionError("the call ended before denoising began")


async def test_a_cancelled_clip_stops_at_its_next_step(checkpoints: Callable[[str], Path], tmp_path: Path) -> None:
    model = "Wan2.1-T2V-14B"
    async with _context_parallel(tmp_path, model, checkpoints(model), LUMENMILL_GRACE_PERIOD_S="0") as (video, _):
        started_s = time.monotonic()
        await video.clip("short", **_WORDS, **_SIZE)
        short_s = time.monotonic() - started_s
        (await _long_clip(video)).cancel()
        async with asyncio.timeout(5 + 10 * short_s):  # the clip would take 250 times as long
            assert (await video.clip("next", **_WORDS, **_SIZE)).HasField("video")


async def test_adapters_reach_every_rank(serving: Any, checkpoints: Callable[[str], Path], tmp_path: Path) -> None:
    """Adapters of requests, by digest, and the operator's own for four steps."""
    model = "Wan2.1-T2V-14B"
    lora = save_wan_lora(checkpoints(model), tmp_path / "lora")
    file = lora / "distilled.safetensors"

    async def clips(video: Video) -> list[str]:
        weights = video.store.put_file(file, "application/octet-stream")
        adapted = {"adapters": [{"weights": weights, "scale": 2.0}]}
        asked = ({}, adapted, {"preset": "four_step", "sampling": {}}, {})
        made = [await video.clip(f"{index}", **_WORDS, **_SIZE, **more) for index, more in enumerate(asked)]
        return [one.video.sha256 for one in made]

    async with serving(model, distilled_lora=str(lora)) as video:
        alone = await clips(video)
    assert len(set(alone)) == 3 and alone[0] == alone[3]
    given = {"LUMENMILL_DISTILLED_LORA": str(lora)}
    async with _context_parallel(tmp_path, model, checkpoints(model), **given) as (video, _):
        assert await clips(video) == alone
        last = {name.replace("blocks.0.attn1.to_q", "proj_out"): value for name, value in load_file(file).items()}
        save_file(last, tmp_path / "last.safetensors")
        weights = video.store.put_file(tmp_path / "last.safetensors", "application/octet-stream")
        code, text = await video.refusal("last", **_WORDS, **_SIZE, adapters=[{"weights": weights}])
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert text.startswith("adapters[0].weights: changes the denoiser's last layer")


@pytest.mark.parametrize("is_executing", [True, False])
async def test_a_lost_rank_ends_the_service_at_once(
    checkpoints: Callable[[str], Path], tmp_path: Path, is_executing: bool
) -> None:
    model = "Wan2.1-T2V-14B"
    async with _context_parallel(tmp_path, model, checkpoints(model)) as (video, process):
        call = await _long_clip(video) if is_executing else None
        (other_rank,) = _other_ranks(process)
        os.kill(other_rank, signal.SIGKILL)
        async with asyncio.timeout(15):  # calls may take a minute to end
            assert await _ended(process, [other_rank]) == 1
        if call is not None:
            with pytest.raises(grpc.aio.AioRpcError) as broken:
                async for _ in call:
                    pass
            assert broken.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("program", ["lumenmill_video", "lumenmill_neural.context_parallel.other_rank"])
async def test_out_of_memory_on_a_rank_is_reported_and_the_service_drains_and_ends(
    checkpoints: Callable[[str], Path], tmp_path: Path, program: str
) -> None:
    """The other ranks wait inside the collective call, which cannot be cancelled."""
    model = "Wan2.1-T2V-14B"
    little = short_of_memory.in_processes_of(program, tmp_path)
    async with _context_parallel(tmp_path, model, checkpoints(model), **little) as (video, process):
        other_ranks = _other_ranks(process)
        assert (await video.clip("small", **_WORDS, **_SIZE)).HasField("video")
        code, text = await video.refusal("wide", **_WORDS, width_px=256, height_px=256, num_frames=9)
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "of each of 2 GPUs; ask for half as many pixels or frames" in text
        assert await _ended(process, other_ranks) == 0


async def test_a_rank_that_cannot_load_is_reported(checkpoints: Callable[[str], Path], tmp_path: Path) -> None:
    model = "Wan2.1-T2V-14B"
    failing = 'import sys\nif "lumenmill_neural.context_parallel.other_rank" in sys.orig_argv:\n    sys.exit(3)\n'
    (tmp_path / "sitecustomize.py").write_text(failing)
    with pytest.raises(RuntimeError, match="LUMENMILL_GPUS: the process of GPU 1 ended while it loaded the model"):
        async with _context_parallel(
            tmp_path, model, checkpoints(model), PYTHONPATH=short_of_memory.python_path(tmp_path)
        ):
            pass


def test_unsupported_models_and_settings_are_refused(tmp_path: Path, checkpoints: Callable[[str], Path]) -> None:
    common: dict[str, Any] = {"gpus": 2, "device": "cpu", "store_url": f"file://{tmp_path}"}

    def refused(setting: str, words: str, **settings: Any) -> None:
        with pytest.raises(FailedPreconditionError, match=words) as error:
            video_service(VideoSettings(**common | settings))
        assert error.value.field == setting

    refused("LUMENMILL_GPUS", "works on one GPU; serve a pod for each", model="Wan2.1-VACE-14B")
    refused("LUMENMILL_GPUS", "works on one GPU; serve a pod for each", model="SVD-XT")
    refused("LUMENMILL_COMPILE", "cannot be compiled", model="Wan2.1-T2V-14B", compile=True)
    own = tmp_path / "own.yaml"
    preset = {"balanced": {"description": "Cached.", "step_cache": {"kind": "first_block", "options": {}}}}
    entry = read_catalogue("lumenmill_video")["Wan2.1-T2V-14B"].model_dump(mode="json") | {"presets": preset}
    own.write_text(json.dumps({"mine": entry}))
    refused("LUMENMILL_GPUS", "needs a preset without a step cache", model="mine", presets_file=own)
    refused("LUMENMILL_PROFILE", "each GPU would decide by its own part", model="Wan2.1-T2V-14B", profile="fast")


async def test_heads_that_do_not_divide_evenly_are_refused(checkpoints: Callable[[str], Path], tmp_path: Path) -> None:
    model = "Wan2.1-T2V-14B"
    with pytest.raises(RuntimeError, match="LUMENMILL_GPUS: has 2 attention heads, which 3 GPUs cannot share evenly"):
        async with _context_parallel(tmp_path, model, checkpoints(model), num_processes=3):
            pass
