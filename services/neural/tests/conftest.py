"""A `ModelHost` of a tiny FLUX, without a service."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import FluxPipeline
from safetensors.torch import save_file

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill_common.artifacts import ArtifactStore, open_store
from lumenmill_neural.catalogue import ModelEntry
from lumenmill_neural.device import find_device
from lumenmill_neural.host import ModelHost
from lumenmill_neural.plan import Plan
from lumenmill_neural.settings import NeuralSettings
from lumenmill_neural.testing import tiny_flux

from .lora_files import Stored, Tensors

_STEPS = 6
ENTRY: dict[str, Any] = {
    "family": "flux",
    "title": "Tiny",
    "task": "text to image",
    "checkpoint": "lumenmill/tiny",
    "licence": {"spdx_id": "Apache-2.0", "allows_commercial_use": True, "url": "https://example.org"},
    "source": "a test",
    "arguments": {"width": 64, "height": 64, "num_inference_steps": _STEPS, "max_sequence_length": 32},
    "presets": {
        "balanced": {"description": "Every step."},
        "first_block": {
            "description": "Steps that change little are skipped.",
            "step_cache": {"kind": "first_block", "options": {"threshold": 10.0}},
        },
        "taylor_seer": {
            "description": "Every other step is predicted.",
            "step_cache": {
                "kind": "taylor_seer",
                "options": {"cache_interval": 2, "disable_cache_before_step": 2, "max_order": 1},
            },
        },
    },
    "tiers": [
        {"min_memory_gib": 60, "max_batch_size": 4},
        {"min_memory_gib": 38},
        {"min_memory_gib": 24, "placement": "model_offload", "vae_tiling": True},
        {"min_memory_gib": 0, "placement": "sequential_offload", "vae_tiling": True},
    ],
}


@pytest.fixture
def tiny_entry() -> dict[str, Any]:
    """The catalogue entry of the tiny FLUX."""
    return ENTRY


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return open_store(f"file://{tmp_path}/store")


@pytest.fixture
def stored(store: ArtifactStore, tmp_path: Path) -> Stored:
    """`stored(tensors)` stores a LoRA file of them."""

    def put(tensors: Tensors) -> Artifact:
        path = tmp_path / "lora.safetensors"
        save_file({name: tensor.contiguous().clone() for name, tensor in tensors.items()}, path)
        return store.put_file(path, "application/vnd.safetensors")

    return put


@pytest.fixture(scope="session")
def flux_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny FLUX with two blocks of each kind, so that step caches have blocks to skip."""
    folder = tmp_path_factory.mktemp("flux")
    tiny_flux(num_blocks=2).save_pretrained(folder)
    return folder


class SimulatedModel:
    """A model for `run_in_batches`: has memory for `capacities[0]` items; each smaller tier moves to the next
    capacity."""

    device = find_device("cpu")

    def __init__(self, *capacities: int) -> None:
        self.capacities = list(capacities)
        self.batch_sizes: list[int] = []

    def pause_overlapped(self) -> bool:
        return False

    def reset(self) -> None:
        pass

    def apply_smaller_tier(self) -> str:
        self.capacities.pop(0)
        return "smaller" if self.capacities else ""

    def run(self, batch: Sequence[int]) -> list[int]:
        self.batch_sizes.append(len(batch))
        if len(batch) > self.capacities[0]:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [item * 10 for item in batch]


class Host(ModelHost):
    """A host that makes pictures as arrays."""

    def load(self) -> None:
        self.pipe = self.load_pipeline(FluxPipeline)

    def picture(self, preset: str = "", adapters: Any = (), **arguments: Any) -> np.ndarray:
        plan = self.plan(preset)
        self.prepare(self.pipe, plan, adapters)
        return self.pixels(plan.with_arguments(**arguments))

    def pixels(self, plan: Plan) -> np.ndarray:
        generator = self.device.generator(3)
        return self.pipe(["a lemon"], generator=[generator], output_type="np", **plan.arguments).images[0]


@pytest.fixture
def host_of(store: ArtifactStore) -> Callable[..., Host]:
    """`host_of(checkpoint, entry={...}, **settings)` returns a host that is not loaded yet."""

    def make(checkpoint: str = "", entry: dict[str, Any] | None = None, **settings: Any) -> Host:
        values = NeuralSettings(checkpoint=checkpoint, **{"model": "tiny", "device": "cpu", **settings})
        return Host(values, store, {"tiny": ModelEntry.model_validate(ENTRY | (entry or {}))})

    return make


@pytest.fixture
def host(host_of: Callable[..., Host], flux_folder: Path) -> Host:
    """A host with the tiny FLUX loaded."""
    loaded = host_of(str(flux_folder))
    loaded.load()
    return loaded
