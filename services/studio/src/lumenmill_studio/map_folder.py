"""The environment maps of the operator that can be used."""

from pathlib import Path

import numpy as np

from lumenmill.common.v1.artifact_pb2 import EnvironmentMapFacts
from lumenmill_light.color import LUMINANCE
from lumenmill_media import LIMITS, decode_light
from lumenmill_studio.operator_files import files_of, log_num_skipped, usable_files

__all__ = ["usable_maps"]

_READ_SUFFIXES = (".hdr", ".exr")
# Other formats of radiance; pictures of 8 bits are mostly previews of the maps beside them.
_UNREAD_SUFFIXES = (".dds", ".ktx", ".ktx2", ".pfm", ".pic", ".tif", ".tiff")


def usable_maps(folder: Path) -> list[tuple[Path, EnvironmentMapFacts]]:
    """Return the maps of a folder in order of their names; files that cannot be used are logged with why."""
    paths = files_of(folder, (*_READ_SUFFIXES, *_UNREAD_SUFFIXES))
    usable = list(usable_files(paths, _facts, "environment map"))
    log_num_skipped(folder, len(paths) - len(usable), len(usable), "environment maps")
    return usable


def _facts(path: Path) -> EnvironmentMapFacts:
    """Return the facts of a map that can be used.

    Raises:
        ValueError: it cannot be used; the text says why.
        OSError: it cannot be opened.
    """
    if path.suffix.lower() not in _READ_SUFFIXES:
        raise ValueError(f"{path.suffix.lower()} is not read; convert it to {' or '.join(_READ_SUFFIXES)}")
    if not path.is_file():
        raise ValueError("is no file")
    if path.stat().st_size > LIMITS.max_bytes:
        raise ValueError(f"has more than the {LIMITS.max_bytes} bytes allowed")
    image = decode_light(path.read_bytes())
    height, width = image.shape[:2]
    if not image.any():
        raise ValueError("holds no light: every pixel is black, negative or not a number")
    polar = np.sin((np.arange(height) + 0.5) / height * np.pi)
    mean = float(((image @ LUMINANCE).mean(axis=1) * polar).sum() / polar.sum())
    return EnvironmentMapFacts(width_px=width, height_px=height, mean_radiance=round(mean, 6))
