"""ZIP files of maps: damaged in any compression, they are refused with their field."""

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill_common.artifacts import ArtifactStore, open_store
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_media import encode_exr, read_map_sequence

_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_ENTRY = b"PK\x01\x02" + bytes(24) + struct.pack("<H", 1) + bytes(16) + b"a"


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


def test_a_directory_of_very_many_entries_is_refused_before_it_is_read(store: ArtifactStore) -> None:
    directory = _ENTRY * 400_000
    end = b"PK\x05\x06" + bytes(4) + struct.pack("<HHIIH", 0xFFFF, 0xFFFF, len(directory), 0, 0)
    with pytest.raises(InvalidArgumentError, match=f"data: has a directory of {len(directory)} bytes"):
        read_map_sequence(store, Artifact(inline_data=directory + end), "data", {0})


def test_the_size_of_a_directory_may_be_in_the_record_of_zip64(store: ArtifactStore) -> None:
    data = _zip(zipfile.ZIP_STORED)
    end = data.rindex(b"PK\x05\x06")
    num_entries, size_bytes, offset = struct.unpack_from("<HII", data, end + 10)
    record = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, num_entries, num_entries, size_bytes, offset)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, end, 1)
    last = b"PK\x05\x06" + bytes(4) + struct.pack("<HHIIH", 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    maps = read_map_sequence(store, Artifact(inline_data=data[:end] + record + locator + last), "data", {1})
    assert maps[1].mean() == 0.5
    far = record.replace(struct.pack("<Q", size_bytes), struct.pack("<Q", 1 << 30))
    with pytest.raises(InvalidArgumentError, match="is damaged"):
        read_map_sequence(store, Artifact(inline_data=data[:end] + far + locator + last), "data", {1})


def test_the_size_of_a_directory_is_that_of_the_record_which_is_read(store: ArtifactStore) -> None:
    directory = _ENTRY * 400_000
    # The offset in the record looks like the beginning of another record.
    looks_like_a_record = int.from_bytes(b"PK\x05\x06", "little")
    end = b"PK\x05\x06" + bytes(4) + struct.pack("<HHIIH", 0xFFFF, 0xFFFF, len(directory), looks_like_a_record, 0)
    with pytest.raises(InvalidArgumentError, match=f"data: has a directory of {len(directory)} bytes"):
        read_map_sequence(store, Artifact(inline_data=directory + end), "data", {0})


def test_a_comment_does_not_hide_the_size_of_a_directory(store: ArtifactStore) -> None:
    directory, comment = _ENTRY * 400_000, b"PK\x06\x06" + bytes(60)
    record = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 400_000, 400_000, len(directory), 0)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, len(directory), 1)
    end = b"PK\x05\x06" + bytes(4) + struct.pack("<HHIIH", 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, len(comment))
    with pytest.raises(InvalidArgumentError, match=f"data: has a directory of {len(directory)} bytes"):
        read_map_sequence(store, Artifact(inline_data=directory + record + locator + end + comment), "data", {0})
