"""Files that cannot be adapters are refused by the name of their format, and have no effect."""

import numpy as np
import pytest
import torch
from accelerate import cpu_offload

from lumenmill.common.v1.sampling_pb2 import Adapter
from lumenmill_common.errors import InvalidArgumentError

from .conftest import Host
from .lora_files import KOHYA_QKV, WIDTH, Stored, kohya, kohya_dora


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


def test_dora_is_refused_while_layers_are_on_the_device_one_at_a_time(host: Host, stored: Stored) -> None:
    dora, plain = [Adapter(weights=stored(kohya_dora()))], [Adapter(weights=stored(kohya()))]
    for adapters in (dora, plain):
        host.prepare(host.pipe, host.plan(""), adapters)
    cpu_offload(host.pipe.transformer, execution_device=torch.device("cpu"))  # as sequential offload places them
    with pytest.raises(InvalidArgumentError, match="adapters: has one in the format DoRA"):
        host.prepare(host.pipe, host.plan(""), dora)
    host.prepare(host.pipe, host.plan(""), plain)
