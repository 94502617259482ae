"""Every preset of every model on every size of device: GetModel shows the arguments that requests get."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from google.protobuf.json_format import MessageToDict

from lumenmill.common.v1.model_pb2 import Model, TextInput
from lumenmill.imager.v1.imager_pb2 import GenerateImagesRequest
from lumenmill_common.artifacts import open_store
from lumenmill_imager.families import family_of as imager_family_of
from lumenmill_neural.catalogue import ModelEntry, Tier, read_catalogue
from lumenmill_neural.catalogue_page import SERVICES
from lumenmill_neural.device import Device
from lumenmill_neural.host import ModelHost
from lumenmill_neural.settings import NeuralSettings
from lumenmill_neural.source import Checkpoint
from lumenmill_relighter.families import family_of as relighter_family_of
from lumenmill_video.families import family_of as video_family_of
from lumenmill_video.settings import VideoSettings

_catalogue = functools.cache(read_catalogue)
_PRESETS = ("fast", "balanced", "quality")
# Marigold's checkpoints define their number of steps.
_DEFAULT_STEPS = 4
# 0 if the request has no such picture.
_OF_PICTURES = {"controlnet_conditioning_scale", "identity_scale"}


def _cases() -> Iterator[Any]:
    """Yield each model with the smallest device of each of its tiers."""
    for service, package in SERVICES.items():
        for name, entry in _catalogue(package).items():
            for tier in entry.tiers:
                memory_gib = max(tier.min_memory_gib, 1.0)
                yield pytest.param(service, package, name, entry, tier, memory_gib, id=f"{name}-{memory_gib:g}")


def _shown_and_planned(
    service: str, package: str, name: str, folder: Path, memory_gib: float
) -> tuple[Model, dict[str, dict[str, Any]]]:
    """Return the model that GetModel shows on a device, and the arguments of a request of each preset."""
    settings = VideoSettings(model=name) if service == "video" else NeuralSettings(model=name)
    host = ModelHost(settings, open_store(f"file://{folder}"), _catalogue(package))
    host._device, host._checkpoint = Device(torch.device("cuda"), "GPU", memory_gib), Checkpoint(folder, "weights")
    if service == "video":
        assert isinstance(settings, VideoSettings)
        family: Any = video_family_of(host, settings)
        planned = {preset: _video_plan(family, preset) for preset in host.entry.presets}
        return family.describe(), {preset: plan.arguments for preset, plan in planned.items()}
    if service == "imager":
        family = imager_family_of(host)
        requests = {preset: GenerateImagesRequest(prompt="a lemon", preset=preset) for preset in host.entry.presets}
        return family.describe(), {preset: family.plan(request).arguments for preset, request in requests.items()}
    shown = relighter_family_of(host).describe() if service == "relighter" else host.describe()
    return shown, {preset: host.plan(preset).arguments for preset in host.entry.presets}


def _video_plan(family: Any, preset: str) -> Any:
    """Return the plan of a request, without the size of its media."""
    return family.with_derived(family.plan_of(preset)) if hasattr(family, "plan_of") else family.host.plan(preset)


@pytest.mark.parametrize(("service", "package", "name", "entry", "tier", "memory_gib"), list(_cases()))
def test_requests_get_the_arguments_that_get_model_shows(
    service: str, package: str, name: str, entry: ModelEntry, tier: Tier, memory_gib: float, tmp_path: Path
) -> None:
    model, planned = _shown_and_planned(service, package, name, tmp_path, memory_gib)
    shown = {preset.name: MessageToDict(preset)["parameters"] for preset in model.presets}
    assert list(shown) == list(planned) == list(entry.presets)
    for preset, arguments in planned.items():
        for argument in arguments.keys() - _OF_PICTURES:
            value = arguments[argument]
            assert shown[preset][argument] == (value if isinstance(value, (str, int, float, bool)) else str(value))
        parameters = shown[preset]
        assert (parameters["placement"], parameters["vae_tiling"]) == (tier.placement.value, tier.vae_tiling)
        assert parameters["profile"] == "lossless"
    costs = [_cost(planned[preset]) for preset in _PRESETS]
    assert costs == sorted(costs) and (costs[0] < costs[2] or _is_bounded(entry, tier))


def test_every_model_states_the_kind_of_its_text(tmp_path: Path) -> None:
    stated: dict[str, dict[str, str]] = {}
    for service, package in SERVICES.items():
        for name, entry in _catalogue(package).items():
            model, _ = _shown_and_planned(service, package, name, tmp_path, entry.tiers[0].min_memory_gib)
            kind = TextInput.Name(model.text_input).removeprefix("TEXT_INPUT_")
            stated.setdefault(service, {})[name] = kind
    instructed = {name for name, kind in stated["relighter"].items() if kind == "INSTRUCTION"}
    assert instructed == {"FLUX.1-Kontext-dev", "Qwen-Image-Edit", "instruct-pix2pix"}
    others = stated["relighter"].items() | stated["imager"].items() | stated["video"].items()
    assert {name for name, kind in others if kind == "NONE"} == {"SVD", "SVD-XT"}
    assert {name for name, kind in others if kind == "UNSPECIFIED"} == {"Marigold"}
    assert set(stated["captioner"].values()) == {"UNSPECIFIED"}


def _cost(arguments: dict[str, Any]) -> float:
    """Return a number that grows with the work of a preset."""
    counts = ("width", "height", "num_frames", "ensemble_size", "max_new_tokens")
    cost = float(arguments.get("num_inference_steps", 1 if "max_new_tokens" in arguments else _DEFAULT_STEPS))
    for name in counts:
        cost *= arguments.get(name, 1)
    return cost


def _is_bounded(entry: ModelEntry, tier: Tier) -> bool:
    """Return whether a tier limits the steps to those of the fast preset or fewer, as SVD's smallest tier."""
    most = tier.arguments.get("num_inference_steps")
    return most is not None and most <= entry.presets["fast"].arguments["num_inference_steps"]


@pytest.mark.parametrize(
    ("memory_gib", "most_at_once", "num_steps"),
    [(80.0, 14, (50, 70)), (31.5, 14, (50, 70)), (23.6, 10, (50, 60)), (15.7, 10, (50, 60)), (11.7, 6, (50, 50)),
     (7.8, 6, (50, 50))],
)  # fmt: skip
@pytest.mark.parametrize("name", ["SVD-XT", "SVD"])
def test_svd_uses_the_production_settings_for_each_memory_size(
    name: str, memory_gib: float, most_at_once: int, num_steps: tuple[int, int], tmp_path: Path
) -> None:
    _, planned = _shown_and_planned("video", "lumenmill_video", name, tmp_path, memory_gib)
    frames_at_once = {"fast": 6, "balanced": 10, "quality": 12}
    for preset in _PRESETS:
        arguments = planned[preset]
        assert arguments["decode_chunk_size"] == min(frames_at_once[preset], most_at_once)
        assert num_steps[0] <= arguments["num_inference_steps"] <= num_steps[1]
