"""What a host does around the calls of a pipeline: step caches, kept embeddings, records, pace."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lumenmill_common.errors import CancelledError, FailedPreconditionError, InvalidArgumentError, UnavailableError
from lumenmill_neural import embeddings
from lumenmill_neural.pace import Pace

from .conftest import Host


class _Counted:
    """How often a part of a pipeline was called."""

    def __init__(self, module: Any) -> None:
        self.num_calls = 0
        module.register_forward_hook(self._count)

    def _count(self, *_: Any) -> None:
        self.num_calls += 1


@pytest.mark.parametrize("preset", ["first_block", "taylor_seer"])
def test_a_step_cache_saves_steps_in_its_preset_and_in_no_other(host: Host, preset: str) -> None:
    blocks = _Counted(host.pipe.transformer.single_transformer_blocks[-1].attn.to_q)
    plain = host.picture()
    num_plain, blocks.num_calls = blocks.num_calls, 0
    cached = host.picture(preset)
    num_cached, blocks.num_calls = blocks.num_calls, 0
    assert num_cached < num_plain
    assert np.abs(cached - plain).max() > 1e-3
    assert np.array_equal(host.picture(preset), cached)
    assert np.array_equal(host.picture(), plain)
    assert host.as_run(host.plan(preset)).arguments["step_cache"].startswith(preset)
    assert "step_cache" not in host.as_run(host.plan("")).arguments


def test_one_step_cache_takes_over_from_another(host: Host) -> None:
    pictures = {preset: host.picture(preset) for preset in ("first_block", "taylor_seer")}
    for preset in ("taylor_seer", "first_block", "taylor_seer"):
        assert np.array_equal(host.picture(preset), pictures[preset])


@pytest.mark.parametrize("preset", ["", "first_block", "taylor_seer"])
@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), CancelledError("nobody wants it")])
@pytest.mark.parametrize("place", ["step", "decode"])
def test_a_call_that_failed_leaves_no_trace(host: Host, preset: str, error: Exception, place: str) -> None:
    wanted, plan = host.picture(preset), host.plan(preset)
    with pytest.raises(type(error)), host.paced("way", 1.0):
        host.prepare(host.pipe, plan)
        _fail_at(host.pipe, place, error)
        host.pixels(plan)
    assert host.pace.estimate_s("way", 1.0) is None
    assert np.array_equal(host.pixels(plan), wanted)  # without preparing again, as the memory ladder does


def _fail_at(pipe: Any, place: str, error: Exception) -> None:
    """Once: at the fourth step, or when the VAE has just been made wider."""
    if place == "decode":
        original = pipe.vae.decode

        def decode(*args: Any, **kwargs: Any) -> Any:
            pipe.vae.decode = original
            pipe.vae.to(dtype=torch.float64)
            raise error

        pipe.vae.decode = decode
        return
    num_calls = 0

    def before(*_: Any) -> None:
        nonlocal num_calls
        num_calls += 1
        if num_calls == 4:
            handle.remove()
            raise error

    handle = pipe.transformer.register_forward_pre_hook(before)


def test_a_prompt_is_encoded_once(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = _Counted(host.pipe.text_encoder_2)
    first = host.picture()
    assert encoder.num_calls == 1
    assert np.array_equal(host.picture(), first)
    assert encoder.num_calls == 1
    kept = host.pipe.encode_prompt(prompt="0 lemons", prompt_2=None, max_sequence_length=512)
    monkeypatch.setattr(embeddings, "MAX_KEPT_BYTES", 3 * sum(tensor.nbytes for tensor in kept))
    for index in range(4):  # one more than there is room for
        host.pipe.encode_prompt(prompt=f"{index} lemons", prompt_2=None, max_sequence_length=512)
    assert encoder.num_calls == 5
    host.pipe.encode_prompt(prompt="3 lemons", prompt_2=None, max_sequence_length=512)
    assert encoder.num_calls == 5
    host.picture()
    assert encoder.num_calls == 6


def test_an_unknown_preset_model_or_attention_backend_is_told(
    host_of: Callable[..., Host], host: Host, flux_folder: Path
) -> None:
    with pytest.raises(InvalidArgumentError, match="preset: is none of balanced, first_block, taylor_seer"):
        host.plan("best")
    with pytest.raises(FailedPreconditionError, match="LUMENMILL_ATTENTION_BACKEND: cannot be used"):
        host_of(str(flux_folder), attention_backend="nonsense").load()
    with pytest.raises(FailedPreconditionError, match="LUMENMILL_DEVICE"):
        host_of(str(flux_folder), device="cuda:7").load()
    with pytest.raises(FailedPreconditionError, match="works on one GPU; serve a pod for each GPU"):
        host_of(str(flux_folder), gpus=2)


def test_compiling_without_a_compiler_is_refused_before_it_is_tried(
    host_of: Callable[..., Host], flux_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(FailedPreconditionError, match="LUMENMILL_COMPILE: needs a C compiler"):
        host_of(str(flux_folder), compile=True).load()


def test_a_model_that_is_not_loaded_does_not_describe_itself(host_of: Callable[..., Host], flux_folder: Path) -> None:
    with pytest.raises(UnavailableError):
        host_of(str(flux_folder)).describe()


def test_arguments_of_the_model_the_tier_and_the_preset_are_merged_in_that_order(host_of: Callable[..., Host]) -> None:
    tiers = [{"min_memory_gib": 0, "arguments": {"decode_chunk_size": 4, "guidance_scale": 2.0}}]
    presets = {"balanced": {"description": "Plain.", "arguments": {"guidance_scale": 1.0}}}
    plan = host_of(entry={"tiers": tiers, "presets": presets}).plan("")
    assert plan.arguments["decode_chunk_size"] == 4
    assert plan.arguments["guidance_scale"] == 1.0
    assert plan.with_arguments(width=128, height=None).arguments["height"] == 64


def test_pace_is_learned_and_follows_changes() -> None:
    pace = Pace()
    assert pace.estimate_s("balanced", 10) is None
    pace.observe("balanced", 10, 20.0)
    assert pace.estimate_s("balanced", 5) == pytest.approx(10.0)
    assert pace.estimate_s("fast", 5) is None
    pace.observe("balanced", 0, 99.0)
    for _ in range(20):
        pace.observe("balanced", 10, 40.0)
    assert pace.estimate_s("balanced", 5) == pytest.approx(20.0, rel=0.01)
