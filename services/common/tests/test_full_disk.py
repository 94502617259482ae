"""A full disk is reported to callers, also when the log is on the same disk."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from lumenmill.imager.v1 import imager_pb2_grpc
from lumenmill_common import errors
from lumenmill_common.calls import attempt_heavy
from lumenmill_common.service import Service
from lumenmill_common.settings import ServiceSettings
from lumenmill_common.telemetry import configure_logging
from lumenmill_common.testing import running_service

from .tiny_service import TinyFamily, request_for

_FULL = Path("/dev/full")  # writing to it fails as on a full disk
pytestmark = pytest.mark.skipif(not _FULL.exists(), reason="this system has no /dev/full")


@pytest.fixture
def full_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Log to a full disk."""
    with contextlib.suppress(OSError), _FULL.open("w") as log:  # closing it fails too
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stderr", log)
            configure_logging(ServiceSettings(), "tiny")
        yield
        structlog.reset_defaults()


async def _refusal(service: Service, prompt: str) -> errors.LumenmillError:
    async with running_service(service) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        with pytest.raises(errors.LumenmillError) as refused:
            await attempt_heavy(stub.GenerateImages, request_for(prompt), on_event=lambda _: None)
    return refused.value


@pytest.mark.usefixtures("full_log")
async def test_the_answer_of_a_call_is_its_own_error_rather_than_that_of_its_log(service: Service) -> None:
    refused = await _refusal(service, "down")
    assert isinstance(refused, errors.UnavailableError) and refused.message == "the backend is down"


@pytest.mark.usefixtures("full_log")
async def test_any_file_without_space_is_reported_as_a_full_disk(service: Service, family: TinyFamily) -> None:
    family.generate = lambda request, _job: _FULL.write_text(request.prompt)  # type: ignore[assignment,return-value]
    refused = await _refusal(service, "x")
    assert isinstance(refused, errors.ResourceExhaustedError) and refused.retry_delay_s > 0
    assert refused.message == "no space left for temporary files of the service (No space left on device)"
