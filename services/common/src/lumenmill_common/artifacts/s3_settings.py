"""The settings of an S3 store as they are found: what is clear is used, what is not is refused with its variable."""

import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.secret_files import read_secret
from lumenmill_common.settings import StoreSettings

__all__ = ["S3Keys", "S3Server", "bucket_and_prefix", "check_ca_file", "s3_keys", "s3_region", "s3_server"]

# The rules of Amazon S3, which every server accepts:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)(?!.*(?:\.\.|\.-|-\.))[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REGION = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?)?")
_ENDPOINT = "LUMENMILL_S3_ENDPOINT"
_STORE_URL = "LUMENMILL_STORE_URL"


@dataclass(frozen=True)
class S3Server:
    """Where a server is, and whether it is reached by HTTPS."""

    address: str
    """`host` or `host:port`, an IPv6 address in brackets."""
    is_secure: bool


@dataclass(frozen=True)
class S3Keys:
    """Both keys of a server, or neither."""

    access_key: str | None = None
    secret_key: str | None = None


def s3_server(settings: StoreSettings) -> S3Server:
    """Return the server that an endpoint names: `host`, `host:port`, or either after `http://` or `https://`.

    Raises:
        InvalidArgumentError: it is empty, is none of these, or its scheme contradicts LUMENMILL_S3_SECURE.
    """
    text = settings.s3_endpoint.strip()
    if not text:
        raise InvalidArgumentError(_ENDPOINT, "is needed for an s3:// store: host:port of the server")
    scheme, separator, rest = text.partition("://")
    scheme, rest = (scheme.lower(), rest) if separator else ("", text)
    address = rest.removesuffix("/")
    if scheme not in {"", "http", "https"} or not _is_address(address):
        # The value is not quoted, because URLs may contain passwords.
        raise InvalidArgumentError(
            _ENDPOINT,
            "must be host:port, http://host:port or https://host:port of the server, without a path, a query or a "
            "user; an IPv6 address in brackets",
        )
    by_scheme = {"http": False, "https": True}.get(scheme)
    if None not in (by_scheme, settings.s3_secure) and by_scheme != settings.s3_secure:
        raise InvalidArgumentError(
            _ENDPOINT,
            f"begins with {scheme}:// while LUMENMILL_S3_SECURE is {str(settings.s3_secure).lower()}; leave out one of "
            "the two",
        )
    chosen = settings.s3_secure if by_scheme is None else by_scheme
    return S3Server(address, is_secure=chosen is not False)


def _is_address(address: str) -> bool:
    if re.search(r"[\s/?#@\\]", address):
        return False
    try:
        parts = urlsplit(f"//{address}")
        return bool(parts.hostname) and (parts.port is not None or not address.endswith(":"))
    except ValueError:  # a port that is no number or too large, or half a bracket
        return False


def bucket_and_prefix(store_url: str) -> tuple[str, str]:
    """Return the bucket and the prefix of `s3://bucket/prefix`, the prefix without slashes around it.

    Raises:
        InvalidArgumentError: servers do not accept the bucket's name, or the names of objects below the prefix.
    """
    bucket, _, path = store_url.removeprefix("s3://").partition("/")
    if not _BUCKET.fullmatch(bucket):
        _refuse_url(
            f"the bucket `{bucket}` must have 3 to 63 lower-case letters, digits, hyphens and dots, and must begin and "
            "end with a letter or digit"
        )
    prefix = path.strip("/")
    if wrong := re.search(r"[#?\x00-\x1f\x7f]", prefix):
        _refuse_url(f"the prefix must not contain {wrong[0]!r}")
    if prefix and any(part in {"", ".", ".."} for part in prefix.split("/")):
        _refuse_url("the prefix must not contain `//`, `.` or `..` as a part of its path")
    return bucket, prefix


def _refuse_url(problem: str) -> NoReturn:
    raise InvalidArgumentError(_STORE_URL, f"{problem}; s3://bucket/prefix is correct")


def s3_region(settings: StoreSettings) -> str:
    """Return the region of the bucket; empty where the server is to be asked.

    Raises:
        InvalidArgumentError: it is no name of a region.
    """
    region = settings.s3_region.strip()
    if not _REGION.fullmatch(region):
        raise InvalidArgumentError("LUMENMILL_S3_REGION", f"`{region}` is no region, such as `us-east-1`")
    return region


def s3_keys(settings: StoreSettings) -> S3Keys:
    """Return the keys in the files of the settings.

    Raises:
        InvalidArgumentError: a file cannot be read or is empty, or only one of the two is set.
    """
    files = {
        "LUMENMILL_S3_ACCESS_KEY_FILE": settings.s3_access_key_file,
        "LUMENMILL_S3_SECRET_KEY_FILE": settings.s3_secret_key_file,
    }
    missing = [variable for variable, file in files.items() if file is None]
    if len(missing) == 1:
        raise InvalidArgumentError(missing[0], "is missing: set the files of both keys, or neither")
    return S3Keys(*(_key(variable, file) for variable, file in files.items() if file is not None))


def _key(variable: str, file: Path) -> str:
    try:
        return read_secret(file).get_secret_value()
    except ValueError as error:
        raise InvalidArgumentError(variable, str(error)) from None


def check_ca_file(file: Path) -> None:
    """Check that a file has certificates.

    Raises:
        InvalidArgumentError: it cannot be read, or has none.
    """
    try:
        ssl.create_default_context(cafile=file)
    except OSError as error:
        raise InvalidArgumentError(
            "LUMENMILL_S3_CA_FILE", f"{file} cannot be read as PEM certificates ({_reason(error)})"
        ) from None


def _reason(error: Exception) -> str:
    """Return an error's text without the contents of files."""
    return str(getattr(error, "strerror", "")) or type(error).__name__
