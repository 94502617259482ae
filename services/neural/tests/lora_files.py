"""Tensors of LoRA files in the formats of trainers: the same adapters in each, so that their effects are equal."""

from collections.abc import Callable

import torch

from lumenmill.common.v1.artifact_pb2 import Artifact

__all__ = [
    "ALPHA",
    "BIAS",
    "DOWN",
    "KOHYA_QKV",
    "MAGNITUDES",
    "OUT_DOWN",
    "OUT_MAGNITUDES",
    "OUT_UP",
    "RANK",
    "UP",
    "WIDTH",
    "Stored",
    "Tensors",
    "kohya",
    "kohya_dora",
    "kohya_full_difference",
    "kohya_with_bias",
    "kohya_with_only_a_bias",
    "peft",
    "peft_dora",
    "peft_of_full_difference",
    "peft_of_its_library",
    "peft_with_bias",
    "peft_with_only_a_bias",
    "peft_without_prefix",
    "random",
    "sdxl_kohya",
    "sdxl_kohya_dora",
    "sdxl_old",
    "sdxl_peft",
    "sdxl_peft_dora",
    "xlabs",
]

Tensors = dict[str, torch.Tensor]
Stored = Callable[[Tensors], Artifact]

RANK, WIDTH = 4, 32
ALPHA = RANK / 2
QKV = ("to_q", "to_k", "to_v")
FLUX_ATTENTION = "transformer.transformer_blocks.0.attn"
UNET_ATTENTION = "down_blocks.1.attentions.0.transformer_blocks.0.attn1"
TEXT_ATTENTION = "encoder.layers.0.self_attn"


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


# One adapter of SDXL.

UNET_WIDTH = 16
UNET_DOWN, UNET_UP = random(7, RANK, UNET_WIDTH), random(8, UNET_WIDTH, RANK)
UNET_MAGNITUDES = random(9, UNET_WIDTH).abs() + 0.5
CONVOLUTION, KOHYA_CONVOLUTION = "down_blocks.1.resnets.0.conv1", "lora_unet_input_blocks_3_0_in_layers_2"
CONVOLUTION_DOWN, CONVOLUTION_UP = random(13, RANK, 8, 3, 3), random(14, UNET_WIDTH, RANK, 1, 1)


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
