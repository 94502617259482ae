"""Render and mix unit pictures: the renderer of one worker.

A picture under a light is *defined* as the weighted sum of the denoised pictures of its unit sources, so that a light
traced directly and one recombined from a basis agree. The samples follow from the scene, the view and the unit alone.
"""

import hashlib
from collections.abc import MutableMapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lumenmill_media import as_half
from lumenmill_studio.byte_cache import ByteCache
from lumenmill_studio.light.basis import Image, Key, weighted_sum
from lumenmill_studio.light.sources import UnitSource, Weighted
from lumenmill_studio.render.denoise import Denoiser
from lumenmill_studio.render.lit_scenes import LitScenes, PixelsOf, trace_groups
from lumenmill_studio.render.shading import shade
from lumenmill_studio.render.stage import AssetParts
from lumenmill_studio.render.tracer import Buffers, Checkpoint, Guides, buffers, guides, trace
from lumenmill_studio.render.view import View
from lumenmill_studio.render.visibility import Visibility

__all__ = ["Engine", "unit_key"]

_PICTURES_BYTES = 400 << 20
# Of one view at `quality`, guides take 29 MB and geometry buffers 49 MB.
_GUIDES_BYTES, _BUFFERS_BYTES = 256 << 20, 256 << 20
# Sources whose emitters are hidden from the camera.
_HIDDEN = frozenset({"area", "directional", "sun"})
_WHITE = (1.0, 1.0, 1.0)


def unit_key(view: View, unit: UnitSource, *, shading: bool = False) -> Key:
    """Return what a unit picture is found by, in light bases as well."""
    return view.key + ("/shading" if shading else ""), view.scene.sha256 + unit.key


class Engine:
    """Renders in the thread that created it; not to be shared by threads.

    What requests need again is cached: unit pictures, guides and geometry buffers, each within a number of bytes.
    """

    def __init__(self, pixels_of: PixelsOf, asset_parts: AssetParts, *, pictures_bytes: int = _PICTURES_BYTES) -> None:
        self._scenes = LitScenes(pixels_of, asset_parts)
        self.visibility = Visibility(self._scenes)
        """What reaches the surfaces that the camera sees."""
        self._denoise = Denoiser()
        self._pictures: ByteCache[Key, Image] = ByteCache(pictures_bytes)
        self._guides: ByteCache[View, Guides] = ByteCache(_GUIDES_BYTES)
        self._buffers: ByteCache[View, Buffers] = ByteCache(_BUFFERS_BYTES)

    def buffers(self, view: View) -> Buffers:
        """Return the geometry buffers of a view."""
        found = self._buffers.get(view.geometry)
        if found is None:
            albedo = self._guides_of(view).albedo
            found = buffers(*self._scenes.numbered_surfaces(view), view.pose, view.size_px, albedo)
            self._buffers.put(view.geometry, found, found.arrays)
        return found

    def surface_mask(self, view: View) -> NDArray[np.bool_]:
        """Return which pixels (H, W) show a surface, in part at least."""
        return np.asarray(np.abs(self._guides_of(view).normals).max(axis=2) > 0)

    def picture(
        self,
        view: View,
        unit: UnitSource,
        checkpoint: Checkpoint,
        in_hand: MutableMapping[Key, Image],
        *,
        shading: bool = False,
    ) -> Image:
        """Return the denoised picture (H, W, 3) under one unit source; with ``shading`` its irradiance over π.

        ``in_hand`` holds the unit pictures of this request: those that the caller sent, which are valid for that
        caller alone and not cached, and those that were returned before. It is searched first and added to.
        """
        key = unit_key(view, unit, shading=shading)
        if key not in in_hand:
            in_hand[key] = self._cached(key, view, unit, checkpoint, shading)
        return in_hand[key]

    def _cached(self, key: Key, view: View, unit: UnitSource, checkpoint: Checkpoint, shading: bool) -> Image:
        known = self._pictures.get(key)
        if known is None:
            known = as_half(self._traced(view, [Weighted(unit, _WHITE)], checkpoint, shading))
            self._pictures.put(key, known)
        return known

    def light(
        self,
        view: View,
        parts: Sequence[Weighted],
        checkpoint: Checkpoint,
        in_hand: MutableMapping[Key, Image],
        *,
        shading: bool = False,
    ) -> Image:
        """Return the picture (H, W, 3) under a light, mixed from unit pictures; ``in_hand`` as in :meth:`picture`."""
        return weighted_sum(
            (self.picture(view, part.unit, checkpoint, in_hand, shading=shading), part.weight) for part in parts
        )

    def direct(self, view: View, parts: Sequence[Weighted], checkpoint: Checkpoint, *, shading: bool = False) -> Image:
        """Return the picture (H, W, 3) under a light traced at once, for views that no other light is needed of."""
        groups = trace_groups(parts)
        if groups is None:
            return self.light(view, parts, checkpoint, {}, shading=shading)
        traced = [(self._traced(view, group, checkpoint, shading), _WHITE) for group in groups]
        return as_half(weighted_sum(traced))

    def _traced(self, view: View, parts: Sequence[Weighted], checkpoint: Checkpoint, shading: bool) -> Image:
        seed = _seed(f"{view.scene.sha256}/{parts[0].unit.key}")
        if shading:
            return self._shaded(view, parts, checkpoint, seed)
        hide = all(part.unit.kind in _HIDDEN for part in parts)
        scene = self._scenes.picture_scene(view, parts)
        raw = trace(scene, view.pose, view.size_px, view.spp, view.max_depth, seed, hide, checkpoint)
        guide = self._guides_of(view)
        return self._denoise(raw, guide.albedo, guide.normals)

    def _shaded(self, view: View, parts: Sequence[Weighted], checkpoint: Checkpoint, seed: int) -> Image:
        """Return shading that is as bright in pixels that a surface fills in part as in those that it fills."""
        stage = self._scenes.shaded_stage(view, parts)
        raw, covered = shade(stage, view.pose, view.size_px, view.spp, view.max_depth, seed, checkpoint)
        white = np.repeat(covered, 3, axis=2)
        smooth = self._denoise(raw, white, self._guides_of(view).normals)
        return np.where(covered > 0, smooth / np.maximum(covered, 1 / view.spp), 0).astype(np.float32)

    def _guides_of(self, view: View) -> Guides:
        found = self._guides.get(view.geometry)
        if found is None:
            scene = self._scenes.guide_scene(view)
            found = guides(scene, view.pose, view.size_px, view.guide_spp, _seed(view.scene.sha256))
            self._guides.put(view.geometry, found, found.arrays)
        return found


def _seed(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])
