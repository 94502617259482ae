"""WebDataset: tar files in which the files of one sample are adjacent and share a name.

Samples with the same kinds of files share a series of tar files, since readers expect the files of the first sample in
every sample.
"""

import io
import json
import re
import tarfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from lumenmill.common.v1 import artifact_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.artifacts import extension_of
from lumenmill_common.errors import FailedPreconditionError
from lumenmill_orchestrator.exporters.columns import json_row_of
from lumenmill_orchestrator.exporters.interfaces import Destination, ExportedSample, ExportFormat
from lumenmill_orchestrator.exporters.media import folder_of, main_artifact
from lumenmill_orchestrator.exporters.shards import ShardSeries
from lumenmill_orchestrator.names import check_role

__all__ = ["WEBDATASET"]

_MEDIA_TYPE = "application/x-tar"
_ROW_BYTES = 8 << 10
_MEMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def _export(samples: Iterator[ExportedSample], to: Destination) -> None:
    """Write `<kinds of files>/<split>-00000.tar` and so on."""
    series: dict[str, ShardSeries] = {}
    for exported in samples:
        members = _members(exported.sample)
        stem = f"{_folder_of_members(exported.sample, members)}/{exported.split}"
        if stem not in series:
            series[stem] = ShardSeries(to, stem, ".tar", _MEDIA_TYPE, "webdataset/1", partial(_write, to))
        series[stem].add(exported, sum(artifact.size_bytes for artifact in members.values()) + _ROW_BYTES)
    for stem in sorted(series):
        series[stem].close()


WEBDATASET = ExportFormat(_export, lambda sample: main_artifact(sample) is not None)


def _members(sample: run_pb2.Sample) -> dict[str, artifact_pb2.Artifact]:
    """Return media by extension: the image or clip first, then maps and frames, without previews."""
    main = main_artifact(sample)
    members = {} if main is None else {extension_of(main.media_type)[1:]: main}
    for role in sorted(sample.media):
        artifact = sample.media[role]
        shows = artifact.media_type.startswith(("image/", "video/"))
        if shows and role not in ("image", "video", "poster") and not role.endswith("_preview"):
            members[f"{check_role(role)}{extension_of(artifact.media_type)}"] = artifact
    return members


def _folder_of_members(sample: run_pb2.Sample, members: dict[str, artifact_pb2.Artifact]) -> str:
    """Return the name of the folder of samples with these files: `images-png-albedo-depth`."""
    return "-".join([folder_of(sample), *(extension.split(".")[0] for extension in members)])


def _write(to: Destination, path: Path, samples: Sequence[ExportedSample]) -> None:
    # PAX equals USTAR byte for byte unless a name is too long for it, which then gets a header of its own.
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for exported in samples:
            name = _member_name(exported.sample)
            for extension, artifact in _members(exported.sample).items():
                _add(tar, f"{name}.{extension}", to.store.read_bytes(artifact))
            _add(tar, f"{name}.json", json.dumps(json_row_of(exported), ensure_ascii=False).encode())


def _member_name(sample: run_pb2.Sample) -> str:
    """Return the name that the files of a sample share, without dots, at the first of which readers end it.

    Raises:
        FailedPreconditionError: the id of the sample could lead to another folder.
    """
    name = sample.id.replace(".", "-")
    if not _MEMBER.fullmatch(name):
        raise FailedPreconditionError(f"the sample {sample.id[:80]!r} has an id that cannot name files")
    return name


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """Add a file without time and owner, so that equal samples give equal bytes."""
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))
