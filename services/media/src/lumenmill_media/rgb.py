"""Read and write display-referred 8-bit pictures at full size, and write clips."""

import io
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lumenmill.common.v1.artifact_pb2 import Artifact, ColorSpace, ImageFacts, VideoFacts
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.decoding import STILL_LIMITS, decoder, decoding_pool
from lumenmill_media.display_images import open_display_image
from lumenmill_media.encoders import Encoding
from lumenmill_media.h264 import write_clip
from lumenmill_media.pictures import LIMITS, Limits

__all__ = ["copied_image", "decode_rgb", "encode_png", "put_clip", "put_png", "read_rgb", "read_rgba"]

_PNG_COMPRESSION = 5


def read_rgb(
    store: ArtifactStore, artifact: Artifact, field: str, limits: Limits = LIMITS, *, over: str = "white"
) -> Image.Image:
    """Return an image (PNG, JPEG or WebP) as RGB: upright, in sRGB, transparency over `over`, a colour.

    Raises:
        InvalidArgumentError: naming `field`; it is empty, damaged, too large or of another format, or takes too long.
    """
    data = store.read_bytes(artifact, field=field, max_bytes=limits.max_bytes)
    return decoding_pool().run_and_convert(
        copied_image, _rgb_pixels, data, limits.max_pixels, over, field=field, limits=STILL_LIMITS
    )


def read_rgba(store: ArtifactStore, artifact: Artifact, field: str, limits: Limits = LIMITS) -> Image.Image:
    """Return an image (PNG, JPEG or WebP) as RGBA, EXIF orientation applied; errors as `read_rgb`."""
    data = store.read_bytes(artifact, field=field, max_bytes=limits.max_bytes)
    return decoding_pool().run_and_convert(
        copied_image, _rgba_pixels, data, limits.max_pixels, field=field, limits=STILL_LIMITS
    )


def decode_rgb(data: bytes, max_pixels: int, *, over: str = "white") -> Image.Image:
    """Return the image in PNG, JPEG or WebP bytes as RGB, as `read_rgb` does.

    Raises:
        ValueError: it is damaged, too large or of another format; the text says which.
    """
    return _opaque(_decoded(data, max_pixels), over)


def copied_image(pixels_hwc: NDArray[np.uint8]) -> Image.Image:
    """Return an image that shares no memory with its pixels, as Pillow lets those of four channels do."""
    image = Image.fromarray(pixels_hwc)
    return image.copy() if image.readonly else image


@decoder
def _rgb_pixels(data: bytes, max_pixels: int, over: str) -> NDArray[np.uint8]:
    return np.asarray(decode_rgb(data, max_pixels, over=over))


@decoder
def _rgba_pixels(data: bytes, max_pixels: int) -> NDArray[np.uint8]:
    return np.asarray(_decoded(data, max_pixels).convert("RGBA"))


def _decoded(data: bytes, max_pixels: int) -> Image.Image:
    image = open_display_image(data, max_pixels)
    if not image.mode.startswith("I"):
        return image
    # 257 = 65535 / 255.
    return Image.fromarray(np.rint(np.asarray(image, np.float32) / 257.0).astype(np.uint8))


def _opaque(image: Image.Image, over: str) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, over), rgba).convert("RGB")


def encode_png(pixels_hwc: NDArray[np.uint8]) -> bytes:
    """Return the PNG bytes of 8-bit pixels (H, W, 3) or (H, W, 1)."""
    buffer = io.BytesIO()
    pixels = pixels_hwc if pixels_hwc.shape[2] == 3 else pixels_hwc[..., 0]
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=_PNG_COMPRESSION)
    return buffer.getvalue()


def put_png(store: ArtifactStore, picture: Image.Image) -> Artifact:
    """Store a picture, RGB or grey, as PNG."""
    facts = ImageFacts(
        width_px=picture.width,
        height_px=picture.height,
        num_channels=len(picture.getbands()),
        color_space=ColorSpace.COLOR_SPACE_SRGB,
    )
    return store.put_bytes(encode_png(np.atleast_3d(np.asarray(picture))), "image/png", image=facts)


def put_clip(
    store: ArtifactStore,
    frames: Iterable[NDArray[np.uint8]],
    size_px: tuple[int, int],
    fps: float,
    encoding: Encoding = Encoding(),  # noqa: B008 - frozen
) -> Artifact:
    """Encode frames (H, W, 3) and store them as MP4; errors as `write_clip` and `ArtifactStore.put_file`."""
    with tempfile.TemporaryDirectory(prefix="lumenmill-clip-") as folder:
        path = Path(folder) / "clip.mp4"
        num_frames, applied = write_clip(path, frames, size_px, fps, encoding)
        facts = VideoFacts(
            width_px=size_px[0], height_px=size_px[1], num_frames=num_frames, fps=fps, codec=applied.codec
        )
        return store.put_file(path, "video/mp4", video=facts)
