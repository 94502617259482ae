"""The renderer of one worker: stages, views and unit pictures, each made once and kept while there is room.

A picture under a light is *defined* as the weighted sum of the denoised pictures of its unit sources, so that a light
traced directly and one recombined from a basis agree. The samples follow from the scene, the view and the unit alone.
"""

import gc
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_media import as_half

from lumenmill_studio.byte_cache import ByteCache
from lumenmill_studio.light.basis import Image, Key, weighted_sum
from lumenmill_studio.light.emitters import ENVIRONMENTS, back_distance, back_of, emitter_of, panel
from lumenmill_studio.light.sources import UnitSource, Weighted
from lumenmill_studio.presets import Preset
from lumenmill_studio.render.camera import Pose
from lumenmill_studio.render.denoise import Denoiser
from lumenmill_studio.render.shading import ShadedStage, shade
from lumenmill_studio.render.stage import AssetParts, Stage
from lumenmill_studio.render.tracer import (
    Buffers,
    Checkpoint,
    Guides,
    buffers,
    built_scene,
    grouped_scene,
    guides,
    numbered_scene,
    trace,
)
from lumenmill_studio.render.variant import is_scalar
from lumenmill_studio.scenes.reading import scene_from_json
from lumenmill_studio.scenes.spec import SceneSpec

_CACHE_BYTES = 400 << 20
_NUM_SCENES = 2
# Chains of one run take turns; with their stages kept, a turn costs no new meshes and textures.
_NUM_STAGES = 12
_NUM_BUFFERS = 24
_FINITE = frozenset({"area", "directional", "sun"})
PixelsOf = Callable[[str], Any]
Weight = tuple[float, float, float]
WHITE: Weight = (1.0, 1.0, 1.0)
_NO_PICTURES: Mapping[Key, Image] = MappingProxyType({})


class _Purpose(Enum):
    """What a scene is built for: a picture, or one of the two parts of shading (see :mod:`.shading`)."""

    PICTURE = auto()
    STAND_INS = auto()
    BOUNCES = auto()


@dataclass(frozen=True)
class View:
    """What determines a picture besides its light: scene, pose, size, samples, and how the set is opened.

    ``backgrounds`` are the digests and aspects of pictures that stand behind the subject.
    """

    scene_sha256: str
    pose: Pose
    size_px: tuple[int, int]
    spp: int
    max_depth: int
    guide_spp: int
    open_set: bool = False
    backgrounds: tuple[tuple[str, float], ...] = ()

    @property
    def key(self) -> str:
        """Canonical text of the view."""
        parts = (
            self.pose.key,
            f"{self.size_px[0]}x{self.size_px[1]}",
            f"spp{self.spp}",
            f"depth{self.max_depth}",
            f"guide{self.guide_spp}",
            "open" if self.open_set else "set",
            *(sha for sha, _ in self.backgrounds),
        )
        return "/".join(parts)


def view_of(
    scene_sha256: str,
    pose: Pose,
    size_px: tuple[int, int],
    preset: Preset,
    *,
    frame: bool = False,
    open_set: bool = False,
    backgrounds: tuple[tuple[str, float], ...] = (),
) -> View:
    """The view of a preset, for a still or for a frame of a clip."""
    spp = preset.video.frame_spp if frame else preset.spp
    guide_spp = preset.guide_spp // 2 if frame else preset.guide_spp
    return View(
        scene_sha256, pose, size_px, spp, preset.max_depth, guide_spp, open_set or bool(backgrounds), backgrounds
    )


class Engine:
    """Renders in the thread that made it current; not to be shared by threads."""

    def __init__(self, pixels_of: PixelsOf, asset_parts: AssetParts) -> None:
        self._pixels_of = pixels_of
        self._denoise = Denoiser()
        self._asset_parts = asset_parts
        self._stages: OrderedDict[bytes, Stage] = OrderedDict()
        self._scene = lru_cache(maxsize=_NUM_SCENES)(self._new_scene)
        self._grouped = lru_cache(maxsize=_NUM_SCENES)(self._new_grouped)
        self._numbered = lru_cache(maxsize=_NUM_SCENES)(self._new_numbered)
        self._guides = lru_cache(maxsize=_NUM_BUFFERS)(self._new_guides)
        self._buffers = lru_cache(maxsize=_NUM_BUFFERS)(self._new_buffers)
        self.pictures: ByteCache[Key] = ByteCache(_CACHE_BYTES)

    def _stage(self, spec_json: bytes) -> Stage:
        """The stage of a scene, one of the newest ones or a new one."""
        if spec_json in self._stages:
            self._stages.move_to_end(spec_json)
        else:
            while len(self._stages) >= (_NUM_STAGES if is_scalar() else 1):
                self._forget_oldest_stage()
            self._stages[spec_json] = self._new_stage(spec_json)
        return self._stages[spec_json]

    def _new_stage(self, spec_json: bytes) -> Stage:
        """The stage of a scene.

        Raises:
            InvalidArgumentError: the numbers of the scene fit no shape; names ``scene``.
        """
        try:
            return Stage(scene_from_json(spec_json), self._asset_parts)
        except (LookupError, ValueError, ArithmeticError) as error:
            raise InvalidArgumentError("scene", f"cannot be built: {type(error).__name__}: {error}") from error

    def _forget_oldest_stage(self) -> None:
        """Lets everything of it go, since compiled renderers look through every material that is alive."""
        self._stages.popitem(last=False)
        self._scene.cache_clear()
        self._grouped.cache_clear()
        self._numbered.cache_clear()
        gc.collect()

    def buffers(self, spec_json: bytes, view: View) -> Buffers:
        """Geometry buffers of a view."""
        return self._buffers(spec_json, view)

    def picture(
        self,
        spec_json: bytes,
        view: View,
        unit: UnitSource,
        checkpoint: Checkpoint,
        *,
        shading: bool = False,
        given: Mapping[Key, Image] = _NO_PICTURES,
    ) -> Image:
        """The denoised picture (H, W, 3) under one unit source; with ``shading`` the irradiance over π in its place.

        ``given`` are the caller's own pictures, taken first and never kept: they are true for that caller alone.
        """
        key = (view.key + ("/shading" if shading else ""), view.scene_sha256 + unit.key)
        if key in given:
            return given[key]
        known = self.pictures.get(key)
        if known is None:
            known = as_half(self._traced(spec_json, view, [Weighted(unit, WHITE)], checkpoint, shading))
            self.pictures.put(key, known)
        return known

    def light(
        self,
        spec_json: bytes,
        view: View,
        parts: Sequence[Weighted],
        checkpoint: Checkpoint,
        *,
        shading: bool = False,
        given: Mapping[Key, Image] = _NO_PICTURES,
    ) -> Image:
        """The picture (H, W, 3) under a light, as a weighted sum of unit pictures; ``given`` as in :meth:`picture`."""
        return weighted_sum(
            (self.picture(spec_json, view, part.unit, checkpoint, shading=shading, given=given), part.weight)
            for part in parts
        )

    def direct(
        self,
        spec_json: bytes,
        view: View,
        parts: Sequence[Weighted],
        checkpoint: Checkpoint,
        *,
        shading: bool = False,
        given: Mapping[Key, Image] = _NO_PICTURES,
    ) -> Image:
        """The picture (H, W, 3) under a light traced at once, where no other light of the view will be asked for."""
        groups = _trace_groups(parts)
        if groups is None:
            return self.light(spec_json, view, parts, checkpoint, shading=shading, given=given)
        traced = [(self._traced(spec_json, view, group, checkpoint, shading), WHITE) for group in groups]
        return as_half(weighted_sum(traced))

    def _traced(
        self, spec_json: bytes, view: View, parts: Sequence[Weighted], checkpoint: Checkpoint, shading: bool
    ) -> Image:
        seed = int.from_bytes(hashlib.sha256(f"{view.scene_sha256}/{parts[0].unit.key}".encode()).digest()[:4])
        if shading:
            return self._shaded(spec_json, view, parts, checkpoint, seed)
        hide = all(part.unit.kind in _FINITE for part in parts)
        scene = self._lit_scene(spec_json, view, parts, _Purpose.PICTURE)
        raw = trace(scene, view.pose, view.size_px, view.spp, view.max_depth, seed, hide, checkpoint)
        guide = self._guides(spec_json, view)
        return self._denoise(raw, guide.albedo, guide.normals)

    def _shaded(
        self, spec_json: bytes, view: View, parts: Sequence[Weighted], checkpoint: Checkpoint, seed: int
    ) -> Image:
        """Shading, as bright on a pixel that a surface fills in part as on one that it fills."""
        stage = ShadedStage(
            stand_ins=self._lit_scene(spec_json, view, parts, _Purpose.STAND_INS),
            real=self._lit_scene(spec_json, view, parts, _Purpose.BOUNCES),
            grouped=self._grouped(spec_json, view.open_set, view.backgrounds),
        )
        raw, covered = shade(stage, view.pose, view.size_px, view.spp, view.max_depth, seed, checkpoint)
        white = np.repeat(covered, 3, axis=2)
        smooth = self._denoise(raw, white, self._guides(spec_json, view).normals)
        return np.where(covered > 0, smooth / np.maximum(covered, 1 / view.spp), 0).astype(np.float32)

    def _lit_scene(self, spec_json: bytes, view: View, parts: Sequence[Weighted], purpose: _Purpose) -> Any:
        lit = tuple((part.unit, part.weight) for part in parts)
        return self._scene(spec_json, view.open_set, view.backgrounds, lit, purpose)

    def _new_scene(
        self,
        spec_json: bytes,
        open_set: bool,
        backgrounds: tuple[tuple[str, float], ...],
        parts: tuple[tuple[UnitSource, Weight], ...],
        purpose: _Purpose,
    ) -> Any:
        stage = self._stage(spec_json)
        surfaces = stage.surfaces(open_set)
        shapes = [surface.stand_in() if purpose is _Purpose.STAND_INS else surface.shape for surface in surfaces]
        emitters = [
            emitter_of(unit, weight, stage.spec.subject_radius, self._pixels_of)
            for unit, weight in parts
            if unit.kind != "background"
        ]
        lit = {unit.asset_sha256: weight for unit, weight in parts if unit.kind == "background"}
        shapes += [self._panel(stage.spec, sha, aspect, lit.get(sha)) for sha, aspect in backgrounds]
        if purpose is not _Purpose.PICTURE:
            shapes += [_panel_back(stage.spec, aspect) for _, aspect in backgrounds]
        if purpose is _Purpose.BOUNCES:
            backs = [back_of(unit, stage.spec.subject_radius) for unit, _ in parts]
            shapes += [back for back in backs if back is not None]
        return built_scene(shapes, emitters)

    def _panel(self, spec: SceneSpec, sha256: str, aspect: float, weight: Weight | None) -> Any:
        pixels = None if weight is None else self._pixels_of(sha256) * np.asarray(weight, np.float32)
        return panel(pixels, aspect, *_panel_place(spec))

    def _new_grouped(self, spec_json: bytes, open_set: bool, backgrounds: tuple[tuple[str, float], ...]) -> Any:
        stage = self._stage(spec_json)
        panels = [_panel_back(stage.spec, aspect) for _, aspect in backgrounds]
        return grouped_scene([*(surface.shape for surface in stage.surfaces(open_set)), *panels])

    def _new_numbered(self, spec_json: bytes, open_set: bool) -> Any:
        return numbered_scene(self._stage(spec_json).surfaces(open_set))

    def _new_guides(self, spec_json: bytes, view: View) -> Guides:
        seed = int.from_bytes(hashlib.sha256(view.scene_sha256.encode()).digest()[:4])
        grouped = self._grouped(spec_json, view.open_set, ())
        return guides(grouped, view.pose, view.size_px, view.guide_spp, seed)

    def _new_buffers(self, spec_json: bytes, view: View) -> Buffers:
        surfaces = self._stage(spec_json).surfaces(view.open_set)
        albedo = self._guides(spec_json, view).albedo
        return buffers(self._numbered(spec_json, view.open_set), surfaces, view.pose, view.size_px, albedo)


def _panel_place(spec: SceneSpec) -> tuple[float, float]:
    """Width of a background's panel and its distance behind the subject, in metres."""
    distance = 2.6 * spec.subject_radius
    return 2 * (spec.camera.distance + distance) * 18 / spec.camera.focal_length_mm * 1.15, distance


def _panel_back(spec: SceneSpec, aspect: float) -> Any:
    width, distance = _panel_place(spec)
    return panel(None, aspect, width, back_distance(distance))


def _trace_groups(parts: Sequence[Weighted]) -> list[list[Weighted]] | None:
    """Sources that can be traced together: Mitsuba takes one environment at a time. ``None`` with negative weights."""
    if any(min(part.weight) < 0 for part in parts):
        return None
    groups = [[part] for part in parts if part.unit.kind in ENVIRONMENTS] or [[]]
    groups[0] += [part for part in parts if part.unit.kind not in ENVIRONMENTS]
    return groups
