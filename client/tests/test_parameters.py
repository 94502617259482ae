"""Values of `--set` and `--light`: by declared type, from files, with any name and any line separator."""

import json
from pathlib import Path
from typing import Any

import pytest

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.common.v1.light_pb2 import Light, LightSource
from lumenmill.prompter.v1.prompter_pb2 import GeneratePromptSetsResult, PromptSet, RelightPrompt, VideoPrompt
from lumenmill_client.command._light_option import parse_light
from lumenmill_client.command._output import to_dict
from lumenmill_client.command._parameters import parse_parameters
from lumenmill_common.errors import InvalidArgumentError

_RECIPE = """\
lumenmill: 1
parameters:
  word: {type: string}
  number: {type: int}
  flag: {type: bool}
  words: {type: "list[string]"}
  photo: {type: artifact}
  photos: {type: "list[artifact]"}
  prompts: {type: "list[prompt_set]"}
  first: {type: prompt_set}
"""
_SETS = GeneratePromptSetsResult(
    prompt_sets=[PromptSet(id="s1", image_prompt="a bowl", relight_prompts=[RelightPrompt(text="from the left")])]
)


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe in an empty folder, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    Path("r.yaml").write_text(_RECIPE)
    return Path("r.yaml")


def _artifact_of(path: Path) -> Artifact:
    if not path.is_file():
        raise InvalidArgumentError("", f"the file {str(path)!r} does not exist")
    return Artifact(name=path.name)


def _value(recipe: Path, setting: str) -> Any:
    (value,) = parse_parameters(recipe, [setting], _artifact_of).values()
    return value


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("word=42", "42"),
        ("word=true", "true"),
        ('word=["a"]', '["a"]'),
        ("word=@home", "@home"),
        ("word=lines:of poetry", "lines:of poetry"),
        ("word=a=b", "a=b"),
        ("number=42", 42),
        ("number=many", "many"),
        ("flag=true", True),
        ('words=["a, b", "c"]', ["a, b", "c"]),
        ("first=a kettle", "a kettle"),
        ("undeclared=1", 1),
    ],
)
def test_values_are_parsed_by_the_declared_type(recipe: Path, setting: str, value: object) -> None:
    assert _value(recipe, setting) == value


def test_a_number_that_would_lose_digits_is_refused(recipe: Path) -> None:
    assert _value(recipe, f"number={2**53}") == 2**53
    for text in (str(2**53 + 1), "9" * 400):
        with pytest.raises(InvalidArgumentError, match="number: whole numbers"):
            _value(recipe, f"number={text}")


@pytest.mark.parametrize("setting", ["prompts=@", "words=lines:", "photos=@"])
def test_a_missing_name_of_a_file_is_not_the_working_directory(recipe: Path, setting: str) -> None:
    Path("notes.txt").write_text("milk\n")
    with pytest.raises(InvalidArgumentError, match="the name of a file is missing"):
        _value(recipe, setting)


def test_one_artifact_is_one_file(recipe: Path) -> None:
    for name in ("a.png", "b.png"):
        Path(name).touch()
    assert _value(recipe, "photo=@a.png") == {"name": "a.png"}
    assert _value(recipe, "photos=@a.png,@b.png") == [{"name": "a.png"}, {"name": "b.png"}]
    with pytest.raises(InvalidArgumentError, match="photo is one artifact"):
        _value(recipe, "photo=@a.png,@b.png")


def test_names_of_files_may_contain_what_separates_them(recipe: Path) -> None:
    for name in ("left, right.png", "mail,@home.png", "b.png"):
        Path(name).touch()
    found = _value(recipe, "photos=@left, right.png,@mail,@home.png,@b.png")
    assert [artifact["name"] for artifact in found] == ["left, right.png", "mail,@home.png", "b.png"]


def test_a_map_of_a_light_may_have_commas_in_its_name(recipe: Path) -> None:
    class _Client:
        def upload(self, path: Path) -> Artifact:
            return _artifact_of(path)

    client: Any = _Client()
    Path("alley, night, 2k.hdr").touch()
    light = parse_light(client, ["environment_map:map=alley, night, 2k.hdr,rotation_deg=90"])
    expected = LightSource(environment_map={"map": Artifact(name="alley, night, 2k.hdr"), "rotation_deg": 90})
    assert light == Light(sources=[expected])
    with pytest.raises(InvalidArgumentError, match="'night' is not FIELD=VALUE"):
        parse_light(client, ["environment_map:night"])


def test_prompts_are_the_lines_of_a_file_whatever_its_editor(recipe: Path) -> None:
    text = "\ufeffa kettle\r\n  a bowl\u2028of fruit  \r\n\r\n\tein Krug, voll\u0085\rlast"
    Path("p.txt").write_bytes(text.encode())
    lines = ["a kettle", "a bowl\u2028of fruit", "ein Krug, voll", "last"]
    assert _value(recipe, "words=lines:p.txt") == _value(recipe, "words=@p.txt") == lines
    assert _value(recipe, "prompts=@p.txt") == [{"image_prompt": line} for line in lines]


def test_a_file_that_is_not_utf8_is_refused_with_its_name_and_byte(recipe: Path) -> None:
    Path("latin.txt").write_bytes("a kettle\nein Krüg".encode("latin-1"))
    for name in ("words", "prompts"):
        with pytest.raises(InvalidArgumentError, match=r"'latin.txt' is not a text file: byte 15 \(0xfc\)"):
            _value(recipe, f"{name}=@latin.txt")
    recipe.write_bytes(b"\xff\xfen\x00")
    with pytest.raises(InvalidArgumentError, match=r"'r.yaml' is not a text file: byte 0 \(0xff\)"):
        _value(recipe, "word=x")


def test_a_folder_of_prompts_is_read_in_the_order_of_names(recipe: Path) -> None:
    folder = Path("prompts")
    folder.mkdir()
    (folder / "c.txt").write_text("a kettle\na jug\n")
    (folder / "a.JSON").write_text("\ufeff" + json.dumps(to_dict(_SETS)))
    (folder / "b.json").write_text(json.dumps(["a cup", {"imagePrompt": "a plate"}]))
    (folder / "notes.md").write_text("not a prompt")
    found = _value(recipe, "prompts=@prompts")
    assert [entry["image_prompt"] for entry in found] == ["a bowl", "a cup", "a plate", "a kettle", "a jug"]
    assert found[0]["relight_prompts"] == [{"text": "from the left"}]
    assert _value(recipe, f"prompts=@{folder}/b.json,@{folder}/c.txt") == found[1:]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "'p.json' is not valid JSON"),
        ("{", "'p.json' is not valid JSON"),
        ("[]", "'p.json' has no prompts"),
        ('{"prompt_sets": []}', "'p.json' has no prompts"),
        ("[3]", "p.json, entry 1: must be a prompt set"),
        ('["\\ud800"]', "p.json, entry 1: "),
        ('{"promptSets": [{}]}', "p.json, entry 1: a prompt set needs"),
        ('["a", {"id": "x"}]', "p.json, entry 2: a prompt set needs `image_prompt` or `scene`"),
        ('["a", {"promt": "x"}]', 'p.json, entry 2: .*no field named "promt"'),
        ('{"prompt_sets": [{"promt": "x"}]}', 'p.json: .*no field named "promt"'),
    ],
)
def test_wrong_prompt_sets_are_named(recipe: Path, content: str, problem: str) -> None:
    Path("p.json").write_text(content)
    with pytest.raises(InvalidArgumentError, match=problem):
        _value(recipe, "prompts=@p.json")


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (
            {"promt": "x"},
            'no field named "promt"; it has: id, image_prompt, scene, light, relight_prompts, motion_prompts',
        ),
        ({"imagePrompt": 3}, "`image_prompt` must be valid text, and is 3"),
        ({"image_prompt": "\ud800"}, '`image_prompt` must be valid text, and is "\\ud800"'),
        ({"relight_prompts": "x"}, '`relight_prompts` must be a list, and is "x"'),
        (
            {"relight_prompts": ["x"]},
            "`relight_prompts[0]` must have fields (text, light, camera, description), and is",
        ),
        ({"scene": {"kind": "LAMP"}}, "`scene.kind` must be one of SCENE_KIND_"),
        ({"scene": {"seed": -1}}, "`scene.seed` must be a whole number in the range of its type, and is -1"),
        ({"scene": {"subjects": [3]}}, "`scene.subjects` must be a list, each valid text, and is [3]"),
        (
            {"light": {"sources": [{"area": {"azimuth_deg": "x"}}]}},
            "`light.sources[0].area.azimuth_deg` must be a number",
        ),
        (
            {"light": {"sources": [{"area": {"angle": 1}}]}},
            'no field named "angle" in `light.sources[0].area`; it has: ',
        ),
        ({"light": {"sources": [{"area": {}, "sun_sky": {}}]}}, "only one of sun_sky, area may be given in"),
    ],
)
def test_what_is_wrong_in_a_prompt_set_is_said_in_one_line_with_the_names_of_the_documents(
    recipe: Path, entry: object, problem: str
) -> None:
    Path("p.json").write_text(json.dumps([entry]))
    with pytest.raises(InvalidArgumentError) as refused:
        _value(recipe, "prompts=@p.json")
    message = refused.value.message
    assert f"p.json, entry 1: {problem}" in message and "\n" not in message
    assert not [word for word in ("lumenmill.", "imagePrompt", "Failed to parse", "Message type") if word in message]


def test_a_parameter_that_is_set_twice_is_refused(recipe: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="number is given twice"):
        parse_parameters(recipe, ["number=1", "word=a", "number=2"], _artifact_of)


@pytest.mark.parametrize(
    ("light", "problem"),
    [
        ("area:azimuth_deg=left", '`area.azimuth_deg` must be a number, and is "left"'),
        ("area:azimuth=3", "'azimuth=3' does not fit; fields of area: azimuth_deg, "),
        ("directional:temperature_k=warm", '`directional.color.temperature_k` must be a number, and is "warm"'),
        ("spherical_harmonics:coefficients=1 x", "`spherical_harmonics.coefficients` must be a list, each a number"),
    ],
)
def test_what_is_wrong_in_a_light_is_named(light: str, problem: str) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        parse_light(None, [light])  # type: ignore[arg-type] # uploads nothing
    assert problem in refused.value.message and "\n" not in refused.value.message


@pytest.mark.parametrize("content", ['{"id": "a", "id": "b"}', '[{"scene": {"place": "a", "place": "b"}}]'])
def test_a_key_that_is_given_twice_is_refused(recipe: Path, content: str) -> None:
    Path("p.json").write_text(content)
    with pytest.raises(InvalidArgumentError, match=r"'p\.json': the key '(id|place)' is given twice"):
        _value(recipe, "prompts=@p.json")


def test_video_prompts_that_no_parameter_takes_are_mentioned(recipe: Path, capfd: pytest.CaptureFixture[str]) -> None:
    both = GeneratePromptSetsResult(prompt_sets=_SETS.prompt_sets, video_prompts=[VideoPrompt(text="a train")])
    Path("p.json").write_text(json.dumps(to_dict(both)))
    assert len(_value(recipe, "prompts=@p.json")) == 1
    assert "p.json: its 1 video prompts are not used" in capfd.readouterr().err


def test_an_empty_folder_and_a_missing_file_are_refused(recipe: Path) -> None:
    Path("empty").mkdir()
    with pytest.raises(
        InvalidArgumentError, match=r"'empty' has no prompts; they are expected in \.txt and \.json files"
    ):
        _value(recipe, "prompts=@empty")
    Path("blank.txt").write_text(" \n")
    with pytest.raises(InvalidArgumentError, match=r"'blank\.txt' has no prompts; they are expected one per line"):
        _value(recipe, "prompts=@blank.txt")
    with pytest.raises(InvalidArgumentError, match=r"there is no file 'nowhere\.txt'"):
        _value(recipe, "prompts=@nowhere.txt")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 2000,
        "a: " * 2000,
        "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
        + "parameters: {n: {type: *a29}}\n",
        "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 30))
        + "parameters: {n: *a29}\n",
        "parameters: &p {n: *p, <<: *p}\n",
        "x" * 10 + ": &" + "a" * 1000 + " [\n",
    ],
    ids=["brackets", "keys", "aliases", "merges", "cycle", "open"],
)  # fmt: skip
def test_types_are_read_without_building_the_recipe(recipe: Path, text: str) -> None:
    recipe.write_text(text)
    assert _value(recipe, "n=[1]") == [1], "no type is declared; the check reports what is wrong"


def test_types_of_anchors_and_merges_are_known(recipe: Path) -> None:
    merged = "parameters:\n  a: &a {type: string}\n  b: *a\n  c: {<<: *a, default: x}\n  d: {<<: [{min: 1}, *a]}\n"
    recipe.write_text(merged)
    assert [_value(recipe, f"{name}=42") for name in "abcd"] == ["42"] * 4


def test_a_text_file_is_not_read_beyond_what_a_message_can_hold(recipe: Path) -> None:
    with Path("large.txt").open("wb") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(InvalidArgumentError, match=r"'large.txt' has 67108865 bytes; at most 67108864 are read"):
        _value(recipe, "words=@large.txt")
