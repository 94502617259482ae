"""What decoding callers' pictures in a process of its own adds to decoding them in the service, per file.

Each file is read by `read_rgb`, which returns all of its pixels, and decoded directly, in turns. Services that measure
pictures get them reduced, which takes less.
"""

import functools
import io
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from figures import Figure, median_of, run_benchmark
from PIL import Image

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill_common.artifacts import ArtifactStore, open_store
from lumenmill_media import LIMITS, decode_rgb, read_rgb

_SIDES_PX = (512, 1024, 2048)
_FORMATS = ("JPEG", "PNG")
_TARGET_MS = 5.0


def _picture(side_px: int, format_: str) -> bytes:
    """Return a file of soft shapes with some noise, about as large as a photograph's."""
    rng = np.random.default_rng(1)
    shapes = Image.fromarray(rng.integers(0, 240, (16, 16, 3), np.uint8)).resize(
        (side_px, side_px), Image.Resampling.BICUBIC
    )
    noisy = np.asarray(shapes) + rng.integers(0, 8, (side_px, side_px, 3), np.uint8)
    data = io.BytesIO()
    Image.fromarray(noisy.astype(np.uint8)).save(data, format_)
    return data.getvalue()


def _duration_ms(call: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    call()
    return (time.perf_counter() - started_s) * 1e3


def _durations_ms(store: ArtifactStore, data: bytes, repeats: int) -> tuple[list[float], list[float]]:
    """Return durations in a process of its own, and of the service alone."""
    apart = functools.partial(read_rgb, store, Artifact(inline_data=data), "image")
    alone = functools.partial(decode_rgb, data, LIMITS.max_pixels)
    apart()
    pairs = [(_duration_ms(apart), _duration_ms(alone)) for _ in range(repeats)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def measure(quick: bool) -> list[Figure]:
    """Measure PNG and JPEG pictures of several sizes."""
    figures, added_ms = [], []
    with tempfile.TemporaryDirectory(prefix="lumenmill-decoding-") as folder:
        store = open_store(Path(folder).as_uri())
        for side_px, format_ in itertools.product(_SIDES_PX, _FORMATS):
            apart_ms, alone_ms = _durations_ms(store, _picture(side_px, format_), 3 if quick else 31)
            name = f"{format_} of {side_px}²"
            figures.append(median_of(f"{name}, decoded in the service", alone_ms, "ms"))
            added_ms.append(statistics.median(apart_ms) - statistics.median(alone_ms))
            figures.append(Figure(f"{name}, added by a process of its own", added_ms[-1], "ms"))
    return [*figures, median_of("added to a file, median of all", added_ms, "ms", at_most=_TARGET_MS)]


if __name__ == "__main__":
    run_benchmark(__doc__, measure)
