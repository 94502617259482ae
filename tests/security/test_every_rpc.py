"""Token and certificates, on every RPC of every service: who lacks them learns nothing and changes nothing."""

from pathlib import Path

import grpc
import pytest
from certificates import make_authority, make_certificate
from lumenmill_common.calls import connect
from lumenmill_common.settings import SecuritySettings

from .services import OPEN_TO_ALL, SERVICES, rpcs_of, serving_in, status_of

_TOKEN = "the-token-of-today"  # noqa: S105 - of this test alone


@pytest.mark.parametrize("service", SERVICES)
async def test_without_the_token_every_rpc_is_closed(service: str, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("the-token-of-yesterday\n")
    async with serving_in(tmp_path, service, token_file=token) as port:
        token.write_text(_TOKEN + "\n")  # rotated while it serves: yesterday's has expired
        address = f"127.0.0.1:{port}"
        known = {"authorization": f"Bearer {_TOKEN}"}
        async with grpc.aio.insecure_channel(address) as friend:
            rpcs = [path for path in await rpcs_of(friend, known) if OPEN_TO_ALL not in path]
        assert len(rpcs) >= 3
        async with grpc.aio.insecure_channel(address) as stranger:
            for path in rpcs:
                for shown in (None, "", "Bearer ", "Bearer wrong", f"Basic {_TOKEN}", "Bearer the-token-of-yesterday"):
                    metadata = {} if shown is None else {"authorization": shown}
                    assert await status_of(stranger, path, metadata) is grpc.StatusCode.UNAUTHENTICATED, (path, shown)
            for path in rpcs:
                assert await status_of(stranger, path, known) is not grpc.StatusCode.UNAUTHENTICATED, path
            health = f"/{OPEN_TO_ALL}/Check"
            assert await status_of(stranger, health, {}) is grpc.StatusCode.OK


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    make_authority(folder)
    make_authority(folder, "other")
    for name, authority, days in (
        ("server", "ca", 1), ("client", "ca", 1), ("stranger", "other", 1), ("expired", "ca", 0),
    ):  # fmt: skip
        make_certificate(folder, name, authority, days)
    return folder


def _shown(folder: Path, name: str | None, authority: str = "ca") -> SecuritySettings:
    if name is None:
        return SecuritySettings(tls_ca_file=folder / f"{authority}.pem")
    return SecuritySettings(
        tls_ca_file=folder / f"{authority}.pem",
        tls_cert_file=folder / f"{name}.pem",
        tls_key_file=folder / f"{name}.key",
    )


def _impatient(address: str, shown: SecuritySettings) -> grpc.aio.Channel:
    """A channel that says at once when it cannot connect."""
    options = [("grpc.enable_retries", 0)]
    options += [(f"grpc.{name}_reconnect_backoff_ms", 100) for name in ("initial", "max")]
    if shown.tls_ca_file is None:
        return grpc.aio.insecure_channel(address, options=options)
    files = (shown.tls_ca_file, shown.tls_key_file, shown.tls_cert_file)
    read = (file.read_bytes() if file is not None else None for file in files)
    return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(*read), options=options)


@pytest.mark.parametrize("service", SERVICES)
async def test_without_a_good_certificate_no_rpc_gets_through(service: str, tmp_path: Path, certificates: Path) -> None:
    mutual = {
        "tls_cert_file": certificates / "server.pem",
        "tls_key_file": certificates / "server.key",
        "tls_client_ca_file": certificates / "ca.pem",
    }
    async with serving_in(tmp_path, service, **mutual) as port:
        address = f"localhost:{port}"
        async with connect(address, _shown(certificates, "client")) as friend:
            rpcs = await rpcs_of(friend, {})
            assert await status_of(friend, f"/{OPEN_TO_ALL}/Check", {}) is grpc.StatusCode.OK
        refused = {
            "none": _shown(certificates, None),
            "another authority's": _shown(certificates, "stranger"),
            "an expired one": _shown(certificates, "expired"),
            "no TLS at all": SecuritySettings(),
            "a server that the caller does not trust": _shown(certificates, "client", authority="other"),
        }
        for shown, settings in refused.items():
            async with _impatient(address, settings) as stranger:
                # There is no connection, hence no RPC and no status of one: the channel itself is refused.
                for path in rpcs[:1] if shown != "none" else rpcs:
                    assert await status_of(stranger, path, {}) is grpc.StatusCode.UNAVAILABLE, (shown, path)
