"""Training lists of EasyAnimate and VideoX-Fun: a JSON array for each split, paths relative to the dataset."""

import json
from collections.abc import Iterator
from typing import Any

from lumenmill.common.v1 import artifact_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_orchestrator.exporters.interfaces import Destination, ExportedSample, ExportFormat
from lumenmill_orchestrator.exporters.media import control_of, main_artifact, prompt_of, size_px_of
from lumenmill_orchestrator.exporters.metadata import MetadataFiles
from lumenmill_orchestrator.names import file_name_of

__all__ = ["VIDEOX_FUN"]


def _export(samples: Iterator[ExportedSample], to: Destination) -> None:
    """Write `<split>.json` beside `media/`."""
    with MetadataFiles(to, "application/json", between=",\n", after="\n]\n") as metadata:
        for exported in samples:
            artifact = main_artifact(exported.sample)
            if artifact is not None:
                entry = _entry(exported.sample, artifact, to)
                metadata.add(f"{exported.split}.json", json.dumps(entry, ensure_ascii=False), head="[\n")


VIDEOX_FUN = ExportFormat(_export, lambda sample: main_artifact(sample) is not None)


def _entry(sample: run_pb2.Sample, artifact: artifact_pb2.Artifact, to: Destination) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "file_path": _added(to, artifact),
        "text": prompt_of(sample),
        "type": "video" if sample.kind == run_pb2.SAMPLE_KIND_CLIP else "image",
    }
    size_px = size_px_of(artifact)
    if size_px is not None:
        entry |= {"width": size_px[0], "height": size_px[1]}
    control = control_of(sample)
    if control is not None:
        entry["control_file_path"] = _added(to, control)
    return entry


def _added(to: Destination, artifact: artifact_pb2.Artifact) -> str:
    path = f"media/{file_name_of(artifact)}"
    to.add_media(path, artifact)
    return path
