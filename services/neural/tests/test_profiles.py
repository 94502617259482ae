"""Profiles: what `fast` changes, that it is recorded, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import FluxPipeline

from lumenmill_common.errors import FailedPreconditionError
from lumenmill_neural.catalogue import read_catalogue
from lumenmill_neural.catalogue_page import SERVICES
from lumenmill_neural.device import Device
from lumenmill_neural.profile import with_profile
from lumenmill_neural.settings import NeuralSettings

from .conftest import ENTRY, Host

_FAST = {"fast": {"step_cache": {"kind": "first_block", "options": {"threshold": 10.0}}, "fp8": True}}
_HOPPER = Device(torch.device("cpu"), "a Hopper GPU", 80.0, (9, 0))


def test_fast_changes_pictures_records_the_revision_and_the_description(
    host_of: Callable[..., Host], flux_folder: Path
) -> None:
    lossless, fast = (host_of(str(flux_folder), entry=_FAST, profile=name) for name in ("lossless", "fast"))
    for host in (lossless, fast):
        host.load()
    assert np.array_equal(fast.picture(), lossless.picture("first_block"))
    assert not np.array_equal(fast.picture(), lossless.picture())
    executed = {host.settings.profile: host.executed(host.plan("")).arguments for host in (lossless, fast)}
    assert executed["lossless"]["profile"] == "lossless" and "step_cache" not in executed["lossless"]
    assert executed["fast"]["profile"] == "fast" and executed["fast"]["step_cache"] == "first_block(threshold=10.0)"
    assert "profile@fast" in fast.revision and "profile" not in lossless.revision
    shown = fast.describe().presets[0].parameters
    assert (shown["profile"], shown["step_cache"]) == ("fast", "first_block(threshold=10.0)")
    assert shown["placement"] == "resident"


def test_the_fast_profile_does_not_change_the_lossless_revision(
    host_of: Callable[..., Host], flux_folder: Path
) -> None:
    hosts = [host_of(str(flux_folder), entry=entry) for entry in (None, _FAST)]
    for host in hosts:
        host.load()
    assert hosts[0].revision == hosts[1].revision


def test_fast_does_not_change_presets_with_a_cache_or_few_steps(host_of: Callable[..., Host]) -> None:
    presets = {
        **ENTRY["presets"],
        "four_step": {"description": "Distilled.", "distilled_lora": "few", "arguments": {"num_inference_steps": 4}},
    }
    fast = {"fast": {**_FAST["fast"], "default_preset": "four_step"}}
    entry = host_of(
        entry=fast | {"presets": presets, "adapters": {"few": {"checkpoint": "lumenmill/few"}}}, profile="fast"
    ).entry
    assert list(entry.presets) == ["four_step", "balanced", "first_block", "taylor_seer"]
    kinds = {name: preset.step_cache and preset.step_cache.kind for name, preset in entry.presets.items()}
    assert kinds == {
        "four_step": None,
        "balanced": "first_block",
        "first_block": "first_block",
        "taylor_seer": "taylor_seer",
    }


@pytest.mark.parametrize(
    ("entry", "settings", "message"),
    [
        ({}, {"profile": "fast"}, "LUMENMILL_PROFILE: Tiny has no fast profile"),
        (_FAST, {"fp8": True}, "LUMENMILL_FP8: changes the pictures; it needs LUMENMILL_PROFILE=fast"),
        (_FAST, {"attention_backend": "sage_hub"}, "LUMENMILL_ATTENTION_BACKEND: sage_hub changes the pictures"),
        ({"fast": {}}, {"profile": "fast", "fp8": True}, "LUMENMILL_FP8: Tiny is not run in 8 bits"),
    ],
)
def test_settings_that_the_profile_does_not_allow_are_refused(
    host_of: Callable[..., Host], entry: dict[str, Any], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(FailedPreconditionError, match=message):
        host_of(entry=entry, **settings)


@pytest.mark.parametrize("device", [None, Device(torch.device("cpu"), "NVIDIA A100", 80.0, (8, 0))])
def test_fp8_is_refused_on_a_device_without_8_bit_products(
    host_of: Callable[..., Host], flux_folder: Path, device: Device | None
) -> None:
    host = host_of(str(flux_folder), entry=_FAST, profile="fast", fp8=True)
    host._device = device
    with pytest.raises(FailedPreconditionError, match="LUMENMILL_FP8: needs an NVIDIA GPU of compute"):
        host.load()


def test_fp8_quantises_only_the_denoiser(
    host_of: Callable[..., Host], flux_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The CPU can round and multiply in 8 bits too, only slowly."""
    quant_api = pytest.importorskip("torchao.quantization.quant_api", reason="torchao (extra fp8) is not installed")
    monkeypatch.setattr(quant_api, "_check_hardware_support", lambda *_: None)
    plain, fast = host_of(str(flux_folder)), host_of(str(flux_folder), entry=_FAST, profile="fast", fp8=True)
    fast._device = _HOPPER
    plain.load()
    fast.load()
    layer = fast.pipe.transformer.single_transformer_blocks[0].attn.to_q.weight
    assert type(layer).__name__ == "Float8Tensor" and layer.qdata.dtype == torch.float8_e4m3fn
    for part in (fast.pipe.vae, fast.pipe.text_encoder, fast.pipe.text_encoder_2):
        assert {type(weight) for weight in part.parameters()} == {torch.nn.Parameter}
    assert fast.executed(fast.plan("")).arguments["fp8"] is True and "+fp8+" in fast.revision
    assert "sequential_offload" not in [tier.placement.value for tier in fast.entry.tiers]
    original = FluxPipeline.from_pretrained(flux_folder).transformer.single_transformer_blocks[0].attn.to_q.weight
    assert 0 < np.abs(fast.picture("taylor_seer") - plain.picture("taylor_seer")).max() < 0.2
    assert 0 < (layer.dequantize() - original).abs().max() < 0.1 * original.abs().max()


_WITH_FAST = [
    (package, name, entry)
    for package in SERVICES.values()
    for name, entry in read_catalogue(package).items()
    if entry.fast is not None
]


@pytest.mark.parametrize(("package", "name", "entry"), _WITH_FAST, ids=[name for _, name, _ in _WITH_FAST])
def test_every_fast_profile_changes_something_and_says_what(package: str, name: str, entry: Any) -> None:
    assert entry.fast.text
    fast = with_profile(entry, NeuralSettings(model=name, profile="fast", fp8=entry.fast.fp8))
    assert fast.presets != entry.presets or entry.fast.fp8
    assert fast.tiers
