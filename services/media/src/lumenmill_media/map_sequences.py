"""Read the intrinsic maps of a clip: ZIP files of EXR images that are named by frame number."""

import lzma
import re
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from lumenmill.common.v1 import artifact_pb2
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.decoding import CLIP_LIMITS, decoder, decoding_pool
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_media.exr import decode_exr
from lumenmill_media.pictures import LIMITS, Limits
from lumenmill_media.zip_files import LargeDirectoryError, open_zip

__all__ = ["read_map_sequence"]

Array = NDArray[np.float32]

_MAX_ENTRIES = 100_000


def read_map_sequence(
    store: ArtifactStore,
    artifact: artifact_pb2.Artifact,
    field: str,
    frame_numbers: Collection[int],
    limits: Limits = LIMITS,
) -> dict[int, Array]:
    """Return the maps (H, W, C) of some frames at full size, by frame number.

    Only those frames are unpacked, each at most `limits.max_bytes` large.

    Raises:
        InvalidArgumentError: naming `field`; it is no ZIP file of EXR images, lacks one of the frames, or is too large.
    """
    with store.local_file(artifact, field=field) as path:
        numbers = tuple(frame_numbers)
        return decoding_pool().run(_map_sequence, path, field, numbers, limits, field=field, limits=CLIP_LIMITS)


@decoder
def _map_sequence(path: Path, field: str, frame_numbers: Collection[int], limits: Limits) -> dict[int, Array]:
    try:
        with path.open("rb") as file, open_zip(file) as archive:
            return _maps(archive, field, frame_numbers, limits)
    except LargeDirectoryError as error:
        raise InvalidArgumentError(field, str(error)) from error
    # RuntimeError: encrypted entries and, as a subclass of it, a compression that `zipfile` does not know.
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, ValueError, EOFError, OSError) as error:
        raise InvalidArgumentError(field, "is damaged, or not a ZIP file of EXR images") from error


def _maps(archive: zipfile.ZipFile, field: str, frame_numbers: Collection[int], limits: Limits) -> dict[int, Array]:
    entries = archive.infolist()
    if len(entries) > _MAX_ENTRIES:
        raise InvalidArgumentError(field, f"has {len(entries)} entries, more than the {_MAX_ENTRIES} allowed")
    by_number = {
        int(match[1]): entry
        for entry in entries
        if (match := re.fullmatch(r"\D*(\d+)\.exr", PurePosixPath(entry.filename).name, re.IGNORECASE))
    }
    missing = sorted(set(frame_numbers) - set(by_number))
    if missing:
        raise InvalidArgumentError(
            field, f"has no map of frame {missing[0]}; clips need one EXR for each frame, named by frame number from 0"
        )
    return {number: _decoded(archive, by_number[number], field, limits) for number in sorted(frame_numbers)}


def _decoded(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, field: str, limits: Limits) -> Array:
    if entry.file_size > limits.max_bytes:
        raise InvalidArgumentError(field, f"{entry.filename} has {entry.file_size} bytes, more than allowed")
    try:
        return decode_exr(archive.read(entry), limits.max_float_pixels)
    except ValueError as error:
        raise InvalidArgumentError(field, f"{Path(entry.filename).name} {error}") from error
