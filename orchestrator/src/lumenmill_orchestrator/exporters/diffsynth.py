"""Metadata of DiffSynth-Studio: CSV files whose paths are relative to the dataset.

Its reader parses an empty cell as a number. Every file therefore holds only rows with values in all of its columns:
each training task has a file of its own.
"""

from collections.abc import Iterator

from lumenmill.common.v1 import artifact_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_orchestrator.exporters.csv_lines import csv_line
from lumenmill_orchestrator.exporters.disk_map import DiskMap
from lumenmill_orchestrator.exporters.interfaces import Destination, ExportedSample, ExportFormat
from lumenmill_orchestrator.exporters.media import control_of, folder_of, main_artifact, prompt_of
from lumenmill_orchestrator.exporters.metadata import MetadataFiles
from lumenmill_orchestrator.names import file_name_of

__all__ = ["DIFFSYNTH"]


def _export(samples: Iterator[ExportedSample], to: Destination) -> None:
    """Write `<kind>/<split>/metadata.csv` for prompts, and beside it `metadata_edit.csv` and `metadata_control.csv`."""
    originals = DiskMap(to.folder / "originals")
    with MetadataFiles(to, "text/csv") as metadata:
        for exported in samples:
            artifact = main_artifact(exported.sample)
            if artifact is not None:
                for path, row in _rows(exported, artifact, originals, to):
                    line = csv_line(row.values(), for_spreadsheets=to.for_spreadsheets)
                    metadata.add(path, line, head=csv_line(row))
    originals.close()


DIFFSYNTH = ExportFormat(
    _export, lambda sample: main_artifact(sample) is not None and bool(prompt_of(sample).strip()), has_csv_files=True
)


def _rows(
    exported: ExportedSample, artifact: artifact_pb2.Artifact, originals: DiskMap, to: Destination
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield (file, row) for every training task that a sample can serve."""
    sample = exported.sample
    folder, path = f"{folder_of(sample)}/{exported.split}", _added(to, artifact)
    column = "video" if sample.kind == run_pb2.SAMPLE_KIND_CLIP else "image"
    yield f"{folder}/metadata.csv", {column: path, "prompt": prompt_of(sample)}
    control = control_of(sample)
    if control is not None:
        row = {column: path, "prompt": prompt_of(sample), f"control_{column}": _added(to, control)}
        yield f"{folder}/metadata_control.csv", row
    original = _original(exported, path, originals)
    if original is not None:
        row = {column: path, "prompt": sample.instruction, "edit_image": original}
        yield f"{folder}/metadata_edit.csv", row


def _original(exported: ExportedSample, path: str, originals: DiskMap) -> str | None:
    """Return the image that a sample's instruction edits: the first of its group, if that is in the same split."""
    sample = exported.sample
    if sample.kind != run_pb2.SAMPLE_KIND_IMAGE or not sample.group_id:
        return None
    group = f"{exported.split}/{sample.run_id}/{sample.group_id}"
    if sample.instruction:
        return originals.get(group)
    originals.set_default(group, path)
    return None


def _added(to: Destination, artifact: artifact_pb2.Artifact) -> str:
    path = f"media/{file_name_of(artifact)}"
    to.add_media(path, artifact)
    return path
