"""A real orchestrator and a real captioner in this process, with or without token and mutual TLS."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import generation_pb2, job_pb2
from lumenmill_captioner.__main__ import captioner_service
from lumenmill_captioner.settings import CaptionerSettings
from lumenmill_common.jobs import JobQueue, Work
from lumenmill_common.serve import serving
from lumenmill_common.settings import SecuritySettings
from lumenmill_common.testing import eventually
from lumenmill_common.testing.certificates import make_authority, make_certificate
from lumenmill_orchestrator.service import orchestrator_service
from lumenmill_orchestrator.settings import OrchestratorSettings

from .cuttable_proxy import CuttableProxy, proxying

__all__ = ["TOKEN", "Mesh", "secured", "serving_mesh"]

TOKEN = "the-token-of-this-mesh"  # noqa: S105 - of these tests alone


@dataclass
class Mesh:
    """A running mesh. The registered address of the captioner is that of `proxy`."""

    address: str
    captioner_address: str
    proxy: CuttableProxy
    jobs: JobQueue
    """The queue of the captioner, which has one worker."""

    @contextlib.asynccontextmanager
    async def busy_captioner(self) -> AsyncIterator[None]:
        """Occupy the worker of the captioner inside the block, so that other jobs wait."""
        release = threading.Event()
        request = captioner_pb2.CaptionRequest(job=generation_pb2.JobOptions(request_id="busy"))

        def wait(_: object) -> captioner_pb2.CaptionResult:
            release.wait()
            return captioner_pb2.CaptionResult(text="busy")

        async def occupy() -> None:
            async for _ in self.jobs.respond(request, captioner_pb2.CaptionResponse, Work(wait)):
                pass

        occupying = asyncio.create_task(occupy())
        await eventually(lambda: self.jobs.state_of("busy") == job_pb2.JOB_STATE_RUNNING)
        try:
            yield
        finally:
            release.set()
            await occupying


def secured(folder: Path) -> SecuritySettings:
    """Write certificates and the token into a folder; return settings for servers and clients alike."""
    make_authority(folder)
    make_certificate(folder, "mesh")
    (folder / "token").write_text(f"{TOKEN}\n")
    return SecuritySettings(
        tls_cert_file=folder / "mesh.pem",
        tls_key_file=folder / "mesh.key",
        tls_ca_file=folder / "ca.pem",
        tls_client_ca_file=folder / "ca.pem",
        token_file=folder / "token",
    )


@contextlib.asynccontextmanager
async def serving_mesh(folder: Path, security: SecuritySettings) -> AsyncIterator[Mesh]:
    """Serve an orchestrator and a captioner that share a store in `folder`."""
    given = {"listen_address": "127.0.0.1:0", "drain_s": 0.0, "store_url": f"file://{folder}/store"}
    given |= security.model_dump()
    captioner_settings = CaptionerSettings(**given)
    captioner = captioner_service(captioner_settings)
    assert captioner.jobs is not None
    async with serving(captioner_settings, captioner) as captioner_port, proxying(captioner_port) as (proxy, address):
        settings = OrchestratorSettings(
            **given, database_url=f"sqlite:///{folder}/orchestrator.sqlite", models=f"{{words: '{address}'}}"
        )
        async with serving(settings, orchestrator_service(settings)) as port:
            yield Mesh(f"127.0.0.1:{port}", address, proxy, captioner.jobs)
