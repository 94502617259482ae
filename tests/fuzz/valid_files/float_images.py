"""Valid images of floats: EXR of every compression and storage, and Radiance of every coding."""

import io
from typing import Any

import numpy as np
import OpenEXR
from numpy.typing import NDArray

__all__ = ["exr_files", "radiance_files"]

_WIDTH, _HEIGHT = 24, 12
_COMPRESSIONS = ("NO", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "B44", "B44A", "DWAA", "DWAB")
_AP0 = (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767)


def exr_files() -> dict[str, bytes]:
    """Return EXR files by name."""
    light = _light()
    half, alpha = light.astype(np.float16), np.concatenate([light, light[..., :1]], axis=-1)
    files = {
        f"exr-{name.lower()}": _exr({"RGB": half}, compression=getattr(OpenEXR, f"{name}_COMPRESSION"))
        for name in _COMPRESSIONS
    }
    window = (np.array([-4, -2], np.int32), np.array([_WIDTH + 3, _HEIGHT + 1], np.int32))
    return files | {
        "exr-primaries": _exr({"RGB": light}, chromaticities=_AP0),
        "exr-windows": _exr({"RGBA": alpha}, displayWindow=window),
        "exr-depth": _exr({"Z": light[..., 0]}),
        "exr-tiles": _exr({"RGB": light}, type=OpenEXR.tiledimage, tiles=OpenEXR.TileDescription()),
        "exr-parts": _exr_of_parts(light),
    }


def _exr(channels: dict[str, NDArray[Any]], **attributes: Any) -> bytes:
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage} | attributes
    buffer = io.BytesIO()
    with OpenEXR.File(header, channels) as file:
        file.write(buffer)
    return buffer.getvalue()


def _exr_of_parts(light: NDArray[np.float32]) -> bytes:
    depth = OpenEXR.Part({"name": "depth"}, {"Z": np.ascontiguousarray(light[..., 0])}, "depth")
    color = OpenEXR.Part({"name": "beauty"}, {"RGB": light}, "beauty")
    buffer = io.BytesIO()
    with OpenEXR.File([depth, color]) as file:
        file.write(buffer)
    return buffer.getvalue()


def _light() -> NDArray[np.float32]:
    ramp = np.linspace(0.1, 3.0, _WIDTH * _HEIGHT, dtype=np.float32).reshape(_HEIGHT, _WIDTH, 1)
    return np.concatenate([ramp, ramp * 0.75, ramp * 0.5], axis=-1)


def radiance_files() -> dict[str, bytes]:
    """Return Radiance files by name."""
    size = b"-Y %d +X %d" % (_HEIGHT, _WIDTH)
    quads = np.full((_HEIGHT, _WIDTH, 4), [128, 96, 64, 129], np.uint8)
    quads[3:5, 4:9] = [200, 150, 100, 133]
    lines = b"EXPOSURE=2\nCOLORCORR=1 2 1\nPRIMARIES=0.64 0.33 0.29 0.60 0.15 0.06 0.3333 0.3333\n"
    return {
        "radiance-flat": _radiance(size, quads.tobytes()),
        "radiance-runs": _radiance(size, _by_channel(quads)),
        "radiance-old-runs": _radiance(size, _old_runs(quads)),
        "radiance-header": _radiance(b"+X %d -Y %d" % (_WIDTH, _HEIGHT), quads.tobytes(), lines),
        "radiance-xyz": _radiance(size, _by_channel(quads), kind=b"xyze"),
    }


def _radiance(size: bytes, body: bytes, lines: bytes = b"", kind: bytes = b"rgbe") -> bytes:
    return b"#?RADIANCE\nFORMAT=32-bit_rle_%s\n%s\n%s\n" % (kind, lines, size) + body


def _by_channel(quads: NDArray[np.uint8]) -> bytes:
    data = bytearray()
    for row in quads:
        data += bytes([2, 2, 0, _WIDTH])
        for channel in row.T:
            data += bytes([10]) + channel[:10].tobytes() + bytes([128 + _WIDTH - 10, channel[-1]])
    return bytes(data)


def _old_runs(quads: NDArray[np.uint8]) -> bytes:
    """Code two scanlines as runs, of which the second is 256 pixels long by two counts, and others plainly."""
    return b"\x80\x60\x40\x81" + bytes([1, 1, 1, 23]) + quads[1:].tobytes()
