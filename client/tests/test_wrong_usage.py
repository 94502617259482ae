"""What a user may get wrong is said before anything is called or written, with the option to change."""

from pathlib import Path

import pytest

from .conftest import Command

_LIGHT = ("--light", "area:irradiance=4")


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a file, a folder and a scene."""
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("x")
    Path("folder").mkdir()
    Path("a.scene.json").write_text("{}")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("render", "  "), "prompt: is blank; for example"),
        (("render", "a kettle", "--out", "file"), "'file' is a file"),
        (("relight", "--scene", "a.scene.json"), "--light: is missing; give the new light, or words in --edit"),
        (("relight", "--scene", "a.scene.json", "--edit", " "), "--light: is missing"),
        (("relight", *_LIGHT), "--image: is missing; give an image, or a scene in --scene"),
        (("relight", "--scene", "a.scene.json", *_LIGHT, "--out", "file"), "'file' is a file"),
        (("decompose", "a.scene.json", "--out", "file"), "'file' is a file"),
        (("export", "a-run", "--to", "file"), "'file' is a file"),
        (("gallery", "a-run", "--out", "folder"), "'folder' is a directory"),
        (("demo", "--out", "folder"), "'folder' is a directory"),
        (("store", "get", "3f", "--out", "folder"), "'folder' is a directory"),
        (("up", "--port", "70000"), "--port"),
        (("prompts", "--num", "100001"), "--num"),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_called(
    command: Command, words: tuple[str, ...], problem: str
) -> None:
    code, out, err = command(*words)
    assert (code, out) == (2, "") and problem in " ".join(err.split()), err
    assert "no mesh is running" not in err


@pytest.mark.parametrize(("words", "option"), [(("clip",), "--duration"), (("render",), "--width")])
def test_a_default_is_stated_once(command: Command, words: tuple[str, ...], option: str) -> None:
    _, out, _ = command(*words, "--help")
    help_text = " ".join(out.split()).partition(f"{option} <")[2].partition(" --")[0]
    assert "Default: that of the preset." in help_text and "[default" not in help_text
