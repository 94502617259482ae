"""Certificates of a server: many callers at once, and rotation."""

import contextlib
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lumenmill_common.testing.certificates import make_authority, make_certificate

# A process of its own, because the bug that is tested for crashes the process.
_SERVER = """
import asyncio, pathlib, sys, grpc
from lumenmill_common.serve import server_credentials
async def main():
    server, folder = grpc.aio.server(), pathlib.Path(sys.argv[1])
    print(server.add_secure_port("127.0.0.1:0", server_credentials(folder / "server.key", folder / "server.pem", None)))
    sys.stdout.flush()
    await server.start()
    await server.wait_for_termination()
asyncio.run(main())
"""


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    make_authority(tmp_path)
    make_certificate(tmp_path, "server")
    server = subprocess.Popen([sys.executable, "-c", _SERVER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert server.stdout
    yield int(server.stdout.readline())
    assert server.poll() is None, f"the server ended with {server.returncode}"
    server.kill()
    server.wait()


def _shake_hands(port: int, folder: Path, version: ssl.TLSVersion | None = None) -> None:
    """Connect, with a given version of TLS alone if any."""
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.set_alpn_protocols(["h2"])
    if version is not None:
        context.set_ciphers("ALL:@SECLEVEL=0")  # else our own side refuses old versions
        context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", port), 20) as plain,
        context.wrap_socket(plain, server_hostname="localhost"),
    ):
        pass


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_of_tls_are_refused(port: int, tmp_path: Path) -> None:
    # The server ends the connection after the first message of the handshake.
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        with pytest.raises(ssl.SSLError, match=r"UNEXPECTED_EOF|ALERT_PROTOCOL_VERSION"):
            _shake_hands(port, tmp_path, version)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        _shake_hands(port, tmp_path, version)


def test_an_expired_certificate_of_a_server_is_refused(port: int, tmp_path: Path) -> None:
    make_certificate(tmp_path, "expired", days=0)
    for suffix in ("key", "pem"):
        (tmp_path / f"expired.{suffix}").replace(tmp_path / f"server.{suffix}")
        with contextlib.suppress(ssl.SSLError):
            _shake_hands(port, tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        _shake_hands(port, tmp_path)


def test_many_callers_connect_at_once(port: int, tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as callers:
        list(callers.map(lambda _: _shake_hands(port, tmp_path), range(3000)))


def test_rotated_certificates_are_used_without_a_restart(port: int, tmp_path: Path) -> None:
    _shake_hands(port, tmp_path)
    (tmp_path / "next").mkdir()
    make_authority(tmp_path / "next")
    make_certificate(tmp_path / "next", "server")
    with pytest.raises(ssl.SSLCertVerificationError):
        _shake_hands(port, tmp_path / "next")
    for file in ("server.key", "server.pem"):  # one after the other, which must cause no error
        (tmp_path / "next" / file).replace(tmp_path / file)
        with contextlib.suppress(ssl.SSLError):
            _shake_hands(port, tmp_path)
    _shake_hands(port, tmp_path / "next")
