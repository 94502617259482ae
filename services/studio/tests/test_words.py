"""Words of a request are drawn or refused with the nearest words; they are exchanged only where that is asked for."""

import numpy as np
import pytest

from lumenmill.common.v1.scene_pb2 import SceneDescription, SceneKind
from lumenmill.prompter.v1 import prompter_pb2
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_prompter.families.grammar import SetWriter
from lumenmill_studio.scenes.compose import compose
from lumenmill_studio.scenes.description import SceneRequest, read_description
from lumenmill_studio.scenes.synonyms import MATERIAL_SUBSTITUTES, MATERIAL_SYNONYMS, SUBSTITUTES, SYNONYMS
from lumenmill_studio.scenes.vocabulary import KINDS, MATERIAL_WORDS, PLACES, SUBJECTS

STILL_LIFE, PORTRAIT = SceneKind.SCENE_KIND_STILL_LIFE, SceneKind.SCENE_KIND_PORTRAIT


def read(prompt: str = "", *, substitute: bool = False, own: tuple[str, ...] = (), **scene: object) -> SceneRequest:
    return read_description(
        SceneDescription(**scene),  # type: ignore[arg-type]
        prompt,
        np.random.default_rng(0),
        own=own,
        substitute=substitute,
    )


def refusal(prompt: str = "", **scene: object) -> InvalidArgumentError:
    with pytest.raises(InvalidArgumentError) as caught:
        read(prompt, **scene)
    return caught.value


@pytest.mark.parametrize(
    ("prompt", "word"),
    [
        ("a leather boot on a concrete plinth", "boot"),
        ("a red sports car", "car"),
        ("a gold rim on an oak table", "rim"),
        ("a portrait of a woman by a window", "woman"),
        ("a copper kettle and two foxes on a slate table", "foxes"),
        ("a camera on an oak table", "camera"),
        ("a vase of flowers on an oak table", "flowers"),
        ("an apple pie, soft window light from the right", "pie"),
        ("a red velvet armchair in a green room", "red"),
        ("a titanium bowl", "titanium"),
        ("three green apples on an oak table", "green"),
        ("a bronze bust on a concrete table", "concrete"),
        ("a statue by the sea", "sea"),
        ("一只猫", "一只猫"),
    ],
)
def test_a_word_that_cannot_be_drawn_is_refused_with_the_nearest_words(prompt: str, word: str) -> None:
    violations = refusal(prompt).violations
    assert {field for field, _ in violations} == {"prompt"}
    assert any(f"{word!r} cannot be drawn; nearest: " in problem for _, problem in violations)
    remedy = violations[-1][1].partition("; or ")[2]
    assert remedy.startswith("set unknown_words to SUBSTITUTE (")
    assert "--set unknown_words=SUBSTITUTE of `lumenmill run`" in remedy and "--substitute of `render`" in remedy


def test_each_field_with_an_unknown_word_is_named() -> None:
    error = refusal(
        kind=STILL_LIFE,
        subjects=["jug", "zeppelin"],
        materials=["copper", "velour"],
        place="in a submarine",
    )
    assert [field for field, _ in error.violations] == ["scene.subjects[1]", "scene.materials[1]", "scene.place"]
    assert "'zeppelin' cannot be drawn" in error.violations[0][1]


def test_glass_that_a_shape_cannot_be_is_refused() -> None:
    assert "glass is for vase" in refusal(subjects=["plate"], materials=["clear glass"]).violations[0][1]


@pytest.mark.parametrize(
    ("prompt", "items", "place"),
    [
        ("an amber glass bottle on an oak table", [("bottle", "amber glass")], "on an oak table"),
        ("a pitcher made of brass on a table", [("jug", "brass")], "on an oak table"),
        ("a red apple and a red bowl on a linen cloth", [("apple", "apple skin"), ("bowl", "red glazed ceramic")], ""),
        ("two books and a stack of books on a pine table", [("book", "blue cloth")] * 2 + [("stack of books", "")], ""),
        ("a marble bust against a black background", [("bust", "white marble")], "before a dark backdrop"),
        ("a stone cottage in a field at dusk", [("cottage", "limestone")], "in a meadow"),
        ("A jug, lit by a warm lamp from the left, on a slate table", [("jug", "")], "on a slate table"),
        ("Lit by the light of a metro noord: a copper bowl in an attic", [("bowl", "copper")], "in an attic"),
        ("a beautiful brass teapot, highly detailed, 8k, masterpiece, on a pine table", [("teapot", "brass")], ""),
        ("a copper cup on a pine table. The camera orbits it slowly while the light fades.", [("cup", "copper")], ""),
        ("a cup, candlelight from the left, a warm rim and a cool fill", [("cup", "")], ""),
        ("a stack of old books lying open on a table", [("stack of books", "")], "on an oak table"),
        ("a statue in the middle of a snowy field", [("statue", "")], "on a snowy field"),
        ("a stone tower rising from a green meadow", [("tower", "limestone")], "in a meadow"),
        ("a cup, two lights: a red lamp on the left and a blue one on the right", [("cup", "")], ""),
        ("a chair in a white plaster room with tall windows", [("chair", "")], "in a white plaster room"),
        ("a vase, two lamps", [("vase", ""), ("lamp", ""), ("lamp", "")], ""),
        ("a vase, two lamps on an oak table", [("vase", ""), ("lamp", ""), ("lamp", "")], "on an oak table"),
        ("a vase, two lamps from the left", [("vase", "")], ""),
        ("a vase, two lamps on the left", [("vase", "")], ""),
        ("a vase, two lamps: a red and a blue one", [("vase", "")], ""),
    ],
)
def test_prompts_are_read_for_what_they_name(prompt: str, items: list[tuple[str, str]], place: str) -> None:
    request = read(prompt)
    assert [subject for subject, _ in request.items] == [subject for subject, _ in items]
    assert all(material == built for (_, material), (_, built) in zip(items, request.items, strict=True) if material)
    assert place in ("", request.place)
    assert request.substitutions == ()


@pytest.mark.parametrize(
    "prompt", ["", "golden hour back light", "overcast", "hard light from the left", "in an attic"]
)
def test_a_prompt_without_things_leaves_the_choice(prompt: str) -> None:
    assert read(prompt).items


def test_things_of_one_phrase_are_of_one_material() -> None:
    for seed in range(8):
        request = read_description(SceneDescription(), "three bowls and a jug", np.random.default_rng(seed))
        assert len(set(request.items[:3])) == 1


def test_substitutes_are_drawn_and_recorded_only_on_request() -> None:
    request = read("a castle and a fox on a cliff", substitute=True)
    assert (request.kind, [subject for subject, _ in request.items]) == ("outdoor", ["tower"])
    assert request.substitutions == (("castle", "tower"), ("fox", ""), ("cliff", ""))
    nothing = read("a red sports car", substitute=True)
    assert nothing.substitutions == (("car", nothing.items[0][0]),)
    assert len(nothing.items) == 1
    fields = read(kind=STILL_LIFE, subjects=["zeppelin", "apple"], materials=["pewter"], substitute=True)
    assert fields.substitutions == (("zeppelin", "sphere"), ("pewter", "brushed steel"))
    assert fields.items == (("sphere", "brushed steel"), ("apple", "apple skin"))


@pytest.mark.parametrize(
    ("prompt", "word", "scene"),
    [
        ("a red sports car", "car", {}),
        ("two zeppelins on an oak table", "zeppelins", {}),
        ("a castle on a lawn", "castle", {}),
        ("a yellow vase on an oak table", "yellow", {}),
        ("a bronze bust on a concrete table", "concrete", {}),
        ("", "zeppelin", {"kind": STILL_LIFE, "subjects": ["zeppelin"]}),
        ("", "submarine", {"kind": PORTRAIT, "place": "in a submarine"}),
    ],
)
def test_what_is_drawn_instead_is_the_first_of_the_nearest_words(
    prompt: str, word: str, scene: dict[str, object]
) -> None:
    problem = next(problem for _, problem in refusal(prompt, **scene).violations if repr(word) in problem)
    request = read(prompt, substitute=True, **scene)
    built = dict(request.substitutions)[word]
    assert f"{word!r} cannot be drawn; nearest: {built}" in problem
    assert built in (request.place, *(name for item in request.items for name in item))


def test_a_thing_that_is_drawn_instead_keeps_its_colour_and_its_number() -> None:
    assert [material for _, material in read("a red sports car", substitute=True).items] == ["red glazed ceramic"]
    assert len(read("two copper zeppelins", substitute=True).items) == 2
    assert {material for _, material in read("two copper zeppelins", substitute=True).items} == {"copper"}
    field = read(kind=STILL_LIFE, subjects=["a blue zeppelin"], substitute=True)
    assert field.items == (("sphere", "blue glazed ceramic"),)


def test_more_things_than_a_scene_shows_are_refused() -> None:
    assert "shows at most 1" in refusal(kind=PORTRAIT, subjects=["bust", "urn"]).violations[0][1]
    assert "names 12 things" in refusal("twelve lemons on an oak table").violations[0][1]
    assert read("twelve lemons on an oak table", substitute=True).substitutions == (("12 things", "9 things"),)
    assert "2 of 'painting'" in refusal("a chair and three paintings in a brick loft").violations[0][1]


def test_names_of_the_operators_meshes_are_known_words() -> None:
    assert read("a moon lamp on an oak table", own=("moon lamp",)).own == ("moon lamp",)


def test_every_word_of_the_vocabulary_and_every_synonym_is_known() -> None:
    for kind, name in KINDS.items():
        for word in SUBJECTS[name]:
            assert read(kind=kind, subjects=[word]).items[-1][0] == word or name == "room"
        for place in PLACES[name]:
            assert read(kind=kind, place=place).place == place
            assert read(f"a bust {place}").place == place
    for material in (*MATERIAL_WORDS, *MATERIAL_SYNONYMS):
        assert read(kind=STILL_LIFE, subjects=["sphere"], materials=[material]).substitutions == ()
    for word in SYNONYMS:
        assert read(subjects=[word]).substitutions == ()


def test_no_word_is_both_truthful_and_a_substitute() -> None:
    known = {name for names in SUBJECTS.values() for name in names}
    assert not SYNONYMS.keys() & SUBSTITUTES.keys()
    assert not known & (SYNONYMS.keys() | SUBSTITUTES.keys())
    assert not (MATERIAL_SYNONYMS.keys() | set(MATERIAL_WORDS)) & MATERIAL_SUBSTITUTES.keys()
    assert all(meant in known for targets in SYNONYMS.values() for meant in targets)
    assert set(SUBSTITUTES.values()) <= known
    assert {*MATERIAL_SYNONYMS.values(), *MATERIAL_SUBSTITUTES.values()} <= set(MATERIAL_WORDS)


def test_nothing_that_the_prompter_writes_is_refused() -> None:
    writer = SetWriter(prompter_pb2.Brief(num_img_sets=400, num_videos=100), 5)
    for index in range(400):
        written = writer.prompt_set(index)
        named = sorted(written.scene.subjects)
        for scene, prompt in ((written.scene, ""), (SceneDescription(), written.image_prompt)):
            request = read_description(scene, prompt, np.random.default_rng(0))
            assert (sorted(subject for subject, _ in request.items), request.place) == (named, written.scene.place)
        for (subject, material), asked in zip(request.items, written.scene.materials, strict=False):
            assert asked == "natural" or (subject, material) in [(subject, name) for name in written.scene.materials]
    for index in range(100):
        clip = writer.video_prompt(index)
        request = read(clip.text)
        assert sorted(subject for subject, _ in request.items) == sorted(clip.scene.subjects)


def test_a_scene_states_what_was_built_and_what_was_exchanged() -> None:
    scene = SceneDescription(kind=STILL_LIFE, subjects=["pitcher", "peach"], materials=["steel"])
    spec = compose(scene, "", 1, substitute=True)
    assert spec.description.startswith(("a steel jug", "an apple"))
    assert spec.subjects == ("jug", "apple")
    assert spec.substitutions == (("peach", "apple"),)
