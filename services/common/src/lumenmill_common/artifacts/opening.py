"""Opens the store of a URL."""

from pathlib import Path
from urllib.parse import unquote

import urllib3
from minio import Minio

from lumenmill_common.artifacts.folder_store import FolderStore
from lumenmill_common.artifacts.s3_settings import bucket_and_prefix, check_ca_file, s3_keys, s3_region, s3_server
from lumenmill_common.artifacts.s3_store import S3Store
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
    bucket, prefix = bucket_and_prefix(store_url)
    settings = settings or StoreSettings(store_url=store_url)
    if settings.s3_ca_file is not None:
        check_ca_file(settings.s3_ca_file)
    http = urllib3.PoolManager(
        maxsize=16,
        timeout=urllib3.Timeout(connect=5, read=60),
        retries=urllib3.Retry(total=3, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
        ca_certs=str(settings.s3_ca_file) if settings.s3_ca_file else None,
    )
    return S3Store(_s3_client(settings, http), http, bucket, prefix)


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


def _s3_client(settings: StoreSettings, http: urllib3.PoolManager) -> Minio:
    server, keys, region = s3_server(settings), s3_keys(settings), s3_region(settings)
    try:
        return Minio(
            server.address,
            access_key=keys.access_key,
            secret_key=keys.secret_key,
            region=region,
            secure=server.is_secure,
            http_client=http,
        )
    except ValueError as error:
        raise InvalidArgumentError("LUMENMILL_S3_ENDPOINT", f"cannot be used: {error}") from None
