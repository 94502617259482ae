"""`lumenmill recipe` without a mesh."""

import builtins
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lumenmill_client.mesh import Home

from .conftest import Command

_RECIPES = Path(__file__).parents[2] / "recipes"

_ONE_STEP = """\
lumenmill: 1
name: one-step
parameters:
  tags: {type: "list[string]", default: [one]}
source: {items: "${params.tags}"}
steps:
  image: {call: imager.GenerateImages, model: studio, with: {prompt: "${item}"}}
samples:
  image: {kind: image, media: {image: "${image.images[0].image}"}}
"""


@pytest.mark.parametrize("name", ["demo", "full", "light-groups", "prompt-file"])
def test_shipped_recipes_are_valid_without_a_mesh(command: Command, tmp_path: Path, name: str) -> None:
    (tmp_path / "p.txt").write_text("a kettle\n")
    settings = ["--set", f"prompts=@{tmp_path}/p.txt"] if name == "prompt-file" else []
    code, out, err = command("recipe", "check", str(_RECIPES / f"{name}.yaml"), *settings)
    assert (code, ": valid, " in out) == (0, True), err
    assert "no mesh is running: models and presets are not checked" in err


def test_what_is_wrong_is_named_with_file_and_line(command: Command, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text((_RECIPES / "full.yaml").read_text().replace("light: ${item.light}", "lihgt: ${item.light}", 1))
    code, _, err = command("recipe", "check", str(recipe), "--set", "num_img_sets=-1")
    assert code == 2
    assert "num_img_sets` must be at least 0" in err.replace("\n", " ") and "did you mean `light`?" in err
    assert f"{recipe}:" in err


def test_plan_and_graph_need_no_mesh_and_upload_nothing(command: Command, tmp_path: Path) -> None:
    photo = tmp_path / "left, right.png"
    photo.write_bytes(b"not read")
    plan = ("recipe", "plan", str(_RECIPES / "full.yaml"), "--json", "--set")
    code, out, err = command(*plan, f"photos=@{photo}")
    steps = {step["name"]: step["num_executions"] for step in json.loads(out)["steps"]}
    assert (code, steps["photos.caption"], steps["generated.variant_caption"]) == (0, "1", "30"), err
    assert command("recipe", "graph", str(_RECIPES / "full.yaml"))[1].startswith("digraph")
    code, _, err = command(*plan, "photos=@nowhere.png")
    assert code == 2 and "there is no file 'nowhere.png'" in err


def test_prompt_sets_of_files_are_checked_against_the_contract(command: Command, tmp_path: Path) -> None:
    lit = {"image_prompt": "a bowl", "light": {"sources": [{"area": {"irradiance": -4}}]}}
    (tmp_path / "p.json").write_text(json.dumps(["a kettle", lit]))
    recipe = str(_RECIPES / "prompt-file.yaml")
    code, _, err = command("recipe", "check", recipe, "--set", f"prompts=@{tmp_path}/p.json")
    assert code == 2
    assert "parameter `prompts` at [1]" in err and "`light.sources[0].area.irradiance` is -4; must be greater" in err


@pytest.mark.parametrize("content", ["", "\ufeff", "# nothing\n"])
def test_an_empty_recipe_is_named(command: Command, tmp_path: Path, content: str) -> None:
    (tmp_path / "mine.yaml").write_text(content)
    code, _, err = command("recipe", "check", str(tmp_path / "mine.yaml"))
    assert code == 2 and "mine.yaml" in err and "the file is empty" in err
    assert ": :" not in err


def test_a_recipe_with_a_byte_order_mark_is_read(command: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes(b"\xef\xbb\xbf" + (_RECIPES / "demo.yaml").read_bytes())
    assert command("recipe", "check", str(tmp_path / "mine.yaml"))[0] == 0


def test_a_given_mesh_that_does_not_answer_is_an_error(command: Command) -> None:
    code, _, err = command("--address", "127.0.0.1:9", "recipe", "check", str(_RECIPES / "demo.yaml"))
    assert code == 3 and "127.0.0.1:9" in err


def test_while_a_mesh_starts_recipes_are_checked_and_other_commands_say_so(command: Command, tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home")
    home.make()
    recipe = str(_RECIPES / "demo.yaml")
    with home.supervising() as is_supervisor:
        assert is_supervisor
        for words in (["check", recipe], ["plan", recipe], ["graph", recipe]):
            code, out, err = command("recipe", *words)
            assert code == 0 and out, err
            assert "the mesh is still starting: models and presets are not checked" in err
        code, _, err = command("runs")
    assert code == 3
    assert "still starting" in err and "`lumenmill status`" in err and "no mesh is running" not in err


def test_counts_agree_with_their_nouns(command: Command, tmp_path: Path) -> None:
    recipe = tmp_path / "one.yaml"
    recipe.write_text(_ONE_STEP)
    assert command("recipe", "check", str(recipe))[1].endswith(": valid, 1 step\n")
    assert "\n1 item; estimated time" in command("recipe", "plan", str(recipe))[1]
    recipe.write_text(_ONE_STEP.replace("[one]", "[one, two]"))
    assert "\n2 items; estimated time" in command("recipe", "plan", str(recipe))[1]


def test_without_the_recipe_compiler_the_missing_part_is_named(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported = builtins.__import__

    def refuse(
        name: str,
        globals_: Mapping[str, object] | None = None,
        locals_: Mapping[str, object] | None = None,
        names: Sequence[str] = (),
        level: int = 0,
    ) -> ModuleType:
        if name.startswith("lumenmill_orchestrator"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        module: Any = imported(name, globals_, locals_, names, level)
        return module  # type: ignore[no-any-return]

    monkeypatch.setattr(builtins, "__import__", refuse)
    code, _, err = command("recipe", "check", str(_RECIPES / "demo.yaml"))
    assert code == 2 and "lumenmill_orchestrator" in err and "lumenmill-client[mesh]" in err
