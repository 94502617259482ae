"""Clips mean what their files say: streams, rotation, colour spaces, times, and files that are cut off."""

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray
from PIL import Image

from lumenmill_common.artifacts import ArtifactStore, open_store
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_media import Clip, iter_frames, probe_clip, put_clip, read_clip, srgb_to_linear, write_clip

Pixels = NDArray[np.uint8]
_WIDTH, _HEIGHT, _NUM_FRAMES = 96, 64, 12
_2020_FROM_709 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return open_store(f"file://{tmp_path}/store")


@pytest.fixture
def shown() -> Pixels:
    """A warm picture that is bright at its left and dark at its right."""
    ramp = np.linspace(0.8, 0.1, _WIDTH)[None, :, None] * np.array([1.0, 0.7, 0.4])
    return np.rint(np.broadcast_to(ramp, (_HEIGHT, _WIDTH, 3)) * 255).astype(np.uint8)


def _clip(store: ArtifactStore, data: bytes, num_samples: int = 4) -> Clip:
    return read_clip(store, store.put_bytes(data, "video/mp4"), "media", num_samples)


def _frame(pixels: Pixels, format_: str = "yuv420p", **options: Any) -> av.VideoFrame:
    source = "rgb48le" if pixels.dtype == np.uint16 else "rgb24"
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=source).reformat(format=format_, **options)


def _encoded(
    frames: list[av.VideoFrame],
    tags: tuple[int, int, int] | None = None,
    *,
    turn_deg: int = 0,
    times_ms: list[int] | None = None,
    cover: Pixels | None = None,
    container_format: str = "mp4",
    **options: Any,
) -> bytes:
    """Encode a clip of 24 frames per second; `tags` are primaries, transfer function and matrix."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container_format, **options) as container:
        picture = container.add_stream("mjpeg", rate=24) if cover is not None else None
        if picture is not None and cover is not None:
            picture.width, picture.height, picture.pix_fmt = cover.shape[1], cover.shape[0], "yuvj420p"
        stream = container.add_stream("libx264", rate=24, options={"crf": "6"})
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, frames[0].format.name
        if tags is not None:
            context = stream.codec_context
            context.color_primaries, context.color_trc, context.colorspace = tags
            context.color_range = ColorRange.MPEG
        if turn_deg:
            stream.set_display_rotation(turn_deg)
        if times_ms is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if picture is not None and cover is not None:
            container.mux(picture.encode(_frame(cover, "yuvj420p")))
            container.mux(picture.encode())
        for index, frame in enumerate(frames):
            if times_ms is not None:
                frame.pts, frame.time_base = times_ms[index], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


def test_the_stream_that_players_show_is_read(store: ArtifactStore, shown: Pixels) -> None:
    blue = np.broadcast_to(np.array([0, 0, 255], np.uint8), (_HEIGHT, _WIDTH, 3))
    frames = [_frame(shown) for _ in range(_NUM_FRAMES)]
    data = _encoded(frames, cover=blue, container_format="matroska")
    clip = _clip(store, data)
    assert clip.num_frames == _NUM_FRAMES
    red, _, blue_mean = clip.frames[0].picture.linear.mean((0, 1))
    assert red > 2 * blue_mean
    assert probe_clip(store, store.put_bytes(data, "video/mp4"), "media", 100).codec == "h264"


def test_a_cover_that_comes_first_in_an_mp4_is_not_the_clip(store: ArtifactStore, shown: Pixels) -> None:
    blue = np.broadcast_to(np.array([0, 0, 255], np.uint8), (_HEIGHT, _WIDTH, 3))
    data = _encoded([_frame(shown) for _ in range(_NUM_FRAMES)], cover=blue)
    clip = _clip(store, data)
    assert clip.num_frames == _NUM_FRAMES
    assert probe_clip(store, store.put_bytes(data, "video/mp4"), "media", 100).codec == "h264"


@pytest.mark.parametrize(("turn_deg", "num_turns"), [(90, 1), (180, 2), (270, 3)])
def test_a_turned_clip_is_read_upright(store: ArtifactStore, shown: Pixels, turn_deg: int, num_turns: int) -> None:
    data = _encoded([_frame(np.rot90(shown, -num_turns)) for _ in range(_NUM_FRAMES)], turn_deg=turn_deg)
    artifact = store.put_bytes(data, "video/mp4")
    clip = _clip(store, data)
    picture = clip.frames[0].picture
    assert picture.size_px == (_WIDTH, _HEIGHT) and picture.linear.shape[:2] == (_HEIGHT, _WIDTH)
    assert picture.linear[:, :20].mean() > 4 * picture.linear[:, -20:].mean()
    # The reduced frames, in which motion and flicker are measured, are upright too.
    assert clip.track.cells[0, :, 0].mean() > 4 * clip.track.cells[0, :, -1].mean()
    facts = probe_clip(store, artifact, "media", 100)
    assert (facts.width_px, facts.height_px) == (_WIDTH, _HEIGHT)
    assert {frame.size for frame in iter_frames(store, artifact, "media")} == {(_WIDTH, _HEIGHT)}


def test_a_clip_that_is_turned_by_an_odd_angle_is_refused(store: ArtifactStore, shown: Pixels) -> None:
    data = _encoded([_frame(shown) for _ in range(3)], turn_deg=30)
    with pytest.raises(InvalidArgumentError, match="media: is turned by"):
        _clip(store, data)


def _pq(linear: NDArray[np.floating]) -> NDArray[np.floating]:
    power = (linear * 203 / 10000) ** (2610 / 16384)
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    return ((c1 + c2 * power) / (1 + c3 * power)) ** (2523 / 4096 * 128)


def _hlg(linear: NDArray[np.floating]) -> NDArray[np.floating]:
    nits = linear * 203 / 1000
    luminance = nits @ np.array([0.2627, 0.6780, 0.0593])
    scene = nits * (luminance ** (1 / 1.2 - 1))[..., None]
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c)


def _sdr(linear: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize(
    ("encode", "transfer"), [(_pq, 16), (_hlg, 18), (_sdr, 14)], ids=["PQ", "HLG", "BT.2020 of standard range"]
)
def test_clips_in_bt2020_show_the_same_picture(store: ArtifactStore, shown: Pixels, encode: Any, transfer: int) -> None:
    linear = srgb_to_linear(shown.astype(np.float32) / 255)
    signal = np.rint(np.clip(encode(linear.astype(np.float64) @ _2020_FROM_709.T), 0, 1) * 65535).astype(np.uint16)
    frames = [
        _frame(signal, "yuv420p10le", dst_colorspace=Colorspace.BT2020, dst_color_range=ColorRange.MPEG)
        for _ in range(_NUM_FRAMES)
    ]
    picture = _clip(store, _encoded(frames, (9, transfer, 9))).frames[0].picture
    assert np.allclose(picture.linear.mean((0, 1)), linear.mean((0, 1)), rtol=0.04)
    assert np.allclose(picture.linear[:, 5], linear[:, 5], rtol=0.08)


def test_clips_are_written_in_bt709_and_say_so(store: ArtifactStore) -> None:
    color = np.array([230, 40, 30], np.uint8)
    for size in ((1280, 720), (320, 180)):
        pixels = np.broadcast_to(color, (size[1], size[0], 3))
        artifact = put_clip(store, [pixels] * 3, size, 24.0)
        with store.local_file(artifact, field="clip") as path, av.open(str(path)) as container:
            context = container.streams.video[0].codec_context
            assert (context.color_primaries, context.color_trc, context.colorspace) == (1, 1, 1)
            assert context.color_range == ColorRange.MPEG
            frame = next(container.decode(video=0))
            as_hd = frame.reformat(format="rgb24", src_colorspace=Colorspace.ITU709).to_ndarray()
        assert np.abs(as_hd[0, 0].astype(int) - color).max() <= 3
        read = np.asarray(next(iter_frames(store, artifact, "clip")))
        assert np.abs(read[0, 0].astype(int) - color).max() <= 3


@pytest.mark.parametrize(
    ("size", "matrix"), [((1280, 720), Colorspace.ITU709), ((320, 240), Colorspace.ITU601)], ids=["HD", "SD"]
)
def test_untagged_clips_are_taken_as_players_take_them(
    store: ArtifactStore, size: tuple[int, int], matrix: Colorspace
) -> None:
    color = np.array([200, 60, 40], np.uint8)
    pixels = np.broadcast_to(color, (size[1], size[0], 3))
    frames = [_frame(pixels, dst_colorspace=matrix, dst_color_range=ColorRange.MPEG) for _ in range(2)]
    artifact = store.put_bytes(_encoded(frames), "video/mp4")
    read = np.asarray(next(iter_frames(store, artifact, "clip")))
    assert np.abs(read[9, 9].astype(int) - color).max() <= 4


def test_samples_are_even_in_time_where_frames_are_not(store: ArtifactStore, shown: Pixels) -> None:
    # Ten frames in the first tenth of a second, then one frame each second.
    times_ms = [10 * index for index in range(10)] + [1000 * second for second in range(1, 5)]
    clip = _clip(store, _encoded([_frame(shown) for _ in times_ms], times_ms=times_ms), 5)
    assert [round(frame.time_s) for frame in clip.frames] == [0, 1, 2, 3, 4]
    assert clip.num_frames == len(times_ms)
    assert [clip.time_fraction(frame) for frame in clip.frames] == pytest.approx([0, 0.25, 0.5, 0.75, 1], abs=0.01)
    assert clip.track.times_s == pytest.approx([time_ms / 1000 for time_ms in times_ms], abs=0.001)


def test_times_start_with_the_clip(store: ArtifactStore, shown: Pixels) -> None:
    data = _encoded([_frame(shown) for _ in range(24)], container_format="mpegts")
    times = [frame.time_s for frame in _clip(store, data, 3).frames]
    assert times[0] == 0 and times[-1] == pytest.approx(23 / 24, abs=0.01)


def test_white_of_standard_range_stays_white(store: ArtifactStore) -> None:
    white = np.full((_HEIGHT, _WIDTH, 3), 255, np.uint8)
    for tags in ((9, 14, 9), (12, 1, 1), (1, 8, 1)):
        matrix = Colorspace.BT2020 if tags[2] == 9 else Colorspace.ITU709
        frames = [_frame(white, dst_colorspace=matrix, dst_color_range=ColorRange.MPEG) for _ in range(2)]
        picture = _clip(store, _encoded(frames, tags), 1).frames[0].picture
        assert picture.linear.min() > 0.98 and picture.clipped_fractions[0] == 1.0
    deep = [_frame(white, "yuv420p10le", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG)] * 2
    assert _clip(store, _encoded(deep, (1, 1, 1)), 1).frames[0].picture.clipped_fractions[0] == 1.0


def test_linear_clips_without_primaries_are_of_bt709(store: ArtifactStore) -> None:
    color = np.broadcast_to(np.array([200, 30, 30], np.uint8), (_HEIGHT, _WIDTH, 3))
    frames = [_frame(color, dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG) for _ in range(2)]
    read = [_clip(store, _encoded(frames, (primaries, 8, 1)), 1).frames[0].picture.linear for primaries in (1, 2)]
    assert np.allclose(read[0], read[1]) and np.allclose(read[0].mean((0, 1)), np.array([200, 30, 30]) / 255, atol=0.02)


def test_a_clip_without_its_index_is_cut_off(store: ArtifactStore, shown: Pixels) -> None:
    data = _encoded([_frame(shown) for _ in range(_NUM_FRAMES)])
    for length in (len(data) // 2, data.index(b"moov") + 100):
        with pytest.raises(InvalidArgumentError, match="media: is cut off: its index"):
            _clip(store, data[:length])


def test_a_clip_whose_frames_are_cut_off_is_refused_as_such(
    store: ArtifactStore, shown: Pixels, tmp_path: Path
) -> None:
    path = tmp_path / "clip.mp4"
    noise = np.random.default_rng(5).integers(0, 255, (_NUM_FRAMES, _HEIGHT, _WIDTH, 3)).astype(np.uint8)
    write_clip(path, noise, (_WIDTH, _HEIGHT), 24.0)
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with pytest.raises(InvalidArgumentError, match="media: is cut off: its last 1000 bytes are missing"):
        _clip(store, data[:-1000])


def test_a_clip_of_which_no_frame_can_be_decoded_is_refused(store: ArtifactStore, shown: Pixels) -> None:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        packets = [packet for _ in range(_NUM_FRAMES) for packet in stream.encode(_frame(shown))] + stream.encode()
        container.mux(packets[1:])  # all refer to the first one
    with pytest.raises(InvalidArgumentError, match="media: has no frame that can be decoded"):
        _clip(store, buffer.getvalue())


def test_bytes_after_a_clip_do_not_matter(store: ArtifactStore, shown: Pixels) -> None:
    data = _encoded([_frame(shown) for _ in range(3)])
    for trailer in (b"SEFT" * 20, bytes(7), bytes(100)):
        assert _clip(store, data + trailer).num_frames == 3


@pytest.mark.parametrize("container_format", ["mp4", "mov", "matroska", "avi", "mpegts"])
def test_the_same_clip_is_read_from_every_container(store: ArtifactStore, shown: Pixels, container_format: str) -> None:
    data = _encoded([_frame(shown) for _ in range(_NUM_FRAMES)], container_format=container_format)
    clip = _clip(store, data)
    assert clip.num_frames == _NUM_FRAMES
    assert clip.track.times_s == pytest.approx(np.arange(_NUM_FRAMES) / 24, abs=0.001)
    facts = probe_clip(store, store.put_bytes(data, "video/mp4"), "media", 100)
    assert (facts.width_px, facts.num_frames, facts.codec) == (_WIDTH, _NUM_FRAMES, "h264")
    assert facts.fps == pytest.approx(24.0)


def test_pictures_are_refused_by_their_names(store: ArtifactStore) -> None:
    buffer = io.BytesIO()
    frames = [Image.new("RGB", (16, 16), color) for color in ("red", "blue")]
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:])
    with pytest.raises(InvalidArgumentError, match="media: is a WebP image; send a clip"):
        _clip(store, buffer.getvalue())


def test_the_rate_of_uneven_frames_is_their_mean(store: ArtifactStore, shown: Pixels) -> None:
    times_ms = [0, 10, 20, 500, 1000, 1500, 2000, 2400]
    data = _encoded([_frame(shown) for _ in times_ms], times_ms=times_ms, container_format="matroska")
    assert probe_clip(store, store.put_bytes(data, "video/mp4"), "media", 100).fps == pytest.approx(7 / 2.4)
    even = _encoded([_frame(shown) for _ in range(20)], container_format="matroska")
    assert probe_clip(store, store.put_bytes(even, "video/mp4"), "media", 100).fps == 24.0


def test_a_box_longer_than_any_file_is_cut_off(store: ArtifactStore) -> None:
    head = b"\0\0\0\x10ftypisom\0\0\0\0"
    for length in (1 << 40, (1 << 63) + 8, (1 << 64) - 1):
        box = b"\0\0\0\1mdat" + length.to_bytes(8, "big")
        with pytest.raises(InvalidArgumentError, match="media: is cut off"):
            _clip(store, head + box + bytes(100))


def test_other_files_are_refused_by_their_names(store: ArtifactStore) -> None:
    with pytest.raises(InvalidArgumentError, match="media: is a ZIP archive; send a clip"):
        _clip(store, b"PK\x03\x04" + bytes(100))
    with pytest.raises(InvalidArgumentError, match="media: is damaged"):
        _clip(store, b"words" * 100)


def test_titles_in_other_encodings_do_not_matter(store: ArtifactStore, shown: Pixels) -> None:
    data = _encoded([_frame(shown) for _ in range(3)], container_format="matroska", metadata_encoding="latin-1")
    titled = io.BytesIO()
    with av.open(titled, "w", format="matroska", metadata_encoding="latin-1") as container:
        container.metadata["title"] = "caf\xe9"
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(_frame(shown)))
        container.mux(stream.encode())
    assert b"caf\xe9" in titled.getvalue()
    assert _clip(store, titled.getvalue()).num_frames == _clip(store, data).num_frames == 3
