"""The artifact store: immutable, content-addressed media in a folder or an S3 bucket, same layout in both."""

from lumenmill_common.artifacts.backend import StoredObject
from lumenmill_common.artifacts.file_kinds import (
    HEAD_BYTES,
    is_weights,
    kind_of_bytes,
    media_type_of_content,
)
from lumenmill_common.artifacts.layout import MEDIA_TYPES, WEIGHTS, extension_of, media_type_of
from lumenmill_common.artifacts.messages import artifacts_in, digest_of
from lumenmill_common.artifacts.opening import check_usable, open_store, open_store_from
from lumenmill_common.artifacts.store import ArtifactStore

__all__ = [
    "HEAD_BYTES",
    "MEDIA_TYPES",
    "WEIGHTS",
    "ArtifactStore",
    "StoredObject",
    "artifacts_in",
    "check_usable",
    "digest_of",
    "extension_of",
    "is_weights",
    "kind_of_bytes",
    "media_type_of",
    "media_type_of_content",
    "open_store",
    "open_store_from",
]
