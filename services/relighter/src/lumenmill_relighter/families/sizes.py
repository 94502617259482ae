"""At which size a model works on a picture, and of which size its result is."""

from lumenmill_neural.catalogue import ModelEntry
from lumenmill_neural.requests import checked_size

__all__ = ["Size", "sizes_of"]

Size = tuple[int, int]
"""Width and height in pixels."""


def sizes_of(entry: ModelEntry, width_px: int, height_px: int, picture_px: Size) -> tuple[Size, Size]:
    """The size that a model works at, and that of its result.

    A size that is asked for is both; a side of 0 is then the picture's. Without one the result has the picture's, made
    smaller in its proportions where that is more than the model can make, and the model works at the nearest multiple
    of what it needs.

    Raises:
        InvalidArgumentError: the size that is asked for is too large or no multiple of what the model needs.
    """
    scale = min(1.0, entry.max_side_px / max(picture_px))
    result = max(round(picture_px[0] * scale), 1), max(round(picture_px[1] * scale), 1)
    multiple = entry.size_multiple_px
    largest = entry.max_side_px // multiple * multiple
    work = tuple(min(max(round(side / multiple) * multiple, multiple), largest) for side in result)
    if not (width_px or height_px):
        return (work[0], work[1]), result
    asked = checked_size(entry, width_px, height_px, (work[0], work[1]))
    return asked, asked
