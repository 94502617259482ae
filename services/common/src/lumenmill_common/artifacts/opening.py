"""Opens the store of a URL."""

from pathlib import Path
from urllib.parse import unquote

from lumenmill_common.artifacts.folder_store import FolderStore
from lumenmill_common.artifacts.store import ArtifactStore
from lumenmill_common.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    ResourceExhaustedError,
    UnavailableError,
)
from lumenmill_common.settings import StoreSettings
from lumenmill_common.telemetry import get_logger

__all__ = ["check_usable", "open_store", "open_store_from"]

_log = get_logger(__name__)


def open_store(store_url: str, settings: StoreSettings | None = None) -> ArtifactStore:
    """Open `file:///folder` (created when it does not exist) or `s3://bucket/prefix`.

    Raises:
        InvalidArgumentError: the URL or the S3 settings are wrong.
        FailedPreconditionError: the folder cannot be created or written.
        ResourceExhaustedError: there is no space for it.
    """
    if store_url.startswith("file://"):
        return _folder_store(Path(unquote(store_url.removeprefix("file://"))))
    if not store_url.startswith("s3://"):
        raise InvalidArgumentError(
            "LUMENMILL_STORE_URL", f"{store_url!r} is neither file:///folder nor s3://bucket/prefix"
        )
    # Importing the client of S3 takes a third of a second, which a mesh on one machine need not spend.
    from lumenmill_common.artifacts.s3_opening import open_s3_store  # noqa: PLC0415

    return open_s3_store(store_url, settings or StoreSettings(store_url=store_url))


def open_store_from(settings: StoreSettings) -> ArtifactStore:
    """Open the store that a service's settings name; errors as `open_store`."""
    return open_store(settings.store_url, settings)


def _folder_store(folder: Path) -> FolderStore:
    try:
        return FolderStore(folder)
    except (NotFoundError, PermissionDeniedError, UnavailableError) as error:
        reason = error.__cause__.strerror if isinstance(error.__cause__, OSError) else error.message
        raise FailedPreconditionError(
            f"{folder} cannot be created or written ({reason})", "LUMENMILL_STORE_URL"
        ) from error


def check_usable(store: ArtifactStore) -> None:
    """Check that a store answers, and that its settings are right; that it is full is only logged, for it can be read.

    Raises:
        UnavailableError: it does not answer for now.
        FailedPreconditionError, InvalidArgumentError, PermissionDeniedError: a setting is wrong; the text names it.
    """
    try:
        store.check()
    except ResourceExhaustedError as error:
        _log.warning("nothing can be written to the store", reason=error.message)
