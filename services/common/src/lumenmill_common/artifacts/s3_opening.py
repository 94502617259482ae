"""Opens stores on S3."""

import urllib3
from minio import Minio

from lumenmill_common.artifacts.s3_settings import bucket_and_prefix, check_ca_file, s3_keys, s3_region, s3_server
from lumenmill_common.artifacts.s3_store import S3Store
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.settings import StoreSettings

__all__ = ["open_s3_store"]


def open_s3_store(store_url: str, settings: StoreSettings) -> S3Store:
    """Open `s3://bucket/prefix`; no request is made yet.

    Raises:
        InvalidArgumentError: the URL or the S3 settings are wrong.
    """
    bucket, prefix = bucket_and_prefix(store_url)
    if settings.s3_ca_file is not None:
        check_ca_file(settings.s3_ca_file)
    http = urllib3.PoolManager(
        maxsize=16,
        timeout=urllib3.Timeout(connect=5, read=60),
        retries=urllib3.Retry(total=3, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
        ca_certs=str(settings.s3_ca_file) if settings.s3_ca_file else None,
    )
    return S3Store(_s3_client(settings, http), http, bucket, prefix)


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
