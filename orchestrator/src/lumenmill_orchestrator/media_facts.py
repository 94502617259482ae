"""Facts of uploaded images and clips, as far as their files can be read."""

from pathlib import Path

from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.telemetry import get_logger
from lumenmill_media import MediaFacts, media_facts

__all__ = ["facts_of_upload"]

_log = get_logger(__name__)


def facts_of_upload(path: Path, media_type: str) -> MediaFacts:
    """Return the facts of an image or clip; none of other media, and of files that no service can read."""
    try:
        return media_facts(path, media_type, "chunk")
    except InvalidArgumentError as error:
        _log.info("an upload cannot be read as its media type", media_type=media_type, reason=error.message)
        return MediaFacts()
