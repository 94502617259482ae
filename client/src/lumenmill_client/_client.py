"""The blocking client: an asynchronous client on an event loop in a thread."""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1.artifact_pb2 import Artifact, Licence
from lumenmill.imager.v1 import imager_pb2
from lumenmill.orchestrator.v1 import artifact_service_pb2, fleet_pb2, run_pb2
from lumenmill.prompter.v1 import prompter_pb2
from lumenmill.relighter.v1 import relighter_pb2
from lumenmill.video.v1 import video_pb2
from lumenmill_client._async_client import AsyncClient
from lumenmill_client._dataset_folder import SavedDataset
from lumenmill_client._settings import ClientSettings

__all__ = ["Client"]

ResultT = TypeVar("ResultT")


class Client:
    """A connection to a mesh whose methods block. Arguments and errors are those of `AsyncClient`."""

    def __init__(self, address: str = "", settings: ClientSettings | None = None) -> None:
        """Connect as `AsyncClient` does."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lumenmill-client", daemon=True)
        self._thread.start()
        try:
            self._client = self._wait(self._connect(address, settings))
        except BaseException:
            self._stop()
            raise

    @property
    def address(self) -> str:
        """host:port of the orchestrator."""
        return self._client.address

    @staticmethod
    async def _connect(address: str, settings: ClientSettings | None) -> AsyncClient:
        return AsyncClient(address, settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._wait(self._client.close())
        self._stop()

    def models(self) -> Sequence[run_pb2.RegisteredModel]:
        """Return the models of the mesh with their descriptions."""
        return self._wait(self._client.models())

    def fleet(self, request: fleet_pb2.GetFleetRequest | None = None) -> fleet_pb2.GetFleetResponse:
        """Return the pods of the mesh, its GPUs by type, and their current work."""
        return self._wait(self._client.fleet(request))

    def caption(self, media: str | Path | Artifact, **options: Any) -> captioner_pb2.CaptionResult:
        """Caption an image or clip, and measure its light; options as `AsyncClient.caption`."""
        return self._wait(self._client.caption(media, **options))

    def render(self, prompt: str = "", **options: Any) -> imager_pb2.GenerateImagesResult:
        """Generate images of a prompt or scene; options as `AsyncClient.render`."""
        return self._wait(self._client.render(prompt, **options))

    def relight(
        self,
        image: str | Path | Artifact | None,
        variants: Sequence[relighter_pb2.RelightVariant],
        **options: Any,
    ) -> relighter_pb2.RelightResult:
        """Generate variants of an image under other lights; options as `AsyncClient.relight`."""
        return self._wait(self._client.relight(image, variants, **options))

    def decompose(self, image: str | Path | Artifact | None, **options: Any) -> relighter_pb2.DecomposeResult:
        """Decompose an image into intrinsic maps; options as `AsyncClient.decompose`."""
        return self._wait(self._client.decompose(image, **options))

    def video(self, request: video_pb2.GenerateVideoRequest, **options: Any) -> video_pb2.GenerateVideoResult:
        """Generate a clip; options as `AsyncClient.video`."""
        return self._wait(self._client.video(request, **options))

    def prompts(self, brief: prompter_pb2.Brief, **options: Any) -> prompter_pb2.GeneratePromptSetsResult:
        """Write prompt sets from a brief; options as `AsyncClient.prompts`."""
        return self._wait(self._client.prompts(brief, **options))

    def upload(self, path: str | Path, *, licence: Licence | str | None = None) -> Artifact:
        """Upload a local file and return its artifact; `licence` as in `Store.upload`."""
        return self._wait(self._client.store.upload(path, licence=licence))

    def read(self, artifact: Artifact | str) -> bytes:
        """Return the verified bytes of an artifact, given by itself or its digest."""
        return self._wait(self._client.store.read(artifact))

    def download(self, artifact: Artifact | str, path: str | Path) -> Path:
        """Write an artifact to a local file atomically."""
        return self._wait(self._client.store.download(artifact, path))

    def submit(self, recipe: str | Path, parameters: Mapping[str, Any] | None = None, **options: Any) -> run_pb2.Run:
        """Start a run of a recipe file; options as `Runs.submit`."""
        return self._wait(self._client.runs.submit(recipe, parameters, **options))

    def watch(self, run_id: str, **options: Any) -> Iterator[run_pb2.Run]:
        """Yield the run now and at every change, until it has ended; options as `Runs.watch`."""
        return self._iterate(self._client.runs.watch(run_id, **options))

    def wait(self, run_id: str) -> run_pb2.Run:
        """Wait until the run has ended, and return it."""
        return self._wait(self._client.runs.wait(run_id))

    def samples(self, run_id: str = "", **filters: Any) -> Iterator[run_pb2.Sample]:
        """Yield samples; order and filters as those of `Runs.samples`."""
        return self._iterate(self._client.runs.samples(run_id, **filters))

    def plan(self, recipe: str | Path, parameters: Mapping[str, Any] | None = None) -> run_pb2.PlanRecipeResponse:
        """Check a recipe file and return its plan; problems are part of it, not raised."""
        return self._wait(self._client.runs.plan(recipe, parameters))

    def run(self, run_id: str) -> run_pb2.Run:
        """Return one run."""
        return self._wait(self._client.runs.get(run_id))

    def runs(self) -> Iterator[run_pb2.Run]:
        """Yield all runs, the newest first."""
        return self._iterate(self._client.runs.list())

    def cancel(self, run_id: str) -> run_pb2.Run:
        """Cancel a run."""
        return self._wait(self._client.runs.cancel(run_id))

    def pause(self, run_id: str) -> run_pb2.Run:
        """Pause a run: it starts no new steps."""
        return self._wait(self._client.runs.pause(run_id))

    def resume(self, run_id: str) -> run_pb2.Run:
        """Resume a paused run."""
        return self._wait(self._client.runs.resume(run_id))

    def artifacts(self) -> Iterator[Artifact]:
        """Yield all artifacts of the store in order of digest."""
        return self._iterate(self._client.store.list())

    def verify_store(self) -> Iterator[artifact_service_pb2.VerifyStoreResponse]:
        """Read every artifact and compare its bytes with its digest."""
        return self._iterate(self._client.store.verify())

    def collect_garbage(self, **options: Any) -> Iterator[artifact_service_pb2.CollectGarbageResponse]:
        """Remove artifacts that nothing refers to; options as `Store.collect_garbage`."""
        return self._iterate(self._client.store.collect_garbage(**options))

    def lineage(self, sample_id: str) -> run_pb2.GetLineageResponse:
        """Return the lineage of a sample."""
        return self._wait(self._client.runs.lineage(sample_id))

    def export(self, run_id: str, **options: Any) -> run_pb2.ExportResult:
        """Write the accepted samples of runs as a dataset into the store; options as `Runs.export`."""
        return self._wait(self._client.runs.export(run_id, **options))

    def export_to(self, run_id: str, folder: str | Path, **options: Any) -> SavedDataset:
        """Export runs and synchronize a folder with the dataset; options as `AsyncClient.export_to`."""
        return self._wait(self._client.export_to(run_id, folder, **options))

    def _wait(self, coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    def _iterate(self, items: AsyncIterator[ResultT]) -> Iterator[ResultT]:
        async def following() -> tuple[bool, ResultT | None]:
            try:
                return True, await anext(items)
            except StopAsyncIteration:
                return False, None

        while True:
            more, item = self._wait(following())
            if not more:
                return
            yield item  # type: ignore[misc]  # an item when there is more

    def _stop(self) -> None:
        self._wait(_cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_all() -> None:
    """Cancel all tasks of the loop, so that none is pending when it stops."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
