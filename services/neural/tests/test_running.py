"""What a host adds to the calls of a pipeline: step caches, cached embeddings, records, throughput."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lumenmill_common.errors import CancelledError, FailedPreconditionError, InvalidArgumentError, UnavailableError
from lumenmill_neural import embeddings
from lumenmill_neural.device import Device
from lumenmill_neural.throughput import Throughput

from .conftest import Host


class _Counted:
    """Counts the calls of a part of a pipeline."""

    def __init__(self, module: Any) -> None:
        self.num_calls = 0
        module.register_forward_hook(self._count)

    def _count(self, *_: Any) -> None:
        self.num_calls += 1


@pytest.mark.parametrize("preset", ["first_block", "taylor_seer"])
def test_a_step_cache_skips_steps_only_in_its_preset(host: Host, preset: str) -> None:
    blocks = _Counted(host.pipe.transformer.single_transformer_blocks[-1].attn.to_q)
    plain = host.picture()
    num_plain, blocks.num_calls = blocks.num_calls, 0
    cached = host.picture(preset)
    num_cached, blocks.num_calls = blocks.num_calls, 0
    assert num_cached < num_plain
    assert np.abs(cached - plain).max() > 1e-3
    assert np.array_equal(host.picture(preset), cached)
    assert np.array_equal(host.picture(), plain)
    assert host.executed(host.plan(preset)).arguments["step_cache"].startswith(preset)
    assert "step_cache" not in host.executed(host.plan("")).arguments


def test_step_caches_can_be_switched(host: Host) -> None:
    pictures = {preset: host.picture(preset) for preset in ("first_block", "taylor_seer")}
    for preset in ("taylor_seer", "first_block", "taylor_seer"):
        assert np.array_equal(host.picture(preset), pictures[preset])


@pytest.mark.parametrize("preset", ["", "first_block", "taylor_seer"])
@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), CancelledError("the job was cancelled")]
)
@pytest.mark.parametrize("stage", ["step", "decode"])
def test_a_failed_call_does_not_change_the_next(host: Host, preset: str, error: Exception, stage: str) -> None:
    expected, plan = host.picture(preset), host.plan(preset)
    with pytest.raises(type(error)), host.device_work("kind", 1.0):
        host.prepare(host.pipe, plan)
        _fail_at(host.pipe, stage, error)
        host.pixels(plan)
    assert host.throughput.estimate_s("kind", 1.0) is None
    assert np.array_equal(host.pixels(plan), expected)  # without `prepare`, as after out of memory


def _fail_at(pipe: Any, stage: str, error: Exception) -> None:
    """Raise once: at the fourth step, or when the VAE was just upcast."""
    if stage == "decode":
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
    cached = host.pipe.encode_prompt(prompt="0 lemons", prompt_2=None, max_sequence_length=512)
    monkeypatch.setattr(embeddings, "MAX_CACHE_BYTES", 3 * sum(tensor.nbytes for tensor in cached))
    for index in range(4):  # one more than the cache holds
        host.pipe.encode_prompt(prompt=f"{index} lemons", prompt_2=None, max_sequence_length=512)
    assert encoder.num_calls == 5
    host.pipe.encode_prompt(prompt="3 lemons", prompt_2=None, max_sequence_length=512)
    assert encoder.num_calls == 5
    host.picture()
    assert encoder.num_calls == 6


def test_an_unknown_preset_model_or_attention_backend_is_refused(
    host_of: Callable[..., Host], host: Host, flux_folder: Path
) -> None:
    with pytest.raises(InvalidArgumentError, match="preset: 'best' is none of balanced, first_block, taylor_seer"):
        host.plan("best")
    with pytest.raises(FailedPreconditionError, match="LUMENMILL_ATTENTION_BACKEND: cannot be used"):
        host_of(str(flux_folder), attention_backend="nonsense").load()
    with pytest.raises(FailedPreconditionError, match="LUMENMILL_DEVICE"):
        host_of(str(flux_folder), device="cuda:7").load()
    with pytest.raises(FailedPreconditionError, match="works on one GPU; serve a pod for each GPU"):
        host_of(str(flux_folder), gpus=2)


def test_compilation_without_a_compiler_is_refused(
    host_of: Callable[..., Host], flux_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(FailedPreconditionError, match="LUMENMILL_COMPILE: needs a C compiler"):
        host_of(str(flux_folder), compile=True).load()


def test_a_model_that_is_not_loaded_has_no_description(host_of: Callable[..., Host], flux_folder: Path) -> None:
    with pytest.raises(UnavailableError):
        host_of(str(flux_folder)).describe()


def test_arguments_of_the_model_the_tier_and_the_preset_are_merged_in_that_order(host_of: Callable[..., Host]) -> None:
    tiers = [{"min_memory_gib": 0, "arguments": {"decode_chunk_size": 4, "guidance_scale": 2.0}}]
    presets = {"balanced": {"description": "Plain.", "arguments": {"guidance_scale": 1.0}}}
    plan = host_of(entry={"tiers": tiers, "presets": presets}).plan("")
    assert plan.arguments["decode_chunk_size"] == 4
    assert plan.arguments["guidance_scale"] == 1.0
    assert plan.with_arguments(width=128, height=None).arguments["height"] == 64


def test_throughput_is_measured_and_follows_changes() -> None:
    throughput = Throughput()
    assert throughput.estimate_s("balanced", 10) is None
    throughput.add("balanced", 10, 20.0)
    assert throughput.estimate_s("balanced", 5) == pytest.approx(10.0)
    assert throughput.estimate_s("fast", 5) is None
    throughput.add("balanced", 0, 99.0)
    for _ in range(20):
        throughput.add("balanced", 10, 40.0)
    assert throughput.estimate_s("balanced", 5) == pytest.approx(20.0, rel=0.01)


def test_the_batch_size_of_the_settings_lowers_that_of_the_tier(host_of: Callable[..., Host]) -> None:
    for batch_size, images in ((0, 4), (1, 1), (3, 3), (64, 4)):
        host = host_of(batch_size=batch_size)
        host._device = Device(torch.device("cuda", 0), "a GPU", memory_gib=80.0)
        assert host.max_batch_size == host.max_queued_batch_size == images
        host._device = Device(torch.device("cpu"), "a CPU", memory_gib=80.0)
        assert (host.max_batch_size, host.max_queued_batch_size) == (1, images)
