"""Shading is irradiance over π in the real scene.

On a Lambertian surface, albedo × shading is the picture, including light from mirrors, metals and glass. All variants
of this machine must agree.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from lumenmill_studio.light.sources import UnitSource
from lumenmill_studio.render.camera import Pose
from lumenmill_studio.render.variant import CUDA, LLVM, SCALAR, find_variant, use_variant

ALBEDO = np.array([0.6, 0.4, 0.3])
SIZE = (96, 72)
POSE = Pose(azimuth_deg=0, elevation_deg=40, distance=6, focal_length_mm=60, aim_y=0.2)
MAX_DEPTH = 6
NUM_COLUMNS = 4
LIGHTS = {
    "parallel": UnitSource("directional", (("azimuth_deg", 60), ("elevation_deg", 50), ("angular_diameter_deg", 0))),
    "disc": UnitSource("directional", (("azimuth_deg", 60), ("elevation_deg", 50), ("angular_diameter_deg", 40))),
    "area": UnitSource(
        "area",
        (
            ("azimuth_deg", 60),
            ("elevation_deg", 40),
            ("distance_ratio", 3),
            ("width_ratio", 3),
            ("height_ratio", 3),
        ),
    ),
    "environment": UnitSource("environment_map", (("rotation_deg", 0),), "0" * 64),
}


@dataclass
class Seen:
    """The compared pictures, (H, W, 3) each, and the pixels that see only the floor, (H, W)."""

    picture: np.ndarray
    albedo_times_shading: np.ndarray
    all_lambertian: np.ndarray
    floor: np.ndarray

    def errors(self, estimate: np.ndarray) -> np.ndarray:
        """Errors of an estimate relative to the mean of the picture, in vertical strips of the floor."""
        strips = np.array_split(np.arange(SIZE[0]), NUM_COLUMNS)
        scale = self.picture[self.floor].mean()
        found = [(estimate - self.picture)[:, strip][self.floor[:, strip]].mean() / scale for strip in strips]
        return np.abs(found)


def _run(variant_name: str, work: Callable[..., Seen], *args: object) -> Seen:
    """Run work in a thread that renders with one variant; the test is skipped if the variant does not work."""
    variant = find_variant(variant_name.removesuffix("_rgb").removesuffix("_ad"))
    if variant.name != variant_name:
        pytest.skip(f"{variant_name} does not render on this machine")
    with ThreadPoolExecutor(1) as thread:
        thread.submit(use_variant, variant).result()
        return thread.submit(work, *args).result()


@pytest.mark.parametrize(
    ("variant", "light"),
    [*((SCALAR, light) for light in LIGHTS), (LLVM, "area"), (CUDA, "area"), (CUDA, "environment")],
)
def test_albedo_times_shading_is_the_picture_of_a_lambertian_floor(variant: str, light: str) -> None:
    seen = _run(variant, _seen_under, LIGHTS[light])
    assert seen.floor.mean() > 0.5
    assert seen.errors(seen.albedo_times_shading).max() < 0.02
    # The check can fail: without light from metal and glass, the picture of the floor differs.
    assert seen.errors(seen.all_lambertian).max() > 0.03


def test_the_same_seed_gives_the_same_shading() -> None:
    first, second = (_run(SCALAR, _seen_under, LIGHTS["parallel"], 3).albedo_times_shading for _ in range(2))
    assert first.max() > 0
    assert np.array_equal(first, second)


def test_a_picture_behind_the_subject_has_no_shading_and_lights_the_floor() -> None:
    seen = _run(SCALAR, _seen_before_panel)
    assert seen.errors(seen.albedo_times_shading).max() < 0.03
    panel = (seen.picture == 2.0).all(axis=2)
    assert panel.mean() > 0.05
    assert seen.albedo_times_shading[panel].max() == 0


def _twosided(bsdf: dict[str, Any]) -> dict[str, Any]:
    return {"type": "twosided", "material": bsdf}


def _diffuse(*rgb: float) -> dict[str, Any]:
    return _twosided({"type": "diffuse", "reflectance": {"type": "rgb", "value": list(rgb)}})


def _shapes(gold: dict[str, Any], silver: dict[str, Any], glass: dict[str, Any], floor: dict[str, Any]) -> list[Any]:
    """A floor, a wall of gold, a mirror ball and one of glass."""
    import mitsuba as mi

    place = mi.ScalarTransform4f
    things: list[tuple[str, Any, dict[str, Any]]] = [
        ("rectangle", place().rotate([1, 0, 0], -90).scale(3), floor),
        ("rectangle", place().translate([-1, 1, 0]).rotate([0, 1, 0], 90), gold),
        ("sphere", place().translate([0.8, 0.5, 0]).scale(0.45), silver),
        ("sphere", place().translate([0.1, 0.35, 0.7]).scale(0.3), glass),
    ]
    return [mi.load_dict({"type": kind, "to_world": where, "bsdf": bsdf}) for kind, where, bsdf in things]


def _materials() -> tuple[list[Any], list[Any], list[Any]]:
    """The same shapes as they are, as the stand-ins of shading, and with Lambertian metals."""
    gold = _twosided({"type": "roughconductor", "alpha": 0.15, "material": "Au"})
    silver, glass = {"type": "conductor", "material": "Ag"}, {"type": "dielectric"}
    white, black, floor = _diffuse(1, 1, 1), _diffuse(0, 0, 0), _diffuse(*ALBEDO)
    lambertian = _diffuse(0.9, 0.8, 0.5)
    return (
        _shapes(gold, silver, glass, floor),
        _shapes(white, white, black, white),
        _shapes(lambertian, lambertian, glass, floor),
    )


def _radiance(shapes: list[Any], emitters: list[Any], spp: int, *, hide: bool) -> np.ndarray:
    from lumenmill_studio.render.tracer import built_scene, trace_with_coverage

    scene = built_scene(shapes, emitters)
    return trace_with_coverage(scene, POSE, SIZE, spp, MAX_DEPTH, 5, hide_emitters=hide, checkpoint=lambda: None)


def _compare(
    emitters: list[Any],
    backs: list[Any],
    panels: list[Any],
    panel_backs: list[Any],
    *,
    hide: bool,
    num_shapes: int = 4,
    num_rays: int = 50,
) -> Seen:
    import mitsuba as mi

    from lumenmill_studio.render.shading import ShadedStage, shade
    from lumenmill_studio.render.tracer import built_scene, grouped_scene

    real, stand_ins, lambertian = (shapes[:num_shapes] for shapes in _materials())
    stage = ShadedStage(
        stand_ins=built_scene([*stand_ins, *panels, *panel_backs], emitters),
        real=built_scene([*real, *panels, *panel_backs, *backs], emitters),
        grouped=grouped_scene([*real, *panel_backs]),
    )
    shading, _ = shade(stage, POSE, SIZE, 3 * num_rays, MAX_DEPTH, 9, lambda: None)
    everywhere = [mi.load_dict({"type": "constant"})]
    others = _radiance([*real[1:], *panel_backs], everywhere, 16, hide=True)[..., 3] > 0
    return Seen(
        picture=_radiance([*real, *panels], emitters, 8 * num_rays, hide=hide)[..., :3],
        albedo_times_shading=ALBEDO * shading,
        all_lambertian=_radiance([*lambertian, *panels], emitters, 4 * num_rays, hide=hide)[..., :3],
        floor=~_grown(others | (_radiance(real[:1], everywhere, 16, hide=True)[..., 3] < 1)),
    )


def _grown(mask: np.ndarray) -> np.ndarray:
    """The mask and the pixels next to it, of which it may fill a part."""
    padded = np.pad(mask, 1)
    height, width = mask.shape
    return np.any([padded[y : y + height, x : x + width] for y in range(3) for x in range(3)], axis=0)


def _seen_under(unit: UnitSource, num_rays: int = 50) -> Seen:
    from lumenmill_studio.light.emitters import back_of, emitter_of

    sky = np.full((32, 64, 3), 0.2)
    sky[6:10, 10:16] = 30
    emitter = emitter_of(unit, (3.0, 3.0, 3.0), 1.0, lambda sha: sky)
    back = back_of(unit, 1.0)
    backs = [back] if back is not None else []
    return _compare([emitter], backs, [], [], hide=unit.kind != "environment_map", num_rays=num_rays)


def _seen_before_panel() -> Seen:
    from lumenmill_studio.light.emitters import back_distance, panel

    aspect, width, distance = 0.8, 2.5, 1.5
    front = panel(np.full((8, 8, 3), 2.0), aspect, width, distance)
    back = panel(None, aspect, width, back_distance(distance))
    # Without the glass: what it focuses on the floor from so near takes more samples than a test should.
    return _compare([], [], [front], [back], hide=False, num_shapes=3)
