"""Lamps stand before the walls in pictures, clips and maps alike, and light that cannot arrive is refused."""

from typing import Any

import grpc
import numpy as np
import pytest

from lumenmill.common.v1.intrinsics_pb2 import IntrinsicKind
from lumenmill.common.v1.light_pb2 import LightInterpolation, LightSource
from lumenmill.common.v1.scene_pb2 import SceneDescription, SceneKind
from lumenmill.imager.v1 import imager_pb2
from lumenmill.relighter.v1 import relighter_pb2
from lumenmill.video.v1 import video_pb2
from lumenmill_light import build

pytestmark = pytest.mark.asyncio(loop_scope="session")
SIZE = {"width_px": 64, "height_px": 48, "preset": "fast"}
LIT_FROM_BEHIND = "a jug and a lemon on an oak table, lit by a hard warm lamp from behind"
NICHE = SceneDescription(kind=SceneKind.SCENE_KIND_PORTRAIT, subjects=["bust"], place="in a niche")


def beam(azimuth_deg: float) -> LightSource:
    return build.directional_light(azimuth_deg, 20.0, 0.5, 3.0, build.kelvin(5000))


def lamp(azimuth_deg: float) -> LightSource:
    return build.area_light(azimuth_deg, 30, 1, 1, 4, 3.0, build.kelvin(2800))


async def refusal(studio: Any, method: Any, request: Any, request_id: str) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await studio.result(method, request, request_id)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    return str(refused.value.details())


async def test_a_scenes_own_lamp_is_moved_in_clips_and_maps_as_in_pictures(studio: Any) -> None:
    request = imager_pb2.GenerateImagesRequest(prompt=LIT_FROM_BEHIND, seed=3, **SIZE)
    image = (await studio.result(studio.imager.GenerateImages, request, "own-still")).images[0]
    clip = video_pb2.GenerateVideoRequest(scene=image.scene, num_frames=2, **SIZE)
    film = await studio.result(studio.video.GenerateVideo, clip, "own-clip")
    assert film.record.light.sources == image.light.sources
    assert film.arrived_light[0].light.sources[0].unoccluded_fraction > 0.3
    decompose = relighter_pb2.DecomposeRequest(
        scene=image.scene, kinds=[IntrinsicKind.INTRINSIC_KIND_SHADING], image=image.image, **SIZE
    )
    maps = await studio.result(studio.relighter.Decompose, decompose, "own-maps")
    assert maps.record.light.sources == image.light.sources
    assert float(np.mean(studio.numbers(maps.maps[0].data))) > 0.01


async def test_a_constant_light_that_never_arrives_in_a_clip_is_refused(studio: Any) -> None:
    clip = video_pb2.GenerateVideoRequest(scene_description=NICHE, seed=3, num_frames=2, **SIZE)
    clip.light.sources.append(beam(180))
    reason = await refusal(studio, studio.video.GenerateVideo, clip, "clip-refused")
    assert reason.startswith("light.sources[0]: ") and "the niche is in its way" in reason


@pytest.mark.parametrize(("azimuths_deg", "is_refused"), [((180, 40), True), ((40, 180), False)])
async def test_a_light_path_must_arrive_where_it_starts(
    studio: Any, azimuths_deg: tuple[float, float], is_refused: bool
) -> None:
    clip = video_pb2.GenerateVideoRequest(scene_description=NICHE, seed=3, num_frames=2, **SIZE)
    clip.light_path.interpolation = LightInterpolation.LIGHT_INTERPOLATION_BLEND
    for time, azimuth_deg in enumerate(azimuths_deg):
        clip.light_path.keyframes.add(time_fraction=time).light.sources.append(beam(azimuth_deg))
    request_id = f"path-{azimuths_deg[0]}"
    if is_refused:
        reason = await refusal(studio, studio.video.GenerateVideo, clip, request_id)
        assert reason.startswith("light_path.keyframes[0].light.sources[0]: ")
    else:
        film = await studio.result(studio.video.GenerateVideo, clip, request_id)
        assert film.arrived_light[0].light.sources


async def test_lamps_of_keyframes_are_moved_in_front_of_the_wall(studio: Any) -> None:
    scene = SceneDescription(kind=SceneKind.SCENE_KIND_STILL_LIFE)
    clip = video_pb2.GenerateVideoRequest(scene_description=scene, seed=10, num_frames=2, **SIZE)
    clip.light_path.interpolation = LightInterpolation.LIGHT_INTERPOLATION_BLEND
    for time, azimuth_deg in enumerate((165.0, -60.0)):
        clip.light_path.keyframes.add(time_fraction=time).light.sources.append(lamp(azimuth_deg))
    first, last = (await studio.result(studio.video.GenerateVideo, clip, "keyframes-moved")).arrived_light
    assert first.light.sources[0].unoccluded_fraction > 0.3
    assert first.light.sources[0].attributes.azimuth_deg == pytest.approx(165.0)
    assert last.light.sources[0].unoccluded_fraction > 0.3


async def test_words_that_ask_for_light_that_cannot_arrive_are_refused(studio: Any) -> None:
    words = "low moonlight from behind"
    room = SceneDescription(kind=SceneKind.SCENE_KIND_ROOM, subjects=["chair"], place="in a blue room")
    request = imager_pb2.GenerateImagesRequest(scene=room, prompt=words, seed=1, **SIZE)
    reasons = [await refusal(studio, studio.imager.GenerateImages, request, "words-prompt")]
    clip = video_pb2.GenerateVideoRequest(scene_description=room, seed=1, num_frames=2, **SIZE)
    clip.scene_description.description = f"a chair, {words}"
    reasons.append(await refusal(studio, studio.video.GenerateVideo, clip, "words-description"))
    assert [reason.split(": ")[0] for reason in reasons] == ["prompt", "scene_description.description"]
    assert all("the walls are in its way" in reason for reason in reasons)
