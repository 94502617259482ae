"""Token, role and certificates are required by every RPC of every service."""

from pathlib import Path

import grpc
import pytest
from google.protobuf import descriptor_pool

from lumenmill.common.v1 import access_pb2
from lumenmill_common.caller import ROLES, least_role
from lumenmill_common.calls import connect
from lumenmill_common.settings import SecuritySettings
from lumenmill_common.testing.callers import token_of, write_callers
from lumenmill_common.testing.certificates import make_authority, make_certificate
from lumenmill_orchestrator.contracts import heavy_methods

from .services import OPEN_TO_ALL, SERVICES, rpcs_of, serving_in, status_of

_TOKEN = "the-token-of-today"  # noqa: S105 - of this test alone


@pytest.mark.parametrize("service", SERVICES)
async def test_every_rpc_requires_the_token(service: str, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("the-token-of-yesterday\n")
    async with serving_in(tmp_path, service, token_file=token) as port:
        token.write_text(_TOKEN + "\n")  # rotated while serving
        address = f"127.0.0.1:{port}"
        known = {"authorization": f"Bearer {_TOKEN}"}
        async with grpc.aio.insecure_channel(address) as authorized:
            rpcs = [path for path in await rpcs_of(authorized, known) if OPEN_TO_ALL not in path]
        assert len(rpcs) >= 3
        async with grpc.aio.insecure_channel(address) as unauthorized:
            for path in rpcs:
                for shown in (None, "", "Bearer ", "Bearer wrong", f"Basic {_TOKEN}", "Bearer the-token-of-yesterday"):
                    metadata = {} if shown is None else {"authorization": shown}
                    assert await status_of(unauthorized, path, metadata) is grpc.StatusCode.UNAUTHENTICATED, (
                        path,
                        shown,
                    )
            for path in rpcs:
                assert await status_of(unauthorized, path, known) is not grpc.StatusCode.UNAUTHENTICATED, path
            health = f"/{OPEN_TO_ALL}/Check"
            assert await status_of(unauthorized, health, {}) is grpc.StatusCode.OK


# What each role may call; the role itself is declared in the contracts.
_READ = {
    *("GetModel", "GetJob", "GetRun", "WatchRun", "ListRuns", "ListSamples", "GetLineage", "ListModels", "GetFleet"),
    *("DownloadArtifact", "ListArtifacts", "ServerReflectionInfo"),
}
_ADMINISTER = {"CollectGarbage", "VerifyStore"}


def _expected_role(path: str) -> int:
    name = path.rpartition("/")[2]
    if name in _READ:
        return access_pb2.CALLER_ROLE_READER
    return access_pb2.CALLER_ROLE_ADMIN if name in _ADMINISTER else access_pb2.CALLER_ROLE_SUBMITTER


@pytest.mark.parametrize("service", SERVICES)
async def test_every_rpc_requires_its_role(service: str, tmp_path: Path) -> None:
    callers = write_callers(tmp_path / "callers", **{f"the-{role}": role for role in ROLES})
    async with (
        serving_in(tmp_path, service, callers_file=callers) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        tokens = {role: {"authorization": f"Bearer {token_of(f'the-{role}')}"} for role in ROLES}
        rpcs = [path for path in await rpcs_of(channel, tokens["reader"]) if OPEN_TO_ALL not in path]
        assert len(rpcs) >= 3
        for path in rpcs:
            for role, number in ROLES.items():
                is_denied = await status_of(channel, path, tokens[role]) is grpc.StatusCode.PERMISSION_DENIED
                assert is_denied == (number < _expected_role(path)), (path, role)


def test_every_rpc_of_the_contracts_declares_its_role() -> None:
    own = ("common.v1.ModelService", "common.v1.JobService", "orchestrator.v1.RunService")
    contracts = {f"lumenmill.{name}" for name in (*own, "orchestrator.v1.ArtifactService")}
    contracts |= {method.contract for method in heavy_methods().values()}
    services = [descriptor_pool.Default().FindServiceByName(contract) for contract in sorted(contracts)]
    for method in [method for service in services for method in service.methods]:
        declared = method.GetOptions().Extensions[access_pb2.least_role]
        assert declared == _expected_role(f"/{method.name}"), method.full_name


def test_an_rpc_that_declares_no_role_requires_an_admin() -> None:
    assert least_role("/grpc.health.v1.Health/List") == access_pb2.CALLER_ROLE_ADMIN
    assert least_role("/unknown.Service/Method") == access_pb2.CALLER_ROLE_ADMIN


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


def _credentials(folder: Path, name: str | None, authority: str = "ca") -> SecuritySettings:
    if name is None:
        return SecuritySettings(tls_ca_file=folder / f"{authority}.pem")
    return SecuritySettings(
        tls_ca_file=folder / f"{authority}.pem",
        tls_cert_file=folder / f"{name}.pem",
        tls_key_file=folder / f"{name}.key",
    )


def _channel(address: str, shown: SecuritySettings) -> grpc.aio.Channel:
    """Return a channel that fails at once when it cannot connect."""
    options = [("grpc.enable_retries", 0)]
    options += [(f"grpc.{name}_reconnect_backoff_ms", 100) for name in ("initial", "max")]
    if shown.tls_ca_file is None:
        return grpc.aio.insecure_channel(address, options=options)
    files = (shown.tls_ca_file, shown.tls_key_file, shown.tls_cert_file)
    read = (file.read_bytes() if file is not None else None for file in files)
    return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(*read), options=options)


@pytest.mark.parametrize("service", SERVICES)
async def test_every_rpc_requires_a_valid_client_certificate(service: str, tmp_path: Path, certificates: Path) -> None:
    mutual = {
        "tls_cert_file": certificates / "server.pem",
        "tls_key_file": certificates / "server.key",
        "tls_client_ca_file": certificates / "ca.pem",
    }
    async with serving_in(tmp_path, service, **mutual) as port:
        address = f"localhost:{port}"
        async with connect(address, _credentials(certificates, "client")) as authorized:
            rpcs = await rpcs_of(authorized, {})
            assert await status_of(authorized, f"/{OPEN_TO_ALL}/Check", {}) is grpc.StatusCode.OK
        rejected = {
            "none": _credentials(certificates, None),
            "another authority's": _credentials(certificates, "stranger"),
            "an expired one": _credentials(certificates, "expired"),
            "no TLS at all": SecuritySettings(),
            "a server that the caller does not trust": _credentials(certificates, "client", authority="other"),
        }
        for shown, settings in rejected.items():
            async with _channel(address, settings) as unauthorized:
                # The connection fails, so that no RPC has a status of its own.
                for path in rpcs[:1] if shown != "none" else rpcs:
                    assert await status_of(unauthorized, path, {}) is grpc.StatusCode.UNAVAILABLE, (shown, path)
