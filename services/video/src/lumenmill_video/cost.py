"""Floating-point operations of a Wan transformer: two for each multiply-add of its large matrix products, which are
nearly all of its work. Norms, rotary embeddings and timestep layers are not counted."""

from dataclasses import dataclass
from typing import Any

__all__ = ["WanCost", "num_tokens"]

_TEXT_TOKENS = 512
# Of one picture, by the image encoder: ViT-H/14 of 224 × 224 pixels.
_IMAGE_TOKENS = 257


def num_tokens(num_frames: int, width_px: int, height_px: int, token_px: int = 16) -> int:
    """Return the tokens of a clip: one for each square of a side of `token_px` in each fourth frame, from the first."""
    return ((num_frames - 1) // 4 + 1) * (height_px // token_px) * (width_px // token_px)


@dataclass(frozen=True)
class WanCost:
    """The sizes of a transformer that determine its cost."""

    dim: int
    ffn_dim: int
    num_layers: int
    num_image_tokens: int = 0
    """Of the pictures that cross-attention sees: one in image-to-video, two with a last frame; 0 for the others."""
    num_control_layers: int = 0
    """Blocks of the control branch of VACE."""

    @classmethod
    def of(cls, config: Any) -> "WanCost":
        """Return the cost of a diffusers transformer by its configuration. A model for two pictures has position
        embeddings for the tokens of both."""
        return cls(
            dim=config.num_attention_heads * config.attention_head_dim,
            ffn_dim=config.ffn_dim,
            num_layers=config.num_layers,
            num_image_tokens=(config.pos_embed_seq_len or _IMAGE_TOKENS) if config.image_dim else 0,
            num_control_layers=len(config.get("vace_layers") or ()),
        )

    def forward_flops(self, tokens: int) -> float:
        """Return the operations of one call with one clip."""
        layers = self.num_layers + self.num_control_layers
        projections = 2.0 * tokens * self.dim**2 * self.num_control_layers
        return layers * self._layer_flops(tokens) + projections

    def _layer_flops(self, tokens: int) -> float:
        d, seen = self.dim, _TEXT_TOKENS + self.num_image_tokens
        self_attention = 8.0 * tokens * d**2 + 4.0 * tokens**2 * d
        cross_attention = 4.0 * tokens * d**2 + 4.0 * seen * d**2 + 4.0 * tokens * seen * d
        return self_attention + cross_attention + 4.0 * tokens * d * self.ffn_dim
