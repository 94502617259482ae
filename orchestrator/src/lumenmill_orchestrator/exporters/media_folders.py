"""Folders of media with metadata, as `datasets.load_dataset("imagefolder")` and `("videofolder")` open them."""

import json
from collections.abc import Iterator

from lumenmill_orchestrator.exporters.columns import json_row_of
from lumenmill_orchestrator.exporters.interfaces import Destination, ExportedSample, ExportFormat
from lumenmill_orchestrator.exporters.media import folder_of, main_artifact
from lumenmill_orchestrator.exporters.metadata import MetadataFiles
from lumenmill_orchestrator.names import file_name_of

__all__ = ["MEDIA_FOLDERS"]


def _export(samples: Iterator[ExportedSample], to: Destination) -> None:
    """Write `images/<split>/metadata.jsonl` and `clips/<split>/metadata.jsonl`, each among its media."""
    with MetadataFiles(to, "application/jsonl") as metadata:
        for exported in samples:
            artifact = main_artifact(exported.sample)
            if artifact is None:
                continue
            folder = f"{folder_of(exported.sample)}/{exported.split}"
            row = {"file_name": file_name_of(artifact), **json_row_of(exported)}
            metadata.add(f"{folder}/metadata.jsonl", json.dumps(row, ensure_ascii=False) + "\n")
            to.add_media(f"{folder}/{row['file_name']}", artifact)


MEDIA_FOLDERS = ExportFormat(_export, lambda sample: main_artifact(sample) is not None)
