"""The full recipe over neural models: an LLM endpoint, and a tiny checkpoint of every kind of family, each in a process
that `lumenmill up --models` starts."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from .small_models import ROOT, SMALL, SMALL_CLIP, SMALL_MAPS, SmallModel, module_at

# By the names in the recipe.
_MODELS = {
    "flux": SmallModel("imager", "FLUX.1-dev", SMALL),
    "editor": SmallModel("relighter", "instruct-pix2pix", SMALL),
    "depth": SmallModel("relighter", "FLUX.1-Depth-dev", SMALL),
    "maps": SmallModel("relighter", "Marigold", SMALL_MAPS),
    "wan-i2v": SmallModel("video", "Wan2.1-I2V-14B-480P", SMALL_CLIP),
    "svd": SmallModel("video", "SVD-XT", SMALL_CLIP | {"width": 128}),
    "wan-t2v": SmallModel("video", "Wan2.1-T2V-1.3B", SMALL_CLIP),
    "clip-maps": SmallModel("video", "Marigold", SMALL_MAPS),
}
_PARAMETERS = {
    "prompter_model": "openai",
    "imager_model": "flux",
    "relighter_model": "editor",
    "decomposer_model": "maps",
    "video_decomposer_model": "clip-maps",
    "i2v_model": "wan-i2v",
    "t2v_model": "wan-t2v",
    "captioner_model": "photometric",
    "num_img_sets": 1,
    "num_relight_variants": 1,
    "num_videos": 1,
    "prompts_batch_size": 1,
}


_ENDPOINT = module_at(ROOT / "services" / "prompter" / "tests" / "chat_endpoint.py")
sys.modules["chat_endpoint"] = _ENDPOINT  # imported by llm.py
_LLM = module_at(Path(__file__).parent / "llm.py")


def _models_file(folder: Path) -> Path:
    models = {name: {"service": small.service, **small.settings_in(folder / name)} for name, small in _MODELS.items()}
    path = folder / "models.yaml"
    path.write_text(yaml.safe_dump(models))
    return path


@pytest.fixture(scope="module")
def lumenmill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The `lumenmill` command, with a mesh of every kind of model."""
    folder, endpoint = tmp_path_factory.mktemp("neural"), _ENDPOINT.ChatEndpoint()
    endpoint.script = _LLM.answer
    key_file = folder / "key"
    key_file.write_text(_ENDPOINT.API_KEY)
    environment = os.environ | {
        "LUMENMILL_HOME": str(folder / "home"),
        "LUMENMILL_OPENAI_BASE_URL": endpoint.base_url,
        "LUMENMILL_OPENAI_MODEL": "tiny",
        "LUMENMILL_OPENAI_API_KEY_FILE": str(key_file),
        "OMP_NUM_THREADS": "1",
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "lumenmill_client.command", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True, timeout=600
        )

    try:
        up = run("up", "--models", str(_models_file(folder)))
        assert up.returncode == 0, up.stderr
        yield run
    finally:
        run("down")
        endpoint.close()


def _samples(lumenmill: Any, **parameters: Any) -> list[dict[str, Any]]:
    """Run the full recipe, and return its samples, none of which failed."""
    values = _PARAMETERS | parameters
    settings = [part for name, value in values.items() for part in ("--set", f"{name}={value}")]
    run = lumenmill("run", "recipes/full.yaml", *settings, "--json")
    assert run.returncode == 0, run.stderr
    finished = json.loads(run.stdout)
    failed = lumenmill("samples", finished["id"], "--verdict", "failed").stdout
    assert not [step["name"] for step in finished["steps"] if step.get("num_failed")], failed
    samples: list[dict[str, Any]] = json.loads(lumenmill("samples", finished["id"], "--json").stdout)
    assert all(sample["caption"] for sample in samples)
    return samples


def _rule(sample: dict[str, Any]) -> str:
    return str(sample["id"].rsplit(".", 2)[1])


def _text_of_record(sample: dict[str, Any]) -> str:
    """Return the text that the model got."""
    return str(sample["record"]["parameters"].get("prompt", ""))


@pytest.mark.timeout(600)
def test_the_full_recipe_runs_over_neural_models(lumenmill: Any) -> None:
    samples = _samples(lumenmill)
    assert sorted(map(_rule, samples)) == ["clips", "clips", "original", "variant"]
    assert all(sample["prompt"] == _text_of_record(sample) for sample in samples if _rule(sample) != "original")
    variant = next(sample for sample in samples if _rule(sample) == "variant")
    assert variant["prompt"] == "Relight the scene with cool light from the right; keep everything else."
    assert variant["requested_light"]["text"] == "cool light from the right"  # the requested light
    (original,) = (sample for sample in samples if _rule(sample) == "original")
    (filmed,) = (sample for sample in samples if sample["record"]["model"] == "Wan2.1-I2V-14B-480P")
    assert filmed["prompt"] == f"{original['caption']} The camera orbits slowly."
    assert "camera" not in filmed  # it was only asked for in words
    models = {sample["record"]["model"] for sample in samples}
    assert models == {"FLUX.1-dev", "instruct-pix2pix", "Wan2.1-I2V-14B-480P", "Wan2.1-T2V-1.3B"}


@pytest.mark.timeout(600)
def test_models_of_descriptions_and_without_words_get_their_kind_of_text(lumenmill: Any, tmp_path: Path) -> None:
    Image.radial_gradient("L").resize((64, 64)).convert("RGB").save(tmp_path / "photo.png")
    photos = f"@{tmp_path / 'photo.png'}"
    samples = _samples(lumenmill, relighter_model="depth", i2v_model="svd", num_videos=0, photos=photos)
    assert sorted(map(_rule, samples)) == ["clips", "clips", "original", "original", "variant", "variant"]
    relit = {sample["id"].split(".")[1].split("-")[0]: sample for sample in samples if _rule(sample) == "variant"}
    assert {sample["record"]["model"] for sample in relit.values()} == {"FLUX.1-Depth-dev"}
    assert _text_of_record(relit["generated"]) == "A brass kettle on a slate table, lit by cool light from the right."
    assert _text_of_record(relit["photos"]) == "Cool light from the right."  # nothing else is known of a photograph
    for sample in relit.values():
        assert sample["prompt"] == _text_of_record(sample)
        assert {"albedo", "depth", "normals"} <= sample["media"].keys()
    for clip in (sample for sample in samples if _rule(sample) == "clips"):
        assert clip["record"]["model"] == "SVD-XT" and not _text_of_record(clip)
        assert not {"prompt", "camera", "requested_light", "requested_attributes"} & clip.keys()
        assert {"albedo", "depth"} <= clip["media"].keys()


def test_samples_without_commercial_use_are_not_exported_with_commercial(lumenmill: Any, tmp_path: Path) -> None:
    run_id = json.loads(lumenmill("runs", "--json").stdout)[0]["id"]
    export = lumenmill("export", run_id, "--commercial", "--to", str(tmp_path / "d"))
    assert export.returncode == 2
    assert "FLUX.1-dev" in export.stderr and "does not allow commercial use" in export.stderr
