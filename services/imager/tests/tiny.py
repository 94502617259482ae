"""Tiny checkpoints with random weights, saved in the layout of the real ones."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import sentencepiece
import torch
from diffusers import ControlNetModel, KolorsPipeline, UNet2DConditionModel
from diffusers.pipelines.kolors.text_encoder import ChatGLMConfig, ChatGLMModel
from diffusers.pipelines.kolors.tokenizer import ChatGLMTokenizer
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from lumenmill_neural.testing import sd_vae, sdxl_scheduler, seeded, tiny_flux, tiny_sdxl, xl_unet

from .tiny_qwen import save_flux2_klein, save_qwen_image, save_z_image

_EMBEDDING, _NUM_TOKENS = 24, 4
_CORPUS = "a lemon on slate\na brass bowl in a dark room\nsoft light from the left\nhard light from above\n" * 20


def save_flux(folder: Path) -> None:
    """FLUX.1-dev."""
    tiny_flux().save_pretrained(folder)


def save_schnell(folder: Path) -> None:
    """FLUX.1-schnell, which has no guidance."""
    tiny_flux(guidance_embeds=False).save_pretrained(folder)


def save_sdxl(folder: Path) -> None:
    """SDXL."""
    tiny_sdxl().save_pretrained(folder)


def save_sdxl_identity(folder: Path) -> None:
    """SDXL with the folders of its parts: a ControlNet and an IP-Adapter."""
    pipe = tiny_sdxl()
    pipe.save_pretrained(folder)
    controlnet = seeded(lambda: ControlNetModel.from_unet(pipe.unet, conditioning_embedding_out_channels=(8, 8)), 1)
    for block in [*controlnet.controlnet_down_blocks, controlnet.controlnet_mid_block]:
        torch.nn.init.normal_(block.weight, std=0.2)  # zero before training, which would have no effect
    controlnet.save_pretrained(folder / "controlnet")
    vision = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
        projection_dim=_EMBEDDING,
    )
    identity = folder / "identity"
    seeded(lambda: CLIPVisionModelWithProjection(vision)).save_pretrained(identity / "models" / "image_encoder")
    (identity / "sdxl_models").mkdir()
    save_file(_ip_adapter(pipe.unet), identity / "sdxl_models" / "ip-adapter-plus-face_sdxl_vit-h.safetensors")


def _ip_adapter(unet: UNet2DConditionModel) -> dict[str, torch.Tensor]:
    """Return weights in the layout of the IP-Adapter: a projection, and keys and values of each cross attention."""
    torch.manual_seed(2)
    width = unet.config.cross_attention_dim
    weights = {
        "image_proj.proj.weight": torch.randn(_NUM_TOKENS * width, _EMBEDDING),
        "image_proj.proj.bias": torch.randn(_NUM_TOKENS * width),
        "image_proj.norm.weight": torch.ones(width),
        "image_proj.norm.bias": torch.zeros(width),
    }
    layers = [name for name in unet.attn_processors if name.endswith("attn2.processor")]
    for index, name in enumerate(layers):
        channels = unet.get_submodule(name.removesuffix(".processor")).to_k.weight.shape[0]
        for part in ("to_k_ip", "to_v_ip"):
            weights[f"ip_adapter.{2 * index + 1}.{part}.weight"] = torch.randn(channels, width)
    return weights


def save_kolors(folder: Path) -> None:
    """Kolors, with a language model of two layers and a tokenizer trained on four lines."""
    width, heads = 32, 4
    config = ChatGLMConfig(
        num_layers=2,
        padded_vocab_size=256,
        hidden_size=width,
        ffn_hidden_size=2 * width,
        kv_channels=width // heads,
        num_attention_heads=heads,
        seq_length=256,
        add_qkv_bias=True,
        multi_query_attention=True,
        multi_query_group_num=2,
        original_rope=True,
        rope_ratio=1,
    )
    text_encoder = seeded(lambda: ChatGLMModel(config))
    for name, weights in text_encoder.named_parameters():  # the library does not initialise them
        torch.nn.init.normal_(weights, mean=1.0 if "norm" in name else 0.0, std=0.2)
    with tempfile.TemporaryDirectory() as folder_of_corpus:
        KolorsPipeline(
            vae=sd_vae(scaling_factor=0.13025),
            text_encoder=text_encoder,
            tokenizer=_chat_tokenizer(Path(folder_of_corpus)),
            unet=xl_unet(text_width=width, pooled_width=width, encoder_hid_dim=width, encoder_hid_dim_type="text_proj"),
            scheduler=sdxl_scheduler(),
        ).save_pretrained(folder)


def _chat_tokenizer(folder: Path) -> ChatGLMTokenizer:
    corpus = folder / "corpus.txt"
    corpus.write_text(_CORPUS)
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(folder / "tokenizer"), vocab_size=60, model_type="bpe", minloglevel=2
    )
    return ChatGLMTokenizer(str(folder / "tokenizer.model"))


def save_lora(pipeline_class: type, denoiser: torch.nn.Module, folder: Path) -> Path:
    """Save an adapter of a denoiser's attention in the format of PEFT."""
    torch.manual_seed(0)
    denoiser.add_adapter(LoraConfig(r=4, lora_alpha=32, init_lora_weights=False, target_modules=["to_q", "to_v"]))
    layers = get_peft_model_state_dict(denoiser)
    part = "unet" if isinstance(denoiser, UNet2DConditionModel) else "transformer"
    pipeline_class.save_lora_weights(folder, **{f"{part}_lora_layers": layers})
    return folder / "pytorch_lora_weights.safetensors"


SAVERS: dict[str, Callable[[Path], None]] = {
    "FLUX.1-dev": save_flux,
    "FLUX.1-schnell": save_schnell,
    "SDXL": save_sdxl,
    "SDXL-identity": save_sdxl_identity,
    "Kolors": save_kolors,
    "FLUX.2-klein-4B": save_flux2_klein,
    "Qwen-Image-2512": save_qwen_image,
    "Z-Image-Turbo": save_z_image,
}
