"""The asynchronous client of a mesh."""

import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc

from lumenmill.captioner.v1 import captioner_pb2, captioner_pb2_grpc
from lumenmill.common.v1 import (
    artifact_pb2,
    camera_pb2,
    display_pb2,
    generation_pb2,
    light_pb2,
    model_pb2,
    scene_pb2,
)
from lumenmill.imager.v1 import imager_pb2, imager_pb2_grpc
from lumenmill.orchestrator.v1 import fleet_pb2, run_pb2, run_pb2_grpc
from lumenmill.prompter.v1 import prompter_pb2, prompter_pb2_grpc
from lumenmill.relighter.v1 import relighter_pb2, relighter_pb2_grpc
from lumenmill.video.v1 import video_pb2, video_pb2_grpc
from lumenmill_client._dataset_folder import DatasetFolder, SavedDataset
from lumenmill_client._events import OnProgress, event_listener
from lumenmill_client._runs import Runs
from lumenmill_client._settings import ClientSettings, read_security
from lumenmill_client._store import Store
from lumenmill_client.mesh import local_address
from lumenmill_common.calls import call_heavy, call_unary, connect
from lumenmill_common.errors import NotFoundError

__all__ = ["AsyncClient", "new_request_id"]


class AsyncClient:
    """A connection to a mesh.

    Calls of models take a `request_id`: a call with the id of an earlier one, from any process, attaches to the running
    job or returns its finished result. Without an id a new one is generated. After a lost connection the call attaches
    again.

    Raises (from every method): lumenmill_common.errors.LumenmillError, the one of the service's status.
    """

    def __init__(self, address: str = "", settings: ClientSettings | None = None) -> None:
        """Connect to the orchestrator at `address`, else at the address of the settings, else to the local mesh.

        Raises:
            UnavailableError: no address is given and no mesh is running on this machine.
            InvalidArgumentError: no settings are given and the environment is invalid; names the variable.
        """
        self._settings = settings or read_security(ClientSettings)
        self.address = address or self._settings.address or local_address(self._settings.home)
        self._channel = connect(self.address, self._settings)
        self._model_channels: dict[str, grpc.aio.Channel] = {}
        self.runs = Runs(self._channel)
        """Recipes and their runs."""
        self.store = Store(self._channel)
        """Artifacts."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        for channel in [self._channel, *self._model_channels.values()]:
            await channel.close()

    # Models.

    async def models(self) -> Sequence[run_pb2.RegisteredModel]:
        """Return the models of the mesh with their descriptions."""
        stub = run_pb2_grpc.RunServiceStub(self._channel)
        return (await call_unary(stub.ListModels, run_pb2.ListModelsRequest())).models

    async def fleet(self, request: fleet_pb2.GetFleetRequest | None = None) -> fleet_pb2.GetFleetResponse:
        """Return the pods of the mesh, its GPUs by type, and their current work."""
        stub = run_pb2_grpc.RunServiceStub(self._channel)
        return await call_unary(stub.GetFleet, request or fleet_pb2.GetFleetRequest())

    async def _channel_of(
        self, contract: str, model: str, suits: Callable[[model_pb2.Model], bool] = lambda _: True
    ) -> grpc.aio.Channel:
        """Return the channel of the named model; without a name, of the first ready one that serves the contract and
        suits the call, or else of the first ready one."""
        serving = [known for known in await self.models() if contract in known.model.contracts]
        if model:
            candidates = [known for known in serving if known.name == model]
        else:
            candidates = [known for known in serving if suits(known.model)] or serving
        if not candidates:
            names = ", ".join(sorted(known.name for known in serving)) or "none"
            requested = f"model named {model!r}" if model else "model"
            raise NotFoundError(f"the mesh has no {requested} for {contract}; it has: {names}")
        address = next((known.address for known in candidates if known.ready), candidates[0].address)
        if address not in self._model_channels:
            self._model_channels[address] = connect(address, self._settings)
        return self._model_channels[address]

    # Calls of models.

    async def caption(
        self,
        media: str | Path | artifact_pb2.Artifact,
        *,
        model: str = "",
        seed: int = 0,
        request_id: str = "",
        on_progress: OnProgress | None = None,
    ) -> captioner_pb2.CaptionResult:
        """Caption an image or clip, and measure its light. Local files are uploaded first."""
        channel = await self._channel_of("lumenmill.captioner.v1.CaptionerService", model)
        request = captioner_pb2.CaptionRequest(
            job=_job(request_id), subject=captioner_pb2.Subject(media=await self._artifact(media)), seed=seed
        )
        stub = captioner_pb2_grpc.CaptionerServiceStub(channel)
        result: captioner_pb2.CaptionResult = await call_heavy(
            stub.Caption, request, on_event=event_listener(on_progress)
        )
        return result

    async def render(
        self,
        prompt: str = "",
        *,
        scene: scene_pb2.SceneDescription | None = None,
        light: light_pb2.Light | None = None,
        camera: camera_pb2.Camera | None = None,
        width_px: int = 0,
        height_px: int = 0,
        num_images: int = 1,
        preset: str = "",
        model: str = "",
        seed: int = 0,
        unknown_words: scene_pb2.UnknownWords.ValueType = scene_pb2.UNKNOWN_WORDS_UNSPECIFIED,
        display: display_pb2.Display | None = None,
        request_id: str = "",
        on_progress: OnProgress | None = None,
    ) -> imager_pb2.GenerateImagesResult:
        """Generate images of a prompt or scene; `unknown_words` and `display` are for models that render."""
        channel = await self._channel_of("lumenmill.imager.v1.ImagerService", model)
        request = imager_pb2.GenerateImagesRequest(
            job=_job(request_id),
            prompt=prompt,
            scene=scene,
            light=light,
            camera=camera,
            width_px=width_px,
            height_px=height_px,
            num_images=num_images,
            preset=preset,
            seed=seed,
            unknown_words=unknown_words,
            display=display,
        )
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        result: imager_pb2.GenerateImagesResult = await call_heavy(
            stub.GenerateImages, request, on_event=event_listener(on_progress)
        )
        return result

    async def relight(
        self,
        image: str | Path | artifact_pb2.Artifact | None,
        variants: Sequence[relighter_pb2.RelightVariant],
        *,
        scene: artifact_pb2.Artifact | None = None,
        preset: str = "",
        model: str = "",
        seed: int = 0,
        display: display_pb2.Display | None = None,
        request_id: str = "",
        on_progress: OnProgress | None = None,
    ) -> relighter_pb2.RelightResult:
        """Generate variants of an image under other lights, environments or viewpoints.

        A variant whose light cannot arrive has a `refusal` and no image. `display` is for models that render.
        """
        channel = await self._channel_of("lumenmill.relighter.v1.RelighterService", model)
        request = relighter_pb2.RelightRequest(
            job=_job(request_id),
            image=await self._artifact(image) if image is not None else None,
            scene=scene,
            variants=variants,
            preset=preset,
            seed=seed,
            display=display,
        )
        stub = relighter_pb2_grpc.RelighterServiceStub(channel)
        result: relighter_pb2.RelightResult = await call_heavy(
            stub.Relight, request, on_event=event_listener(on_progress)
        )
        return result

    async def decompose(
        self,
        image: str | Path | artifact_pb2.Artifact | None,
        *,
        scene: artifact_pb2.Artifact | None = None,
        light: light_pb2.Light | None = None,
        width_px: int = 0,
        height_px: int = 0,
        preset: str = "",
        model: str = "",
        seed: int = 0,
        request_id: str = "",
        on_progress: OnProgress | None = None,
    ) -> relighter_pb2.DecomposeResult:
        """Decompose an image, or a scene as its camera sees it, into all intrinsic maps that the model supports."""
        contract = "lumenmill.relighter.v1.RelighterService"
        channel = await self._channel_of(contract, model, lambda known: bool(known.intrinsic_kinds))
        request = relighter_pb2.DecomposeRequest(
            job=_job(request_id),
            image=await self._artifact(image) if image is not None else None,
            scene=scene,
            light=light,
            width_px=width_px,
            height_px=height_px,
            preset=preset,
            seed=seed,
        )
        stub = relighter_pb2_grpc.RelighterServiceStub(channel)
        result: relighter_pb2.DecomposeResult = await call_heavy(
            stub.Decompose, request, on_event=event_listener(on_progress)
        )
        return result

    async def video(
        self,
        request: video_pb2.GenerateVideoRequest,
        *,
        model: str = "",
        request_id: str = "",
        on_progress: OnProgress | None = None,
    ) -> video_pb2.GenerateVideoResult:
        """Generate a clip. `request_id` is that of the request unless it is given here."""
        channel = await self._channel_of("lumenmill.video.v1.VideoService", model, _takes_text)
        filled = video_pb2.GenerateVideoRequest()
        filled.CopyFrom(request)
        filled.job.MergeFrom(_job(request_id or request.job.request_id))
        stub = video_pb2_grpc.VideoServiceStub(channel)
        result: video_pb2.GenerateVideoResult = await call_heavy(
            stub.GenerateVideo, filled, on_event=event_listener(on_progress)
        )
        return result

    async def prompts(
        self,
        brief: prompter_pb2.Brief,
        *,
        model: str = "",
        seed: int = 0,
        request_id: str = "",
        on_progress: OnProgress | None = None,
    ) -> prompter_pb2.GeneratePromptSetsResult:
        """Write prompt sets from a brief."""
        channel = await self._channel_of("lumenmill.prompter.v1.PrompterService", model)
        request = prompter_pb2.GeneratePromptSetsRequest(job=_job(request_id), brief=brief, seed=seed)
        stub = prompter_pb2_grpc.PrompterServiceStub(channel)
        result: prompter_pb2.GeneratePromptSetsResult = await call_heavy(
            stub.GeneratePromptSets, request, on_event=event_listener(on_progress)
        )
        return result

    # Datasets.

    async def export_to(
        self, run_id: str, folder: str | Path, *, on_progress: OnProgress | None = None, **options: Any
    ) -> SavedDataset:
        """Export a run and synchronize a folder with the dataset; options as `Runs.export`.

        Equal files in the folder are not written again. Files of an earlier export that the dataset no longer has are
        removed. Other files are never changed.

        Raises:
            InvalidArgumentError: another file has the path of a file of the dataset.
        """
        result = await self.runs.export(run_id, on_progress=on_progress, **options)
        name = run_pb2.ExportFormat.Name(options.get("export_format") or run_pb2.EXPORT_FORMAT_PARQUET)
        export_format = name.removeprefix("EXPORT_FORMAT_").lower().replace("_", "-")
        return await DatasetFolder(folder, export_format).save(result, self.store, on_progress)

    async def _artifact(self, media: str | Path | artifact_pb2.Artifact) -> artifact_pb2.Artifact:
        return media if isinstance(media, artifact_pb2.Artifact) else await self.store.upload(media)


def _takes_text(model: model_pb2.Model) -> bool:
    return model.text_input in (model_pb2.TEXT_INPUT_DESCRIPTION, model_pb2.TEXT_INPUT_INSTRUCTION)


def _job(request_id: str) -> generation_pb2.JobOptions:
    """Return the options of a job; callers take turns at a model, so that none needs a high priority."""
    return generation_pb2.JobOptions(request_id=request_id or new_request_id())


def new_request_id() -> str:
    """Return an id for a call that has none."""
    return f"client-{uuid.uuid4().hex}"
