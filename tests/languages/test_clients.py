"""Clients in other languages, built from the contracts, against a real mesh without and with token and mutual TLS."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from prometheus_client import REGISTRY

from lumenmill_client import AsyncClient, ClientSettings
from lumenmill_common.settings import SecuritySettings

from .clients import Client, built_client
from .mesh import Mesh, secured, serving_mesh

pytestmark = pytest.mark.timeout(400)  # the first build of a machine fetches and compiles the libraries
_CONTRACT = "lumenmill.captioner.v1.CaptionerService"


@pytest.fixture(scope="module", params=["Go", "TypeScript"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return built_client(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(params=["open", "token and TLS"])
def security(request: pytest.FixtureRequest, tmp_path: Path) -> SecuritySettings:
    return SecuritySettings() if request.param == "open" else secured(tmp_path)


@pytest.fixture
async def mesh(tmp_path: Path, security: SecuritySettings) -> AsyncIterator[Mesh]:
    async with serving_mesh(tmp_path, security) as serving:
        yield serving


def _num_reattached() -> float:
    return REGISTRY.get_sample_value("lumenmill_jobs_reattached_total", {"queue": "captioner"}) or 0.0


async def test_models_are_listed_and_a_picture_is_captioned(
    client: Client, mesh: Mesh, security: SecuritySettings, photo: Path, tmp_path: Path
) -> None:
    assert await client.run(mesh.address, security, "models") in (
        f"words {mesh.captioner_address} true {_CONTRACT}",
        f"words {mesh.captioner_address} true [{_CONTRACT}]",
    )
    settings = ClientSettings(
        **security.model_dump(include={"tls_ca_file", "tls_cert_file", "tls_key_file", "token_file"})
    )
    async with AsyncClient(mesh.address, settings) as mill:
        expected = (await mill.caption(photo)).text
    assert await client.run(mesh.address, security, "--request-id=photo", "caption", str(photo)) == expected

    noise = np.random.default_rng(7).integers(0, 256, (1100, 1100, 3), np.uint8)
    large = tmp_path / "large.png"
    Image.fromarray(noise).save(large)
    running = await client.start(mesh.address, security, "--request-id=large", "caption", str(large))
    assert await running.output()
    assert f"uploaded {large.stat().st_size} bytes" in running.progress


async def test_a_client_attaches_to_its_job_again_after_a_lost_connection(
    client: Client, mesh: Mesh, security: SecuritySettings, photo: Path
) -> None:
    num_before = _num_reattached()
    async with mesh.busy_captioner():
        running = await client.start(mesh.address, security, "--request-id=again", "caption", str(photo))
        await running.until_line("queued: 0 jobs ahead")
        mesh.proxy.cut()
        await running.until_line("attaching again: ")
        await running.until_line("queued: 0 jobs ahead")
    caption = await running.output()
    assert running.process.returncode == 0, running.progress
    assert _num_reattached() == num_before + 1
    # Another process gets the finished result.
    assert await client.run(mesh.address, security, "--request-id=again", "caption", str(photo)) == caption
    assert _num_reattached() == num_before + 2


async def test_a_job_is_cancelled_by_its_request_id(
    client: Client, mesh: Mesh, security: SecuritySettings, photo: Path
) -> None:
    async with mesh.busy_captioner():
        running = await client.start(mesh.address, security, "--request-id=mistake", "caption", str(photo))
        await running.until_line("queued: 0 jobs ahead")
        assert await client.run(mesh.address, security, "--request-id=mistake", "cancel") == "was active: true"
        assert await running.output() == ""
    assert running.process.returncode == 1
    assert "canceled" in running.progress[-1].lower().replace("cancelled", "canceled")
    assert await client.run(mesh.address, security, "--request-id=mistake", "cancel") == "was active: false"


@pytest.mark.parametrize("client", ["Go"], indirect=True)
async def test_health_needs_no_token(client: Client, mesh: Mesh, security: SecuritySettings) -> None:
    without = security.model_copy(update={"token_file": None})
    assert await client.run(mesh.address, without, "health") == "SERVING"


async def test_errors_name_the_field_and_a_missing_token(
    client: Client, mesh: Mesh, security: SecuritySettings, photo: Path
) -> None:
    refused = await client.start(mesh.address, security, "--request-id=has spaces", "caption", str(photo))
    assert await refused.output() == "" and refused.process.returncode == 1
    assert any("job.request_id" in line for line in refused.progress), refused.progress
    if security.token_file is not None:
        without = security.model_copy(update={"token_file": None})
        stranger = await client.start(mesh.address, without, "models")
        assert await stranger.output() == "" and stranger.process.returncode == 1
        assert "the mesh requires a token, and none was sent" in stranger.progress[-1]
