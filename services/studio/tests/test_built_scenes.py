"""What a picture is said to show is in it: things in view with their number, true relations, and the place seen."""

from dataclasses import replace
from typing import Any

import grpc
import numpy as np
import pytest

from lumenmill.common.v1.camera_pb2 import CameraPath
from lumenmill.common.v1.light_pb2 import Light
from lumenmill.common.v1.scene_pb2 import SceneDescription, SceneKind, UnknownWords
from lumenmill.imager.v1 import imager_pb2
from lumenmill.prompter.v1 import prompter_pb2
from lumenmill.video.v1 import video_pb2
from lumenmill_prompter.families.grammar import SetWriter
from lumenmill_studio.scenes.built import built_scene
from lumenmill_studio.scenes.compose import compose
from lumenmill_studio.scenes.relations import Box, relation

sessionwide = pytest.mark.asyncio(loop_scope="session")
TINY = {"width_px": 64, "height_px": 48, "preset": "fast"}


async def picture(studio: Any, request_id: str, **fields: Any) -> imager_pb2.GeneratedImage:
    request = imager_pb2.GenerateImagesRequest(**TINY, **fields)
    return (await studio.result(studio.imager.GenerateImages, request, request_id)).images[0]


@sessionwide
async def test_a_picture_states_what_stands_on_what(studio: Any) -> None:
    scene = SceneDescription(
        kind=SceneKind.SCENE_KIND_ROOM,
        subjects=["table", "vase", "vase", "rug"],
        materials=["oak", "copper", "copper"],
        place="in a blue room",
    )
    built = (await picture(studio, "built-on", scene=scene, seed=3)).built_scene
    assert built.kind == SceneKind.SCENE_KIND_ROOM
    assert built.description == "two copper vases on an oak table and a rug in a blue room"
    assert list(built.subjects) == ["table", "vase", "vase", "rug"]
    assert list(built.materials) == ["oak", "copper", "copper", "natural"]


@sessionwide
async def test_what_is_out_of_view_is_not_stated(studio: Any) -> None:
    scene = SceneDescription(subjects=["jug"], materials=["stoneware"], place="on an oak table by a window")
    whole = (await picture(studio, "built-view-1", scene=scene)).built_scene
    assert whole.description == "a stoneware jug on an oak table", "the window stands outside the picture"
    request = imager_pb2.GenerateImagesRequest(scene=scene, **TINY)
    request.camera.viewpoint.azimuth_deg = 180
    behind = (await studio.result(studio.imager.GenerateImages, request, "built-view-2")).images[0].built_scene
    assert "jug" not in behind.description, "the wall stands before it"
    assert not behind.subjects


@sessionwide
async def test_a_picture_without_its_walls_does_not_state_the_room(studio: Any, environment_maps: Any) -> None:
    light = Light()
    light.sources.add().background.image.CopyFrom(studio.store.put_file(environment_maps[0], "image/vnd.radiance"))
    scene = SceneDescription(subjects=["chair"], materials=["oak"], place="in a blue room")
    built = (await picture(studio, "built-open", scene=scene, light=light)).built_scene
    assert built.description == "an oak chair on a wooden floor"


@sessionwide
async def test_unknown_words_are_refused_by_both_contracts_and_exchanged_on_request(studio: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match="prompt: 'car' cannot be drawn; nearest: ") as refused:
        await picture(studio, "built-refused", prompt="a red sports car")
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    clip = video_pb2.GenerateVideoRequest(num_frames=2, **TINY)
    clip.scene_description.subjects.append("boot")
    with pytest.raises(grpc.aio.AioRpcError, match=r"scene_description\.subjects\[0\]: 'boot' cannot be drawn"):
        await studio.result(studio.video.GenerateVideo, clip, "built-refused-clip")
    image = await picture(
        studio,
        "built-exchanged",
        prompt="a castle on a lawn",
        unknown_words=UnknownWords.UNKNOWN_WORDS_SUBSTITUTE,
    )
    assert [(each.requested, each.built) for each in image.record.substitutions] == [("castle", "tower")]
    assert list(image.built_scene.subjects)[:1] == ["tower"]
    assert "castle" not in image.built_scene.description


@sessionwide
async def test_a_clip_states_what_is_seen_while_the_camera_moves(studio: Any) -> None:
    request = video_pb2.GenerateVideoRequest(num_frames=3, prompt="a copper kettle on a slate table", **TINY)
    request.camera.path.CopyFrom(CameraPath())
    request.camera.path.orbit.sweep_deg = 20
    result = await studio.result(studio.video.GenerateVideo, request, "built-clip")
    assert result.built_scene.description == "a copper kettle on a slate table"
    assert not result.record.substitutions


def test_things_in_the_background_are_counted_where_each_is_clearly_seen() -> None:
    spec = compose(SceneDescription(kind=SceneKind.SCENE_KIND_OUTDOOR, subjects=["urn"], place="on a lawn"), "", 1)
    urn = next(item for item in spec.objects if item.role == "subject")
    trees = tuple(
        replace(urn, name="cypress", shape="cypress", material="leaf", role="backdrop", instance=number)
        for number in (201, 202)
    )
    spec = replace(spec, objects=(*spec.objects, *trees))

    def shown(num_px: int) -> SceneDescription:
        """What is described where the second tree covers some pixels of 5000."""
        picture = np.full((50, 100, 1), urn.instance, np.float32)
        picture.ravel()[:400], picture.ravel()[400 : 400 + num_px] = 201, 202
        return built_scene(spec, [picture], 0.0)

    assert "with cypresses in the background" in shown(30).description
    assert "with a cypress in the background" in shown(15).description
    assert list(shown(15).subjects).count("cypress") == 1


def test_a_description_is_cut_to_the_length_of_the_contract() -> None:
    spec = compose(SceneDescription(subjects=["lemon"]), "", 1)
    lemon = next(item for item in spec.objects if item.role == "subject")
    many = tuple(replace(lemon, name=f"{number}" * 40, instance=number) for number in range(100, 200))
    spec = replace(spec, objects=many)
    assert len(built_scene(spec, [np.arange(100, 200, dtype=np.float32)[:, None, None]], 0.0).description) == 2000


def test_relations_hold_in_the_geometry_as_the_camera_sees_it() -> None:
    def box(x: float, z: float, y: float = 0.0) -> Box:
        return Box(np.array([x - 0.5, y, z - 0.5]), np.array([x + 0.5, y + 1.0, z + 0.5]), y)

    origin = box(0, 0)
    assert relation([origin], [box(1.4, 0)], 0) == "beside"
    assert relation([origin], [box(0, -3)], 0) == "in front of"
    assert relation([origin], [box(0, -3)], 180) == "behind"
    assert relation([origin], [box(0, -3)], 90) == "", "beside each other, but too far apart"
    assert relation([origin], [box(3, -3)], 0) == ""
    assert relation([origin], [box(1.4, 0), box(0, -3)], 0) == ""
    assert box(0.2, 0, 1.0).stands_on(origin)
    assert not box(0.8, 0, 1.0).stands_on(origin)
    assert not box(0.2, 0, 0.9).stands_on(origin)


def test_descriptions_of_the_prompters_rooms_state_true_relations() -> None:
    writer = SetWriter(prompter_pb2.Brief(num_img_sets=6, scene_kinds=[SceneKind.SCENE_KIND_ROOM]), 3)
    num_on = 0
    for index in range(6):
        scene = writer.prompt_set(index).scene
        spec = compose(scene, "", index)
        everything = [np.array([[[item.instance] for item in spec.objects]], np.float32)]
        built = built_scene(spec, everything, 0.0)
        assert sorted(built.subjects) == sorted(scene.subjects)
        assert "next to" not in built.description
        raised = [item for item in spec.objects if item.role == "subject" and item.name != "painting"]
        floor = min(item.position[1] for item in raised)
        stands_on = any(item.position[1] > floor + 0.05 for item in raised)
        assert (" on a " in built.description or " on an " in built.description) == stands_on
        num_on += stands_on
    assert num_on > 1


@sessionwide
@pytest.mark.parametrize(
    ("prompt", "azimuth_deg"),
    [
        ("a plaster bust before a grey backdrop, hard warm light from the left", -90.0),
        ("a copper jug on an oak table, soft window light from the right", 90.0),
        ("a plaster arch on a lawn, golden hour, light from the right", 90.0),
    ],
)
async def test_light_words_of_a_prompt_light_the_picture(studio: Any, prompt: str, azimuth_deg: float) -> None:
    image = await picture(studio, f"built-light-{azimuth_deg}-{len(prompt)}", prompt=prompt)
    assert image.light.sources
    assert image.light.attributes.azimuth_deg == pytest.approx(azimuth_deg)
    pixels = studio.numbers(image.linear).mean(axis=2)
    red, _, blue = studio.numbers(image.linear).mean(axis=(0, 1))
    assert pixels.max() > 0
    assert ("warm" not in prompt and "golden" not in prompt) or red > 1.3 * blue
