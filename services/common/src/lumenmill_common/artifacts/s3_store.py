"""A store in an S3 bucket: MinIO or any other server of that protocol."""

import hashlib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from io import BytesIO
from typing import BinaryIO, cast
from xml.etree.ElementTree import ParseError

import urllib3
from minio import Minio
from minio.commonconfig import REPLACE, CopySource
from minio.error import InvalidResponseError, S3Error, ServerError

from lumenmill_common.artifacts.backend import Source, StoredObject
from lumenmill_common.artifacts.layout import OWNERS, is_key, media_type_of
from lumenmill_common.artifacts.store import ArtifactStore
from lumenmill_common.errors import (
    FailedPreconditionError,
    LumenmillError,
    NotFoundError,
    PermissionDeniedError,
    ResourceExhaustedError,
    UnavailableError,
)

__all__ = ["S3Store"]

_DENIED = {"AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId", "ExpiredToken"}
_FULL = {"XMinioStorageFull", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "InsufficientStorage"}
# Refusals that only another value of a setting can mend.
_REFUSED_SETTINGS = {
    "AuthorizationHeaderMalformed": "LUMENMILL_S3_REGION",
    "InvalidBucketName": "LUMENMILL_STORE_URL",
    "PermanentRedirect": "LUMENMILL_S3_REGION",
}
# The code that the library makes of status 400 without a body, as answers to HEAD are.
_REFUSED_WITHOUT_REASON = "BadRequest"
# What OpenSSL says of a server that answers in plain text.
_NO_TLS = {"HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL", "WRONG_VERSION_NUMBER"}
# X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED: a renewed certificate mends them.
_TEMPORARY_VERIFY_CODES = {9, 10}
_URL_EXPIRY = timedelta(minutes=1)


class S3Store(ArtifactStore):
    """Artifacts as objects of one bucket, below an optional prefix."""

    def __init__(self, client: Minio, http: urllib3.PoolManager, bucket: str, prefix: str = "") -> None:
        """`http` is the pool that `client` sends its requests with."""
        self._client, self._http, self._bucket = client, http, bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        super().__init__(f"s3://{bucket}/{self._prefix}")

    def _open(self, key: str) -> BinaryIO:
        with _mapped(key):
            response = self._client.get_object(self._bucket, self._prefix + key)
        return cast(BinaryIO, _Body(response, key))

    def _open_range(self, key: str, offset_bytes: int, length_bytes: int) -> BinaryIO:
        if length_bytes == 0:  # the protocol has no empty ranges
            return BytesIO()
        with _mapped(key):
            response = self._client.get_object(
                self._bucket, self._prefix + key, offset=offset_bytes, length=length_bytes
            )
        return cast(BinaryIO, _Body(response, key))

    def _write(self, key: str, source: Source, size_bytes: int) -> None:
        if self._is_equal(key, source) and self._refresh(key):
            return
        source.seek(0)
        name, media_type = self._prefix + key, media_type_of(key)
        with _mapped(key), self._uploading():
            self._client.put_object(self._bucket, name, source, size_bytes, content_type=media_type)

    def _is_equal(self, key: str, source: Source) -> bool:
        """Return whether an object exists and has the same MD5; where the server does not say, it is uploaded again."""
        try:
            with _mapped(key):
                etag = self._client.stat_object(self._bucket, self._prefix + key).etag
        except NotFoundError:
            return False
        return etag == hashlib.file_digest(source, partial(hashlib.md5, usedforsecurity=False)).hexdigest()

    def _refresh(self, key: str) -> bool:
        name = self._prefix + key
        try:
            # A copy of an object onto itself is allowed only where it replaces metadata.
            with _mapped(key):
                self._client.copy_object(
                    self._bucket,
                    name,
                    CopySource(self._bucket, name),
                    metadata={"Content-Type": media_type_of(key)},
                    metadata_directive=REPLACE,
                )
        except NotFoundError:
            return False
        return True

    def _head(self, key: str) -> StoredObject | None:
        try:
            with _mapped(key):
                status = self._client.stat_object(self._bucket, self._prefix + key)
        except NotFoundError:
            return None
        modified = status.last_modified.timestamp() if status.last_modified else 0.0
        return self._describe(key, status.size or 0, modified)

    def _keys(self, prefix: str, after_key: str) -> Iterator[str]:
        with _mapped(prefix):
            objects = self._client.list_objects(
                self._bucket,
                prefix=self._prefix + prefix,
                recursive=True,
                start_after=self._prefix + after_key if after_key else None,
            )
            for found in objects:
                key = (found.object_name or "").removeprefix(self._prefix)
                if is_key(key):
                    yield key

    def _replace(self, key: str, data: bytes) -> None:
        with _mapped(key), self._uploading():
            self._client.put_object(self._bucket, self._prefix + key, BytesIO(data), len(data))

    @contextmanager
    def _uploading(self) -> Iterator[None]:
        """Where a connection breaks, ask the server without a body: one that needs HTTPS resets requests that have one.

        Its answer to the upload, which names the fault, is then lost with the connection.
        """
        try:
            yield
        except urllib3.exceptions.HTTPError as error:
            if isinstance(_cause(error), urllib3.exceptions.ProtocolError):
                self._client.bucket_exists(self._bucket)
            raise

    def _written(self, prefix: str) -> Iterator[tuple[str, float]]:
        with _mapped(prefix):
            for found in self._client.list_objects(self._bucket, prefix=f"{self._prefix}{prefix}/", recursive=True):
                modified = found.last_modified.timestamp() if found.last_modified else 0.0
                yield (found.object_name or "").removeprefix(self._prefix), modified

    def _delete(self, key: str) -> None:
        with _mapped(key):
            self._client.remove_object(self._bucket, self._prefix + key)

    def clock_s(self) -> float:
        """As in StoreBackend: the date of the server's answer, in whole seconds."""
        with _mapped(self._bucket):
            url = self._client.get_presigned_url("HEAD", self._bucket, f"{self._prefix}{OWNERS}", expires=_URL_EXPIRY)
            date = self._http.request("HEAD", url).headers.get("Date", "")  # answers of any status have one
            return parsedate_to_datetime(date).timestamp()

    def check(self) -> None:
        """As in StoreBackend: look for the bucket, and create it when it does not exist."""
        with _mapped(self._bucket):
            if self._client.bucket_exists(self._bucket):
                return
            try:
                self._client.make_bucket(self._bucket)
            except S3Error as error:
                if error.code not in _CREATED_BY_ANOTHER:
                    raise


# Processes that start together create the bucket at the same time.
_CREATED_BY_ANOTHER = {"BucketAlreadyOwnedByYou", "OperationAborted"}


class _Body:
    """An HTTP body that reads like a file and returns its connection to the pool."""

    def __init__(self, response: urllib3.BaseHTTPResponse, key: str) -> None:
        self._response, self._key = response, key

    def read(self, num_bytes: int | None = None) -> bytes:
        with _mapped(self._key):
            return self._response.read(num_bytes)

    def __enter__(self) -> "_Body":
        return self

    def __exit__(self, *_: object) -> None:
        self._response.close()
        self._response.release_conn()


@contextmanager
def _mapped(what: str) -> Iterator[None]:
    try:
        yield
    except S3Error as error:
        raise _from_s3(error, what) from error
    except InvalidResponseError as error:
        raise _from_page(error) from error
    except (urllib3.exceptions.HTTPError, ServerError, OSError) as error:
        raise _from_connection(error) from error
    except (ParseError, ValueError) as error:  # a proxy's page in the place of a listing, for example
        raise UnavailableError(f"the artifact store's answer makes no sense ({error})") from error


def _from_s3(error: S3Error, what: str) -> LumenmillError:
    if error.code in {"NoSuchKey", "NoSuchBucket", "NoSuchObject"}:
        return NotFoundError(f"no {what} in the artifact store ({error.code})")
    if error.code in _DENIED:
        return PermissionDeniedError(
            f"the artifact store refused access ({error.code}): check the keys in LUMENMILL_S3_ACCESS_KEY_FILE and "
            "LUMENMILL_S3_SECRET_KEY_FILE, and their rights in the bucket of LUMENMILL_STORE_URL"
        )
    if setting := _REFUSED_SETTINGS.get(error.code or ""):
        return FailedPreconditionError(f"the artifact store refuses it ({error.code}: {error.message})", setting)
    if error.code == _REFUSED_WITHOUT_REASON:
        return FailedPreconditionError(
            "the artifact store refuses the request and does not say why: check whether it needs HTTPS "
            "(LUMENMILL_S3_SECURE), LUMENMILL_S3_REGION, and the bucket in LUMENMILL_STORE_URL",
            "LUMENMILL_S3_ENDPOINT",
        )
    if error.code in _FULL:
        return ResourceExhaustedError(f"the artifact store is full ({error.code})", retry_delay_s=30.0)
    return UnavailableError(f"the artifact store failed ({error.code})")


def _from_page(error: InvalidResponseError) -> LumenmillError:
    """Return the error for an answer that is a page rather than S3's XML."""
    text = str(error)
    # "Client sent an HTTP request to an HTTPS server", and the like of other servers.
    if "Response code: 400" in text and "HTTPS" in text:
        return FailedPreconditionError(
            "the artifact store needs HTTPS: set it to true, or begin the endpoint with https://", "LUMENMILL_S3_SECURE"
        )
    return UnavailableError(f"the artifact store does not answer ({type(error).__name__})")


def _from_connection(error: Exception) -> LumenmillError:
    """Return the error for a connection that failed; faults of TLS that only a setting can mend name it."""
    reason = _cause(error)
    fault = reason.args[0] if isinstance(reason, urllib3.exceptions.SSLError) and reason.args else reason
    if isinstance(fault, ssl.SSLCertVerificationError):
        problem = f"the certificate of the artifact store is not accepted ({fault.verify_message})"
        if fault.verify_code in _TEMPORARY_VERIFY_CODES:
            return UnavailableError(problem)
        return FailedPreconditionError(f"{problem}: check its authority and its names", "LUMENMILL_S3_CA_FILE")
    if isinstance(fault, ssl.SSLError) and fault.reason in _NO_TLS:
        return FailedPreconditionError(
            "the artifact store answers, but not by HTTPS: set it to false, or begin the endpoint with http://",
            "LUMENMILL_S3_SECURE",
        )
    return UnavailableError(f"the artifact store does not answer ({type(reason).__name__})")


def _cause(error: Exception) -> Exception:
    """Return why the last attempt failed, where the library repeated a request."""
    return error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason else error
