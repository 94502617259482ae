"""LoRA adapters of a request, named by digest."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import FluxPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.common.v1.sampling_pb2 import Adapter
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.errors import FailedPreconditionError, InvalidArgumentError
from lumenmill_neural.testing import tiny_flux

from .conftest import Host

LoraOf = Callable[..., Artifact]


def _save_lora(folder: Path, seed: int = 0, rank: int = 4) -> Path:
    """Save an adapter in the format of a training with PEFT."""
    transformer = tiny_flux(num_blocks=2).transformer
    torch.manual_seed(seed)
    transformer.add_adapter(
        LoraConfig(r=rank, lora_alpha=4 * rank, init_lora_weights=False, target_modules=["to_q", "to_k", "to_v"])
    )
    FluxPipeline.save_lora_weights(folder, transformer_lora_layers=get_peft_model_state_dict(transformer))
    return folder / "pytorch_lora_weights.safetensors"


@pytest.fixture
def lora_of(store: ArtifactStore, tmp_path: Path) -> LoraOf:
    """`lora_of(seed)` stores an adapter and returns it; `change` changes its tensors first."""

    def make(seed: int = 0, rank: int = 4, change: Any = None, media_type: str = "") -> Artifact:
        path = _save_lora(tmp_path / f"lora{seed}", seed, rank)
        if change is not None:
            save_file({name: tensor.contiguous() for name, tensor in change(load_file(path)).items()}, path)
        return store.put_file(path, media_type or "application/vnd.safetensors")

    return make


@pytest.mark.parametrize("media_type", ["application/vnd.safetensors", "application/octet-stream"])
def test_an_adapter_changes_only_the_pictures_of_its_requests(host: Host, lora_of: LoraOf, media_type: str) -> None:
    plain = host.picture()
    weights = lora_of(media_type=media_type)
    changed = host.picture(adapters=[Adapter(weights=weights)])
    assert np.abs(changed - plain).max() > 1 / 255
    assert np.array_equal(host.picture(), plain)
    assert np.array_equal(host.picture(adapters=[Adapter(weights=weights, scale=0)]), plain)
    assert np.array_equal(host.picture(adapters=[Adapter(weights=weights)]), changed)
    assert not np.array_equal(host.picture(adapters=[Adapter(weights=weights, scale=0.5)]), changed)


def test_a_picture_with_an_adapter_equals_that_of_diffusers(host: Host, lora_of: LoraOf, tmp_path: Path) -> None:
    ours = host.picture(adapters=[Adapter(weights=lora_of(), scale=0.7)])
    pipe = FluxPipeline.from_pretrained(host.settings.checkpoint, dtype=torch.float32)
    pipe.load_lora_weights(tmp_path / "lora0", adapter_name="light")
    pipe.set_adapters("light", 0.7)
    plan = host.plan("")
    theirs = pipe(["a lemon"], generator=host.device.generator(3), output_type="np", **plan.arguments).images[0]
    assert np.array_equal(ours, theirs)


def test_several_adapters_combine_and_more_than_stay_loaded_can_be_used_in_turn(host: Host, lora_of: LoraOf) -> None:
    adapters = [Adapter(weights=lora_of(seed)) for seed in range(6)]
    alone = [host.picture(num_inference_steps=1, adapters=[adapter]) for adapter in adapters]
    assert len({picture.tobytes() for picture in alone}) == 6
    again = [host.picture(num_inference_steps=1, adapters=[adapter]) for adapter in adapters]
    assert all(np.array_equal(first, second) for first, second in zip(alone, again, strict=True))
    assert len(host.pipe.get_list_adapters()["transformer"]) <= 5
    together = host.picture(num_inference_steps=1, adapters=adapters[:2])
    assert not np.array_equal(together, alone[0]) and not np.array_equal(together, alone[1])


def _wider(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: torch.cat([tensor, tensor], 1 if "lora_A" in name else 0) for name, tensor in tensors.items()}


def _for_another_model(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.replace("transformer.", "unet."): tensor for name, tensor in tensors.items()}


def _unknown_names(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"weight{index}": tensor for index, tensor in enumerate(tensors.values())}


def _with_norms(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Norms, which the library would write into the model itself."""
    return tensors | {"transformer.single_transformer_blocks.0.attn.norm_q.weight": torch.full((16,), 3.0)}


def _for_a_wider_input(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A pair for which the library would widen the model's input permanently, as for FLUX.1-Depth-dev-lora."""
    name = "transformer.x_embedder.lora_{}.weight"
    return tensors | {name.format("A"): torch.ones(4, 32), name.format("B"): torch.ones(32, 4)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_wider, "does not fit Tiny"),
        (_for_another_model, "does not fit Tiny"),
        (_unknown_names, "holds more than low-rank pairs: weight0"),
        (_with_norms, "holds more than low-rank pairs"),
        (_for_a_wider_input, "takes 32 inputs where this model has 16"),
    ],
)
def test_an_adapter_that_does_not_fit_is_refused_and_changes_nothing(
    host: Host, lora_of: LoraOf, change: Any, message: str
) -> None:
    plain = host.picture()
    good = lora_of(1)
    with pytest.raises(InvalidArgumentError) as refused:
        host.picture(adapters=[Adapter(weights=good), Adapter(weights=lora_of(2, change=change))])
    assert refused.value.field == "adapters[1].weights"
    assert message in refused.value.message
    assert np.array_equal(host.picture(), plain)
    assert not np.array_equal(host.picture(adapters=[Adapter(weights=good)]), plain)


def test_an_incomplete_safetensors_file_is_refused(host: Host, lora_of: LoraOf, store: ArtifactStore) -> None:
    data = store.read_bytes(lora_of())
    for broken in (data[:-10], b"PK\x03\x04 a pickle"):
        weights = store.put_bytes(broken, "application/octet-stream")
        with pytest.raises(InvalidArgumentError, match=r"adapters\[0\]\.weights: is no complete safetensors file"):
            host.picture(adapters=[Adapter(weights=weights)])


def test_an_adapter_of_the_entry_is_active_in_the_presets_that_name_it(
    host_of: Callable[..., Host], host: Host, flux_folder: Path, tmp_path: Path
) -> None:
    _save_lora(tmp_path / "turbo")
    presets = {"balanced": {"description": "Plain."}, "turbo": {"description": "Few.", "distilled_lora": "few_steps"}}
    adapters = {"few_steps": {"checkpoint": str(tmp_path / "turbo"), "scale": 0.5}}
    own = host_of(str(flux_folder), entry={"presets": presets, "adapters": adapters})
    own.load()
    assert np.array_equal(own.picture(), host.picture())
    assert not np.array_equal(own.picture("turbo"), own.picture())
    assert own.executed(own.plan("turbo")).arguments["distilled_lora"] == "few_steps"
    missing = host_of(str(flux_folder), entry={"adapters": {"few_steps": {"checkpoint": "lumenmill/turbo"}}})
    with pytest.raises(FailedPreconditionError, match="name the commit of lumenmill/turbo"):
        missing.load()
