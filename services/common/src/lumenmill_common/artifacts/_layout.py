"""Where an artifact lies in any store, `objects/<first two digits>/<sha256><extension>`, and where a note does."""

import hashlib
import re

from lumenmill_common.errors import InvalidArgumentError

__all__ = [
    "MEDIA_TYPES",
    "NOTES",
    "OBJECTS",
    "OWNERS",
    "WEIGHTS",
    "digest_of_key",
    "extension_of",
    "is_key",
    "key_of",
    "media_type_of",
    "note_key_of",
    "owner_key_of",
]

OBJECTS = "objects"
NOTES = "notes"
OWNERS = "owners"

# The media that the mesh makes or takes in, with the one extension of each. A type that is not here is refused, so that
# every key tells its media type.
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
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
    "video/x-matroska": ".mkv",
}
# What models are loaded from. No run refers to it: it is the operator's, and stays until the operator removes it.
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
    """The extension of a media type, dot included.

    Raises:
        InvalidArgumentError: the type is none that the store keeps; names `field`.
    """
    try:
        return MEDIA_TYPES[media_type]
    except KeyError:
        raise InvalidArgumentError(
            field, f"{media_type!r} is not kept here; known types: {', '.join(sorted(MEDIA_TYPES))}"
        ) from None


def key_of(sha256: str, media_type: str) -> str:
    """Key of an artifact in its store."""
    return f"{OBJECTS}/{sha256[:2]}/{sha256}{extension_of(media_type)}"


def note_key_of(name: str) -> str:
    """Key of the note with a name of any form: `notes/<first two digits>/<sha256 of the name>`."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return f"{NOTES}/{digest[:2]}/{digest}"


def owner_key_of(owner_id: str) -> str:
    """Key under which whoever refers to artifacts of a store says so."""
    return f"{OWNERS}/{owner_id}"


def is_key(text: str) -> bool:
    """Whether a text is exactly the key of an artifact; paths with `..`, links or other folders are not."""
    match = _KEY.fullmatch(text)
    return match is not None and match["extension"] in _EXTENSIONS


def digest_of_key(key: str) -> str:
    """The SHA-256 that a key names."""
    return key.rsplit("/", 1)[1][:64]


def media_type_of(name: str) -> str:
    """Media type of a key or file name by its extension, `application/octet-stream` for unknown ones."""
    suffixes = name.rsplit("/", 1)[-1].split(".", 1)[1:]
    return _EXTENSIONS.get(f".{suffixes[0]}" if suffixes else "", "") or _EXTENSIONS.get(
        "." + name.rsplit(".", 1)[-1].lower(), "application/octet-stream"
    )
