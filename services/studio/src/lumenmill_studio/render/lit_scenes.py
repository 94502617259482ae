"""Build the Mitsuba scenes of a view: with lights for pictures and shading, without them for guides and buffers.

Runs in the thread that chose the variant.
"""

import gc
from collections import OrderedDict
from collections.abc import Callable, Sequence
from enum import Enum, auto
from functools import lru_cache
from typing import Any

import numpy as np

from lumenmill_common.errors import InvalidArgumentError
from lumenmill_studio.light.emitters import ENVIRONMENTS, back_distance, back_of, emitter_of, panel
from lumenmill_studio.light.sources import UnitSource, Weighted
from lumenmill_studio.render.shading import ShadedStage
from lumenmill_studio.render.stage import AssetParts, Stage, Surface
from lumenmill_studio.render.tracer import built_scene, grouped_scene, numbered_scene
from lumenmill_studio.render.variant import is_scalar
from lumenmill_studio.render.view import View
from lumenmill_studio.scenes.spec import SceneSpec
from lumenmill_studio.scenes.stored import Scene

__all__ = ["LitScenes", "PixelsOf", "panel_extent", "trace_groups"]

# Items of one run alternate between their scenes; a stage that is still cached needs no new meshes and textures.
_NUM_STAGES = 12
# Two groups of sources that are traced apart, with three scenes each. Compiled renderers look through everything that
# is alive, so that fewer scenes stay.
_NUM_LIT_SCENES, _NUM_COMPILED_SCENES = 6, 3
_NUM_UNLIT_SCENES = 2

PixelsOf = Callable[[str], Any]
Weight = tuple[float, float, float]
Backgrounds = tuple[tuple[str, float], ...]
Lit = tuple[tuple[UnitSource, Weight], ...]


class _Purpose(Enum):
    """What a lit scene is built for: a picture, or one of the two parts of shading (see :mod:`.shading`)."""

    PICTURE = auto()
    STAND_INS = auto()
    BOUNCES = auto()


class LitScenes:
    """The newest stages, and the newest Mitsuba scenes that were built of them."""

    def __init__(self, pixels_of: PixelsOf, asset_parts: AssetParts) -> None:
        self._pixels_of, self._asset_parts = pixels_of, asset_parts
        self._stages: OrderedDict[Scene, Stage] = OrderedDict()
        num_lit = _NUM_LIT_SCENES if is_scalar() else _NUM_COMPILED_SCENES
        self._lit = lru_cache(maxsize=num_lit)(self._new_lit)
        self._grouped = lru_cache(maxsize=_NUM_UNLIT_SCENES)(self._new_grouped)
        self._numbered = lru_cache(maxsize=_NUM_UNLIT_SCENES)(self._new_numbered)

    def picture_scene(self, view: View, parts: Sequence[Weighted]) -> Any:
        """Return the scene of a picture under some sources.

        Raises:
            InvalidArgumentError: the numbers of the scene fit no shape; names ``scene``.
        """
        return self._lit(view.scene, view.open_set, view.backgrounds, _lit_by(parts), _Purpose.PICTURE)

    def shaded_stage(self, view: View, parts: Sequence[Weighted]) -> ShadedStage:
        """Return the scenes of shading under some sources; errors as :meth:`picture_scene`."""
        place, lit = (view.scene, view.open_set, view.backgrounds), _lit_by(parts)
        return ShadedStage(
            stand_ins=self._lit(*place, lit, _Purpose.STAND_INS),
            real=self._lit(*place, lit, _Purpose.BOUNCES),
            grouped=self._grouped(*place),
        )

    def guide_scene(self, view: View) -> Any:
        """Return the scene of the denoiser's guides; errors as :meth:`picture_scene`."""
        return self._grouped(view.scene, view.open_set, ())

    def occluders(self, view: View) -> Any:
        """Return the scene without sources, in which all that can stand in the way of light does."""
        return self._grouped(view.scene, view.open_set, view.backgrounds)

    def numbered_surfaces(self, view: View) -> tuple[Any, list[Surface]]:
        """Return the scene of the geometry buffers and its surfaces; errors as :meth:`picture_scene`."""
        return self._numbered(view.scene, view.open_set, ()), self._stage(view.scene).surfaces(view.open_set)

    def numbered_occluders(self, view: View) -> tuple[Any, list[Surface]]:
        """Return what :meth:`occluders` has, numbered as :meth:`numbered_surfaces`; background pictures are black."""
        numbered = self._numbered(view.scene, view.open_set, view.backgrounds)
        return numbered, self._stage(view.scene).surfaces(view.open_set)

    def _stage(self, scene: Scene) -> Stage:
        if scene in self._stages:
            self._stages.move_to_end(scene)
        else:
            while len(self._stages) >= (_NUM_STAGES if is_scalar() else 1):
                self._forget_oldest_stage()
            self._stages[scene] = self._new_stage(scene.spec)
        return self._stages[scene]

    def _new_stage(self, spec: SceneSpec) -> Stage:
        try:
            return Stage(spec, self._asset_parts)
        except (LookupError, ValueError, ArithmeticError) as error:
            raise InvalidArgumentError("scene", f"cannot be built: {type(error).__name__}: {error}") from error

    def _forget_oldest_stage(self) -> None:
        """Remove all that refers to it as well, since compiled renderers look through every material that is alive."""
        self._stages.popitem(last=False)
        for built in (self._lit, self._grouped, self._numbered):
            built.cache_clear()
        gc.collect()

    def _new_lit(self, scene: Scene, open_set: bool, backgrounds: Backgrounds, lit: Lit, purpose: _Purpose) -> Any:
        stage = self._stage(scene)
        surfaces = stage.surfaces(open_set)
        shapes = [surface.stand_in() if purpose is _Purpose.STAND_INS else surface.shape for surface in surfaces]
        emitters = [
            emitter_of(unit, weight, stage.spec.subject_radius, self._pixels_of)
            for unit, weight in lit
            if unit.kind != "background"
        ]
        shining = {unit.asset_sha256: weight for unit, weight in lit if unit.kind == "background"}
        shapes += [self._panel(stage.spec, sha256, aspect, shining.get(sha256)) for sha256, aspect in backgrounds]
        if purpose is not _Purpose.PICTURE:
            shapes += _panel_backs(stage.spec, backgrounds)
        if purpose is _Purpose.BOUNCES:
            backs = [back_of(unit, stage.spec.subject_radius) for unit, _ in lit]
            shapes += [back for back in backs if back is not None]
        return built_scene(shapes, emitters)

    def _panel(self, spec: SceneSpec, sha256: str, aspect: float, weight: Weight | None) -> Any:
        pixels = None if weight is None else self._pixels_of(sha256) * np.asarray(weight, np.float32)
        return panel(pixels, aspect, *_panel_place(spec))

    def _new_grouped(self, scene: Scene, open_set: bool, backgrounds: Backgrounds) -> Any:
        stage = self._stage(scene)
        panels = _panel_backs(stage.spec, backgrounds)
        return grouped_scene([*(surface.shape for surface in stage.surfaces(open_set)), *panels])

    def _new_numbered(self, scene: Scene, open_set: bool, backgrounds: Backgrounds) -> Any:
        stage = self._stage(scene)
        return numbered_scene(stage.surfaces(open_set), _panel_backs(stage.spec, backgrounds))


def trace_groups(parts: Sequence[Weighted]) -> list[list[Weighted]] | None:
    """Return the sources in groups that can be traced together; ``None`` with negative weights.

    Mitsuba takes one environment at a time.
    """
    if any(min(part.weight) < 0 for part in parts):
        return None
    groups = [[part] for part in parts if part.unit.kind in ENVIRONMENTS] or [[]]
    groups[0] += [part for part in parts if part.unit.kind not in ENVIRONMENTS]
    return groups


def _lit_by(parts: Sequence[Weighted]) -> Lit:
    return tuple((part.unit, part.weight) for part in parts)


def panel_extent(spec: SceneSpec, aspect: float) -> tuple[float, float, float]:
    """Return width, height and distance behind the subject of a background's panel, in metres."""
    width, distance = _panel_place(spec)
    return width, width * aspect, distance


def _panel_place(spec: SceneSpec) -> tuple[float, float]:
    """Return the width of a background's panel and its distance behind the subject, in metres."""
    distance = 2.6 * spec.subject_radius
    return 2 * (spec.camera.distance + distance) * 18 / spec.camera.focal_length_mm * 1.15, distance


def _panel_backs(spec: SceneSpec, backgrounds: Backgrounds) -> list[Any]:
    width, distance = _panel_place(spec)
    return [panel(None, aspect, width, back_distance(distance)) for _, aspect in backgrounds]
