"""ZIP files of maps: damaged in any compression, they are refused with their field."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill_common.artifacts import ArtifactStore, open_store
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_media import encode_exr, read_map_sequence

_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return open_store((tmp_path / "store").as_uri())


def _zip(compression: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for number in range(2):
            archive.writestr(f"{number:05d}.exr", encode_exr(np.full((12, 16, 3), 0.5 * number, np.float32)))
    return buffer.getvalue()


@pytest.mark.parametrize("compression", _COMPRESSIONS)
def test_damaged_entries_are_refused(store: ArtifactStore, compression: int) -> None:
    data = bytearray(_zip(compression))
    maps = read_map_sequence(store, Artifact(inline_data=bytes(data)), "data", {0, 1})
    assert maps[1].mean() == 0.5
    start = 30 + len("00000.exr")
    data[start + 9 : start + 60] = b"\xff" * 51
    with pytest.raises(InvalidArgumentError, match="data: "):
        read_map_sequence(store, Artifact(inline_data=bytes(data)), "data", {0, 1})
