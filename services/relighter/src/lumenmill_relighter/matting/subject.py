"""Subjects that a request cuts out, before the grey that IC-Light was trained with."""

from functools import reduce

from PIL import Image, ImageChops

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_media import Limits, read_rgb

__all__ = ["GREY", "cut_out", "read_matte"]

GREY = 127
"""8-bit value of what is not the subject, from gradio_demo.py of IC-Light."""
# Largest difference of the channels of a grey pixel, after compression as JPEG.
_MAX_COLOUR = 16


def cut_out(picture: Image.Image, matte: Image.Image) -> Image.Image:
    """Return a picture, RGB, with grey where its matte, of one channel, is black."""
    return Image.composite(picture, Image.new("RGB", picture.size, (GREY, GREY, GREY)), matte)


def read_matte(
    store: ArtifactStore, artifact: Artifact, field: str, limits: Limits, size_px: tuple[int, int]
) -> Image.Image:
    """Return the matte of a picture of `size_px`, of one channel; what is transparent in it is black.

    Raises:
        InvalidArgumentError: naming `field`; it cannot be read, has another size or colours, or is all black.
    """
    matte = read_rgb(store, artifact, field, limits, over="black")
    if matte.size != size_px:
        width, height = size_px
        raise InvalidArgumentError(field, f"is {matte.width}×{matte.height}; must be {width}×{height}, as the picture")
    highest, lowest = (reduce(each, matte.split()) for each in (ImageChops.lighter, ImageChops.darker))
    if ImageChops.subtract(highest, lowest).getextrema()[1] > _MAX_COLOUR:
        raise InvalidArgumentError(field, "has colours; the subject must be white, all else black")
    if not highest.getbbox():
        raise InvalidArgumentError(field, "is black; the subject must be white")
    return matte.convert("L")
