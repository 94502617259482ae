"""Find how much of a source reaches the surfaces that the camera sees: rays against the scene without its lights.

The surfaces are represented by some points, evenly over the picture. Runs in the thread that chose the variant.
Legend: N points, S samples of an emitter, M rays.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import mitsuba as mi
import numpy as np
from numpy.typing import NDArray

from lumenmill_light.environment_map import directions
from lumenmill_light.surroundings import SURROUNDINGS_HEIGHT, Reach, Surroundings
from lumenmill_studio.light.emitter_samples import EmitterSamples, emitter_samples
from lumenmill_studio.light.sources import UnitSource
from lumenmill_studio.render.camera import Pose
from lumenmill_studio.render.gather import FirstHits, Floats, first_hits
from lumenmill_studio.render.lit_scenes import LitScenes, panel_extent
from lumenmill_studio.render.variant import is_scalar
from lumenmill_studio.render.view import View

__all__ = ["Visibility"]

_NUM_POINTS = 128
_GRID_WIDTH_PX = 64
# A value takes up to 10 kB.
_MAX_CACHED = 512
_BACKGROUND = "background picture"
# A ray ends before the emitter that it goes to, by this part of its length.
_GAP = 1e-3

ValueT = TypeVar("ValueT")


class Visibility:
    """Visible points of views, and what reaches them; both are cached by the geometry of the view."""

    def __init__(self, scenes: LitScenes) -> None:
        self._scenes = scenes
        self._known: OrderedDict[Hashable, Any] = OrderedDict()

    def reach(self, view: View, unit: UnitSource) -> Reach:
        """Return how much of a lamp, a disc, parallel light or a background reaches what the camera sees."""

        def found() -> Reach:
            aspect = dict(view.backgrounds).get(unit.asset_sha256, 1.0)
            extent = panel_extent(view.scene.spec, aspect)
            samples = emitter_samples(unit, view.scene.spec.subject_radius, extent)
            return _reach(self._scenes.occluders(view), self._points(view), samples)

        return self._cached((*_occlusion(view), unit), found)

    def blocker(self, view: View, unit: UnitSource) -> str:
        """Return the name of what keeps most of a lamp or of parallel light away; empty if nothing does."""
        points = self._points(view)
        if not len(points.points_n3):
            return ""
        samples = emitter_samples(unit, view.scene.spec.subject_radius, panel_extent(view.scene.spec, 1.0))
        toward_ns3, lengths_ns = samples.seen_from(points.points_n3)
        facing_n = (toward_ns3[:, 0] * points.normals_n3).sum(axis=1) > 0
        origins, towards = _origins(points, np.flatnonzero(facing_n), toward_ns3[facing_n, 0]), toward_ns3[facing_n, 0]
        numbered, surfaces = self._scenes.numbered_occluders(view)
        hits = [_albedo_hit(numbered, *ray) for ray in zip(origins, towards, lengths_ns[facing_n, 0], strict=True)]
        names = {item.instance: item.name for item in view.scene.spec.objects}
        of_numbers = [_BACKGROUND, *(names[surface.instance] for surface in surfaces)]
        found = Counter(of_numbers[round(hit * len(surfaces))] for hit in hits if hit is not None)
        return found.most_common(1)[0][0] if found else ""

    def surroundings(self, view: View) -> Surroundings:
        """Return from where light can reach what the camera sees."""

        def found() -> Surroundings:
            return _surroundings(self._scenes.occluders(view), self._points(view))

        return self._cached((*_occlusion(view), "surroundings"), found)

    def _points(self, view: View) -> FirstHits:
        def found() -> FirstHits:
            return _visible_points(self._scenes.guide_scene(view), view.pose, view.size_px)

        return self._cached((*_seen(view), "points"), found)

    def _cached(self, key: Hashable, found: Callable[[], ValueT]) -> ValueT:
        if key in self._known:
            self._known.move_to_end(key)
        else:
            self._known[key] = found()
            if len(self._known) > _MAX_CACHED:
                self._known.popitem(last=False)
        value: ValueT = self._known[key]
        return value


def _seen(view: View) -> tuple[Hashable, ...]:
    """Return what determines the visible points; the view itself would keep its scene in memory."""
    return view.scene.sha256, view.pose, view.size_px, view.open_set


def _occlusion(view: View) -> tuple[Hashable, ...]:
    return *_seen(view), view.backgrounds


def _visible_points(grouped: Any, pose: Pose, size_px: tuple[int, int]) -> FirstHits:
    """Return points of diffuse surfaces, or of all where none is diffuse; without any surface there are none."""
    height = max(1, round(_GRID_WIDTH_PX * size_px[1] / size_px[0]))
    hits = first_hits(grouped, pose, (_GRID_WIDTH_PX, height), 0)
    is_surface = np.abs(hits.mesh_normals_n3).max(axis=1) > 0
    found = np.flatnonzero(is_surface & hits.is_diffuse_n)
    if not len(found):
        found = np.flatnonzero(is_surface)
    chosen = found[np.unique(np.linspace(0, len(found) - 1, _NUM_POINTS).astype(int))] if len(found) else found
    return FirstHits(
        hits.points_n3[chosen], hits.mesh_normals_n3[chosen], hits.normals_n3[chosen], hits.is_diffuse_n[chosen]
    )


def _reach(occluders: Any, points: FirstHits, samples: EmitterSamples) -> Reach:
    """Return the mean irradiance for an emitter that gives 1 on a surface at the origin that faces it."""
    if not len(points.points_n3):
        return Reach(0.0, 0.0)
    toward_ns3, lengths_ns = samples.seen_from(points.points_n3)
    facing_ns = np.maximum(np.einsum("nsk,nk->ns", toward_ns3, points.normals_n3), 0) * samples.weights_ns(
        toward_ns3, lengths_ns
    )
    arriving_ns = np.where(_unoccluded(occluders, points, toward_ns3, lengths_ns, facing_ns > 0), facing_ns, 0)
    return Reach(float(arriving_ns.sum(axis=1).mean()), float(facing_ns.sum(axis=1).mean()))


def _surroundings(occluders: Any, points: FirstHits) -> Surroundings:
    toward_hw3 = directions(SURROUNDINGS_HEIGHT)
    shape = toward_hw3.shape[:2]
    num = len(points.points_n3)
    if not num:
        return Surroundings(np.zeros(shape), np.zeros(shape))
    toward_ns3 = np.broadcast_to(toward_hw3.reshape(1, -1, 3), (num, shape[0] * shape[1], 3))
    facing_ns = np.maximum(points.normals_n3 @ toward_hw3.reshape(-1, 3).T, 0)
    far_ns = np.full(facing_ns.shape, np.inf)
    arriving_ns = np.where(_unoccluded(occluders, points, toward_ns3, far_ns, facing_ns > 0), facing_ns, 0)
    return Surroundings(arriving_ns.mean(axis=0).reshape(shape), facing_ns.mean(axis=0).reshape(shape))


def _unoccluded(
    occluders: Any, points: FirstHits, toward_ns3: Floats, lengths_ns: Floats, active_ns: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return whether nothing is on the way from each point to each sample; False where not active."""
    towards = toward_ns3[active_ns]
    origins = _origins(points, np.nonzero(active_ns)[0], towards)
    tested = _hits_one_by_one if is_scalar() else _hits_at_once
    result = np.zeros(active_ns.shape, bool)
    result[active_ns] = ~tested(occluders, origins, towards, lengths_ns[active_ns] * (1 - _GAP))
    return result


def _origins(points: FirstHits, at_m: NDArray[np.intp], toward_m3: Floats) -> Floats:
    """Return where rays from points start: off the surface, as in :func:`cosine_rays`."""
    starts, mesh_normals = points.points_n3[at_m], points.mesh_normals_n3[at_m]
    epsilon = mi.math.RayEpsilon * (1 + np.abs(starts).max(axis=1, keepdims=True))
    side = np.sign((mesh_normals * toward_m3).sum(axis=1, keepdims=True))
    return np.asarray(starts + epsilon * side * mesh_normals)


def _albedo_hit(numbered: Any, origin: Floats, toward: Floats, length: float) -> float | None:
    """Return the albedo of the first surface on a ray, which is its number over that of all; None without one."""
    ray: Any = mi.Ray3f(mi.Point3f(origin.tolist()), mi.Vector3f(toward.tolist()))
    ray.maxt = min(length * (1 - _GAP), float(np.finfo(np.float32).max))
    found: Any = numbered.ray_intersect(ray)
    if not np.array(found.is_valid()).all():
        return None
    return float(np.array(found.bsdf().eval_diffuse_reflectance(found)).ravel()[0])


def _hits_at_once(scene: Any, origins_m3: Floats, towards_m3: Floats, lengths_m: Floats) -> NDArray[np.bool_]:
    origins, towards = (mi.Vector3f(values.T.astype(np.float32)) for values in (origins_m3, towards_m3))
    rays: Any = mi.Ray3f(mi.Point3f(origins), towards)
    rays.maxt = mi.Float(np.minimum(lengths_m, np.finfo(np.float32).max).astype(np.float32))
    return np.array(scene.ray_test(rays), bool)


def _hits_one_by_one(scene: Any, origins_m3: Floats, towards_m3: Floats, lengths_m: Floats) -> NDArray[np.bool_]:
    hits = np.zeros(len(origins_m3), bool)
    ray_test, ray_of, point_of, vector_of = scene.ray_test, mi.Ray3f, mi.Point3f, mi.Vector3f
    rays = zip(origins_m3.tolist(), towards_m3.tolist(), lengths_m.tolist(), strict=True)
    for index, (origin, toward, length) in enumerate(rays):
        ray: Any = ray_of(point_of(origin), vector_of(toward))
        ray.maxt = length
        hits[index] = ray_test(ray)
    return hits
