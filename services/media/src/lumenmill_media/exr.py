"""Decode and encode OpenEXR images in memory: half or single floats, compressed without loss.

An image is what its display window shows: pixels of the data window beyond it are cut off, and what the data window
leaves out is 0. Of a file with several parts, the first with colours is the image, else the first.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import OpenEXR
from numpy.typing import NDArray

from lumenmill.common.v1.artifact_pb2 import (
    COLOR_SPACE_DATA,
    COLOR_SPACE_LINEAR_REC709,
    COLOR_SPACE_UNSPECIFIED,
    ColorSpace,
    ImageFacts,
)
from lumenmill_media.color_spaces import Chromaticities, rec709_matrix

__all__ = [
    "EXR_MAGIC",
    "HALF_MAX",
    "MAX_FLOAT_PIXELS",
    "as_half",
    "decode_exr",
    "decode_exr_colors",
    "encode_exr",
    "exr_facts",
]

Array = NDArray[np.float32]

EXR_MAGIC = b"\x76\x2f\x31\x01"
# The largest finite half float.
HALF_MAX = 65504.0
# Default limit on the pixels of a float picture that is decoded: a little more than 8192 × 4096, which take 430 MB.
MAX_FLOAT_PIXELS = 36_000_000
_RGBA_CHANNELS = 4
# The bound of the contract.
_MAX_RECORDED_CHANNELS = 64
# Luminance with opacity, as RGBA.
_GREY = ("Y", "Y", "Y", "A")
_COLORS = frozenset({"R", "G", "B"})
_LUMINANCE_CHROMA = frozenset({"RY", "BY"})


def encode_exr(image_hwc: Array, *, single: bool = False) -> bytes:
    """Return the EXR bytes of an image (H, W, C) of one channel (`Y`) or three (`RGB`); half floats unless `single`."""
    image = np.asarray(image_hwc, np.float32)
    pixels = image if single else np.clip(image, -HALF_MAX, HALF_MAX).astype(np.float16)
    name = "RGB" if pixels.shape[2] == 3 else "Y"
    data = np.ascontiguousarray(pixels if name == "RGB" else pixels[..., 0])
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    buffer = io.BytesIO()
    with OpenEXR.File(header, {name: data}) as file:
        file.write(buffer)
    return buffer.getvalue()


def as_half(image: Array) -> Array:
    """Return the image rounded to half floats, as single floats."""
    return np.clip(image, -HALF_MAX, HALF_MAX).astype(np.float16).astype(np.float32)


class _Window(NamedTuple):
    """A box of pixels."""

    left: int
    top: int
    width: int
    height: int


class _Header(NamedTuple):
    """What the header of a part says."""

    channels: frozenset[str]
    storage: Any
    data_window: _Window
    display_window: _Window
    num_tile_pixels: int
    chromaticities: Chromaticities | None


def decode_exr(data: bytes, max_pixels: int = MAX_FLOAT_PIXELS) -> Array:
    """Return an EXR image of numbers as (H, W, C) float32: C is 4 with alpha, 3 for colours or vectors, 1 for data.

    Raises:
        ValueError: the bytes are no EXR image, the image has more pixels than `max_pixels`, its parts and channels
            together have more values than that many RGBA pixels, or channels that are not understood; the text says
            which.
    """
    return _decoded(data, max_pixels)[0]


def decode_exr_colors(data: bytes, max_pixels: int = MAX_FLOAT_PIXELS) -> Array:
    """Return an EXR image of light as `decode_exr` does, with colours in linear Rec. 709 whatever its primaries.

    Its channels are RGB, RGBA, luminance, or luminance and opacity, which is returned as RGBA; errors as `decode_exr`.

    Without the attribute `chromaticities` the primaries are those of Rec. 709 (OpenEXR, "Standard Attributes").
    """
    pixels, header = _decoded(data, max_pixels)
    has_colors = header.channels >= _COLORS
    is_grey = "Y" in header.channels and "X" not in header.channels
    if not (has_colors or is_grey) and (pixels.shape[-1] > 1 or "Z" in header.channels):
        raise ValueError(f"has channels {sorted(header.channels)}, which are numbers and not light; write RGB")
    matrix = _matrix(header) if has_colors else None
    if matrix is not None:
        with np.errstate(over="ignore", invalid="ignore"):  # the brightest pixels may become infinite
            pixels[..., :3] = pixels[..., :3] @ matrix.T.astype(np.float32)
    return pixels


def _matrix(header: _Header) -> NDArray[np.float64] | None:
    """Return the matrix to linear Rec. 709; None where the file's primaries are those."""
    if header.chromaticities is None:
        return None
    matrix = rec709_matrix(header.chromaticities, keep_white=False)
    return None if np.allclose(matrix, np.eye(3), atol=1e-3) else matrix


def exr_facts(data: bytes, max_pixels: int = MAX_FLOAT_PIXELS) -> ImageFacts:
    """Return size, channels and colour space of an EXR image, of which only the header is read.

    The colour space is linear Rec. 709, that of depth and vectors, or unspecified.

    Raises:
        ValueError: as `decode_exr`, where the header shows it.
    """
    with _errors_named():
        header = _image_header(data, max_pixels)[1]
    return ImageFacts(
        width_px=header.display_window.width,
        height_px=header.display_window.height,
        num_channels=len(header.channels) if len(header.channels) <= _MAX_RECORDED_CHANNELS else 0,
        color_space=_color_space(header),
    )


def _color_space(header: _Header) -> "ColorSpace.ValueType":
    if header.channels & {"Z", "x"}:
        return COLOR_SPACE_DATA
    # Y alone may be luminance, or any number.
    is_rec709 = header.channels >= _COLORS and _matrix(header) is None
    return COLOR_SPACE_LINEAR_REC709 if is_rec709 else COLOR_SPACE_UNSPECIFIED


def _image_header(data: bytes, max_pixels: int) -> tuple[int, _Header]:
    """Return index and header of the part that is the image."""
    with OpenEXR.File(io.BytesIO(data), header_only=True) as file:
        headers = [_header(part.header) for part in file.parts]
    _check_size(headers, max_pixels)
    index = _part_of_image(headers)
    return index, headers[index]


@contextmanager
def _errors_named() -> Iterator[None]:
    """Raise the errors of the library for files that it cannot read as ValueError."""
    try:
        yield
    except (RuntimeError, TypeError, KeyError, UnicodeDecodeError) as error:
        raise ValueError("is not a readable EXR image") from error


def _decoded(data: bytes, max_pixels: int) -> tuple[Array, _Header]:
    """Return pixels (H, W, C) of the display window of the part that is the image, and its header."""
    with _errors_named():
        index, header = _image_header(data, max_pixels)
        with OpenEXR.File(io.BytesIO(data), separate_channels=True) as file:
            pixels = _stacked({name: entry.pixels for name, entry in file.channels(index).items()})
    return _within_display_window(pixels, header), header


def _header(attributes: Mapping[str, Any]) -> _Header:
    stated = attributes.get("chromaticities")
    chromaticities = None
    if stated is not None:
        rx, ry, gx, gy, bx, by, wx, wy = (round(float(value), 6) for value in stated)
        chromaticities = Chromaticities((rx, ry), (gx, gy), (bx, by), (wx, wy))
    tiles = attributes.get("tiles")
    return _Header(
        frozenset(channel.name for channel in attributes["channels"]),
        attributes.get("type"),
        _window(attributes["dataWindow"]),
        _window(attributes["displayWindow"]),
        0 if tiles is None else tiles.xSize * tiles.ySize,
        chromaticities,
    )


def _window(attribute: Any) -> _Window:
    low, high = attribute
    width, height = (max(int(high[axis]) - int(low[axis]) + 1, 0) for axis in (0, 1))
    return _Window(int(low[0]), int(low[1]), width, height)


def _part_of_image(headers: Sequence[_Header]) -> int:
    """Return the index of the first part with colours, else of the first.

    Raises:
        ValueError: the part cannot be read as an image of pixels in rows.
    """
    with_colors = (index for index, header in enumerate(headers) if header.channels >= _COLORS)
    index = next(with_colors, 0)
    if headers[index].storage in (OpenEXR.deepscanline, OpenEXR.deeptile):
        raise ValueError("is a deep EXR image, with several samples in a pixel; write it flat")
    if _LUMINANCE_CHROMA & headers[index].channels:
        raise ValueError("is an EXR image of luminance and chroma (Y, RY, BY), with colours at half size; write RGB")
    return index


def _stacked(channels: Mapping[str, NDArray[Any]]) -> Array:
    for names in (("R", "G", "B", "A"), ("R", "G", "B"), ("X", "Y", "Z"), ("x", "y", "z"), _GREY, ("Y",), ("Z",)):
        if all(name in channels for name in names):
            if len({channels[name].shape for name in names}) > 1:
                raise ValueError(f"has channels {', '.join(names)} of several sizes; write them at full size")
            return np.stack([channels[name] for name in names], axis=-1, dtype=np.float32, casting="unsafe")
    if len(channels) == 1:
        return np.array(next(iter(channels.values()))[..., None], np.float32)
    raise ValueError(f"has channels {sorted(channels)}; RGB, XYZ or one channel are understood")


def _within_display_window(pixels: Array, header: _Header) -> Array:
    data, display = header.data_window, header.display_window
    if data == display:
        return pixels
    shown = np.zeros((display.height, display.width, pixels.shape[-1]), np.float32)
    rows, pixel_rows = _overlap(data.top - display.top, pixels.shape[0], display.height)
    columns, pixel_columns = _overlap(data.left - display.left, pixels.shape[1], display.width)
    shown[rows, columns] = pixels[pixel_rows, pixel_columns]
    return shown


def _overlap(start: int, length: int, size: int) -> tuple[slice, slice]:
    """Return where pixels from `start` on fall within 0 to `size`, in the image and in the pixels."""
    low, high = min(max(start, 0), size), max(min(start + length, size), 0)
    return slice(low, max(high, low)), slice(low - start, max(high, low) - start)


def _check_size(headers: Sequence[_Header], max_pixels: int) -> None:
    num_values = 0
    for header in headers:
        for window in (header.data_window, header.display_window):
            if window.width * window.height > max_pixels:
                raise ValueError(f"has {window.width}×{window.height} pixels, more than the {max_pixels} allowed")
        # The reader takes the memory and time of a whole tile, however small the image is.
        if header.num_tile_pixels > MAX_FLOAT_PIXELS:
            raise ValueError(f"has tiles of {header.num_tile_pixels} pixels, more than the {MAX_FLOAT_PIXELS} allowed")
        num_values += header.data_window.width * header.data_window.height * len(header.channels)
    if num_values > _RGBA_CHANNELS * max_pixels:
        raise ValueError(f"has {num_values} values in all channels, more than {max_pixels} RGBA pixels")
