"""Opens the store of a URL."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import urllib3
from minio import Minio

from lumenmill_common.artifacts.folder_store import FolderStore
from lumenmill_common.artifacts.s3_store import S3Store
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
    parts = urlsplit(store_url)
    if parts.scheme != "s3" or not parts.netloc:
        raise InvalidArgumentError("store_url", f"{store_url!r} is neither file:///folder nor s3://bucket/prefix")
    settings = settings or StoreSettings(store_url=store_url)
    http = urllib3.PoolManager(
        maxsize=16,
        timeout=urllib3.Timeout(connect=5, read=60),
        retries=urllib3.Retry(total=3, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
        ca_certs=str(settings.s3_ca_file) if settings.s3_ca_file else None,
    )
    client = _s3_client(settings, http)
    return S3Store(client, http, parts.netloc, parts.path)


def open_store_from(settings: StoreSettings) -> ArtifactStore:
    """Open the store that a service's settings name; errors as `open_store`."""
    return open_store(settings.store_url, settings)


def _s3_client(settings: StoreSettings, http: urllib3.PoolManager) -> Minio:
    if not settings.s3_endpoint:
        raise InvalidArgumentError("LUMENMILL_S3_ENDPOINT", "is needed for an s3:// store: host:port of the server")
    read = {
        "access_key": settings.s3_access_key_file,
        "secret_key": settings.s3_secret_key_file,
    }
    keys = {name: path.read_text().strip() if path else None for name, path in read.items()}
    return Minio(
        settings.s3_endpoint,
        access_key=keys["access_key"],
        secret_key=keys["secret_key"],
        region=settings.s3_region,
        secure=settings.s3_secure,
        http_client=http,
    )
