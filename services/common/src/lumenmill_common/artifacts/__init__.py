"""The artifact store: immutable, content-addressed media in a folder or an S3 bucket, same layout in both."""

from lumenmill_common.artifacts._layout import MEDIA_TYPES, WEIGHTS, extension_of, media_type_of
from lumenmill_common.artifacts._messages import artifacts_in, digest_of
from lumenmill_common.artifacts._open import open_store, open_store_from
from lumenmill_common.artifacts._store import ArtifactStore, StoredObject

__all__ = [
    "MEDIA_TYPES",
    "WEIGHTS",
    "ArtifactStore",
    "StoredObject",
    "artifacts_in",
    "digest_of",
    "extension_of",
    "media_type_of",
    "open_store",
    "open_store_from",
]
