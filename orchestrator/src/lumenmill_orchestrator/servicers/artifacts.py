"""ArtifactService: uploads, downloads, verification and garbage collection of the store."""

import asyncio
import hashlib
import re
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import grpc

from lumenmill.common.v1 import access_pb2, artifact_pb2
from lumenmill.orchestrator.v1 import artifact_service_pb2, artifact_service_pb2_grpc
from lumenmill_common.artifacts import HEAD_BYTES, ArtifactStore, extension_of, is_weights, media_type_of_content
from lumenmill_common.call_threads import in_thread, in_thread_to_its_end
from lumenmill_common.caller import current_caller
from lumenmill_common.errors import InvalidArgumentError, NotFoundError, OutOfRangeError
from lumenmill_media import MediaFacts
from lumenmill_orchestrator.collector import DEFAULT_MIN_AGE_S, GarbageCollector
from lumenmill_orchestrator.media_facts import facts_of_upload
from lumenmill_orchestrator.servicers.open_uploads import OpenUploads, proceeding
from lumenmill_orchestrator.servicers.upload_quota import UploadQuota

__all__ = ["ArtifactServicer"]

_Context = grpc.aio.ServicerContext[Any, Any]
_CHUNK_BYTES = 1 << 20
_PAGE = 200
_MAX_CONCURRENT_SWEEPS = 2
# The decoding pool reads two files at a time; more threads would only wait for it.
_MAX_CONCURRENT_FACTS = 2
_MAX_CONCURRENT_PUTS = 8
_DIGEST = re.compile("[0-9a-f]{64}")
_T = TypeVar("_T")


class ArtifactServicer(artifact_service_pb2_grpc.ArtifactServiceServicer):
    """Implements ArtifactService. The store is synchronous, so its calls run in worker threads."""

    def __init__(self, store: ArtifactStore, collector: GarbageCollector, quota: UploadQuota) -> None:
        """`quota` limits the scratch space of running uploads."""
        self._store, self._collector, self._quota = store, collector, quota
        self._open_uploads = OpenUploads()
        # Sweeps take hours; they must not occupy the threads of asyncio's default pool, which runs depend on.
        self._sweeps = ThreadPoolExecutor(_MAX_CONCURRENT_SWEEPS, thread_name_prefix="sweep")
        # Nor must uploads: reading the facts of a clip may take minutes.
        self._facts = ThreadPoolExecutor(_MAX_CONCURRENT_FACTS, thread_name_prefix="facts")
        self._puts = ThreadPoolExecutor(_MAX_CONCURRENT_PUTS, thread_name_prefix="put")

    async def UploadArtifact(
        self, request_iterator: AsyncIterator[artifact_service_pb2.UploadArtifactRequest], context: _Context
    ) -> artifact_service_pb2.UploadArtifactResponse:
        """Store one file."""
        caller = current_caller()
        # Callers that share a token are distinguished by their addresses, without the port.
        with self._open_uploads.one(caller.name if caller.is_limited else context.peer().rpartition(":")[0]):
            return await self._upload(proceeding(request_iterator))

    async def _upload(
        self, requests: AsyncIterator[artifact_service_pb2.UploadArtifactRequest]
    ) -> artifact_service_pb2.UploadArtifactResponse:
        header: artifact_service_pb2.UploadHeader | None = None
        digest, caller = hashlib.sha256(), current_caller()
        with self._quota.one_file(caller) as reserve, tempfile.NamedTemporaryFile(prefix="lumenmill-upload-") as file:
            async for request in requests:
                if request.WhichOneof("part") == "header":
                    if header is not None:
                        raise InvalidArgumentError("header", "must be sent once, in the first message")
                    header = request.header
                    extension_of(header.media_type, "header.media_type")
                    continue
                if header is None:
                    raise InvalidArgumentError("header", "must come before the first chunk")
                reserve(len(request.chunk))
                digest.update(request.chunk)
                await asyncio.to_thread(file.write, request.chunk)
            if header is None:
                raise InvalidArgumentError("header", "is missing; the first message carries it")
            if header.sha256 and header.sha256 != digest.hexdigest():
                raise InvalidArgumentError(
                    "header.sha256", f"does not match the bytes, whose digest is {digest.hexdigest()}"
                )
            file.flush()
            artifact = await self._stored(Path(file.name), digest.hexdigest(), header)
        return artifact_service_pb2.UploadArtifactResponse(artifact=artifact)

    async def _stored(
        self, path: Path, sha256: str, header: artifact_service_pb2.UploadHeader
    ) -> artifact_pb2.Artifact:
        media_type = await asyncio.to_thread(_media_type_of, path, header)
        facts = MediaFacts()
        if media_type.startswith(("image/", "video/")):  # others have none, and need not wait
            facts = await in_thread_to_its_end(self._facts, facts_of_upload, path, media_type)
        put = partial(self._store.put_file, path, media_type, sha256=sha256, name=header.name, **facts)
        artifact = await in_thread_to_its_end(self._puts, put)
        if header.HasField("licence"):
            # The licence travels with this artifact: equal bytes may have been uploaded under another licence.
            artifact.licence.CopyFrom(header.licence)
            artifact.licence.subject = header.licence.subject or header.name or artifact.sha256
        return artifact

    async def DownloadArtifact(
        self, request: artifact_service_pb2.DownloadArtifactRequest, context: _Context
    ) -> AsyncIterator[artifact_service_pb2.DownloadArtifactResponse]:
        """Stream one artifact, or a range of it."""
        artifact = await asyncio.to_thread(self._store.stat, request.sha256)
        if artifact is None:
            raise NotFoundError(f"no artifact {request.sha256} in the store")
        if request.offset_bytes > artifact.size_bytes:
            raise OutOfRangeError("offset_bytes", f"the artifact has {artifact.size_bytes} bytes")
        whole = not request.offset_bytes and not request.length_bytes
        chunks = self._store.iter_chunks(artifact) if whole else self._range(request, artifact.size_bytes)
        first: artifact_pb2.Artifact | None = artifact
        async for chunk in _in_threads(lambda: chunks):
            yield artifact_service_pb2.DownloadArtifactResponse(chunk=chunk, artifact=first)
            first = None
        if first is not None:
            yield artifact_service_pb2.DownloadArtifactResponse(artifact=first)

    def _range(self, request: artifact_service_pb2.DownloadArtifactRequest, size_bytes: int) -> Iterator[bytes]:
        position, end = request.offset_bytes, size_bytes
        if request.length_bytes:
            end = min(end, position + request.length_bytes)
        while position < end:
            length = min(_CHUNK_BYTES, end - position)
            yield self._store.read_range(request.sha256, position, length)
            position += length

    async def ListArtifacts(
        self, request: artifact_service_pb2.ListArtifactsRequest, context: _Context
    ) -> artifact_service_pb2.ListArtifactsResponse:
        """Return a page of the store's content."""
        size = request.page_size or 100
        if request.page_token and not _DIGEST.fullmatch(request.page_token):
            raise InvalidArgumentError("page_token", "is not a token of a previous page")
        found = await asyncio.to_thread(self._store.list, request.page_token, size + 1)
        token = found[size - 1].artifact.sha256 if len(found) > size else ""
        return artifact_service_pb2.ListArtifactsResponse(
            artifacts=[stored.artifact for stored in found[:size]], next_page_token=token
        )

    async def VerifyStore(
        self, request: artifact_service_pb2.VerifyStoreRequest, context: _Context
    ) -> AsyncIterator[artifact_service_pb2.VerifyStoreResponse]:
        """Read every artifact and report the damaged and missing ones."""
        async for response in _in_threads(self._verified, self._sweeps):
            yield response

    def _verified(self) -> Iterator[artifact_service_pb2.VerifyStoreResponse]:
        num_checked, num_bytes, after = 0, 0, ""
        while page := self._store.list(after, _PAGE):
            after = page[-1].artifact.sha256
            for stored in page:
                intact = self._store.verify(stored.artifact)
                num_checked += 1
                num_bytes += stored.artifact.size_bytes
                if not intact:
                    yield artifact_service_pb2.VerifyStoreResponse(
                        num_checked=num_checked, num_bytes_checked=num_bytes, damaged=stored.artifact
                    )
            yield artifact_service_pb2.VerifyStoreResponse(num_checked=num_checked, num_bytes_checked=num_bytes)
        for sha256 in self._collector.missing():
            yield artifact_service_pb2.VerifyStoreResponse(
                num_checked=num_checked, num_bytes_checked=num_bytes, missing=artifact_pb2.Artifact(sha256=sha256)
            )

    async def CollectGarbage(
        self, request: artifact_service_pb2.CollectGarbageRequest, context: _Context
    ) -> AsyncIterator[artifact_service_pb2.CollectGarbageResponse]:
        """Remove artifacts that nothing refers to."""
        min_age_s = request.min_age_s if request.HasField("min_age_s") else DEFAULT_MIN_AGE_S
        dry_run, retired = request.dry_run, list(request.retired_database_ids)
        last = artifact_service_pb2.CollectGarbageResponse()
        collect = partial(self._collector.collect, min_age_s=min_age_s, dry_run=dry_run, retired_database_ids=retired)
        async for response in _in_threads(collect, self._sweeps):
            last = response
            yield response
        if not last.num_examined:
            yield last


def _media_type_of(path: Path, header: artifact_service_pb2.UploadHeader) -> str:
    """Return the media type of an upload.

    Raises:
        InvalidArgumentError: the file is empty, or its bytes are of another type than the header says.
        PermissionDeniedError: it has weights of models, and the caller is no admin.
    """
    if path.stat().st_size == 0:
        raise InvalidArgumentError("chunk", "the file is empty; there is nothing to store")
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if is_weights(head, header.media_type):
        current_caller().require(access_pb2.CALLER_ROLE_ADMIN, "uploading weights of models")
    return media_type_of_content(head, header.media_type, "header.media_type", header.name)


async def _in_threads(make: Callable[[], Iterator[_T]], threads: Executor | None = None) -> AsyncIterator[_T]:
    """Yield the elements of a synchronous iterator, each read in a worker thread, by default of asyncio's pool."""
    iterator = make()
    end = object()
    while True:
        element: Any = await in_thread(threads, next, iterator, end)
        if element is end:
            return
        yield element
