"""Estimated intrinsic maps as artifacts: data as EXR, and previews in the same encodings as studio's."""

from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lumenmill.common.v1.artifact_pb2 import ColorSpace, ImageFacts
from lumenmill.common.v1.intrinsics_pb2 import IntrinsicKind, IntrinsicMap
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_media import MapEncoding, encode_exr, linear_to_srgb, put_png

__all__ = ["encode_map", "map_encoding", "preview_of", "put_map"]

Array = NDArray[np.float32]

_ALBEDO, _NORMALS, _DEPTH, _ROUGHNESS, _METALLIC, _SHADING, _RESIDUAL = (
    IntrinsicKind.INTRINSIC_KIND_ALBEDO,
    IntrinsicKind.INTRINSIC_KIND_NORMALS,
    IntrinsicKind.INTRINSIC_KIND_DEPTH,
    IntrinsicKind.INTRINSIC_KIND_ROUGHNESS,
    IntrinsicKind.INTRINSIC_KIND_METALLIC,
    IntrinsicKind.INTRINSIC_KIND_SHADING,
    IntrinsicKind.INTRINSIC_KIND_RESIDUAL,
)
_PREVIEW_ENCODINGS: dict[int, str] = {
    _ALBEDO: "srgb",
    _NORMALS: "0.5*n+0.5",
    _DEPTH: "turbo(1/depth)",
    _ROUGHNESS: "linear",
    _METALLIC: "linear",
    _SHADING: "srgb",
    _RESIDUAL: "srgb",
}
_COLOURS = frozenset({_ALBEDO, _SHADING, _RESIDUAL})
# The Turbo colour map in the polynomial fit of Mikhailov (Google, 2019), from the highest power of t down.
_TURBO = np.array(
    [
        [59.28637943, -152.94239396, 132.13108234, -42.66032258, 4.61539260, 0.13572138],
        [2.82956604, 4.27729857, -14.18503333, 4.84296658, 2.19418839, 0.09140261],
        [27.34824973, -89.90310912, 110.36276771, -60.58204836, 12.64194608, 0.10667330],
    ]
)


def encode_map(kind: int, data_hwc: Array) -> bytes:
    """Return the EXR bytes of a map (H, W, C): float32 for depth, float16 for all others."""
    return encode_exr(data_hwc, single=kind == _DEPTH)


def preview_of(kind: int, data_hwc: Array) -> NDArray[np.uint8]:
    """Return the display pixels (H, W, 3) of a map.

    The colours of depth span 1 to 2, the range of `marigold`, so that they are equal in all frames of a clip.
    """
    if kind == _DEPTH:
        nearness = np.clip(2 / np.maximum(data_hwc[..., 0], 1e-6) - 1, 0, 1)
        shown = np.stack([np.polyval(powers, nearness) for powers in _TURBO], axis=-1)
    elif kind == _NORMALS:
        shown = 0.5 * data_hwc + 0.5
    elif kind in _COLOURS:
        shown = linear_to_srgb(data_hwc)
    else:
        shown = np.repeat(data_hwc, 3, axis=-1)
    return np.asarray(np.round(np.clip(shown, 0, 1) * 255), np.uint8)


def map_encoding(kind: int) -> MapEncoding:
    """Return how the maps of a kind are stored and shown in clips."""
    return MapEncoding(partial(encode_map, kind), partial(preview_of, kind), _PREVIEW_ENCODINGS[kind], is_exact=False)


def put_map(store: ArtifactStore, kind: int, data_hwc: Array) -> IntrinsicMap:
    """Store an estimated map (H, W, C) of one picture and its preview, and return them."""
    height, width, channels = data_hwc.shape
    space = ColorSpace.COLOR_SPACE_LINEAR_REC709 if kind in _COLOURS else ColorSpace.COLOR_SPACE_DATA
    facts = ImageFacts(width_px=width, height_px=height, num_channels=channels, color_space=space)
    return IntrinsicMap(
        kind=IntrinsicKind.ValueType(kind),
        data=store.put_bytes(encode_map(kind, data_hwc), "image/x-exr", image=facts),
        preview=put_png(store, Image.fromarray(preview_of(kind, data_hwc))),
        preview_encoding=_PREVIEW_ENCODINGS[kind],
        exact=False,
    )
