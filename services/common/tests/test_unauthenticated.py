"""Callers without the token learn nothing, and cost next to nothing."""

import hmac
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from lumenmill_common.serve import MAX_MESSAGE_BYTES, serving
from lumenmill_common.service import Service
from lumenmill_common.settings import ServiceSettings

_GENERATE = "/lumenmill.imager.v1.ImagerService/GenerateImages"
_GET_MODEL = "/lumenmill.common.v1.ModelService/GetModel"
_TOKEN = "the-token-of-today"  # noqa: S105 - of this test alone


@pytest.fixture
async def channel(service: Service, tmp_path: Path) -> AsyncIterator[grpc.aio.Channel]:
    (tmp_path / "token").write_text(_TOKEN)
    settings = ServiceSettings(listen_address="127.0.0.1:0", token_file=tmp_path / "token", drain_s=0.0)
    options = [("grpc.max_send_message_length", -1)]
    async with (
        serving(settings, service) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as opened,
    ):
        yield opened


async def _error_of(channel: grpc.aio.Channel, path: str, body: bytes, token: str | None) -> Any:
    metadata = [] if token is None else [("authorization", f"Bearer {token}")]
    call = channel.unary_stream(path)(body, metadata=metadata, timeout=20)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        async for _ in call:
            pass
    return refused.value


def _num_refused(code: str = "UNAUTHENTICATED") -> float:
    return REGISTRY.get_sample_value("lumenmill_unauthenticated_calls_total", {"code": code}) or 0.0


@pytest.mark.parametrize("token", [None, "", "wrong"])
@pytest.mark.parametrize("path", [_GENERATE, _GET_MODEL, "/lumenmill.imager.v1.ImagerService/Guess", "/a.B/C"])
async def test_every_path_is_refused_alike(channel: grpc.aio.Channel, path: str, token: str | None) -> None:
    num_refused = _num_refused()
    with capture_logs() as logs:
        error = await _error_of(channel, path, b"", token)
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED and "LUMENMILL_TOKEN_FILE" in error.details()
    assert not logs
    assert _num_refused() == num_refused + 1
    assert "Guess" not in str([family.samples for family in REGISTRY.collect()])


async def test_unknown_paths_are_unimplemented_for_known_callers(channel: grpc.aio.Channel) -> None:
    assert (await _error_of(channel, "/a.B/C", b"", _TOKEN)).code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("num_bytes", [64, MAX_MESSAGE_BYTES - 1024, 2 * MAX_MESSAGE_BYTES])
async def test_no_body_is_read(channel: grpc.aio.Channel, num_bytes: int) -> None:
    body = b"\xff" * num_bytes
    # Read, the first two are no messages, and the last one is too large.
    assert (await _error_of(channel, _GENERATE, body, None)).code() is grpc.StatusCode.UNAUTHENTICATED
    assert (await _error_of(channel, _GENERATE, body, _TOKEN)).code() is not grpc.StatusCode.UNAUTHENTICATED


async def test_tokens_are_compared_in_constant_time(channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bool] = []
    original = hmac.compare_digest

    def spied(first: Any, second: Any) -> bool:
        compared.append(original(first, second))
        return compared[-1]

    monkeypatch.setattr(hmac, "compare_digest", spied)
    for sent in (_TOKEN[:-1], _TOKEN[:-1] + "x", "x" + _TOKEN[1:]):
        await _error_of(channel, _GET_MODEL, b"", sent)
    assert len(compared) >= 3 and not any(compared)


async def test_no_path_is_recorded_of_a_call_whose_caller_is_malformed(channel: grpc.aio.Channel) -> None:
    num_refused = _num_refused("INVALID_ARGUMENT")
    metadata = [("authorization", f"Bearer {_TOKEN}"), ("lumenmill-caller", "sam"), ("lumenmill-caller-role", "root")]
    with capture_logs() as logs, pytest.raises(grpc.aio.AioRpcError) as refused:
        await channel.unary_unary("/a.B/Invented")(b"", metadata=metadata, timeout=20)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT and not logs
    assert _num_refused("INVALID_ARGUMENT") == num_refused + 1
    assert "Invented" not in str([family.samples for family in REGISTRY.collect()])


async def test_calls_that_find_no_readable_token_are_counted_apart(channel: grpc.aio.Channel, tmp_path: Path) -> None:
    num_unknown, num_unavailable = _num_refused(), _num_refused("UNAVAILABLE")
    (tmp_path / "token").write_text("")
    assert (await _error_of(channel, _GET_MODEL, b"", _TOKEN)).code() is grpc.StatusCode.UNAVAILABLE
    assert (_num_refused(), _num_refused("UNAVAILABLE")) == (num_unknown, num_unavailable + 1)
