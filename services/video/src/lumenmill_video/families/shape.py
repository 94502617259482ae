"""The size of a clip, and the resizing of pictures to it."""

import math
from collections.abc import Sequence

from PIL import Image, ImageOps

from lumenmill_common.errors import InvalidArgumentError
from lumenmill_neural.catalogue import ModelEntry
from lumenmill_neural.requests import checked_size

__all__ = ["fitted", "fitted_mask", "size_of"]

Size = tuple[int, int]


def size_of(entry: ModelEntry, requested_px: Size, preset_px: Size, source_px: Size | None) -> Size:
    """Return width and height in pixels; a requested side of 0 means that of the preset.

    A clip that is made from a picture has the aspect ratio of the picture and at most as many pixels as the preset, as
    in the model cards of Wan; a requested side is not changed.

    Raises:
        InvalidArgumentError: the model does not make clips with a requested side.
    """
    width, height = checked_size(entry, *requested_px, preset_px)
    if source_px is None or (requested_px[0] and requested_px[1]):
        return width, height
    ratio = source_px[1] / source_px[0]
    if not requested_px[0] and not requested_px[1]:
        area = preset_px[0] * preset_px[1]
        return _side(entry, math.sqrt(area / ratio)), _side(entry, math.sqrt(area * ratio))
    return (width, _side(entry, width * ratio)) if requested_px[0] else (_side(entry, height / ratio), height)


def _side(entry: ModelEntry, side_px: float) -> int:
    multiple = entry.size_multiple_px
    # Rounding makes the square root of an area slightly smaller than the exact multiple.
    steps = math.floor(side_px / multiple + 1e-6)
    return min(max(steps, 1) * multiple, entry.max_side_px // multiple * multiple)


def fitted(picture: Image.Image, size_px: Size) -> Image.Image:
    """Return the picture scaled to fill a size and cropped on both sides."""
    return ImageOps.fit(picture, size_px, Image.Resampling.LANCZOS)


def fitted_mask(picture: Image.Image, size_px: Size) -> Image.Image:
    """Return a mask scaled and cropped in the same way: white from mid grey, black below."""
    grey = ImageOps.fit(picture.convert("L"), size_px, Image.Resampling.NEAREST)
    return grey.point([0] * 128 + [255] * 128)


def check_same_size(field: str, found: Sequence[int], required: Sequence[int], whose: str) -> None:
    """Raise InvalidArgumentError naming `field` if two sizes differ."""
    if tuple(found) != tuple(required):
        raise InvalidArgumentError(
            field, f"has {found[0]}×{found[1]} pixels; must have those of {whose}, {required[0]}×{required[1]}"
        )
