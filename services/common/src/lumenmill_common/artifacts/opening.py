"""Opens the store of a URL."""

from pathlib import Path
from urllib.parse import unquote

from lumenmill_common.artifacts.folder_store import FolderStore
from lumenmill_common.artifacts.store import ArtifactStore
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.settings import StoreSettings

__all__ = ["open_store", "open_store_from"]


def open_store(store_url: str, settings: StoreSettings | None = None) -> ArtifactStore:
    """Open `file:///folder` (created when it does not exist) or `s3://bucket/prefix`.

    Raises:
        InvalidArgumentError: the URL or the S3 settings are wrong.
        PermissionDeniedError: the folder may not be written.
    """
    if store_url.startswith("file://"):
        return FolderStore(Path(unquote(store_url.removeprefix("file://"))))
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
