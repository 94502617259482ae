"""Synthetic samples in a real database, with media in a real store."""

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from PIL import Image

from lumenmill.common.v1 import artifact_pb2, light_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.artifacts import ArtifactStore, open_store_from
from lumenmill_common.errors import LumenmillError
from lumenmill_common.settings import StoreSettings
from lumenmill_orchestrator.exporters import InProcessExports
from lumenmill_orchestrator.storage import ExportStore, SampleStore, engine_url, make_engine, upgrade_schema
from lumenmill_orchestrator.storage.schema import samples

FREE = artifact_pb2.Licence(subject="tiny", spdx_id="CC0-1.0", allows_commercial_use=True)
_SIZE_PX = (24, 16)


@dataclass
class Archive:
    """A database and a store with samples, and their exports."""

    folder: Path
    stored: StoreSettings | None = None
    """Of the store; without them it is in the folder, as the database is without its URL."""
    database_url: str = ""
    store: ArtifactStore = field(init=False)
    engine: sa.Engine = field(init=False)
    num_reads: int = 0

    def __post_init__(self) -> None:
        self.store = open_store_from(self.stored or StoreSettings(store_url=f"file://{self.folder}/store"))
        self.engine = make_engine(engine_url(self.database_url or f"sqlite:///{self.folder}/archive.sqlite"))
        upgrade_schema(self.engine)
        self._exports = InProcessExports(SampleStore(self.engine), self.store, ExportStore(self.engine))

    def close(self) -> None:
        self.engine.dispose()

    def picture(self, text: str) -> artifact_pb2.Artifact:
        facts = artifact_pb2.ImageFacts(width_px=_SIZE_PX[0], height_px=_SIZE_PX[1])
        return self.store.put_bytes(_png(text), "image/png", image=facts)

    def clip(self, text: str) -> artifact_pb2.Artifact:
        facts = artifact_pb2.VideoFacts(width_px=24, height_px=16, num_frames=9, fps=8)
        return self.store.put_bytes(f"a clip: {text}".encode(), "video/mp4", video=facts)

    def add(self, made: Sequence[run_pb2.Sample]) -> None:
        """Append samples."""
        rows = [
            {
                "id": sample.id,
                "run_id": sample.run_id,
                "item_id": sample.item_id,
                "kind": sample.kind,
                "verdict": sample.verdict,
                "reason": sample.reason,
                "group_id": sample.group_id,
                "create_time": time.time(),
                "parents": "[]",
                "message": sample.SerializeToString(),
            }
            for sample in made
        ]
        with self.engine.begin() as connection:
            connection.execute(samples.insert(), rows)

    async def export(
        self, run_id: str, export_format: str, to: Path | None = None, **more: Any
    ) -> run_pb2.ExportResult:
        """Export, and write the files as a client would."""
        request = run_pb2.ExportRunRequest(run_id=run_id, format=f"EXPORT_FORMAT_{export_format}", **more)  # type: ignore[arg-type]
        result = run_pb2.ExportResult()
        async for response in self._exports.export(request):
            result = response.result
        for file in result.files if to is not None else ():
            path = to / file.path  # type: ignore[operator]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.store.read_bytes(file.artifact))
        return result

    async def error_of(self, run_id: str, export_format: str, **more: Any) -> LumenmillError:
        """Return the error of an export."""
        try:
            await self.export(run_id, export_format, **more)
        except LumenmillError as error:
            return error
        raise AssertionError("the export did not fail")


def light(*map_sha256s: str) -> light_pb2.Light:
    sources = [
        light_pb2.LightSource(
            environment_map=light_pb2.EnvironmentMapLight(
                map=artifact_pb2.Artifact(sha256=sha256, media_type="image/vnd.radiance")
            )
        )
        for sha256 in map_sha256s
    ]
    return light_pb2.Light(text="soft", sources=sources)


def image_sample(archive: Archive, run_id: str, scene: int, number: int, **more: Any) -> run_pb2.Sample:
    """Return image `number` of a scene; instructions edit the first one."""
    sample = _sample(run_id, f"{scene}.image.{number}", run_pb2.SAMPLE_KIND_IMAGE, scene)
    sample.caption, sample.prompt = f"scene {scene}, light “{number}”", f"scene {scene}"
    sample.instruction = f"Move the light to {number}." if number else ""
    sample.media["image"].CopyFrom(archive.picture(f"{scene}/{number}"))
    sample.media["albedo"].CopyFrom(archive.store.put_bytes(f"albedo {scene}".encode(), "image/x-exr"))
    sample.media["albedo_preview"].CopyFrom(archive.picture(f"albedo {scene}"))
    sample.MergeFrom(run_pb2.Sample(**more))
    return sample


def clip_sample(archive: Archive, run_id: str, scene: int, number: int, **more: Any) -> run_pb2.Sample:
    """Return clip `number` of a scene."""
    sample = _sample(run_id, f"{scene}.clip.{number}", run_pb2.SAMPLE_KIND_CLIP, scene)
    sample.caption = f"scene {scene} moves, take {number}"
    sample.media["video"].CopyFrom(archive.clip(f"{scene}/{number}"))
    sample.media["depth"].CopyFrom(archive.clip(f"depth {scene}/{number}"))
    sample.MergeFrom(run_pb2.Sample(**more))
    return sample


def _sample(run_id: str, name: str, kind: int, scene: int) -> run_pb2.Sample:
    return run_pb2.Sample(
        id=f"{run_id}.{name}", run_id=run_id, item_id=f"main-{scene}", step="image", kind=kind,
        verdict=run_pb2.VERDICT_ACCEPTED, group_id=f"g-{scene:024x}", scene_key=f"{scene:064x}", licences=[FREE],
    )  # type: ignore[arg-type]  # fmt: skip


def _png(text: str) -> bytes:
    color = tuple(hash_byte for hash_byte in text.encode().rjust(3)[-3:])
    data = io.BytesIO()
    Image.new("RGB", _SIZE_PX, color).save(data, "PNG")  # type: ignore[arg-type]
    return data.getvalue() + text.encode()
