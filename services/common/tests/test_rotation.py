"""Certificates of both sides are replaced while calls are made, as by cert-manager."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lumenmill_common.calls import connect
from lumenmill_common.serve import server_credentials
from lumenmill_common.settings import SecuritySettings

_LASTS_S = 4.0


def _certificate(name: str, key: Any, issuer: str, issuer_key: Any, *, is_authority: bool) -> bytes:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(seconds=5))
        .not_valid_after(now + timedelta(seconds=_LASTS_S))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    )
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _rotate(folder: Path, number: int) -> None:
    """Write a new authority, and its certificates for both sides, which expire after a few seconds."""
    authority_key, name = ec.generate_private_key(ec.SECP256R1()), f"authority {number}"
    files = {"ca.pem": _certificate(name, authority_key, name, authority_key, is_authority=True)}
    for side in ("server", "client"):
        key = ec.generate_private_key(ec.SECP256R1())
        files[f"{side}.pem"] = _certificate(side, key, name, authority_key, is_authority=False)
        files[f"{side}.key"] = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    for file, content in files.items():
        (folder / "incoming").write_bytes(content)
        (folder / "incoming").replace(folder / file)


class _Health(health_pb2_grpc.HealthServicer):
    """Answers at once; watchers get the same status ten times a second."""

    def __init__(self) -> None:
        self.end = asyncio.Event()

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802 - the RPC's name
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802 - the RPC's name
        while not self.end.is_set():
            yield health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)
            await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def _serving(folder: Path) -> AsyncIterator[tuple[_Health, int]]:
    """Serve with a new handshake every second."""
    health = _Health()
    server = grpc.aio.server(options=[("grpc.max_connection_age_ms", 1000)])
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    credentials = server_credentials(folder / "server.key", folder / "server.pem", folder / "ca.pem")
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield health, port
    finally:
        await server.stop(None)


async def test_calls_continue_when_both_sides_get_certificates_of_another_authority(tmp_path: Path) -> None:
    _rotate(tmp_path, 0)
    security = SecuritySettings(
        tls_ca_file=tmp_path / "ca.pem", tls_cert_file=tmp_path / "client.pem", tls_key_file=tmp_path / "client.key"
    )
    async with (
        _serving(tmp_path) as (health, port),
        connect(f"127.0.0.1:{port}", security, one_process=True) as channel,
    ):
        stub: Any = health_pb2_grpc.HealthStub(channel)
        long_call = stub.Watch(health_pb2.HealthCheckRequest())
        await long_call.read()
        outage_s, longest_outage_s, num_answered, rotated_s = 0.0, 0.0, 0, 0
        started_s = time.monotonic()
        while (now_s := time.monotonic() - started_s) < 2.0 * _LASTS_S:
            if now_s > (rotated_s + 1) * 2.0:
                rotated_s += 1
                _rotate(tmp_path, rotated_s)
            try:
                await stub.Check(health_pb2.HealthCheckRequest(), timeout=1.0)
                outage_s, num_answered = 0.0, num_answered + 1
            except grpc.aio.AioRpcError:
                outage_s = outage_s or now_s
                longest_outage_s = max(longest_outage_s, now_s - outage_s)
            await asyncio.sleep(0.05)
        assert longest_outage_s < 3.0, "a second until the files are looked at, and a reconnection on a busy machine"
        assert num_answered > 50
        health.end.set()
        answers = [answer async for answer in long_call]
    assert len(answers) > 10, "what ran when the certificates were replaced ended by itself"
