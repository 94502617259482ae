"""Artifacts of the mesh: upload, download, list, verify, collect garbage."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import grpc

from lumenmill.common.v1.artifact_pb2 import Artifact, Licence
from lumenmill.orchestrator.v1 import artifact_service_pb2, artifact_service_pb2_grpc
from lumenmill_client._licence import licence_from_spdx
from lumenmill_common.artifacts import media_type_of
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.status import error_from_rpc

__all__ = ["Store", "display_name"]

_CHUNK_BYTES = 1 << 20


class Store:
    """The artifact store, accessed through the orchestrator without credentials of the store."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = artifact_service_pb2_grpc.ArtifactServiceStub(channel)

    async def upload(self, path: str | Path, *, licence: Licence | str | None = None) -> Artifact:
        """Upload a local file and return its artifact, which has its licence.

        `licence` is an SPDX identifier such as `CC-BY-4.0`, or a Licence. None means unknown; exports for commercial
        use then exclude samples made from the file.

        Raises:
            InvalidArgumentError: the file does not exist or has an unsupported type, or the licence is not an SPDX
                identifier.
        """
        stated = licence_from_spdx(licence) if isinstance(licence, str) else licence
        file = Path(path)
        if not await asyncio.to_thread(file.is_file):
            raise InvalidArgumentError("", f"the file {str(path)!r} does not exist")
        if not (await asyncio.to_thread(file.stat)).st_size:
            raise InvalidArgumentError("", f"{path} is empty")
        try:
            response = await self._stub.UploadArtifact(_parts(file, stated))
        except grpc.RpcError as error:
            raise error_from_rpc(error) from error
        return response.artifact

    async def chunks(self, artifact: Artifact | str) -> AsyncIterator[bytes]:
        """Yield the verified bytes of an artifact, given by itself or its digest, in chunks of at most 1 MiB."""
        sha256 = artifact if isinstance(artifact, str) else artifact.sha256
        try:
            async for response in self._stub.DownloadArtifact(
                artifact_service_pb2.DownloadArtifactRequest(sha256=sha256)
            ):
                yield response.chunk
        except grpc.RpcError as error:
            raise error_from_rpc(error) from error

    async def read(self, artifact: Artifact | str) -> bytes:
        """Return the verified bytes of an artifact, given by itself or its digest."""
        return b"".join([chunk async for chunk in self.chunks(artifact)])

    async def download(self, artifact: Artifact | str, path: str | Path) -> Path:
        """Write an artifact to a local file atomically."""
        target = Path(path)
        incoming = target.with_name(target.name + ".incoming")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with incoming.open("wb") as file:
                async for chunk in self.chunks(artifact):
                    file.write(chunk)
            incoming.replace(target)
        finally:
            incoming.unlink(missing_ok=True)
        return target

    async def list(self) -> AsyncIterator[Artifact]:
        """Yield all artifacts in order of digest."""
        token = ""
        while True:
            request = artifact_service_pb2.ListArtifactsRequest(page_size=1000, page_token=token)
            try:
                page = await self._stub.ListArtifacts(request)
            except grpc.RpcError as error:
                raise error_from_rpc(error) from error
            for artifact in page.artifacts:
                yield artifact
            token = page.next_page_token
            if not token:
                return

    async def verify(self) -> AsyncIterator[artifact_service_pb2.VerifyStoreResponse]:
        """Read every artifact and compare its bytes with its digest; yield progress and problems."""
        try:
            async for response in self._stub.VerifyStore(artifact_service_pb2.VerifyStoreRequest()):
                yield response
        except grpc.RpcError as error:
            raise error_from_rpc(error) from error

    async def collect_garbage(
        self, *, dry_run: bool = False, min_age_s: int | None = None, retired_database_ids: Sequence[str] = ()
    ) -> AsyncIterator[artifact_service_pb2.CollectGarbageResponse]:
        """Remove artifacts that nothing refers to; yield progress.

        `retired_database_ids` are ids of databases that referred to the store and no longer exist.

        Raises:
            FailedPreconditionError: other databases refer to the same store; the message lists them.
        """
        request = artifact_service_pb2.CollectGarbageRequest(
            dry_run=dry_run, min_age_s=min_age_s, retired_database_ids=retired_database_ids
        )
        try:
            async for response in self._stub.CollectGarbage(request):
                yield response
        except grpc.RpcError as error:
            raise error_from_rpc(error) from error


async def _parts(file: Path, licence: Licence | None) -> AsyncIterator[artifact_service_pb2.UploadArtifactRequest]:
    name = display_name(file)
    header = artifact_service_pb2.UploadHeader(media_type=media_type_of(name), name=name, licence=licence)
    yield artifact_service_pb2.UploadArtifactRequest(header=header)
    with file.open("rb") as source:
        while chunk := source.read(_CHUNK_BYTES):
            yield artifact_service_pb2.UploadArtifactRequest(chunk=chunk)


def display_name(file: Path) -> str:
    """Return the name of a file as text: names of files may be any bytes."""
    return os.fsencode(file.name).decode("utf-8", "replace")
