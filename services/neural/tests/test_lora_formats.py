"""LoRA files as trainers publish them: each changes the result as the same adapter in the format of PEFT does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    StableDiffusionXLPipeline,
    WanPipeline,
    WanTransformer3DModel,
)

from lumenmill.common.v1.sampling_pb2 import Adapter
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_neural.adapters import Adapters
from lumenmill_neural.catalogue import ModelEntry
from lumenmill_neural.settings import NeuralSettings
from lumenmill_neural.testing import tiny_sdxl

from .conftest import ENTRY, Host
from .lora_files import (
    ALPHA,
    BIAS,
    DOWN,
    MAGNITUDES,
    OUT_DOWN,
    OUT_MAGNITUDES,
    OUT_UP,
    RANK,
    UP,
    WIDTH,
    Stored,
    Tensors,
    kohya,
    kohya_dora,
    kohya_full_difference,
    kohya_with_bias,
    kohya_with_only_a_bias,
    peft,
    peft_dora,
    peft_of_full_difference,
    peft_of_its_library,
    peft_with_bias,
    peft_with_only_a_bias,
    peft_without_prefix,
    random,
    sdxl_kohya,
    sdxl_kohya_dora,
    sdxl_old,
    sdxl_peft,
    sdxl_peft_dora,
    xlabs,
)


@pytest.mark.parametrize(
    ("published", "equivalent"),
    [
        (kohya, lambda: peft(0.5)),
        (kohya_with_bias, peft_with_bias),
        (kohya_with_only_a_bias, peft_with_only_a_bias),
        (kohya_dora, peft_dora),
        (kohya_full_difference, peft_of_full_difference),
        (xlabs, peft),
        (peft_of_its_library, peft),
        (peft_without_prefix, peft),
    ],
)
def test_a_published_file_for_flux_has_the_effect_of_the_same_adapter_in_peft(
    host: Host, stored: Stored, published: Callable[[], Tensors], equivalent: Callable[[], Tensors]
) -> None:
    plain = host.picture()
    expected = host.picture(adapters=[Adapter(weights=stored(equivalent()))])
    changed = host.picture(adapters=[Adapter(weights=stored(published()))])
    assert np.abs(changed - plain).max() > 1 / 255
    np.testing.assert_allclose(changed, expected, atol=1e-4)
    assert np.array_equal(host.picture(adapters=[Adapter(weights=stored(published()), scale=0)]), plain)
    assert np.array_equal(host.picture(), plain)


def merged(weight: torch.Tensor, down: torch.Tensor, up: torch.Tensor, magnitudes: torch.Tensor) -> torch.Tensor:
    """Return the weight of DoRA, as LyCORIS computes it."""
    changed = weight + ALPHA / RANK * up @ down
    return changed * (magnitudes / changed.norm(dim=1))[:, None]


def test_dora_and_biases_have_the_effect_of_changed_weights(host: Host, stored: Stored) -> None:
    changed = host.picture(adapters=[Adapter(weights=stored(kohya_dora()))])
    biased = host.picture(adapters=[Adapter(weights=stored(kohya_with_bias()))])

    def changed_by(change: Callable[[int, torch.nn.Linear], None]) -> np.ndarray:
        pipe = FluxPipeline.from_pretrained(host.settings.checkpoint, dtype=torch.float32)
        attention = pipe.transformer.transformer_blocks[0].attn
        with torch.no_grad():
            for index, layer in enumerate([attention.to_q, attention.to_k, attention.to_v, attention.to_out[0]]):
                change(index, layer)
        arguments = host.plan("").arguments
        return pipe(["a lemon"], generator=host.device.generator(3), output_type="np", **arguments).images[0]

    downs, ups = [DOWN] * 3 + [OUT_DOWN], [*UP.chunk(3), OUT_UP]
    biases, magnitudes = [*BIAS.chunk(3), torch.zeros(WIDTH)], [*MAGNITUDES.chunk(3), OUT_MAGNITUDES]

    def normalise(index: int, layer: torch.nn.Linear) -> None:
        layer.weight.copy_(merged(layer.weight, downs[index], ups[index], magnitudes[index]))

    def add(index: int, layer: torch.nn.Linear) -> None:
        layer.weight.add_(ALPHA / RANK * ups[index] @ downs[index])
        layer.bias.add_(biases[index])

    np.testing.assert_allclose(changed, changed_by(normalise), atol=1e-4)
    np.testing.assert_allclose(biased, changed_by(add), atol=1e-4)


# SDXL, whose published files also change the text encoders.

SDXL_ENTRY: dict[str, Any] = ENTRY | {
    "family": "sdxl",
    "arguments": {"width": 64, "height": 64, "num_inference_steps": 2, "guidance_scale": 5.0},
    "presets": {"balanced": {"description": "Every step."}},
}


class SdxlHost(Host):
    """A host of a tiny SDXL."""

    def load(self) -> None:
        self.pipe = self.load_pipeline(StableDiffusionXLPipeline)


@pytest.fixture(scope="module")
def sdxl_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdxl")
    tiny_sdxl().save_pretrained(folder)
    return folder


@pytest.fixture
def sdxl(store: ArtifactStore, sdxl_folder: Path) -> SdxlHost:
    values = NeuralSettings(checkpoint=str(sdxl_folder), model="tiny", device="cpu")
    host = SdxlHost(values, store, {"tiny": ModelEntry.model_validate(SDXL_ENTRY)})
    host.load()
    return host


@pytest.mark.parametrize(
    ("published", "equivalent"),
    [
        (sdxl_kohya(), sdxl_peft(0.5)),
        (sdxl_kohya_dora(), sdxl_peft_dora()),
        (sdxl_old(), sdxl_peft(with_text=False)),
        (sdxl_old(prefix=""), sdxl_peft(with_text=False)),
    ],
    ids=["kohya", "kohya_dora", "old_diffusers", "old_attention_processors"],
)
def test_a_published_file_for_sdxl_has_the_effect_of_the_same_adapter_in_peft(
    sdxl: SdxlHost, stored: Stored, published: Tensors, equivalent: Tensors
) -> None:
    plain = sdxl.picture()
    expected = sdxl.picture(adapters=[Adapter(weights=stored(equivalent))])
    changed = sdxl.picture(adapters=[Adapter(weights=stored(published))])
    assert np.abs(changed - plain).max() > 1 / 255
    np.testing.assert_allclose(changed, expected, atol=1e-4)
    assert np.array_equal(sdxl.picture(), plain)


# Wan, whose distilled adapters hold biases, and differences of norms that are 0.


def wan_pipeline() -> WanPipeline:
    torch.manual_seed(0)
    transformer = WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=2,
        attention_head_dim=16,
        in_channels=4,
        out_channels=4,
        text_dim=32,
        freq_dim=32,
        ffn_dim=64,
        num_layers=1,
        rope_max_seq_len=32,
    )
    scheduler = FlowMatchEulerDiscreteScheduler()
    return WanPipeline(tokenizer=None, text_encoder=None, vae=None, scheduler=scheduler, transformer=transformer.eval())


def wan_output(pipe: WanPipeline) -> torch.Tensor:
    with torch.inference_mode():
        return pipe.transformer(
            hidden_states=random(10, 1, 4, 1, 8, 8),
            timestep=torch.tensor([500]),
            encoder_hidden_states=random(11, 1, 8, 32),
        ).sample


def test_a_distilled_adapter_of_wan_has_the_effect_of_changed_weights(store: ArtifactStore, stored: Stored) -> None:
    block = "diffusion_model.blocks.0"
    head = random(12, 16, WIDTH)
    weights = stored(
        {
            f"{block}.self_attn.q.lora_down.weight": OUT_DOWN,
            f"{block}.self_attn.q.lora_up.weight": OUT_UP,
            f"{block}.self_attn.q.alpha": torch.tensor(ALPHA),
            f"{block}.self_attn.q.diff_b": BIAS[:WIDTH],
            f"{block}.cross_attn.o.diff_b": BIAS[WIDTH : 2 * WIDTH],
            f"{block}.self_attn.norm_q.diff": torch.zeros(WIDTH),
            f"{block}.norm3.diff_b": torch.zeros(WIDTH),
            "diffusion_model.head.head.diff": head,
            "diffusion_model.head.head.diff_b": BIAS[:16],
        }
    )
    pipe, entry = wan_pipeline(), ModelEntry.model_validate(ENTRY)
    plain, adapters = wan_output(pipe), Adapters(pipe, entry, store)
    adapters.activate(entry.presets["balanced"], [Adapter(weights=weights)])
    changed = wan_output(pipe)
    adapters.activate(entry.presets["balanced"], [])
    assert torch.equal(wan_output(pipe), plain)
    expected = wan_pipeline()
    with torch.no_grad():
        layer, after, last = (
            expected.transformer.blocks[0].attn1.to_q,
            expected.transformer.blocks[0].attn2.to_out[0],
            expected.transformer.proj_out,
        )
        layer.weight.add_(ALPHA / RANK * OUT_UP @ OUT_DOWN)
        layer.bias.add_(BIAS[:WIDTH])
        after.bias.add_(BIAS[WIDTH : 2 * WIDTH])
        last.weight.add_(head)
        last.bias.add_(BIAS[:16])
    torch.testing.assert_close(changed, wan_output(expected), atol=1e-4, rtol=1e-4)
    assert (changed - plain).abs().max() > 0.01
