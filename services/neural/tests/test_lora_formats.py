"""LoRA files as trainers publish them: each changes the result as the same adapter in the format of PEFT does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import cpu_offload
from diffusers import (
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    StableDiffusionXLPipeline,
    WanPipeline,
    WanTransformer3DModel,
)
from safetensors.torch import save_file

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.common.v1.sampling_pb2 import Adapter
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_neural.adapters import Adapters
from lumenmill_neural.catalogue import ModelEntry
from lumenmill_neural.settings import NeuralSettings
from lumenmill_neural.testing import tiny_sdxl

from .conftest import ENTRY, Host

Tensors = dict[str, torch.Tensor]
Stored = Callable[[Tensors], Artifact]

RANK, WIDTH = 4, 32
ALPHA = RANK / 2
QKV = ("to_q", "to_k", "to_v")
FLUX_ATTENTION = "transformer.transformer_blocks.0.attn"
UNET_ATTENTION = "down_blocks.1.attentions.0.transformer_blocks.0.attn1"
TEXT_ATTENTION = "encoder.layers.0.self_attn"


@pytest.fixture
def stored(store: ArtifactStore, tmp_path: Path) -> Stored:
    """`stored(tensors)` stores a file of them."""

    def put(tensors: Tensors) -> Artifact:
        path = tmp_path / "lora.safetensors"
        save_file({name: tensor.contiguous().clone() for name, tensor in tensors.items()}, path)
        return store.put_file(path, "application/vnd.safetensors")

    return put


def random(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# One adapter of an attention: queries, keys and values share the lower half, as where they are one layer.

DOWN, UP = random(0, RANK, WIDTH), random(1, 3 * WIDTH, RANK)
OUT_DOWN, OUT_UP = random(2, RANK, WIDTH), random(3, WIDTH, RANK)
BIAS, MAGNITUDES = random(4, 3 * WIDTH), random(5, 3 * WIDTH).abs() + 0.5
OUT_MAGNITUDES = random(6, WIDTH).abs() + 0.5


def peft(scale: float = 1.0, prefix: str = FLUX_ATTENTION) -> Tensors:
    pairs: Tensors = {}
    for name, up in zip(QKV, UP.chunk(3), strict=True):
        pairs |= {f"{prefix}.{name}.lora_A.weight": DOWN, f"{prefix}.{name}.lora_B.weight": up * scale}
    return pairs | {
        f"{prefix}.to_out.0.lora_A.weight": OUT_DOWN,
        f"{prefix}.to_out.0.lora_B.weight": OUT_UP * scale,
    }


def peft_with_bias() -> Tensors:
    biases = {f"{FLUX_ATTENTION}.{name}.lora_B.bias": bias for name, bias in zip(QKV, BIAS.chunk(3), strict=True)}
    return peft(0.5) | biases | {f"{FLUX_ATTENTION}.to_out.0.lora_B.bias": torch.zeros(WIDTH)}


def peft_dora() -> Tensors:
    vectors = dict(zip((*QKV, "to_out.0"), (*MAGNITUDES.chunk(3), OUT_MAGNITUDES), strict=True))
    return peft(0.5) | {f"{FLUX_ATTENTION}.{name}.lora_magnitude_vector": vector for name, vector in vectors.items()}


def peft_of_full_difference() -> Tensors:
    pair = {"lora_A": torch.eye(WIDTH), "lora_B": OUT_UP @ OUT_DOWN}
    return {f"{FLUX_ATTENTION}.to_out.0.{half}.weight": tensor for half, tensor in pair.items()}


KOHYA_QKV, KOHYA_OUT = "lora_unet_double_blocks_0_img_attn_qkv", "lora_unet_double_blocks_0_img_attn_proj"


def kohya() -> Tensors:
    return kohya_pairs({KOHYA_QKV: (DOWN, UP), KOHYA_OUT: (OUT_DOWN, OUT_UP)})


def kohya_pairs(pairs: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> Tensors:
    tensors: Tensors = {}
    for name, (down, up) in pairs.items():
        tensors |= {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}
        tensors[f"{name}.alpha"] = torch.tensor(ALPHA)
    return tensors


def kohya_with_bias() -> Tensors:
    """With layers of an encoder that is not adapted, as zeros."""
    zeros = {
        "text_encoders.t5xxl.transformer.encoder.block.0.layer.0.SelfAttention.q": (DOWN, torch.zeros(WIDTH, RANK))
    }
    return kohya() | kohya_pairs(zeros) | {f"{KOHYA_QKV}.diff_b": BIAS, f"{KOHYA_OUT}.diff_b": torch.zeros(WIDTH)}


def kohya_with_only_a_bias() -> Tensors:
    pair = {name: tensor for name, tensor in kohya().items() if name.startswith(KOHYA_QKV)}
    return pair | {f"{KOHYA_OUT}.diff_b": OUT_MAGNITUDES}


def peft_with_only_a_bias() -> Tensors:
    biases = {f"{FLUX_ATTENTION}.{name}.lora_B.bias": torch.zeros(WIDTH) for name in QKV}
    zero = {f"{FLUX_ATTENTION}.to_out.0.lora_B.weight": torch.zeros(WIDTH, RANK)}
    return peft(0.5) | zero | biases | {f"{FLUX_ATTENTION}.to_out.0.lora_B.bias": OUT_MAGNITUDES}


def kohya_dora() -> Tensors:
    return kohya() | {
        f"{KOHYA_QKV}.dora_scale": MAGNITUDES[:, None],
        f"{KOHYA_OUT}.dora_scale": OUT_MAGNITUDES[:, None],
    }


def kohya_full_difference() -> Tensors:
    return {f"{KOHYA_OUT}.diff": OUT_UP @ OUT_DOWN, f"{KOHYA_QKV}.diff_b": torch.zeros(3 * WIDTH)}


def xlabs() -> Tensors:
    return {
        "double_blocks.0.processor.qkv_lora1.down.weight": DOWN,
        "double_blocks.0.processor.qkv_lora1.up.weight": UP,
        "double_blocks.0.processor.proj_lora1.down.weight": OUT_DOWN,
        "double_blocks.0.processor.proj_lora1.up.weight": OUT_UP,
    }


def peft_of_its_library() -> Tensors:
    return peft(prefix="base_model.model.transformer_blocks.0.attn")


def peft_without_prefix() -> Tensors:
    return peft(prefix="transformer_blocks.0.attn")


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


def test_dora_is_refused_while_layers_are_on_the_device_one_at_a_time(host: Host, stored: Stored) -> None:
    dora, plain = [Adapter(weights=stored(kohya_dora()))], [Adapter(weights=stored(kohya()))]
    for adapters in (dora, plain):
        host.prepare(host.pipe, host.plan(""), adapters)
    cpu_offload(host.pipe.transformer, execution_device=torch.device("cpu"))  # as sequential offload places them
    with pytest.raises(InvalidArgumentError, match="adapters: has one in the format DoRA"):
        host.prepare(host.pipe, host.plan(""), dora)
    host.prepare(host.pipe, host.plan(""), plain)


# SDXL, whose published files also change the text encoders.

SDXL_ENTRY: dict[str, Any] = ENTRY | {
    "family": "sdxl",
    "arguments": {"width": 64, "height": 64, "num_inference_steps": 2, "guidance_scale": 5.0},
    "presets": {"balanced": {"description": "Every step."}},
}
UNET_WIDTH = 16
UNET_DOWN, UNET_UP = random(7, RANK, UNET_WIDTH), random(8, UNET_WIDTH, RANK)
UNET_MAGNITUDES = random(9, UNET_WIDTH).abs() + 0.5
CONVOLUTION, KOHYA_CONVOLUTION = "down_blocks.1.resnets.0.conv1", "lora_unet_input_blocks_3_0_in_layers_2"
CONVOLUTION_DOWN, CONVOLUTION_UP = random(13, RANK, 8, 3, 3), random(14, UNET_WIDTH, RANK, 1, 1)


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


def sdxl_peft(scale: float = 1.0, *, with_text: bool = True, **vectors: torch.Tensor) -> Tensors:
    unet = f"unet.{UNET_ATTENTION}.to_q"
    tensors = {f"{unet}.lora_A.weight": UNET_DOWN, f"{unet}.lora_B.weight": UNET_UP * scale}
    if with_text:
        for layer in ("q_proj", "out_proj"):
            pair = {"lora_A.weight": OUT_DOWN, "lora_B.weight": OUT_UP * scale}
            tensors |= {f"text_encoder.{TEXT_ATTENTION}.{layer}.{half}": tensor for half, tensor in pair.items()}
    return tensors | {f"{unet}.{name}": vector for name, vector in vectors.items()}


KOHYA_UNET = "lora_unet_input_blocks_3_1_transformer_blocks_0_attn1_to_q"


def sdxl_kohya() -> Tensors:
    """As trained by sd-scripts, which numbers the blocks as Stability AI does."""
    text = "lora_te1_text_model_encoder_layers_0_self_attn"
    pairs = {KOHYA_UNET: (UNET_DOWN, UNET_UP)}
    return kohya_pairs(pairs | dict.fromkeys((f"{text}_q_proj", f"{text}_out_proj"), (OUT_DOWN, OUT_UP)))


def sdxl_kohya_dora() -> Tensors:
    convolution = kohya_pairs({KOHYA_CONVOLUTION: (CONVOLUTION_DOWN, CONVOLUTION_UP)})
    magnitudes = {
        f"{KOHYA_UNET}.dora_scale": UNET_MAGNITUDES[:, None],
        f"{KOHYA_CONVOLUTION}.dora_scale": UNET_MAGNITUDES[:, None, None, None],
    }
    return sdxl_kohya() | convolution | magnitudes


def sdxl_peft_dora() -> Tensors:
    convolution = {
        "lora_A.weight": CONVOLUTION_DOWN,
        "lora_B.weight": CONVOLUTION_UP * 0.5,
        "lora_magnitude_vector": UNET_MAGNITUDES[None, :, None, None],
    }
    return {
        **sdxl_peft(0.5, lora_magnitude_vector=UNET_MAGNITUDES),
        **{f"unet.{CONVOLUTION}.{name}": tensor for name, tensor in convolution.items()},
    }


def sdxl_old(prefix: str = "unet.") -> Tensors:
    attention = f"{prefix}{UNET_ATTENTION}.processor.to_q_lora"
    return {f"{attention}.down.weight": UNET_DOWN, f"{attention}.up.weight": UNET_UP}


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


# What cannot be an adapter.


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("lora_unet_double_blocks_0_img_attn_qkv.lokr_w1", (4, 4), "is in the format LoKr"),
        ("lora_unet_double_blocks_0_img_attn_qkv.hada_w1_a", (4, 4), "is in the format LoHa"),
        ("lora_unet_double_blocks_0_img_attn_qkv.on_input", (), "is in the format IA3"),
        ("lora_unet_double_blocks_0_img_attn_qkv.oft_blocks", (2, 4, 4), "is in the format OFT"),
        ("lora_unet_double_blocks_0_img_attn_qkv.a1.weight", (4, 4), "is in the format GLoRA"),
        ("lora_unet_input_blocks_1_0_in_layers_2.lora_mid.weight", (4, 4, 3, 3), "Tucker decomposition"),
        ("double_blocks.0.img_attn.norm.query_norm.scale", (16,), "is in the format control LoRA"),
        ("clip_l", (4, 32), "is in the format textual inversion"),
        ("model.diffusion_model.double_blocks.0.img_attn.qkv.weight", (96, 32), "is in the format whole checkpoint"),
        (f"{KOHYA_QKV}.dora_scale", (1, WIDTH), "DoRA with a magnitude for each input"),
        (f"{KOHYA_QKV}.dora_scale", (3 * WIDTH, 1), "DoRA for some layers only"),
        ("lora_unet_double_blocks_0_img_attn_norm_query_norm.diff", (16,), "has a full difference"),
        (
            "lora_unet_double_blocks_7_img_attn_proj.diff_b",
            (WIDTH,),
            "this model has no layer transformer.transformer_blocks.7",
        ),
    ],
)
def test_what_cannot_be_loaded_is_refused_by_the_name_of_its_format(
    host: Host, stored: Stored, name: str, shape: tuple[int, ...], message: str
) -> None:
    plain = host.picture(num_inference_steps=1)
    with pytest.raises(InvalidArgumentError, match=message) as refused:
        host.picture(adapters=[Adapter(weights=stored(kohya() | {name: torch.ones(shape)}))])
    assert refused.value.field == "adapters[0].weights"
    assert np.array_equal(host.picture(num_inference_steps=1), plain)
