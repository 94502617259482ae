"""The keys of a store: `objects/<first two digits>/<sha256><extension>` for artifacts, `results/…` for persisted
results, `owners/…` for databases."""

import hashlib
import re

from lumenmill_common.errors import InvalidArgumentError

__all__ = [
    "MEDIA_TYPES",
    "OBJECTS",
    "OWNERS",
    "RESULTS",
    "WEIGHTS",
    "digest_of_key",
    "extension_of",
    "is_key",
    "key_of",
    "media_type_of",
    "owner_key_of",
    "result_key_of",
]

OBJECTS = "objects"
OWNERS = "owners"
RESULTS = "results"

# The media types that the mesh makes or accepts, and the extension of each. Others are refused, so that the media type
# of every artifact follows from its key.
MEDIA_TYPES: dict[str, str] = {
    "application/gzip": ".gz",
    "application/json": ".json",
    "application/jsonl": ".jsonl",
    "application/octet-stream": ".bin",
    "application/vnd.apache.parquet": ".parquet",
    "application/vnd.lumenmill.checkpoint+json": ".checkpoint.json",
    "application/vnd.lumenmill.checkpoint-file": ".checkpoint.bin",
    "application/vnd.lumenmill.light-basis+zip": ".basis.zip",
    "application/vnd.lumenmill.scene+json": ".scene.json",
    "application/vnd.safetensors": ".safetensors",
    "application/x-tar": ".tar",
    "application/zip": ".zip",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/vnd.radiance": ".hdr",
    "image/webp": ".webp",
    "image/x-exr": ".exr",
    "model/gltf-binary": ".glb",
    "model/mtl": ".mtl",
    "model/obj": ".obj",
    "model/ply": ".ply",
    "text/csv": ".csv",
    "text/html": ".html",
    "text/plain": ".txt",
    "video/mp2t": ".ts",
    "video/mp4": ".mp4",
    "video/mpeg": ".mpg",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
    "video/x-matroska": ".mkv",
    "video/x-msvideo": ".avi",
}
# Weights of models. No run refers to them: they stay until the operator removes them.
WEIGHTS = frozenset(
    {
        "application/vnd.lumenmill.checkpoint+json",
        "application/vnd.lumenmill.checkpoint-file",
        "application/vnd.safetensors",
    }
)
_EXTENSIONS = {extension: media_type for media_type, extension in MEDIA_TYPES.items()}
_KEY = re.compile(OBJECTS + r"/(?P<shard>[0-9a-f]{2})/(?P<digest>(?P=shard)[0-9a-f]{62})(?P<extension>\.[a-z0-9.]+)")


def extension_of(media_type: str, field: str = "media_type") -> str:
    """Return the extension of a media type, dot included.

    Raises:
        InvalidArgumentError: the store keeps no files of this type; names `field`.
    """
    try:
        return MEDIA_TYPES[media_type]
    except KeyError:
        raise InvalidArgumentError(
            field, f"{media_type!r} is not supported; known types: {', '.join(sorted(MEDIA_TYPES))}"
        ) from None


def key_of(sha256: str, media_type: str) -> str:
    """Return the key of an artifact in its store."""
    return f"{OBJECTS}/{sha256[:2]}/{sha256}{extension_of(media_type)}"


def result_key_of(name: str) -> str:
    """Return the key of a persisted result of any name: `results/<first two digits>/<sha256 of the name>`."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return f"{RESULTS}/{digest[:2]}/{digest}"


def owner_key_of(owner_id: str) -> str:
    """Return the key that records that a database refers to artifacts of a store."""
    return f"{OWNERS}/{owner_id}"


def is_key(text: str) -> bool:
    """Return whether a text is exactly the key of an artifact; paths with `..`, links or other folders are not."""
    match = _KEY.fullmatch(text)
    return match is not None and match["extension"] in _EXTENSIONS


def digest_of_key(key: str) -> str:
    """Return the SHA-256 that a key names."""
    return key.rsplit("/", 1)[1][:64]


def media_type_of(name: str) -> str:
    """Return the media type of a key or file name by its extension, `application/octet-stream` for unknown ones."""
    suffixes = name.rsplit("/", 1)[-1].split(".", 1)[1:]
    return _EXTENSIONS.get(f".{suffixes[0]}" if suffixes else "", "") or _EXTENSIONS.get(
        "." + name.rsplit(".", 1)[-1].lower(), "application/octet-stream"
    )
