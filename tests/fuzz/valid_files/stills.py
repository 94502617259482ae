"""Valid display-referred stills: PNG, JPEG and WebP with the chunks, profiles and modes that readers treat in their
own ways."""

import io
import struct
from typing import Any

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

__all__ = ["stills"]

_WIDTH, _HEIGHT = 24, 16


def stills() -> dict[str, bytes]:
    """Return files by name."""
    return _png_files() | _jpeg_files() | _webp_files()


def _png_files() -> dict[str, bytes]:
    rgb, grey = _picture("RGB"), _grey16()
    # Primaries of Display P3, times 100,000 as cHRM has them.
    chromaticities = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
    animation = {"save_all": True, "append_images": [_picture("RGB", 200)], "duration": 40}
    return {
        "png": _encoded(rgb, "PNG"),
        "png-icc": _encoded(rgb, "PNG", icc_profile=_profile()),
        "png-gama": _encoded(
            rgb, "PNG", pnginfo=_chunks((b"gAMA", struct.pack(">I", 100_000)), (b"cHRM", chromaticities))
        ),
        "png-cicp": _encoded(rgb, "PNG", pnginfo=_chunks((b"cICP", bytes([9, 16, 0, 1])))),
        "png-palette": _encoded(_picture("P"), "PNG", transparency=3),
        "png-alpha": _encoded(_picture("RGBA"), "PNG", icc_profile=_profile(), exif=_exif(6)),
        "png-grey16": _encoded(grey, "PNG"),
        "png-grey16-gama": _encoded(grey, "PNG", pnginfo=_chunks((b"gAMA", struct.pack(">I", 100_000)))),
        "png-grey16-icc": _encoded(grey, "PNG", icc_profile=_profile()),
        "png-animation": _encoded(rgb, "PNG", **animation),
    }


def _jpeg_files() -> dict[str, bytes]:
    return {
        "jpeg": _encoded(_picture("RGB"), "JPEG", exif=_exif(6)),
        "jpeg-icc": _encoded(_picture("RGB"), "JPEG", icc_profile=_profile(), exif=_exif(8), progressive=True),
        "jpeg-grey": _encoded(_picture("L"), "JPEG", comment=b"a lamp"),
        "jpeg-cmyk": _encoded(_picture("CMYK"), "JPEG"),
        "jpeg-with-preview": _encoded(_picture("RGB"), "MPO", save_all=True, append_images=[_picture("RGB", 90)]),
    }


def _webp_files() -> dict[str, bytes]:
    animation = {"save_all": True, "append_images": [_picture("RGB", 200)], "duration": 40}
    return {
        "webp": _encoded(_picture("RGB"), "WEBP", icc_profile=_profile(), exif=_exif(3)),
        "webp-lossless": _encoded(_picture("RGBA"), "WEBP", lossless=True),
        "webp-animation": _encoded(_picture("RGB"), "WEBP", **animation),
    }


def _picture(mode: str, blue: int = 40) -> Image.Image:
    ramp = np.linspace(20, 230, _WIDTH * _HEIGHT).reshape(_HEIGHT, _WIDTH, 1)
    pixels = np.concatenate([ramp, ramp * 0.7, np.full_like(ramp, blue), 255 - ramp], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8)).convert(mode)


def _grey16() -> Image.Image:
    ramp = np.linspace(1000, 60000, _WIDTH * _HEIGHT).reshape(_HEIGHT, _WIDTH)
    return Image.fromarray(ramp.astype(np.uint16))


def _profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def _chunks(*chunks: tuple[bytes, bytes]) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    for name, data in chunks:
        info.add(name, data)
    return info


def _encoded(image: Image.Image, format_: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()
