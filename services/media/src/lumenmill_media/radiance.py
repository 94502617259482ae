"""Decode Radiance .hdr images, after the "Picture file format" of the Radiance documentation (Ward, 1991 to 2021)."""

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lumenmill.common.v1.artifact_pb2 import COLOR_SPACE_LINEAR_REC709, COLOR_SPACE_UNSPECIFIED, ImageFacts
from lumenmill_media.color_spaces import REC709_FROM_XYZ, Chromaticities, rec709_matrix
from lumenmill_media.radiance_runs import TooManyRunsError, may_be_by_channel
from lumenmill_media.radiance_scanlines import decode_scanlines

__all__ = ["RADIANCE_MAGIC", "decode_radiance", "radiance_facts"]

Array = NDArray[np.float32]

RADIANCE_MAGIC = b"#?"

_MAX_HEADER_BYTES = 65536
_RESOLUTION = re.compile(rb"\r?\n\r?\n([-+])([XY]) (\d{1,6}) ([-+])([XY]) (\d{1,6})\r?\n")
_XYZ = b"32-bit_rle_xyze"
# A scanline may take a round of its own; no camera or panorama has more of them.
_MAX_SCANLINES = 16_384


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
        ValueError: the bytes are no Radiance image, it is damaged, or it has more pixels than `max_pixels` or
            more runs than any encoder makes.
    """
    header = _header(data, max_pixels)
    try:
        quads = decode_scanlines(data, header.offset, header.slow, header.fast)
    except TooManyRunsError:
        raise
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


def radiance_facts(data: bytes, max_pixels: int) -> ImageFacts:
    """Return upright size, channels and, if it is linear Rec. 709, the colour space of a Radiance image by its header.

    Raises:
        ValueError: as `decode_radiance`, where the header shows it.
    """
    header = _header(data, max_pixels)
    is_rec709 = header.matrix is None and bool((header.gains == 1.0).all())
    return ImageFacts(
        width_px=header.slow if header.is_by_columns else header.fast,
        height_px=header.fast if header.is_by_columns else header.slow,
        num_channels=3,
        color_space=COLOR_SPACE_LINEAR_REC709 if is_rec709 else COLOR_SPACE_UNSPECIFIED,
    )


def _header(data: bytes, max_pixels: int) -> _Header:
    head = data[:_MAX_HEADER_BYTES]
    match = _RESOLUTION.search(head)
    if not head.startswith(RADIANCE_MAGIC) or match is None or match[2] == match[5]:
        raise ValueError("is not a readable Radiance image")
    slow, fast = int(match[3]), int(match[6])
    if slow > _MAX_SCANLINES and may_be_by_channel(fast):
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
