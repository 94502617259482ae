"""A request renders each unit picture, guide and map once, and what is reused has the bytes of what is rendered."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lumenmill_media as media
from lumenmill.common.v1.light_pb2 import Light, LightInterpolation, LightPath
from lumenmill.common.v1.scene_pb2 import SceneDescription
from lumenmill_common.artifacts import open_store
from lumenmill_studio.families import intrinsics
from lumenmill_studio.families.clips import Frame, rendered
from lumenmill_studio.families.lighting import Lighting
from lumenmill_studio.families.stills import render
from lumenmill_studio.light.motion import frame_lights
from lumenmill_studio.light.sources import resolved
from lumenmill_studio.presets import preset_named
from lumenmill_studio.render import tonemap
from lumenmill_studio.render.camera import pose_of
from lumenmill_studio.render.engine import Engine
from lumenmill_studio.render.variant import find_variant, use_variant
from lumenmill_studio.render.view import View, view_of
from lumenmill_studio.scenes.compose import compose
from lumenmill_studio.scenes.stored import store_scene

SIZE = (64, 48)
AZIMUTHS_DEG = (-70, -20, 40, 80)
# At this size a unit picture is one pass; its shading is one for light that comes straight, and two rays at `fast`.
PICTURE_PASSES, SHADING_PASSES = 1, 3


class CountingJob:
    """A job that counts the passes that are traced."""

    def __init__(self) -> None:
        self.num_passes = 0

    def progress(self, stage: str, step: int, total: int) -> None:
        assert step < total

    def check_cancelled(self) -> None:
        self.num_passes += 1


@pytest.fixture(scope="module")
def in_renderer() -> Iterator[Callable[..., Any]]:
    """Run a function in a thread that has chosen the scalar variant."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(use_variant, find_variant("scalar")).result()
        yield lambda work, *args: thread.submit(work, *args).result()


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> View:
    store = open_store(tmp_path_factory.mktemp("store").as_uri())
    scene = store_scene(store, compose(SceneDescription(), "a copper kettle and a lemon on an oak table", 3))
    return view_of(scene, pose_of(scene.spec.camera, None), SIZE, preset_named("fast"))


def test_a_light_group_traces_each_unit_picture_once_and_gives_the_same_bytes(
    in_renderer: Callable[..., Any], view: View
) -> None:
    cached, uncached = CountingJob(), CountingJob()
    expected = in_renderer(_light_group, view, cached, 1 << 30)
    assert in_renderer(_light_group, view, uncached, 1) == expected
    assert len(expected) == len(AZIMUTHS_DEG) * (2 + len(intrinsics.ALL_KINDS))
    num_units = len(AZIMUTHS_DEG) + 2
    assert cached.num_passes == num_units * (PICTURE_PASSES + SHADING_PASSES)
    # Without a cache, each request (the variants, and every set of maps) renders its own units, once.
    num_map_units = len(AZIMUTHS_DEG) * 3
    assert uncached.num_passes == num_units * PICTURE_PASSES + num_map_units * (PICTURE_PASSES + SHADING_PASSES)


def _light_group(view: View, job: Any, pictures_bytes: int) -> list[str]:
    """Digests of the pictures, as PNG and EXR, and of the maps of four lights that share two sources."""
    engine = Engine(_no_pixels, _no_parts, pictures_bytes=pictures_bytes)
    lightings = [_lighting(_area(azimuth_deg, 4), _area(20, 1), _sky()) for azimuth_deg in AZIMUTHS_DEG]
    in_hand: dict[Any, Any] = {}
    files = []
    for lighting in lightings:
        linear = render(engine, view, lighting, job, in_hand)
        files += [media.encode_png(tonemap.tone_mapped(linear, 0.0)), media.encode_exr(linear)]
    for lighting in lightings:
        linear, shading = (
            media.as_half(render(engine, view, lighting, job, {}, shading=shading)) for shading in (False, True)
        )
        maps = intrinsics.maps_of(intrinsics.ALL_KINDS, engine.buffers(view), linear, shading)
        files += [media.encode_exr(data, single=intrinsics.is_single(kind)) for kind, data in maps.items()]
    return [hashlib.sha256(data).hexdigest() for data in files]


def test_a_clip_under_a_still_camera_traces_each_unit_picture_once(in_renderer: Callable[..., Any], view: View) -> None:
    path = LightPath(interpolation=LightInterpolation.LIGHT_INTERPOLATION_BLEND)
    for time_fraction, azimuth_deg in ((0.0, -70.0), (1.0, 70.0)):
        path.keyframes.add(time_fraction=time_fraction).light.CopyFrom(_area(azimuth_deg, 3))
    lights = frame_lights(path, 5, stop_frames=2)
    job = CountingJob()
    pictures = in_renderer(_clip, view, [Lighting(light, resolved(light)) for light in lights], job)
    assert job.num_passes == 2 * PICTURE_PASSES
    assert len({picture.tobytes() for picture in pictures}) == 5


def test_equal_frames_share_their_picture(in_renderer: Callable[..., Any], view: View) -> None:
    first, second = in_renderer(_clip, view, [_lighting(_area(30, 2))] * 2, CountingJob())
    assert first is second


def _clip(view: View, lightings: Sequence[Lighting], job: Any) -> list[np.ndarray]:
    engine = Engine(_no_pixels, _no_parts, pictures_bytes=1)
    return list(rendered(engine, [Frame(view, lighting) for lighting in lightings], job))


def test_guides_and_buffers_do_not_depend_on_samples_and_backgrounds(view: View) -> None:
    scene, pose = view.scene, view.pose
    behind = View(scene, pose, SIZE, 99, 9, view.guide_spp, open_set=True, backgrounds=(("a" * 64, 0.5),))
    opened = View(scene, pose, SIZE, view.spp, view.max_depth, view.guide_spp, open_set=True)
    assert behind.geometry == opened.geometry != view.geometry


@pytest.mark.parametrize("kind", [intrinsics.DEPTH, intrinsics.SHADING])
def test_a_map_that_does_not_change_is_stored_as_if_it_were_encoded_for_every_frame(tmp_path: Path, kind: int) -> None:
    store = open_store((tmp_path / "store").as_uri())
    data = np.random.default_rng(1).random((48, 64, 1 if kind == intrinsics.DEPTH else 3), np.float32)
    stored = []
    for name, frames in (("same", [data, data, data]), ("copies", [data, data.copy(), data.copy()])):
        (tmp_path / name).mkdir()
        sink = media.MapSink(tmp_path / name, kind, SIZE, intrinsics.map_encoding(kind, 0.0))
        for frame in frames:
            sink.add(frame)
        found = sink.finish(store, 12.0)
        stored.append((found.data.sha256, found.preview.sha256, found.preview.video.num_frames))
    assert stored[0] == stored[1]
    assert stored[0][2] == 3


def _no_pixels(_sha256: str) -> np.ndarray:
    raise AssertionError("no light of these tests has a map")


def _no_parts(_item: object) -> tuple[Any, ...]:
    raise AssertionError("no scene of these tests has a mesh of its own")


def _area(azimuth_deg: float, irradiance: float) -> Light:
    light = Light()
    area = light.sources.add().area
    area.azimuth_deg, area.elevation_deg, area.irradiance = azimuth_deg, 35, irradiance
    return light


def _sky() -> Light:
    light = Light()
    sky = light.sources.add().sun_sky
    sky.sun_elevation_deg, sky.sun_scale = 40, 0.0
    return light


def _lighting(*lights: Light) -> Lighting:
    whole = Light(sources=[source for light in lights for source in light.sources])
    return Lighting(whole, resolved(whole))
