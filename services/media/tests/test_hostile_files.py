"""Files that are made to take long, much memory, or other files."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill_common.artifacts import ArtifactStore, open_store
from lumenmill_common.decoding import DecodeLimits
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.testing.slow_files import jpeg_of_many_scans
from lumenmill_media import (
    encode_exr,
    iter_frames,
    pictures,
    probe_clip,
    put_clip,
    read_clip,
    read_picture,
    read_rgb,
    rgb,
)


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return open_store(f"file://{tmp_path}/store")


def test_a_jpeg_of_many_scans_is_refused_after_its_time(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (pictures, rgb):
        monkeypatch.setattr(module, "STILL_LIMITS", DecodeLimits(max_s=0.1))
    slow = Artifact(inline_data=jpeg_of_many_scans(100), media_type="image/jpeg")
    for read in (read_picture, read_rgb):
        with pytest.raises(InvalidArgumentError, match=r"image: took longer than 0.1 s to decode"):
            read(store, slow, "image")


def test_a_picture_that_needs_too_much_memory_is_refused(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = DecodeLimits(max_s=60.0, max_memory_bytes=64 << 20)
    for module in (pictures, rgb):
        monkeypatch.setattr(module, "STILL_LIMITS", limits)
    png = io.BytesIO()
    Image.new("RGB", (6000, 6000)).save(png, "PNG", compress_level=9)
    exr = encode_exr(np.zeros((3000, 3000, 3), np.float32))
    for data, read in ((png.getvalue(), read_picture), (png.getvalue(), read_rgb), (exr, read_picture)):
        with pytest.raises(InvalidArgumentError, match="image: needs more than 64 MiB of memory to decode"):
            read(store, Artifact(inline_data=data), "image")


def test_the_largest_stills_that_are_allowed_are_read(store: ArtifactStore) -> None:
    png = io.BytesIO()
    Image.new("RGBA", (8000, 8000), (200, 100, 50, 128)).save(png, "PNG", compress_level=1)
    assert read_picture(store, Artifact(inline_data=png.getvalue()), "image").size_px == (8000, 8000)
    exr = encode_exr(np.ones((6000, 6000, 3), np.float32))
    assert read_picture(store, Artifact(inline_data=exr), "image").size_px == (6000, 6000)


def test_a_list_of_files_is_no_clip(store: ArtifactStore, tmp_path: Path) -> None:
    other = put_clip(store, [np.full((64, 96, 3), 40 * index, np.uint8) for index in range(4)], (96, 64), 24.0)
    path = Path(other.uri.removeprefix("file://"))
    lists = [
        f"ffconcat version 1.0\nfile '{path}'\n" * 2,
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{path}\n#EXT-X-ENDLIST\n",
    ]
    for text in lists:
        for media_type in ("video/mp4", "video/mp2t"):
            given = Artifact(inline_data=text.encode(), media_type=media_type)
            for read in (
                lambda clip: read_clip(store, clip, "media", 3),
                lambda clip: probe_clip(store, clip, "media", 100),
                lambda clip: list(iter_frames(store, clip, "media")),
            ):
                with pytest.raises(InvalidArgumentError, match=r"media: is damaged, or not a clip.*send a clip in MP4"):
                    read(given)
