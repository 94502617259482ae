"""The size at which a model works on a picture, and the size of its result."""

from lumenmill_neural.catalogue import ModelEntry
from lumenmill_neural.requests import checked_size

__all__ = ["Size", "sizes_of"]

Size = tuple[int, int]
"""Width and height in pixels."""


def sizes_of(entry: ModelEntry, width_px: int, height_px: int, picture_px: Size) -> tuple[Size, Size]:
    """Return the size that a model works at, and that of its result.

    A requested size is both; a side of 0 is then that of the picture. Without one the result has the size of the
    picture, reduced in proportion to the maximum of the model, and the model works at the nearest multiple of its
    `size_multiple_px`.

    Raises:
        InvalidArgumentError: the requested size is too large or no multiple of `size_multiple_px`.
    """
    scale = min(1.0, entry.max_side_px / max(picture_px))
    result = max(round(picture_px[0] * scale), 1), max(round(picture_px[1] * scale), 1)
    multiple = entry.size_multiple_px
    largest = entry.max_side_px // multiple * multiple
    work = tuple(min(max(round(side / multiple) * multiple, multiple), largest) for side in result)
    if not (width_px or height_px):
        return (work[0], work[1]), result
    requested = checked_size(entry, width_px, height_px, (work[0], work[1]))
    return requested, requested
