"""Pictures and clips return the light that arrived in them, and lights that cannot arrive are moved or refused."""

import gc
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import grpc
import numpy as np
import pytest

import lumenmill_media as media
from lumenmill.common.v1.light_pb2 import ArrivedLight, Light, LightInterpolation, LightSource
from lumenmill.common.v1.scene_pb2 import SceneDescription, SceneKind
from lumenmill.imager.v1 import imager_pb2
from lumenmill.relighter.v1 import relighter_pb2
from lumenmill.video.v1 import video_pb2
from lumenmill_common.artifacts import open_store
from lumenmill_light import build
from lumenmill_light.axes import angle_between_deg
from lumenmill_light.color import LUMINANCE, temperature_rgb
from lumenmill_light.source_attributes import source_attributes
from lumenmill_studio.assets import Assets
from lumenmill_studio.families.arrivals import Arrivals
from lumenmill_studio.families.lighting import LightReader
from lumenmill_studio.families.obstruction import Obstruction
from lumenmill_studio.families.stills import render
from lumenmill_studio.light.sources import parallel_unit
from lumenmill_studio.presets import preset_named
from lumenmill_studio.render.camera import pose_of
from lumenmill_studio.render.engine import Engine
from lumenmill_studio.render.lit_scenes import LitScenes
from lumenmill_studio.render.variant import find_variant, use_variant
from lumenmill_studio.render.view import View, view_of
from lumenmill_studio.render.visibility import Visibility
from lumenmill_studio.scenes.compose import compose
from lumenmill_studio.scenes.spec import SceneSpec
from lumenmill_studio.scenes.stored import store_scene

SIZE_PX = (96, 72)
SIZE = {"width_px": SIZE_PX[0], "height_px": SIZE_PX[1], "preset": "fast"}
WARM_LEFT = build.area_light(-70, 30, 1, 1, 4, 3.0, build.kelvin(2800))
COOL_RIGHT = build.area_light(70, 30, 1, 1, 4, 2.0, build.kelvin(9000))
NICHE = SceneDescription(kind=SceneKind.SCENE_KIND_PORTRAIT, subjects=["bust"], place="in a niche")


class Job:
    """A job that is never cancelled."""

    def progress(self, stage: str, step: int, total: int) -> None:
        """Report nothing."""

    def check_cancelled(self) -> None:
        """Go on."""


class Renderer:
    """One engine, in a thread of its own, and what it finds."""

    def __init__(self, url: str) -> None:
        self.store = open_store(url)
        assets = Assets(self.store, None, None)
        self.lights = LightReader(self.store, assets)
        self.engine = Engine(assets.pixels, assets.parts)
        self.arrivals = Arrivals(self.engine, self.lights)

    def view(self, spec: SceneSpec, camera_azimuth_deg: float = 0.0) -> View:
        pose = replace(pose_of(spec.camera, None), azimuth_deg=camera_azimuth_deg)
        return view_of(store_scene(self.store, spec), pose, SIZE_PX, preset_named("fast"))

    def picture(self, view: View, *sources: LightSource) -> tuple[np.ndarray, ArrivedLight]:
        lighting, in_hand = self.lights.resolve(Light(sources=sources), "light"), {}
        linear = render(self.engine, view, lighting, Job(), in_hand)  # type: ignore[arg-type]  # a job for tests
        return linear, self.arrivals.in_picture(view, lighting, Job(), in_hand)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Run a function with the renderer, in its thread."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(use_variant, find_variant("scalar")).result()
        made = thread.submit(Renderer, tmp_path_factory.mktemp("store").as_uri()).result()
        yield lambda work, *args: thread.submit(work, made, *args).result()


def ball() -> SceneSpec:
    """One ball in the void."""
    spec = compose(SceneDescription(kind=SceneKind.SCENE_KIND_STILL_LIFE, subjects=["sphere"]), "", 1)
    return replace(spec, objects=tuple(replace(item, position=(0, -0.06, 0)) for item in spec.objects[:1]))


@pytest.mark.parametrize(
    "source",
    [
        WARM_LEFT,
        build.directional_light(100, 10, 30.0, 2.0, build.rgb((1.0, 0.08, 0.55))),
        build.sun_sky_light(-30, 35, 3, 1, 1, 0.53),
        build.spherical_harmonics_light(-60, 25, 0.9, 2.0, temperature_rgb(3000)),
    ],
)
def test_on_a_ball_in_the_open_light_arrives_as_requested(renderer: Callable[..., Any], source: LightSource) -> None:
    _, found = renderer(lambda made: made.picture(made.view(ball(), 20.0), source))
    expected = source_attributes(source).to_proto(20.0)
    [only] = found.sources
    assert only.share == 1.0 and only.unoccluded_fraction > 0.98
    arrived = only.attributes
    turn = angle_between_deg(arrived.azimuth_deg, arrived.elevation_deg, expected.azimuth_deg, expected.elevation_deg)
    # Of smooth light the camera sees the half that faces it.
    assert turn < (25.0 if source.HasField("spherical_harmonics") else 0.1)
    assert arrived.hardness == pytest.approx(expected.hardness, abs=0.02)
    assert arrived.intensity_ev == pytest.approx(expected.intensity_ev, abs=0.15)
    assert arrived.color_temperature_k == pytest.approx(expected.color_temperature_k, rel=0.05)
    assert found.attributes.kinds == expected.kinds


@pytest.mark.parametrize(
    "description",
    [
        SceneDescription(kind=SceneKind.SCENE_KIND_STILL_LIFE),
        SceneDescription(kind=SceneKind.SCENE_KIND_ROOM),
        SceneDescription(kind=SceneKind.SCENE_KIND_PORTRAIT, subjects=["bust"], place="before a blue backdrop"),
        SceneDescription(kind=SceneKind.SCENE_KIND_OUTDOOR, subjects=["urn"], place="in a desert"),
    ],
    ids=["still life", "room", "portrait", "outdoor"],
)
def test_two_lamps_are_two_sources_with_the_shares_of_their_pictures(
    renderer: Callable[..., Any], description: SceneDescription
) -> None:
    spec = compose(description, "", 3)

    def pictures(made: Renderer) -> list[tuple[np.ndarray, ArrivedLight]]:
        view = made.view(spec, 15.0)
        return [made.picture(view, *sources) for sources in ((WARM_LEFT, COOL_RIGHT), (WARM_LEFT,), (COOL_RIGHT,))]

    (_, both), *alone = renderer(pictures)
    levels = [float((linear @ LUMINANCE).mean()) for linear, _ in alone]
    warm, cool = sorted(both.sources, key=lambda source: source.source_index)
    assert warm.share == pytest.approx(levels[0] / sum(levels), abs=0.05)
    assert warm.share + cool.share == pytest.approx(1.0)
    assert (warm.attributes.azimuth_deg, cool.attributes.azimuth_deg) == pytest.approx((-85.0, 55.0))
    assert warm.color.red > 1.5 * warm.color.blue and cool.color.blue > cool.color.red
    first = max(both.sources, key=lambda source: source.share)
    assert both.attributes.color_temperature_k == first.attributes.color_temperature_k
    assert both.attributes.HasField("contrast_ev")


def test_a_wall_lets_through_what_its_windows_do(renderer: Callable[..., Any]) -> None:
    spec = compose(SceneDescription(kind=SceneKind.SCENE_KIND_ROOM), "", 3)
    through, open_side = (build.directional_light(side, 20, 0, 3.0, build.kelvin(5000)) for side in (-80.0, 80.0))
    _, found = renderer(lambda made: made.picture(made.view(spec), through, open_side))
    assert [source.source_index for source in found.sources] == [1, 0]
    assert found.sources[0].unoccluded_fraction > 0.8
    assert 0.5 > found.sources[1].unoccluded_fraction > 0.05
    assert found.sources[1].attributes.intensity_ev < found.sources[0].attributes.intensity_ev - 1.0


def lamp_behind() -> Light:
    light = Light(text="warm light from behind", sources=[WARM_LEFT])
    light.sources[0].area.azimuth_deg = 165.0
    return light


def test_the_search_for_where_a_lamp_can_stand_ends_with_its_job(renderer: Callable[..., Any]) -> None:
    class Cancelled(Job):
        def check_cancelled(self) -> None:
            raise InterruptedError

    def search(made: Renderer) -> None:
        view = made.view(compose(SceneDescription(kind=SceneKind.SCENE_KIND_STILL_LIFE), "", 10))
        Obstruction(made.engine.visibility, made.lights).cleared_light(view, lamp_behind(), Cancelled())  # type: ignore[arg-type]

    with pytest.raises(InterruptedError):
        renderer(search)


def test_a_background_picture_that_is_in_the_way_is_named(renderer: Callable[..., Any]) -> None:
    spec = compose(SceneDescription(subjects=["jug", "lemon"], place="on an oak table"), "", 3)

    def blockers(made: Renderer) -> list[str]:
        view = made.view(spec)
        framed = replace(view, open_set=True, backgrounds=(("5c" * 32, 0.75),))
        visibility, unit = made.engine.visibility, parallel_unit(180, 20)
        return [visibility.blocker(seen, unit) for seen in (replace(view, open_set=True), framed)]

    without, behind = renderer(blockers)
    assert without != "background picture" and behind == "background picture"


def test_of_scenes_no_longer_in_use_visibility_keeps_no_objects(renderer: Callable[..., Any]) -> None:
    def is_kept(made: Renderer) -> bool:
        view = made.view(compose(SceneDescription(subjects=["lemon"]), "", 7))
        scene = weakref.ref(view.scene.spec)
        visibility = Visibility(LitScenes(lambda _: None, lambda _: ()))
        visibility.reach(view, parallel_unit(40, 20))
        # Built scenes are kept by a cache of their own.
        visibility._scenes = made.engine.visibility._scenes
        del view
        gc.collect()
        return scene() is not None

    assert not renderer(is_kept)


@pytest.mark.asyncio(loop_scope="session")
async def test_a_lamp_behind_the_wall_is_moved_before_it(studio: Any) -> None:
    scene = SceneDescription(kind=SceneKind.SCENE_KIND_STILL_LIFE)
    request = imager_pb2.GenerateImagesRequest(scene=scene, seed=10, light=lamp_behind(), **SIZE)
    image = (await studio.result(studio.imager.GenerateImages, request, "arrive-moved")).images[0]
    before, after = request.light.sources[0].area, image.light.sources[0].area
    assert 1.2 <= after.distance_ratio < before.distance_ratio and after.azimuth_deg == before.azimuth_deg
    assert after.width_ratio / after.distance_ratio == pytest.approx(before.width_ratio / before.distance_ratio)
    assert (
        image.light.text == "soft amber light from behind, slightly to the right" and image.record.light == image.light
    )
    [source] = image.arrived_light.sources
    assert source.unoccluded_fraction > 0.5 and source.attributes.azimuth_deg == pytest.approx(165.0)


@pytest.mark.asyncio(loop_scope="session")
async def test_light_that_cannot_arrive_is_refused_with_what_is_in_its_way(studio: Any) -> None:
    blocked = Light(sources=[build.directional_light(150, 20, 0.5, 3.0, build.kelvin(5000)), COOL_RIGHT])
    blocked.sources[1].area.irradiance = 1.0
    request = imager_pb2.GenerateImagesRequest(scene=NICHE, seed=3, light=blocked, **SIZE)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await studio.result(studio.imager.GenerateImages, request, "arrive-refused")
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    reason = refused.value.details()
    assert "light.sources[0]" in reason and "the niche is in its way" in reason
    assert "at an elevation of 20° light arrives from azimuths -" in reason

    plain = imager_pb2.GenerateImagesRequest(scene=NICHE, seed=3, **SIZE)
    made = (await studio.result(studio.imager.GenerateImages, plain, "arrive-niche")).images[0]
    assert made.arrived_light.sources
    relight = relighter_pb2.RelightRequest(scene=made.scene, **SIZE)
    relight.variants.add().light.CopyFrom(blocked)
    relight.variants.add().light.sources.append(COOL_RIGHT)
    first, second = (await studio.result(studio.relighter.Relight, relight, "arrive-variants")).variants
    assert "variants[0].light.sources[0]" in first.refusal and first.light.sources == blocked.sources
    assert not first.HasField("image") and not first.HasField("record") and not first.HasField("arrived_light")
    assert second.HasField("image") and not second.refusal
    assert second.arrived_light.attributes.azimuth_deg == pytest.approx(70.0)


@pytest.mark.asyncio(loop_scope="session")
async def test_a_weak_source_that_does_not_arrive_is_left_out(studio: Any) -> None:
    light = Light(sources=[build.directional_light(150, 20, 0.5, 0.3, build.kelvin(5000)), WARM_LEFT])
    request = imager_pb2.GenerateImagesRequest(scene=NICHE, seed=3, light=light, **SIZE)
    image = (await studio.result(studio.imager.GenerateImages, request, "arrive-weak")).images[0]
    assert len(image.light.sources) == 2
    assert [source.source_index for source in image.arrived_light.sources] == [1]
    assert not image.arrived_light.attributes.HasField("contrast_ev")


@pytest.mark.asyncio(loop_scope="session")
async def test_a_background_arrives_from_behind(studio: Any) -> None:
    image = await studio.still_life("arrive-background-0")
    picture = np.zeros((30, 40, 3), np.uint8) + np.array([250, 120, 40], np.uint8)
    request = relighter_pb2.RelightRequest(scene=image.scene, **SIZE)
    variant = request.variants.add()
    variant.camera.viewpoint.azimuth_deg = 30
    variant.environment.media_type, variant.environment.inline_data = "image/png", media.encode_png(picture)
    [variant] = (await studio.result(studio.relighter.Relight, request, "arrive-background-1")).variants
    [source] = variant.arrived_light.sources
    assert source.attributes.azimuth_deg == pytest.approx(150.0)
    assert source.unoccluded_fraction > 0.3 and source.color.red > 4 * source.color.blue


@pytest.mark.asyncio(loop_scope="session")
async def test_a_clip_returns_what_arrived_at_five_moments(studio: Any) -> None:
    scene = (await studio.still_life("arrive-clip-0")).scene
    request = video_pb2.GenerateVideoRequest(scene=scene, num_frames=9, fps=4, **SIZE)
    request.light_path.interpolation = LightInterpolation.LIGHT_INTERPOLATION_BLEND
    for time, source in ((0.0, WARM_LEFT), (1.0, COOL_RIGHT)):
        request.light_path.keyframes.add(time_fraction=time).light.sources.append(source)
    request.camera.path.orbit.sweep_deg = 20
    found = (await studio.result(studio.video.GenerateVideo, request, "arrive-clip-1")).arrived_light
    assert [moment.time_s for moment in found] == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert found[0].light.attributes.azimuth_deg == pytest.approx(-70.0)
    assert found[4].light.attributes.azimuth_deg == pytest.approx(50.0)
    warm = [
        sum(source.share for source in moment.light.sources if source.color.red > source.color.blue) for moment in found
    ]
    assert warm == sorted(warm, reverse=True) and warm[0] == 1.0 and warm[4] == 0.0
