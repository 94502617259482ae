"""Trace paths in short passes, and render guides and geometry buffers, in the thread that chose the variant."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import drjit as dr
import mitsuba as mi
import numpy as np
from numpy.typing import NDArray

from lumenmill_studio.render.camera import Pose
from lumenmill_studio.render.stage import Surface
from lumenmill_studio.render.variant import is_scalar

__all__ = [
    "Buffers",
    "Checkpoint",
    "Guides",
    "Image",
    "aov",
    "buffers",
    "built_scene",
    "grouped_scene",
    "guides",
    "numbered_scene",
    "trace",
    "trace_with_coverage",
]

Image = NDArray[np.float32]
Checkpoint = Callable[[], None]
_PASS_SAMPLES = 1_600_000


@dataclass(frozen=True)
class Guides:
    """Guides of the denoiser, averaged over each pixel, (H, W, 3) each."""

    albedo: Image
    normals: Image

    @property
    def arrays(self) -> tuple[Image, ...]:
        """Return all arrays."""
        return self.albedo, self.normals


@dataclass(frozen=True)
class Buffers:
    """What the camera sees apart from light, (H, W, C): albedo averaged over the pixel, the rest at its centre."""

    albedo: Image
    normals: Image
    depth: Image
    roughness: Image
    metallic: Image
    instance: Image

    @property
    def arrays(self) -> tuple[Image, ...]:
        """Return all arrays."""
        return self.albedo, self.normals, self.depth, self.roughness, self.metallic, self.instance


def grouped_scene(shapes: Sequence[Any]) -> Any:
    """Return a scene whose shapes are one instance of a group, without light.

    Mitsuba's `aov` integrator searches all shapes of the scene for every sample, which takes longer than the ray.
    """
    group = {"type": "shapegroup", **{f"shape{index:05d}": shape for index, shape in enumerate(shapes)}}
    instance = {"type": "instance", "group": {"type": "ref", "id": "group"}}
    scene = mi.load_dict({"type": "scene", "group": group, "instance": instance})
    _keep_kernels(scene)
    return scene


def built_scene(shapes: Sequence[Any], emitters: Sequence[Any]) -> Any:
    """Return a Mitsuba scene of shapes and emitters, which can be traced any number of times."""
    numbered = {f"shape{index:05d}": shape for index, shape in enumerate(shapes)}
    scene = mi.load_dict(
        {"type": "scene", **numbered, **{f"emitter{index}": emitter for index, emitter in enumerate(emitters)}}
    )
    _keep_kernels(scene)
    return scene


def trace(
    scene: Any,
    pose: Pose,
    size_px: tuple[int, int],
    spp: int,
    max_depth: int,
    seed: int,
    hide_emitters: bool,
    checkpoint: Checkpoint,
) -> Image:
    """Return the linear radiance (H, W, 3) of a scene with ``spp`` samples a pixel.

    ``checkpoint`` is called before every pass and may raise to stop.
    """
    return trace_with_coverage(scene, pose, size_px, spp, max_depth, seed, hide_emitters, checkpoint)[..., :3]


def trace_with_coverage(
    scene: Any,
    pose: Pose,
    size_px: tuple[int, int],
    spp: int,
    max_depth: int,
    seed: int,
    hide_emitters: bool,
    checkpoint: Checkpoint,
) -> Image:
    """Return radiance as :func:`trace`, with the fraction of each pixel that sees a surface as fourth channel."""
    width, height = size_px
    integrator = mi.load_dict({"type": "path", "max_depth": max_depth, "rr_depth": 32, "hide_emitters": hide_emitters})
    sensor = _sensor(pose, size_px, {"type": "independent", "sample_count": spp}, "rgba")
    pass_spp = max(1, min(spp, _PASS_SAMPLES // (width * height)))
    total, done = np.zeros((height, width, 4), np.float64), 0
    while done < spp:
        checkpoint()
        count = min(pass_spp, spp - done)
        pass_seed: Any = (seed + done * 7919) & 0x7FFFFFFF
        image = np.array(mi.render(scene, sensor=sensor, integrator=integrator, spp=count, seed=pass_seed))
        total += np.nan_to_num(image, nan=0.0, posinf=0.0, neginf=0.0) * count
        done += count
    return np.asarray(total / spp, np.float32)


def guides(grouped: Any, pose: Pose, size_px: tuple[int, int], guide_spp: int, seed: int) -> Guides:
    """Return the denoiser's guides for a view of a grouped scene."""
    sampler = {"type": "independent", "sample_count": guide_spp}
    smooth = aov(grouped, pose, size_px, "albedo:albedo,normal:sh_normal", sampler, guide_spp, seed)
    return Guides(
        albedo=np.clip(np.nan_to_num(smooth[..., 0:3]), 0, 1).astype(np.float32),
        normals=np.clip(np.nan_to_num(smooth[..., 3:6]), -1, 1).astype(np.float32),
    )


def numbered_scene(surfaces: Sequence[Surface], others: Sequence[Any] = ()) -> Any:
    """Return a grouped scene in which the albedo of each surface is its number, for :func:`buffers`, and other shapes.

    The number is over that of all surfaces, and begins at 1.
    """
    coated = [surface.coated((number + 1) / len(surfaces)) for number, surface in enumerate(surfaces)]
    return grouped_scene([*coated, *others])


def buffers(numbered: Any, surfaces: Sequence[Surface], pose: Pose, size_px: tuple[int, int], albedo: Image) -> Buffers:
    """Return the geometry buffers of a view of a numbered scene; ``albedo`` is that of the view's guides."""
    center = {"type": "stratified", "sample_count": 1, "jitter": False}
    sharp = aov(numbered, pose, size_px, "position:position,normal:sh_normal,number:albedo", center, 1, 0)
    number = np.round(sharp[..., 6] * len(surfaces)).astype(int)
    seen = number > 0
    axes = pose.axes()
    offset = sharp[..., 0:3] - pose.position
    world = sharp[..., 3:6]
    world = np.where((world * offset).sum(-1, keepdims=True) > 0, -world, world)
    normals = np.where(seen[..., None], world @ axes.T, 0)

    def labels(values: list[float]) -> Image:
        return np.asarray(np.array([0, *values], np.float32)[number][..., None])

    return Buffers(
        albedo=albedo,
        normals=normals.astype(np.float32),
        depth=np.where(seen, -(offset @ axes[2]), 0).astype(np.float32)[..., None],
        roughness=labels([surface.roughness for surface in surfaces]),
        metallic=labels([surface.metallic for surface in surfaces]),
        instance=labels([surface.instance for surface in surfaces]),
    )


def _keep_kernels(scene: Any) -> None:
    """Make the constants of a scene or sensor variables, so that lights of one kind share a compiled kernel."""
    if not is_scalar():
        parameters: Any = mi.traverse(scene)
        for name in parameters.keys():  # noqa: SIM118 - iterating the parameters themselves yields pairs
            dr.make_opaque(parameters[name])
            if name.endswith("to_world") and "shape" not in name:
                parameters.set_dirty(name)
        parameters.update()


def aov(
    scene: Any, pose: Pose, size_px: tuple[int, int], channels: str, sampler: dict[str, Any], spp: int, seed: int
) -> Image:
    """Return channels (H, W, C) of Mitsuba's `aov` integrator, by their names."""
    integrator = mi.load_dict({"type": "aov", "aovs": channels})
    start: Any = seed & 0x7FFFFFFF
    image = mi.render(scene, sensor=_sensor(pose, size_px, sampler), integrator=integrator, spp=spp, seed=start)
    return np.asarray(np.array(image), np.float32)


def _sensor(pose: Pose, size_px: tuple[int, int], sampler: dict[str, Any], pixel_format: str = "rgb") -> Any:
    axes, position = pose.axes(), pose.position
    place = mi.ScalarTransform4f().look_at(
        origin=position.tolist(), target=(position - axes[2]).tolist(), up=axes[1].tolist()
    )
    film = {
        "type": "hdrfilm",
        "width": size_px[0],
        "height": size_px[1],
        "rfilter": {"type": "box"},
        "pixel_format": pixel_format,
        "component_format": "float32",
    }
    fov = float(np.degrees(2 * np.arctan(18 / pose.focal_length_mm)))
    near = max(pose.distance * 1e-3, 1e-4)
    sensor = mi.load_dict(
        {
            "type": "perspective",
            "fov": fov,
            "fov_axis": "x",
            "near_clip": near,
            "far_clip": pose.distance * 1e5,
            "to_world": place,
            "film": film,
            "sampler": sampler,
        }
    )
    _keep_kernels(sensor)
    return sensor
