"""A server with a token file serves nobody while the file has no token."""

from pathlib import Path

import grpc
import pytest
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lumenmill.common.v1 import model_pb2, model_pb2_grpc
from lumenmill_common import errors
from lumenmill_common.calls import call_unary, connect
from lumenmill_common.serve import serving
from lumenmill_common.service import Service
from lumenmill_common.settings import SecuritySettings, ServiceSettings, load_settings

_WITHOUT_TOKEN = [b"", b" \n\t\n", b"\xef\xbb\xbf\n", b"\0\0\0\0", b"\xff\xfe", "\u200b".encode(), b"one\ntwo"]


async def _model(channel: grpc.aio.Channel, *, sent: str = "") -> model_pb2.GetModelResponse:
    """Call with a token of its own, whatever the settings of the channel."""
    metadata = [("authorization", sent)] if sent else []
    stub = model_pb2_grpc.ModelServiceStub(channel)
    return await call_unary(
        lambda request, timeout: stub.GetModel(request, timeout=timeout, metadata=metadata), model_pb2.GetModelRequest()
    )


@pytest.mark.parametrize("content", _WITHOUT_TOKEN)
def test_a_server_without_a_token_in_its_file_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    (tmp_path / "token").write_bytes(content)
    monkeypatch.setenv("LUMENMILL_TOKEN_FILE", str(tmp_path / "token"))
    expected = r"LUMENMILL_TOKEN_FILE: .*token' (is empty|holds other characters)"
    with pytest.raises(SystemExit, match=expected) as refused:
        load_settings(ServiceSettings)
    assert "two" not in str(refused.value)


@pytest.mark.parametrize("missing", ["none", "."])
def test_a_server_that_cannot_read_its_token_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setenv("LUMENMILL_TOKEN_FILE", str(tmp_path / missing))
    with pytest.raises(SystemExit, match=r"LUMENMILL_TOKEN_FILE: .* cannot be read"):
        load_settings(ServiceSettings)


@pytest.mark.parametrize("content", [*_WITHOUT_TOKEN, None])
async def test_calls_are_refused_while_the_token_is_missing(
    service: Service, tmp_path: Path, content: bytes | None
) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret")
    settings = ServiceSettings(listen_address="127.0.0.1:0", token_file=token, drain_s=0.0)
    async with serving(settings, service) as port, connect(f"127.0.0.1:{port}", SecuritySettings()) as channel:
        await _model(channel, sent="Bearer s3cret")
        if content is None:
            token.unlink()
        else:
            token.write_bytes(content)
        with structlog.testing.capture_logs() as logs:
            # All of them for the empty file, since clients repeat such calls for a second.
            for sent in (
                ("", "Bearer", "Bearer ", "Bearer s3cret", "Bearer one") if content == b"" else ("", "Bearer s3cret")
            ):
                with pytest.raises((errors.UnavailableError, errors.UnauthenticatedError)) as refused:
                    await _model(channel, sent=sent)
                assert "cannot read the token" in refused.value.message and str(tmp_path) not in refused.value.message
        assert any(str(token) in entry.get("reason", "") and entry["log_level"] == "error" for entry in logs)
        health = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert health.status == health_pb2.HealthCheckResponse.SERVING
        token.write_text("next\n")
        await _model(channel, sent="Bearer next")
        with pytest.raises(errors.UnauthenticatedError):
            await _model(channel, sent="Bearer s3cret")
