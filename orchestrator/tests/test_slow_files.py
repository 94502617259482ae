"""Files that take long to decode: what waits for them, and what does not."""

import asyncio
import base64
import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest

from lumenmill.orchestrator.v1 import artifact_service_pb2 as service_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.cancellation import cancelled_by
from lumenmill_common.decoding import DecodeLimits, decoding_pool
from lumenmill_common.errors import CancelledError
from lumenmill_common.testing import eventually
from lumenmill_media import encode_exr

from .conftest import LocalMesh, open_mesh
from .recipes import ONE_IMAGE

_EXR = encode_exr(np.ones((20, 40, 3), np.float32))
_NUM_TURNS = 2


@contextlib.contextmanager
def _busy_decoders() -> Iterator[None]:
    """Occupy all turns of the decoding pool of this process inside the block."""
    is_over, num_begun = threading.Event(), threading.Semaphore(0)

    def check() -> None:
        num_begun.release()
        if is_over.is_set():
            raise CancelledError("the test is over")

    def occupy() -> None:
        limits = DecodeLimits(max_s=600.0)
        with cancelled_by(check), contextlib.suppress(CancelledError):
            decoding_pool().run(time.sleep, 600.0, field="file", limits=limits)

    with ThreadPoolExecutor(_NUM_TURNS) as threads:
        for _ in range(_NUM_TURNS):
            threads.submit(occupy)
            assert num_begun.acquire(timeout=60)
        try:
            yield
        finally:
            is_over.set()


def _parts(data: bytes, media_type: str) -> Iterator[service_pb2.UploadArtifactRequest]:
    yield service_pb2.UploadArtifactRequest(header=service_pb2.UploadHeader(media_type=media_type))
    yield service_pb2.UploadArtifactRequest(chunk=data)


async def _is_full(mesh: LocalMesh) -> bool:
    try:
        await mesh.artifacts.UploadArtifact(_parts(b"x" * 64, "application/octet-stream"))
    except grpc.aio.AioRpcError as error:
        return error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    return False


async def _has_room(mesh: LocalMesh) -> bool:
    return not await _is_full(mesh)


async def test_uploads_that_wait_for_a_decoder_hold_up_nothing_else(tmp_path: Path) -> None:
    num_uploads = 40  # more than asyncio has threads
    async with open_mesh(tmp_path, max_upload_bytes=num_uploads * len(_EXR) + 16) as mesh:
        with _busy_decoders():
            waiting = [mesh.artifacts.UploadArtifact(_parts(_EXR, "image/x-exr")) for _ in range(num_uploads)]
            await eventually(lambda: _is_full(mesh))
            await asyncio.wait_for(mesh.artifacts.ListArtifacts(service_pb2.ListArtifactsRequest()), 10)
            assert not any(call.done() for call in waiting)
            for call in waiting:
                call.cancel()
            # The decoders are still busy: a cancelled upload waits for none.
            await eventually(lambda: _has_room(mesh))


async def test_the_deadline_of_a_submission_ends_the_decoding_of_its_files(mesh: LocalMesh) -> None:
    recipe = ONE_IMAGE.replace('type: "list[string]", default: [one]', 'type: "list[artifact]"').replace(" ${item}", "")
    request = run_pb2.SubmitRunRequest(recipe=recipe)
    inline = {"inline_data": base64.b64encode(_EXR).decode(), "media_type": "image/x-exr"}
    request.parameters.update({"tags": [inline]})
    with _busy_decoders():
        calls = [mesh.runs.SubmitRun(request, timeout=1.0) for _ in range(4)]
        for call in calls:
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                await call
            assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        # Only a submission whose work has ended leaves its thread to the next recipe.
        plan = await mesh.runs.PlanRecipe(run_pb2.PlanRecipeRequest(recipe=ONE_IMAGE), timeout=10)
    assert plan.steps
