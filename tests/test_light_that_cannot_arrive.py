"""The recipe of light groups over real services: light that cannot arrive is rejected, the rest of its group lives."""

import json
from pathlib import Path
from typing import Any

import yaml
from mesh_command import ROOT, Command

LIGHTS: dict[str, dict[str, Any]] = {
    "a softbox": {"azimuth_deg": -40, "elevation_deg": 35, "irradiance": 4},
    "a softbox under the floor": {"azimuth_deg": 20, "elevation_deg": -75, "irradiance": 4},
}


def recipe_with(lights: list[dict[str, Any]]) -> str:
    """Return the shipped recipe for one small scene, with these lights in place of the prompter's."""
    recipe = yaml.safe_load((ROOT / "recipes" / "light-groups.yaml").read_text())
    steps = recipe["steps"]
    steps["image"]["with"] |= {"width_px": 96, "height_px": 72, "light": lights[0]}
    steps["relit"]["with"]["variants"] = [{"light": light} for light in lights]
    text = yaml.safe_dump(recipe, sort_keys=False)
    text = text.replace("${item.relight_prompts[each_index].light}", "${each.light}")
    return text.replace("requested_light: ${item.light}", "requested_light: ${image.images[0].light}")


def test_light_that_cannot_arrive_is_rejected_and_its_siblings_live(lumenmill: Command, tmp_path: Path) -> None:
    lights = [{"text": text, "sources": [{"area": area}]} for text, area in LIGHTS.items()]
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(recipe_with(lights))
    settings = ["--set", "num_img_sets=1", "--set", "preset=fast", "--set", "seed=5"]
    finished = lumenmill("run", str(recipe), *settings, "--json")
    run = json.loads(finished.stdout)
    found = json.loads(lumenmill("samples", run["id"], "--json").stdout)
    reasons = {sample["id"].partition("000000.")[2]: sample.get("reason", "") for sample in found}
    assert reasons.pop("variant.1").startswith("light_refused: "), "the table is in its way"
    assert set(reasons.values()) == {""} and int(run["num_samples_accepted"]) == 2, reasons
    accepted = next(sample for sample in found if sample["id"].endswith("variant.0"))
    assert accepted["arrived_light"]["sources"][0]["share"] > 0.9
    assert accepted["caption"] and "image" in accepted["media"]


def test_relighting_names_what_is_in_the_way(lumenmill: Command, tmp_path: Path) -> None:
    size = ["--width", "64", "--height", "48", "--preset", "fast", "--seed", "5"]
    rendered = lumenmill("render", "a copper kettle on an oak table", "--out", str(tmp_path / "made"), *size)
    assert rendered.returncode == 0, rendered.stderr
    scene = str(tmp_path / "made" / "image-0.scene.json")
    under_the_floor = ["--light", "area:azimuth_deg=20,elevation_deg=-75"]
    refused = lumenmill("relight", "--scene", scene, *under_the_floor, "--out", str(tmp_path / "relit"))
    assert refused.returncode == 2
    assert "in its way" in refused.stderr and not (tmp_path / "relit").exists()
