"""Facts of uploaded images, read from their headers."""

from pathlib import Path

from lumenmill.common.v1 import artifact_pb2
from lumenmill_common.decoding import STILL_LIMITS, decoder, decoding_pool
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.telemetry import get_logger
from lumenmill_media import LIMITS, still_facts

__all__ = ["image_facts"]

_MEDIA_TYPES = frozenset({"image/jpeg", "image/png", "image/webp"})
_log = get_logger(__name__)


def image_facts(path: Path, media_type: str) -> artifact_pb2.ImageFacts | None:
    """Return upright size, channels and colour space of a display-referred image.

    None for other media, for broken images, and for files that no service reads since they are too large.
    """
    if media_type not in _MEDIA_TYPES or path.stat().st_size > LIMITS.max_bytes:
        return None
    try:
        return artifact_pb2.ImageFacts.FromString(
            decoding_pool().run(_serialized_facts, path, field="chunk", limits=STILL_LIMITS)
        )
    except InvalidArgumentError as error:
        _log.info("an upload is not an image of its media type", media_type=media_type, reason=error.violations[0][1])
        return None


@decoder
def _serialized_facts(path: Path) -> bytes:
    return still_facts(path.read_bytes()).SerializeToString()
