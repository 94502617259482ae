"""Decode Radiance .hdr images, after the "Picture file format" of the Radiance documentation (Ward, 1991 to 2021)."""

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lumenmill_media.color_spaces import REC709_FROM_XYZ, Chromaticities, rec709_matrix

__all__ = ["RADIANCE_MAGIC", "decode_radiance"]

Array = NDArray[np.float32]
Quads = NDArray[np.uint8]

RADIANCE_MAGIC = b"#?"

_MAX_HEADER_BYTES = 65536
_RESOLUTION = re.compile(rb"\r?\n\r?\n([-+])([XY]) (\d{1,6}) ([-+])([XY]) (\d{1,6})\r?\n")
_XYZ = b"32-bit_rle_xyze"
# Lengths of runs have at most four bytes.
_MAX_CONSECUTIVE_RUNS = 4
_PIXELS_AT_ONCE = 1 << 20
# Each scanline takes a round; no camera or panorama has more of them.
_MAX_SCANLINES = 65_536


class _Header(NamedTuple):
    """`slow` and `fast` are the lengths of the two axes in the order of the file."""

    slow: int
    fast: int
    is_by_columns: bool
    flips_vertically: bool
    flips_horizontally: bool
    matrix: NDArray[np.float64] | None
    gains: Array
    offset: int


def decode_radiance(data: bytes, max_pixels: int) -> Array:
    """Return a Radiance image as (H, W, 3) radiance, linear Rec. 709.

    Every orientation, uncompressed and run-length coded scanlines of both kinds are read; exposure, colour correction
    and primaries of the header are undone.

    Raises:
        ValueError: the bytes are no Radiance image, it is damaged, or it has more pixels than `max_pixels`.
    """
    header = _header(data, max_pixels)
    try:
        quads = _quads(np.frombuffer(data, np.uint8, offset=header.offset), header.slow, header.fast)
    except (IndexError, ValueError) as error:
        raise ValueError("is a truncated or damaged Radiance image") from error
    if header.is_by_columns:
        quads = quads.transpose(1, 0, 2)
    quads = quads[:: -1 if header.flips_vertically else 1, :: -1 if header.flips_horizontally else 1]
    scale = np.ldexp(np.float32(1.0), np.arange(256, dtype=np.int32) - 136).astype(np.float32)
    scale[0] = 0.0
    image = quads[..., :3].astype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # the brightest pixels may become infinite, as in EXR files
        image *= scale[quads[..., 3]][..., None]
        image *= header.gains
        return image if header.matrix is None else np.asarray(image @ header.matrix.T.astype(np.float32))


def _header(data: bytes, max_pixels: int) -> _Header:
    head = data[:_MAX_HEADER_BYTES]
    match = _RESOLUTION.search(head)
    if not head.startswith(RADIANCE_MAGIC) or match is None or match[2] == match[5]:
        raise ValueError("is not a readable Radiance image")
    slow, fast = int(match[3]), int(match[6])
    if slow > _MAX_SCANLINES and _may_be_by_channel(fast):
        raise ValueError(f"has {slow} scanlines, more than the {_MAX_SCANLINES} allowed")
    if not 0 < slow * fast <= max_pixels:
        raise ValueError(f"has {slow}×{fast} pixels, more than the {max_pixels} allowed")
    signs = {match[2]: match[1], match[5]: match[4]}
    lines = head[: match.start()].splitlines()
    return _Header(
        slow,
        fast,
        is_by_columns=match[2] == b"X",
        flips_vertically=signs[b"Y"] == b"+",
        flips_horizontally=signs[b"X"] == b"-",
        matrix=_matrix(lines),
        gains=_gains(lines),
        offset=match.end(),
    )


def _matrix(lines: list[bytes]) -> NDArray[np.float64] | None:
    """Return the matrix to Rec. 709; None for RGB without stated primaries, which maps have in Rec. 709."""
    kinds = [line.removeprefix(b"FORMAT=").strip() for line in lines if line.startswith(b"FORMAT=")]
    if any(kind not in (b"32-bit_rle_rgbe", _XYZ) for kind in kinds):
        raise ValueError(
            f"is a Radiance file of format {kinds[-1][:40].decode('ascii', 'replace')!r}; RGBE and XYZE are read"
        )
    if _XYZ in kinds:
        return REC709_FROM_XYZ
    primaries = [_numbers(line, 8) for line in lines if line.startswith(b"PRIMARIES=")]
    # Eight zeros, as some writers state what they do not know, are no primaries.
    if not primaries or not any(primaries[-1]):
        return None
    rx, ry, gx, gy, bx, by, wx, wy = primaries[-1]
    # Radiance's own tools keep white, which is equal energy in files of its default primaries.
    return rec709_matrix(Chromaticities((rx, ry), (gx, gy), (bx, by), (wx, wy)), keep_white=True)


def _gains(lines: list[bytes]) -> Array:
    """Return the factors, (3,), that undo the exposures and colour corrections of the header, which multiply."""
    product = np.ones(3, np.float64)
    with np.errstate(over="ignore", under="ignore"):  # what leaves the range of floats is refused
        for line in lines:
            if line.startswith(b"EXPOSURE="):
                product /= _numbers(line, 1)[0]
            elif line.startswith(b"COLORCORR="):
                product /= _numbers(line, 3)
        gains = product.astype(np.float32)
    if not np.all(np.isfinite(gains) & (gains > 0)):
        raise ValueError("states exposures or colour corrections that are too small or too large")
    return gains


def _numbers(line: bytes, count: int) -> list[float]:
    try:
        numbers = [float(word) for word in line.split(b"=", 1)[1].split()]
    except ValueError:
        numbers = []
    if len(numbers) != count or not all(np.isfinite(numbers)) or (count < 8 and min(numbers) <= 0):
        raise ValueError(f"has a header line that cannot be read: {line[:60].decode('ascii', 'replace')!r}")
    return numbers


def _quads(body: NDArray[np.uint8], num_scanlines: int, length: int) -> Quads:
    """Return the four bytes of each pixel, (scanlines, length, 4). Each scanline may be coded in its own way."""
    if body.size // 4 < 1:
        raise ValueError("no pixels")
    quads = np.empty((num_scanlines * length, 4), np.uint8)
    pixel, offset, total = 0, 0, num_scanlines * length
    while pixel < total:
        if pixel % length == 0 and _is_coded_by_channel(body, offset, length):
            offset = _scanline_by_channel(body, offset + 4, quads[pixel : pixel + length])
            pixel += length
        else:
            # Old runs may go on over the end of a scanline.
            count = length - pixel % length if _may_be_by_channel(length) else min(total - pixel, _PIXELS_AT_ONCE)
            pixel, offset = _old_scanline(body, offset, quads, pixel, count)
    return quads.reshape(num_scanlines, length, 4)


def _may_be_by_channel(length: int) -> bool:
    """Return whether scanlines of this length may be coded channel by channel."""
    return 8 <= length < 32768


def _is_coded_by_channel(body: NDArray[np.uint8], offset: int, length: int) -> bool:
    if not _may_be_by_channel(length) or body.size < offset + 4:
        return False
    first, second, high, low = (int(value) for value in body[offset : offset + 4])
    return first == 2 and second == 2 and high < 128 and (high << 8 | low) == length


def _old_scanline(body: NDArray[np.uint8], offset: int, quads: Quads, pixel: int, count: int) -> tuple[int, int]:
    """Decode `count` pixels, uncompressed or in old runs; a run may be longer. Returns the next pixel and offset.

    A quad (1, 1, 1, n) repeats the pixel before it n times, a second one after it n × 256 times, and so on.
    """
    coming = body[offset : offset + 4 * (count + _MAX_CONSECUTIVE_RUNS)]
    coming = coming[: coming.size // 4 * 4].reshape(-1, 4)
    if not len(coming):
        raise ValueError("no more pixels")
    places, is_run = np.arange(len(coming)), (coming[:, :3] == 1).all(axis=1)
    origins = np.maximum.accumulate(np.where(is_run, -1, places))
    shifts = np.minimum(places - origins - 1, _MAX_CONSECUTIVE_RUNS) * 8
    lengths = np.where(is_run, coming[:, 3].astype(np.int64) << np.maximum(shifts, 0), 1)
    used = int(np.searchsorted(np.cumsum(lengths), count)) + 1
    while used < len(coming) and is_run[used - 1] and is_run[used]:
        used += 1
    if origins[0] < 0 and pixel == 0:
        raise ValueError("a run without a pixel before it")
    before = quads[pixel - 1 : pixel] if pixel else coming[:1]
    lengths = np.minimum(lengths[:used], len(quads) - pixel)
    decoded = np.concatenate([before, coming[:used]])[np.repeat(origins[:used] + 1, lengths)][: len(quads) - pixel]
    quads[pixel : pixel + len(decoded)] = decoded
    return pixel + len(decoded), offset + 4 * min(used, len(coming))


def _scanline_by_channel(body: NDArray[np.uint8], offset: int, quads: Quads) -> int:
    """Decode one scanline into (length, 4), channel by channel; return the offset of the next one."""
    for channel in range(4):
        offset = _run(body, offset, quads[:, channel])
    return offset


def _run(body: NDArray[np.uint8], offset: int, row: NDArray[np.uint8]) -> int:
    """Decode one run-length coded channel of a scanline; return the offset of the next one."""
    column = 0
    while column < row.size:
        count = int(body[offset])
        if count > 128:
            count -= 128
            row[column : column + count] = body[offset + 1]
            offset += 2
        else:
            row[column : column + count] = body[offset + 1 : offset + 1 + count]
            offset += 1 + count
        column += count
        if count == 0 or column > row.size:
            raise ValueError("run beyond the scanline")
    return offset
