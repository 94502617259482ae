"""Makes small JPEGs of the PNGs of the mesh, which others may have put into its store."""

import io

from PIL import Image

from lumenmill_common.decoding import STILL_LIMITS, decoder, decoding_pool
from lumenmill_common.errors import InvalidArgumentError

__all__ = ["jpeg_of_plain"]

_QUALITY = 90


def jpeg_of_plain(png: bytes) -> bytes | None:
    """Return the JPEG of a PNG as the mesh makes them, which would be five times as large; None for other PNGs.

    Pictures of users have orientations, colour spaces, depths and opacity that browsers understand and this does not:
    they stay as they are, and so do damaged ones.
    """
    try:
        return decoding_pool().run(_jpeg_of_plain, png, field="picture", limits=STILL_LIMITS)
    except InvalidArgumentError:
        return None


@decoder
def _jpeg_of_plain(png: bytes) -> bytes | None:
    try:
        with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
            if image.mode not in ("L", "RGB") or image.info:
                return None
            out = io.BytesIO()
            image.convert("RGB").save(out, "JPEG", quality=_QUALITY)
    except MemoryError:
        raise
    except Exception:  # of many kinds, for damaged files
        return None
    return out.getvalue()
