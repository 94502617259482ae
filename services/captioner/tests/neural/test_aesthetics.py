"""Aesthetic heads with weights as they are published, on tiny backbones."""

import json
import pickle
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoImageProcessor, CLIPVisionModelWithProjection, SiglipVisionModel

from lumenmill_captioner.families import load_family_settings
from lumenmill_common import errors

from .conftest import clip_subject, image_subject, picture

MODEL = "Qwen2.5-VL-7B"
_HIDDEN = (1024, 128, 64, 16)


def _published(path: Path, into: int, hidden: tuple[int, ...], prefix: str, places: tuple[int, ...]) -> torch.nn.Module:
    """Saves a head under the names of the published one; dropouts between layers have numbers too."""
    torch.manual_seed(len(path.name))
    widths = (into, *hidden, 1)
    layers = [torch.nn.Linear(one, two) for one, two in pairwise(widths)]
    weights = {}
    for layer, place in zip(layers, places, strict=True):
        name = f"{prefix}{place}." if prefix else ""
        weights |= {f"{name}weight": layer.weight.data, f"{name}bias": layer.bias.data}
    if path.suffix == ".safetensors":
        save_file(weights, path)
    else:
        torch.save(weights, path)
    return torch.nn.Sequential(*layers)


@pytest.fixture
def heads(tmp_path: Path) -> dict[str, Any]:
    return {
        "v1": _published(tmp_path / "v1.safetensors", 16, (), "", (0,)),
        "v2": _published(tmp_path / "v2.pth", 16, _HIDDEN, "layers.", (0, 2, 4, 6, 7)),
        "v2_5": _published(tmp_path / "v2_5.pth", 24, _HIDDEN, "scoring_head.", (0, 2, 4, 6, 8)),
    }


def _with_vision_model(folder: Path, heads: dict[str, Any], path: Path) -> None:
    """Saves a head as simple-aesthetics-predictor does: all of CLIP's vision model, and the head as `layers`."""
    vision = load_file(folder / "model.safetensors")
    layers = {
        f"layers.{place}.{name}": getattr(layer, name).data
        for layer, place in zip(heads["v2"], (0, 2, 4, 6, 7), strict=True)
        for name in ("weight", "bias")
    }
    save_file({name: tensor for name, tensor in vision.items() if not name.startswith("text")} | layers, path)


def _settings(tmp_path: Path, checkpoint_of: Any, **paths: str) -> dict[str, Any]:
    parts = {name: str(checkpoint_of(name)) for name in ("clip", "siglip")}
    return {"aesthetic_heads": {name: tmp_path / path for name, path in paths.items()}, "part_checkpoints": parts}


def _scores(checkpoint_of: Any, heads: dict[str, Any], pictures: list[Any]) -> dict[str, float]:
    scores = {}
    for part, model_class, output, names in (
        ("clip", CLIPVisionModelWithProjection, "image_embeds", ("v1", "v2")),
        ("siglip", SiglipVisionModel, "pooler_output", ("v2_5",)),
    ):
        folder = checkpoint_of(part)
        pixels = AutoImageProcessor.from_pretrained(folder)(images=pictures, return_tensors="pt").pixel_values
        with torch.no_grad():
            embedded = model_class.from_pretrained(folder).eval()(pixels)[output]
            embedded = embedded / embedded.norm(dim=-1, keepdim=True)
            scores |= {f"aesthetic_{name}": float(heads[name](embedded).mean()) for name in names}
    return scores


async def test_scores_are_those_of_head_and_backbone(
    serving: Any, checkpoint_of: Any, tmp_path: Path, heads: dict[str, Any]
) -> None:
    given = _settings(tmp_path, checkpoint_of, v1="v1.safetensors", v2="v2.pth", v2_5="v2_5.pth")
    async with serving(MODEL, num_tokens=4, **given) as captioner:
        still = await captioner.caption("still", image_subject(captioner.store))
        clip = await captioner.caption("clip", clip_subject(captioner.store, 8))
        model = await captioner.model()
    for name, score in _scores(checkpoint_of, heads, [picture()]).items():
        assert still.scores[name] == pytest.approx(score, abs=1e-5)
    frames = [_darkened(index) for index in (0, 2, 5, 7)]
    for name, score in _scores(checkpoint_of, heads, frames).items():
        assert clip.scores[name] == pytest.approx(score, abs=1e-4) and clip.scores[name] != still.scores[name]
    assert all(f"aesthetic_{name}@" in model.revision for name in heads) and "clip@" in model.revision
    subjects = [licence.subject for licence in still.record.licences]
    assert {f"{MODEL} clip", f"{MODEL} siglip", "aesthetic_v2"} <= set(subjects)


async def test_a_checkpoint_of_head_and_vision_model_has_the_scores_of_its_head(
    serving: Any, checkpoint_of: Any, tmp_path: Path, heads: dict[str, Any]
) -> None:
    _with_vision_model(checkpoint_of("clip"), heads, tmp_path / "model.safetensors")
    given = _settings(tmp_path, checkpoint_of, v2="model.safetensors")
    async with serving(MODEL, num_tokens=4, **given) as captioner:
        still = await captioner.caption("still", image_subject(captioner.store))
    assert still.scores["aesthetic_v2"] == pytest.approx(_scores(checkpoint_of, heads, [picture()])["aesthetic_v2"])


async def test_a_head_of_another_vision_model_is_not_served(
    serving: Any, checkpoint_of: Any, tmp_path: Path, heads: dict[str, Any]
) -> None:
    path = tmp_path / "model.safetensors"
    _with_vision_model(checkpoint_of("clip"), heads, path)
    weights = load_file(path)
    save_file(weights | {"visual_projection.weight": weights["visual_projection.weight"] + 0.1}, path)
    with pytest.raises(errors.FailedPreconditionError, match="another vision model than the part clip"):
        async with serving(MODEL, num_tokens=1, **_settings(tmp_path, checkpoint_of, v2=path.name)) as captioner:
            await captioner.model()


def _darkened(index: int) -> Any:
    pixels = np.asarray(picture(7, (96, 64)), np.float64) * (1.0 - 0.5 * index / 8)
    return Image.fromarray(pixels.astype(np.uint8))


class _Harm:
    def __reduce__(self) -> Any:
        return (print, ("run",))


def _pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps({"weight": _Harm()}))


@pytest.mark.parametrize(
    ("save", "problem"),
    [
        (_pickled, "holds no weights"),
        (lambda path: path.write_bytes(b"?"), "holds no weights"),
        (lambda path: _published(path, 16, (8,), "layers.", (0, 1)), "should have"),
        (lambda path: None, "holds no weights"),
    ],
)
async def test_heads_that_do_not_fit_are_not_served(
    serving: Any, checkpoint_of: Any, tmp_path: Path, capsys: Any, save: Any, problem: str
) -> None:
    save(tmp_path / "head.pth")
    with pytest.raises(errors.FailedPreconditionError, match=problem) as refused:
        async with serving(MODEL, num_tokens=1, **_settings(tmp_path, checkpoint_of, v2="head.pth")) as captioner:
            await captioner.model()
    assert refused.value.field == "LUMENMILL_AESTHETIC_HEADS"
    assert "run" not in capsys.readouterr().out.split()


def test_settings_are_read_from_the_environment(monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.setenv("LUMENMILL_FAMILY", "vision_language")
    monkeypatch.setenv("LUMENMILL_MODEL", MODEL)
    monkeypatch.setenv("LUMENMILL_AESTHETIC_HEADS", json.dumps({"v1": str(tmp_path / "head.pth")}))
    assert load_family_settings().model_dump()["aesthetic_heads"] == {"v1": tmp_path / "head.pth"}
