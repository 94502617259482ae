"""The keys that the grammar asks for reach the subjects of the sets that studio composes, past walls and hills."""

import itertools
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from lumenmill.common.v1 import light_pb2, scene_pb2
from lumenmill.prompter.v1 import prompter_pb2
from lumenmill_light.area import area_extent
from lumenmill_light.axes import unit_vector
from lumenmill_prompter.families.grammar import SetWriter
from lumenmill_studio.render.camera import pose_of
from lumenmill_studio.render.variant import find_variant, use_variant
from lumenmill_studio.scenes.compose import compose
from lumenmill_studio.scenes.sets import SETS
from lumenmill_studio.scenes.shapes import build_shape
from lumenmill_studio.scenes.shapes.mesh import rotation
from lumenmill_studio.scenes.spec import ObjectSpec, SceneSpec

Array = np.ndarray
_NUM_SCENES, _NUM_RELIGHTS = 40, 8
# Part of the light, on surfaces that face it, that must arrive: more is lost only behind something.
_MIN_ARRIVING = 0.2
# Grass is small and many; sculpted figures take seconds to build.
_LEFT_OUT, _SLOW = {"set:blades"}, {"statue", "head", "bust"}


class _Set:
    """A composed set as bare meshes, and points that its camera sees on the subject and right around it."""

    def __init__(self, spec: SceneSpec) -> None:
        import mitsuba as mi

        self._mi = mi
        shapes = {f"mesh{i}": mesh for i, mesh in enumerate(_meshes(mi, spec))}
        self._scene = mi.load_dict({"type": "scene", **shapes})
        self.radius = spec.subject_radius
        self.points, self.normals = self._seen(spec)

    def _seen(self, spec: SceneSpec) -> tuple[Array, Array]:
        pose = pose_of(spec.camera, None)
        right, up, _ = pose.axes() * 1.4 * self.radius
        points, normals = [], []
        for y in np.linspace(0.9, -0.9, 7):
            for x in np.linspace(-0.9, 0.9, 9):
                toward = x * right + y * up - pose.position
                toward /= np.linalg.norm(toward)
                hit = self._scene.ray_intersect(self._mi.Ray3f(pose.position.tolist(), toward.tolist()))
                if not hit.is_valid() or np.linalg.norm(hit.p) > 2.0 * self.radius:
                    continue
                normal = np.array(hit.n).ravel()
                points.append(np.array(hit.p).ravel())
                normals.append(-normal if normal @ toward > 0.0 else normal)
        return np.array(points), np.array(normals)

    def arriving(self, source: light_pb2.LightSource) -> float:
        """Return the part of a source's light that arrives at the points, weighted by how they face it."""
        arriving = total = 0.0
        for point, normal in zip(self.points, self.normals, strict=True):
            for toward, distance in self._rays(source, point):
                cosine = max(float(normal @ toward), 0.0)
                start = (point + 2e-3 * self.radius * normal).tolist()
                blocked = cosine > 0.0 and self._scene.ray_test(
                    self._mi.Ray3f(start, toward.tolist(), distance, 0.0, [])
                )
                total, arriving = total + cosine, arriving + (0.0 if blocked else cosine)
        return arriving / total if total else 0.0

    def _rays(self, source: light_pb2.LightSource, point: Array) -> list[tuple[Array, float]]:
        if source.HasField("sun_sky"):
            return [(unit_vector(source.sun_sky.sun_azimuth_deg, source.sun_sky.sun_elevation_deg), math.inf)]
        if source.HasField("directional"):
            return [(unit_vector(source.directional.azimuth_deg, source.directional.elevation_deg), math.inf)]
        distance, width, height = (ratio * self.radius for ratio in area_extent(source.area))
        facing = unit_vector(source.area.azimuth_deg, source.area.elevation_deg)
        right = np.cross([0.0, 1.0, 0.0], facing)
        right /= np.linalg.norm(right)
        up = np.cross(facing, right)
        rays = []
        for x, y in ((-0.3, -0.3), (0.3, 0.3), (-0.3, 0.3), (0.3, -0.3)):
            away = facing * distance + x * width * right + y * height * up - point
            rays.append((away / np.linalg.norm(away), float(np.linalg.norm(away)) * 0.999))
        return rays


def _meshes(mi: object, spec: SceneSpec) -> Iterator[object]:
    for item in spec.objects:
        if item.shape in _LEFT_OUT:
            continue
        for vertices, faces in _geometry(item):
            shape = mi.Mesh("bare", len(vertices), len(faces))  # type: ignore[attr-defined]  # imported by the test
            parameters = mi.traverse(shape)  # type: ignore[attr-defined]
            parameters["vertex_positions"] = np.ascontiguousarray(vertices, np.float32).ravel()
            parameters["faces"] = np.ascontiguousarray(faces, np.uint32).ravel()
            parameters.update()
            yield shape


def _geometry(item: ObjectSpec) -> Iterator[tuple[Array, Array]]:
    built = SETS[item.shape](item.params, np.random.default_rng(item.seed)) if item.shape in SETS else None
    for part in build_shape(item.shape, item.seed) if built is None else built:
        turned = part.mesh.vertices_v3 @ rotation("y", item.yaw_deg).T
        yield turned * item.scale + np.array(item.position), part.mesh.faces_f3


def _arriving_keys() -> list[tuple[float, str]]:
    """Return what arrives of each key with a direction, and its light in words, over composed sets of all kinds."""
    use_variant(find_variant("scalar"))
    writer = SetWriter(prompter_pb2.Brief(num_relight_variants=_NUM_RELIGHTS), seed=41)
    found = []
    drafted = (writer.prompt_set(index) for index in itertools.count())
    quick = (prompt_set for prompt_set in drafted if not _SLOW.intersection(prompt_set.scene.subjects))
    for prompt_set in itertools.islice(quick, _NUM_SCENES):
        built = _Set(compose(prompt_set.scene, "", 1))
        where = f"{scene_pb2.SceneKind.Name(prompt_set.scene.kind)} {prompt_set.scene.place}: "
        for light in (prompt_set.light, *(relight.light for relight in prompt_set.relight_prompts)):
            if light.attributes.kinds[0] != light_pb2.LIGHT_KIND_SPHERICAL_HARMONICS and light.attributes.HasField(
                "azimuth_deg"
            ):
                found.append((built.arriving(light.sources[0]), where + light.text))
    return found


def test_keys_reach_the_subject_of_composed_sets() -> None:
    with ThreadPoolExecutor(1) as renderer:  # the variant is that of a thread
        found = renderer.submit(_arriving_keys).result()
    blocked = [words for part, words in found if part < _MIN_ARRIVING]
    assert len(found) >= 200
    assert len(blocked) <= 0.01 * len(found), "\n".join(blocked)
