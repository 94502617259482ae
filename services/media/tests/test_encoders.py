"""Clips are encoded with the encoder that FFmpeg has: at constant quality, or at a bitrate where it has none."""

from pathlib import Path

import numpy as np
import pytest

from lumenmill_common.artifacts import ArtifactStore, open_store
from lumenmill_common.errors import FailedPreconditionError
from lumenmill_media import Encoding, apply_encoding, encoders, iter_frames, probe_clip, put_clip

_SIZE = (320, 180)
_NUM_FRAMES, _FPS = 24, 24.0


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return open_store(f"file://{tmp_path}")


def _noise() -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (_SIZE[1], _SIZE[0], 3), np.uint8) for _ in range(_NUM_FRAMES)]


def test_an_encoder_without_constant_quality_gets_the_bitrate_for_the_size(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # H.264 encoders without CRF need a GPU or a library that this FFmpeg lacks; that of MPEG-4 is driven alike.
    monkeypatch.setattr(encoders, "_ENCODERS", ("libopenh264", "mpeg4"))
    applied = apply_encoding(Encoding(18, "slow"), _SIZE)
    assert (applied.encoder, str(applied)) == ("mpeg4", "mpeg4 5000k")
    made = put_clip(store, _noise(), _SIZE, _FPS, Encoding(18, "slow"))
    assert probe_clip(store, made, "clip", 100).codec == made.video.codec == "mpeg4"
    assert len(list(iter_frames(store, made, "clip"))) == _NUM_FRAMES
    rate_bps = 8 * len(store.read_bytes(made)) * _FPS / _NUM_FRAMES
    assert 2.5e6 < rate_bps < 10e6, "without the bitrate FFmpeg aims at 1 Mbit/s"


def test_a_requested_bitrate_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Encoding(bitrate_bps=2_000_000)
    assert str(apply_encoding(asked, _SIZE)) == "h264 2000k medium"
    monkeypatch.setattr(encoders, "_ENCODERS", ("mpeg4",))
    assert str(apply_encoding(asked, _SIZE)) == "mpeg4 2000k"


@pytest.mark.parametrize(
    ("size_px", "rate"),
    [((1920, 1080), "10000k"), ((1280, 720), "8000k"), ((720, 1280), "8000k"), ((832, 480), "5000k")],
)
def test_bitrates_grow_with_the_shorter_side(
    monkeypatch: pytest.MonkeyPatch, size_px: tuple[int, int], rate: str
) -> None:
    monkeypatch.setattr(encoders, "_ENCODERS", ("mpeg4",))
    assert str(apply_encoding(Encoding(), size_px)) == f"mpeg4 {rate}"


def test_libx264_is_preferred() -> None:
    applied = apply_encoding(Encoding(), _SIZE)
    assert (applied.encoder, applied.codec, str(applied)) == ("libx264", "h264", "h264 crf 20 medium")


def test_a_build_without_an_encoder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "_ENCODERS", ("h264_nvenc_of_another_build",))
    with pytest.raises(FailedPreconditionError, match="no encoder for clips of 320×180 pixels"):
        apply_encoding(Encoding(), _SIZE)
