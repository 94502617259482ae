"""Compute intrinsic maps and their previews."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

import lumenmill_media as media
from lumenmill.common.v1.artifact_pb2 import ColorSpace
from lumenmill.common.v1.intrinsics_pb2 import IntrinsicKind, IntrinsicMap
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_studio.families.results import put_display, put_exr
from lumenmill_studio.light.basis import Image
from lumenmill_studio.render import tonemap
from lumenmill_studio.render.tracer import Buffers

__all__ = [
    "ALBEDO",
    "ALL_KINDS",
    "DEPTH",
    "INSTANCE_MASK",
    "LIT_KINDS",
    "METALLIC",
    "NORMALS",
    "RESIDUAL",
    "ROUGHNESS",
    "SHADING",
    "is_single",
    "map_encoding",
    "maps_of",
    "preview",
    "put_map",
]

ALBEDO, NORMALS, DEPTH = (
    IntrinsicKind.INTRINSIC_KIND_ALBEDO,
    IntrinsicKind.INTRINSIC_KIND_NORMALS,
    IntrinsicKind.INTRINSIC_KIND_DEPTH,
)
ROUGHNESS, METALLIC = IntrinsicKind.INTRINSIC_KIND_ROUGHNESS, IntrinsicKind.INTRINSIC_KIND_METALLIC
SHADING, RESIDUAL = IntrinsicKind.INTRINSIC_KIND_SHADING, IntrinsicKind.INTRINSIC_KIND_RESIDUAL
INSTANCE_MASK = IntrinsicKind.INTRINSIC_KIND_INSTANCE_MASK
ALL_KINDS = (ALBEDO, NORMALS, DEPTH, ROUGHNESS, METALLIC, SHADING, RESIDUAL, INSTANCE_MASK)
LIT_KINDS = frozenset({SHADING, RESIDUAL})

_ENCODINGS: dict[int, str] = {
    ALBEDO: "srgb",
    NORMALS: "0.5*n+0.5",
    DEPTH: "turbo(1/depth)",
    ROUGHNESS: "linear",
    METALLIC: "linear",
    SHADING: tonemap.NAME,
    RESIDUAL: f"{tonemap.NAME}(residual + a dark grey)",
    INSTANCE_MASK: "palette",
}
# In half floats, depth and numbers would be too coarse, and the residual of a highlight, which may be a thousand times
# as bright as the picture, would be off by more than what albedo × shading contributes.
_EXACT_IN_SINGLE = frozenset({DEPTH, INSTANCE_MASK, RESIDUAL})


def maps_of(
    kinds: Sequence[int], buffers: Buffers, linear_hw3: Image | None, shading_hw3: Image | None
) -> dict[int, Image]:
    """Return the maps (H, W, C) of some kinds; those that depend on light need the picture and its shading.

    The picture is given as it is stored. Albedo and shading are rounded as they will be, so that what is read back of
    albedo × shading + residual is the picture.
    """
    albedo = media.as_half(buffers.albedo)
    plain: dict[int, Image] = {
        ALBEDO: albedo,
        NORMALS: buffers.normals,
        DEPTH: buffers.depth,
        ROUGHNESS: buffers.roughness,
        METALLIC: buffers.metallic,
        INSTANCE_MASK: buffers.instance,
    }
    maps: dict[int, Image] = {}
    for kind in kinds:
        if kind in plain:
            maps[kind] = plain[kind]
        elif linear_hw3 is not None and shading_hw3 is not None:
            shading = media.as_half(shading_hw3)
            maps[kind] = shading if kind == SHADING else linear_hw3 - albedo * shading
    return maps


def put_map(store: ArtifactStore, kind: int, data_hwc: Image, exposure_ev: float) -> IntrinsicMap:
    """Store one map and its preview."""
    space = ColorSpace.COLOR_SPACE_LINEAR_REC709 if kind in (ALBEDO, SHADING, RESIDUAL) else ColorSpace.COLOR_SPACE_DATA
    data = put_exr(store, data_hwc, space, single=kind in _EXACT_IN_SINGLE)
    shown = put_display(store, preview(kind, data_hwc, exposure_ev))
    return IntrinsicMap(
        kind=IntrinsicKind.ValueType(kind),
        data=data,
        preview=shown,
        preview_encoding=_ENCODINGS[kind],
        exact=True,
    )


def is_single(kind: int) -> bool:
    """Return whether a kind of map is stored in single floats, because half floats are too coarse."""
    return kind in _EXACT_IN_SINGLE


def map_encoding(kind: int, exposure_ev: float) -> media.MapEncoding:
    """Return how the maps of a kind are stored and shown in clips of an exposure."""
    return media.MapEncoding(
        exr=lambda data_hwc: media.encode_exr(data_hwc, single=is_single(kind)),
        preview=lambda data_hwc: preview(kind, data_hwc, exposure_ev),
        preview_encoding=_ENCODINGS[kind],
        is_exact=True,
    )


def preview(kind: int, data_hwc: Image, exposure_ev: float) -> NDArray[np.uint8]:
    """Return the display pixels (H, W, 3) of a map."""
    show = _PREVIEWS.get(kind)
    if show is not None:
        return show(data_hwc)
    if kind == SHADING:
        return tonemap.tone_mapped(data_hwc, exposure_ev - 0.6)
    return tonemap.tone_mapped(np.maximum(0.05 * 2.0**-exposure_ev + data_hwc, 0), exposure_ev)


def _bytes(values: Image) -> NDArray[np.uint8]:
    return np.asarray(np.round(np.clip(values, 0, 1) * 255), np.uint8)


def _depth_preview(depth_hw: Image) -> NDArray[np.uint8]:
    seen = depth_hw > 0
    if not seen.any():
        return np.zeros((*depth_hw.shape, 3), np.uint8)
    near = np.where(seen, 1 / np.maximum(depth_hw, 1e-6), 0)
    low, high = np.percentile(near[seen], [1, 99.5])
    t = np.clip((near - low) / max(float(high - low), 1e-9), 0, 1)
    return _bytes(np.where(seen[..., None], _turbo(t), 0))


def _turbo(t_hw: Image) -> Image:
    """Return the Turbo colour map, in the polynomial fit of Mikhailov (Google, 2019)."""
    powers = np.stack([np.ones_like(t_hw), t_hw, t_hw**2, t_hw**3, t_hw**4, t_hw**5], -1)
    fit = np.array(
        [
            [0.13572138, 4.61539260, -42.66032258, 132.13108234, -152.94239396, 59.28637943],
            [0.09140261, 2.19418839, 4.84296658, -14.18503333, 4.27729857, 2.82956604],
            [0.10667330, 12.64194608, -60.58204836, 110.36276771, -89.90310912, 27.34824973],
        ]
    )
    return np.asarray(np.clip(powers @ fit.T, 0, 1), np.float32)


def _palette(index_hw: Image) -> NDArray[np.uint8]:
    number = index_hw.astype(int)
    hue = (number * 0.618034) % 1.0
    level = 0.62 + 0.3 * ((number * 0.37) % 1.0)
    rgb = np.clip(np.abs((hue[..., None] * 6 + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    return _bytes(np.where((number > 0)[..., None], (0.35 + 0.65 * rgb) * level[..., None], 0))


_PREVIEWS: dict[int, Callable[[Image], NDArray[np.uint8]]] = {
    ALBEDO: lambda data: _bytes(tonemap.srgb_encoded(data)),
    NORMALS: lambda data: _bytes(np.where(np.any(data, axis=2, keepdims=True), 0.5 * data + 0.5, 0)),
    DEPTH: lambda data: _depth_preview(data[..., 0]),
    ROUGHNESS: lambda data: _bytes(np.repeat(data, 3, axis=2)),
    METALLIC: lambda data: _bytes(np.repeat(data, 3, axis=2)),
    INSTANCE_MASK: lambda data: _palette(data[..., 0]),
}
