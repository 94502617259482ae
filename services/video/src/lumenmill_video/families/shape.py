"""How large a clip is, and how pictures that it follows are made to fit."""

import math
from collections.abc import Sequence

from lumenmill_common.errors import InvalidArgumentError
from lumenmill_neural.catalogue import ModelEntry
from lumenmill_neural.requests import checked_size
from PIL import Image, ImageOps

__all__ = ["fitted", "fitted_mask", "size_of"]

Size = tuple[int, int]


def size_of(entry: ModelEntry, asked_px: Size, preset_px: Size, followed_px: Size | None) -> Size:
    """Width and height in pixels; an asked side of 0 means the preset's.

    A clip that follows a picture has the picture's shape and no more pixels than the preset's size, as Wan's model
    cards have it; a side that is asked for stays as it is.

    Raises:
        InvalidArgumentError: a side that is asked for is none that the model makes.
    """
    width, height = checked_size(entry, *asked_px, preset_px)
    if followed_px is None or (asked_px[0] and asked_px[1]):
        return width, height
    ratio = followed_px[1] / followed_px[0]
    if not asked_px[0] and not asked_px[1]:
        area = preset_px[0] * preset_px[1]
        return _side(entry, math.sqrt(area / ratio)), _side(entry, math.sqrt(area * ratio))
    return (width, _side(entry, width * ratio)) if asked_px[0] else (_side(entry, height / ratio), height)


def _side(entry: ModelEntry, side_px: float) -> int:
    multiple = entry.size_multiple_px
    # Roots of areas come out a little below the multiple that they are.
    steps = math.floor(side_px / multiple + 1e-6)
    return min(max(steps, 1) * multiple, entry.max_side_px // multiple * multiple)


def fitted(picture: Image.Image, size_px: Size) -> Image.Image:
    """The picture scaled to fill a size; what sticks out on both sides is cut off."""
    return ImageOps.fit(picture, size_px, Image.Resampling.LANCZOS)


def fitted_mask(picture: Image.Image, size_px: Size) -> Image.Image:
    """The same for a mask: white from mid grey on, black below."""
    grey = ImageOps.fit(picture.convert("L"), size_px, Image.Resampling.NEAREST)
    return grey.point([0] * 128 + [255] * 128)


def check_same_size(field: str, found: Sequence[int], wanted: Sequence[int], whose: str) -> None:
    """Raises InvalidArgumentError naming `field` where two sizes differ."""
    if tuple(found) != tuple(wanted):
        raise InvalidArgumentError(
            field, f"has {found[0]}×{found[1]} pixels; must have those of {whose}, {wanted[0]}×{wanted[1]}"
        )
