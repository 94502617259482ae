"""Samples per second and noise of studio's renderer, compared with plain Mitsuba on the same scenes.

Shapes, light, camera, samples and depth are the same. Guides and denoising, which plain Mitsuba lacks, are reported
separately.
"""

import time
from typing import Any

import mitsuba as mi
import numpy as np
from figures import Figure, median_of, run_benchmark

from lumenmill.common.v1.light_pb2 import Light
from lumenmill.common.v1.scene_pb2 import SceneDescription, SceneKind
from lumenmill_studio.light.emitters import emitter_of
from lumenmill_studio.light.sources import Weighted, resolved
from lumenmill_studio.presets import PRESETS
from lumenmill_studio.render.camera import Pose, pose_of
from lumenmill_studio.render.denoise import Denoiser
from lumenmill_studio.render.stage import Stage
from lumenmill_studio.render.tracer import built_scene, grouped_scene, guides, trace
from lumenmill_studio.render.variant import find_variant, use_variant
from lumenmill_studio.scenes.compose import compose

_KINDS = (SceneKind.SCENE_KIND_STILL_LIFE, SceneKind.SCENE_KIND_ROOM, SceneKind.SCENE_KIND_PORTRAIT)
_SIZE_PX = (384, 288)
_REFERENCE_SPP = 512


class _Scene:
    """One scene under one area light, for both renderers."""

    def __init__(self, kind: "SceneKind.ValueType") -> None:
        spec = compose(SceneDescription(kind=kind, seed=5), "", 5)
        light = Light()
        area = light.sources.add().area
        area.azimuth_deg, area.elevation_deg, area.irradiance = -50, 40, 4
        parts: list[Weighted] = resolved(light)
        shapes = [surface.shape for surface in Stage(spec, lambda _: []).surfaces(open_set=False)]
        emitters = [emitter_of(part.unit, part.weight, spec.subject_radius, lambda _: None) for part in parts]
        self.pose: Pose = pose_of(spec.camera, None)
        self.scene, self.grouped = built_scene(shapes, emitters), grouped_scene(shapes)


def _plain_sensor(pose: Pose, spp: int) -> Any:
    axes = pose.axes()
    target = (pose.position - axes[2]).tolist()
    look = mi.ScalarTransform4f().look_at(origin=pose.position.tolist(), target=target, up=axes[1].tolist())
    film = {"type": "hdrfilm", "width": _SIZE_PX[0], "height": _SIZE_PX[1], "rfilter": {"type": "box"}}
    fov = float(np.degrees(2 * np.arctan(18 / pose.focal_length_mm)))
    sampler = {"type": "independent", "sample_count": spp}
    return mi.load_dict(
        {"type": "perspective", "fov": fov, "fov_axis": "x", "to_world": look, "film": film, "sampler": sampler}
    )


def _plain(scene: _Scene, spp: int, max_depth: int, seed: int) -> tuple[np.ndarray, float]:
    integrator = mi.load_dict({"type": "path", "max_depth": max_depth, "rr_depth": 32, "hide_emitters": True})
    sensor = _plain_sensor(scene.pose, spp)
    started_s = time.perf_counter()
    image = np.array(mi.render(scene.scene, sensor=sensor, integrator=integrator, spp=spp, seed=seed))
    return image[..., :3], time.perf_counter() - started_s


def _ours(scene: _Scene, spp: int, max_depth: int, seed: int) -> tuple[np.ndarray, float]:
    started_s = time.perf_counter()
    image = trace(scene.scene, scene.pose, _SIZE_PX, spp, max_depth, seed, hide_emitters=True, checkpoint=lambda: None)
    return image, time.perf_counter() - started_s


def _cleaned(scene: _Scene, raw: np.ndarray, guide_spp: int) -> tuple[np.ndarray, float]:
    started_s = time.perf_counter()
    guide = guides(scene.grouped, scene.pose, _SIZE_PX, guide_spp, 1)
    image = Denoiser()(raw.astype(np.float32), guide.albedo, guide.normals)
    return image, time.perf_counter() - started_s


def _noise(image: np.ndarray, reference: np.ndarray) -> float:
    """Return the root mean square error of the displayed image: clipped at white, with a gamma of 2.2."""
    shown, expected = (np.clip(part, 0, 1) ** (1 / 2.2) for part in (image, reference))
    return float(np.sqrt(np.mean((shown - expected) ** 2)))


def measure(quick: bool) -> list[Figure]:
    """Measure three scenes; each turn traces the same samples with both renderers."""
    use_variant(find_variant("auto"))
    preset = next(preset for preset in PRESETS if preset.name == "fast")
    kinds, turns, reference_spp = (_KINDS[:1], 1, 32) if quick else (_KINDS, 5, _REFERENCE_SPP)
    num_samples = _SIZE_PX[0] * _SIZE_PX[1] * preset.spp
    ratios, ours_s, plain_s, clean_s, gains, noise_ratios = [], [], [], [], [], []
    for kind in kinds:
        scene = _Scene(kind)
        reference, _ = _plain(scene, reference_spp, preset.max_depth, 999)
        for turn in range(turns):
            raw, own_s = _ours(scene, preset.spp, preset.max_depth, turn)
            plain, other_s = _plain(scene, preset.spp, preset.max_depth, turn)
            clean, cleaning_s = _cleaned(scene, raw, preset.guide_spp)
            ratios.append((own_s / other_s - 1) * 100)
            ours_s.append(own_s)
            plain_s.append(other_s)
            clean_s.append(cleaning_s)
            noise_ratios.append(_noise(raw, reference) / _noise(plain, reference))
            gains.append(_noise(plain, reference) / _noise(clean, reference))
    return [
        median_of("studio, traced samples", [num_samples / seconds / 1e6 for seconds in ours_s], "M samples/s"),
        median_of("plain Mitsuba, traced samples", [num_samples / seconds / 1e6 for seconds in plain_s], "M samples/s"),
        median_of("overhead of studio on tracing", ratios, "%", at_most=10),
        median_of("noise of traced samples, studio against plain Mitsuba", noise_ratios, "ratio", at_most=1.02),
        median_of("guides and denoising of an image", clean_s, "s"),
        median_of("noise of plain Mitsuba against studio's finished image", gains, "ratio", at_least=2),
    ]


if __name__ == "__main__":
    run_benchmark(__doc__, measure)
