"""Scenes are composed from words: all published words can be built, and JSON preserves scenes."""

import re
from pathlib import Path

import numpy as np
import pytest

from lumenmill.common.v1.scene_pb2 import SceneDescription, SceneKind
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_studio.scenes.compose import compose
from lumenmill_studio.scenes.materials import MATERIALS
from lumenmill_studio.scenes.reading import scene_from_json
from lumenmill_studio.scenes.shapes import SHAPES, build_shape
from lumenmill_studio.scenes.vocabulary import KINDS, PLACES, SUBJECTS

PUBLISHED = (Path(__file__).parents[1] / "VOCABULARY.md").read_text()


def test_every_published_word_can_be_built() -> None:
    flat = re.sub(r"\s+", " ", PUBLISHED)
    for words in SUBJECTS.values():
        assert all(word in SHAPES and word in flat for word in words)
    assert all(place in flat for places in PLACES.values() for place in places)
    listed = flat.split("## Materials")[1].split("Glass is for")[0]
    assert all(
        word.strip() in MATERIALS for line in re.findall(r"- [a-z ]+: ([^-]+)", listed) for word in line.split(",")
    )


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_shapes_are_valid_meshes_on_the_ground(name: str) -> None:
    for part in build_shape(name, 5):
        mesh = part.mesh
        assert np.isfinite(mesh.vertices_v3).all()
        assert mesh.faces_f3.max() < len(mesh.vertices_v3)
        assert part.material == "main" or part.material in MATERIALS
    assert min(float(part.mesh.lower[1]) for part in build_shape(name, 5)) > -0.15


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("seed", [0, 4])
def test_scenes_are_deterministic_and_preserved_by_json(kind: "SceneKind.ValueType", seed: int) -> None:
    spec = compose(SceneDescription(kind=kind), "", seed)
    assert spec.to_json() == compose(SceneDescription(kind=kind), "", seed).to_json()
    assert scene_from_json(spec.to_json()) == spec
    assert spec.light().sources
    assert len({item.instance for item in spec.objects}) == len(spec.objects)


@pytest.mark.parametrize(
    ("prompt", "kind", "subjects"),
    [
        ("a copper kettle and two lemons on a slate table", "still life", ("kettle", "lemon", "lemon")),
        ("A white marble bust before an ochre backdrop", "portrait", ("bust",)),
        ("a leather armchair and a rug in a blue room, warm evening light", "room", ("armchair", "rug")),
        ("a sandstone arch among ruins", "outdoor", ("arch",)),
    ],
)
def test_prompts_are_read_into_kind_and_subjects(prompt: str, kind: str, subjects: tuple[str, ...]) -> None:
    spec = compose(SceneDescription(), prompt, 0)
    assert (spec.kind, spec.subjects) == (kind, subjects)


def test_a_room_with_nothing_that_stands_on_the_floor_gets_a_piece_of_furniture() -> None:
    spec = compose(SceneDescription(), "two paintings in a brick loft", 1)
    assert spec.subjects[1:] == ("painting", "painting")
    assert spec.subjects[0] not in ("painting", "rug")


def test_invalid_json_is_refused_and_names_the_field() -> None:
    for data in (b"", b"[]", b"{}", b'{"format": "lumenmill.scene", "version": 99}'):
        with pytest.raises(InvalidArgumentError) as caught:
            scene_from_json(data, "scene")
        assert caught.value.field == "scene"


@pytest.mark.parametrize("subjects", [["stool", "vase"], ["bowl"], ["stack of books"], ["bench", "urn"]])
def test_small_things_in_a_room_are_large_enough_to_be_seen(subjects: list[str]) -> None:
    for seed in range(4):
        spec = compose(
            SceneDescription(kind=SceneKind.SCENE_KIND_ROOM, subjects=subjects, place="in an attic"), "", seed
        )
        frame_width = 2.0 * spec.camera.distance * 18.0 / spec.camera.focal_length_mm
        assert 2.0 * spec.subject_radius / frame_width > 0.28, (seed, spec.camera)
