"""Open display-referred stills (PNG, JPEG, WebP) upright and in sRGB, whatever colour space their files are in.

The colour space follows from, in this order: cICP, the ICC profile, sRGB, gAMA and cHRM (PNG, third edition, section
4.3), else it is sRGB. ICC profiles are applied by Little CMS, relative to white; HDR pictures are rolled off at diffuse
white, as clips are.
"""

import io
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageOps

from lumenmill.common.v1.artifact_pb2 import COLOR_SPACE_SRGB, COLOR_SPACE_UNSPECIFIED, ImageFacts
from lumenmill_common.artifacts import kind_of_bytes
from lumenmill_media.color_spaces import (
    HDR_TRANSFERS,
    PRIMARIES,
    REC709,
    TRANSFERS,
    Chromaticities,
    linear_to_srgb,
    rec709_matrix,
    roll_off,
)
from lumenmill_media.still_parts import check_parts

__all__ = ["open_display_image", "still_facts"]

Array = NDArray[np.float32]
ToLinear = Callable[[Array], Array]

_FORMATS = ("PNG", "JPEG", "WEBP")
_READ = "send a PNG, JPEG or WebP image"
# Pillow refuses larger ones itself.
_MAX_PIXELS_OF_HEADERS = 2 * (Image.MAX_IMAGE_PIXELS or 0)
# Values of the EXIF orientation of pictures that are stored lying.
_SIDEWAYS = frozenset({5, 6, 7, 8})
_SRGB_CICP = (1, 13, 0, 1)
_BAND_ROWS = 256
_PNG_SIGNATURE_BYTES = 8
# Files whose gAMA is that of sRGB (1 / 2.2) within the rounding of writers are sRGB, as browsers take them.
_SRGB_GAMMA, _GAMMA_TOLERANCE = 0.45455, 0.005


def open_display_image(data: bytes, max_pixels: int) -> Image.Image:
    """Return a still: upright, sRGB values, in a mode of 8 bits, or 16-bit grey (`I;16`) where the file has that.

    Raises:
        ValueError: it is damaged, too large, an animation, of another format, or in a colour space that cannot be
            converted; the text says which.
    """
    with _opened(data, max_pixels) as image:
        _check_header(image, max_pixels)
        image.load()
        upright = _with_opacity(_upright(image))
    return _in_srgb(upright, image, data)


def still_facts(data: bytes) -> ImageFacts:
    """Return upright size, channels and, if it is sRGB, the colour space of a still, of which only the header is read.

    Raises:
        ValueError: the header is damaged, or of another format; the text says which.
    """
    with _opened(data, _MAX_PIXELS_OF_HEADERS) as image:
        width_px, height_px = image.size[::-1] if _is_sideways(image) else image.size
        return ImageFacts(
            width_px=width_px,
            height_px=height_px,
            num_channels=len(image.getbands()),
            color_space=COLOR_SPACE_SRGB if _is_srgb(image, data) else COLOR_SPACE_UNSPECIFIED,
        )


@contextmanager
def _opened(data: bytes, max_pixels: int) -> Iterator[Image.Image]:
    """Open a still, of which the block decodes what it needs; errors as `open_display_image`."""
    _check_kind(data)
    check_parts(data)
    try:
        with warnings.catch_warnings():
            # The number of pixels is checked here, before anything is decoded; the other warnings are of damaged EXIF
            # and previews, without which the picture is whole.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                yield image
    except Image.DecompressionBombError as error:
        raise ValueError(f"has more than the {max_pixels} pixels allowed") from error
    except (OSError, SyntaxError, EOFError, struct.error, OverflowError) as error:
        raise ValueError(
            f"is damaged: {_name(data)} that cannot be decoded; send a whole PNG, JPEG or WebP image"
        ) from error


def _name(data: bytes) -> str:
    kind = kind_of_bytes(data)
    return kind.name if kind is not None else "an image"


def _check_kind(data: bytes) -> None:
    if not data:
        raise ValueError(f"is empty; {_READ}")
    kind = kind_of_bytes(data)
    if kind is None:
        raise ValueError(f"is not an image format known here; {_READ}")
    if kind.media_type not in ("image/png", "image/jpeg", "image/webp"):
        raise ValueError(f"is {kind.name}; {_READ}")


def _check_header(image: Image.Image, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise ValueError(f"has {image.width}×{image.height} pixels, more than the {max_pixels} allowed")
    # A JPEG with several frames is a photograph with its preview or depth.
    num_frames = 1 if image.format in ("JPEG", "MPO") else getattr(image, "n_frames", 1)
    if num_frames > 1:
        raise ValueError(f"is an animation of {num_frames} frames; send a still, or a clip")


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except MemoryError:
        raise
    except Exception:  # EXIF that cannot be read says nothing about orientation
        return image


def _with_opacity(image: Image.Image) -> Image.Image:
    """Return 16-bit grey with a transparent value as 8 bits with opacity: Pillow has no such mode of 16 bits."""
    transparent = image.info.get("transparency")
    if not image.mode.startswith("I") or not isinstance(transparent, int):
        return image
    grey = np.asarray(image).astype(np.int64)
    levels = np.rint(np.clip(grey, 0, 65535) / 257.0).astype(np.uint8)
    pixels = np.stack([levels, np.where(grey == transparent, 0, 255).astype(np.uint8)], axis=-1)
    return Image.fromarray(pixels)


def _is_sideways(image: Image.Image) -> bool:
    try:
        return image.getexif().get(ExifTags.Base.Orientation) in _SIDEWAYS
    except Exception:  # as in `_upright`
        return False


def _in_srgb(image: Image.Image, file: Image.Image, data: bytes) -> Image.Image:
    """Return the image with sRGB values; `file` is the image as opened, which has the facts of the file."""
    cicp = _cicp_of(data) if file.format == "PNG" else None
    if cicp is not None:
        return _from_cicp(image, *cicp)
    if profile := file.info.get("icc_profile"):
        return _from_profile(image, profile)
    if image.mode == "CMYK":
        raise ValueError("is a CMYK picture without an ICC profile, so that its colours are not defined; send RGB")
    if file.format == "PNG" and "srgb" not in file.info:
        return _from_gamma(image, file.info.get("gamma"), _primaries_of(file))
    return image


def _is_srgb(file: Image.Image, data: bytes) -> bool:
    """Return whether the values of a file are those of sRGB, by its header alone."""
    if file.mode == "CMYK" or file.info.get("icc_profile"):
        return False
    if file.format != "PNG":
        return True
    if (cicp := _cicp_of(data)) is not None:
        return cicp == _SRGB_CICP
    return "srgb" in file.info or (_is_srgb_gamma(file.info.get("gamma")) and _primaries_of(file) == REC709)


def _cicp_of(data: bytes) -> tuple[int, int, int, int] | None:
    """Return primaries, transfer function, matrix and full-range flag of PNG's cICP chunk, which Pillow skips."""
    offset = _PNG_SIGNATURE_BYTES
    while offset + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, offset)
        if name == b"IDAT":
            return None
        if name == b"cICP" and length == 4 and offset + 12 <= len(data):
            primaries, transfer, matrix, full = data[offset + 8 : offset + 12]
            return primaries, transfer, matrix, full
        offset += 12 + length
    return None


def _from_cicp(image: Image.Image, primaries: int, transfer: int, matrix: int, full_range: int) -> Image.Image:
    if primaries not in PRIMARIES or transfer not in TRANSFERS or matrix != 0 or full_range != 1:
        stated = f"cICP {primaries}, {transfer}, {matrix}, {full_range}"
        raise ValueError(f"is in a colour space that is not converted ({stated}); send sRGB")
    return _converted(image, TRANSFERS[transfer], PRIMARIES[primaries], is_hdr=transfer in HDR_TRANSFERS)


def _is_srgb_gamma(gamma: float | None) -> bool:
    return gamma is None or abs(gamma - _SRGB_GAMMA) <= _GAMMA_TOLERANCE


def _primaries_of(file: Image.Image) -> Chromaticities:
    """Return the primaries of a PNG file by its cHRM chunk; those of Rec. 709 without one."""
    chromaticity = file.info.get("chromaticity")
    if chromaticity is None or len(chromaticity) != 8:
        return REC709
    white, red, green, blue = (chromaticity[index : index + 2] for index in (0, 2, 4, 6))
    if np.abs(np.array([red, green, blue, white]) - np.array(REC709)).max() <= 1e-3:
        return REC709
    return Chromaticities(*(tuple(map(float, xy)) for xy in (red, green, blue, white)))  # type: ignore[arg-type]


def _from_gamma(image: Image.Image, gamma: float | None, primaries: Chromaticities) -> Image.Image:
    """Return an image of a PNG file by its gAMA and cHRM; each alone says nothing of what the other leaves open."""
    if gamma is None or _is_srgb_gamma(gamma):
        return image if primaries == REC709 else _converted(image, TRANSFERS[13], primaries)
    if not 0.01 <= gamma <= 10.0:
        raise ValueError(f"states an invalid gamma (gAMA): {gamma:.5g}")
    exponent = 1.0 / gamma
    return _converted(image, lambda signal: np.asarray(signal**exponent, np.float32), primaries)


def _converted(
    image: Image.Image, to_linear: ToLinear, primaries: Chromaticities, *, is_hdr: bool = False
) -> Image.Image:
    """Return an image in sRGB, converted some rows at a time to keep the memory of floats small."""
    matrix = rec709_matrix(primaries, keep_white=True).T.astype(np.float32)

    def shown(signal: Array) -> Array:
        linear = to_linear(signal) @ matrix
        return linear_to_srgb(roll_off(linear) if is_hdr else linear)

    if image.mode.startswith("I"):
        # Equal channels stay equal, whatever the primaries.
        grey = np.empty((image.height, image.width), np.uint16)
        for (_, top, _, bottom), pixels in _bands(image):
            signal = np.repeat(pixels[..., None].astype(np.float32) / 65535.0, 3, axis=-1)
            grey[top:bottom] = np.rint(shown(signal)[..., 1] * 65535.0)
        return Image.fromarray(grey)
    source = image.convert("RGBA" if image.has_transparency_data else "RGB")
    result = Image.new(source.mode, source.size)
    for box, pixels in _bands(source):
        colors = np.rint(shown(pixels[..., :3].astype(np.float32) / 255.0) * 255.0).astype(np.uint8)
        result.paste(Image.fromarray(np.concatenate([colors, pixels[..., 3:]], axis=-1)), box)
    return result


def _bands(image: Image.Image) -> Iterator[tuple[tuple[int, int, int, int], NDArray[np.uint8]]]:
    for row in range(0, image.height, _BAND_ROWS):
        box = (0, row, image.width, min(row + _BAND_ROWS, image.height))
        yield box, np.asarray(image.crop(box))


def _from_profile(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space.strip()
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        raise ValueError("has an ICC profile that cannot be read; send sRGB") from error
    try:
        if space == "GRAY":
            return _from_grey_profile(image, source)
        if space == "CMYK" and image.mode == "CMYK":
            return _transformed(image, source, "CMYK")
        if space == "RGB" and image.mode != "CMYK":
            return _from_rgb_profile(image, source)
    except ImageCms.PyCMSError as error:
        raise ValueError("has an ICC profile that cannot be applied; send sRGB") from error
    raise ValueError(f"is a picture in {image.mode} with an ICC profile for {space}; send sRGB")


def _transformed(image: Image.Image, source: ImageCms.ImageCmsProfile, mode: str) -> Image.Image:
    # Curves of grey would be sampled at 33 places, which is coarse where sRGB is steep.
    flags = ImageCms.Flags.NOOPTIMIZE if mode == "L" else ImageCms.Flags.NONE
    transform = ImageCms.buildTransform(
        source, ImageCms.createProfile("sRGB"), mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC, flags
    )
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None  # noqa: S101 - only an in-place transform returns None
    return converted


def _from_rgb_profile(image: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    if image.mode.startswith("I"):
        # 16-bit grey beside a profile of colours: grey is the axis of equal channels.
        return _along_ramp(image, _transformed(Image.merge("RGB", [_ramp()] * 3), source, "RGB"))
    if not image.has_transparency_data:
        return _transformed(image.convert("RGB"), source, "RGB")
    rgba = image.convert("RGBA")
    converted = _transformed(rgba.convert("RGB"), source, "RGB")
    converted.putalpha(rgba.getchannel("A"))
    return converted


def _from_grey_profile(image: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    shown = _transformed(_ramp(), source, "L")
    if image.mode.startswith("I"):
        return _along_ramp(image, shown)
    if image.mode not in ("L", "LA"):
        raise ValueError(f"is a picture in {image.mode} with an ICC profile for grey; send sRGB")
    values = np.asarray(shown)[0, :, 1].tolist()
    grey = image.getchannel("L").point(values)
    return Image.merge("LA", [grey, image.getchannel("A")]) if image.mode == "LA" else grey


def _ramp() -> Image.Image:
    """Return the 256 levels of grey as a picture of one row."""
    return Image.fromarray(np.arange(256, dtype=np.uint8)[None])


def _along_ramp(image: Image.Image, shown: Image.Image) -> Image.Image:
    """Return 16-bit grey whose levels are those that `shown` gives for the 256 levels of a ramp, and between them."""
    levels = np.asarray(shown)[0, :, 1].astype(np.float32) * 257.0
    values = np.interp(np.asarray(image, np.float32), np.arange(256) * 257.0, levels)
    return Image.fromarray(np.rint(values).astype(np.uint16))
