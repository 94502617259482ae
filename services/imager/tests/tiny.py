"""Tiny checkpoints with random weights, saved as the real ones are."""

from collections.abc import Callable
from pathlib import Path

from lumenmill_neural.tiny import tiny_flux, tiny_sdxl


def save_flux(folder: Path) -> None:
    """FLUX.1-dev."""
    tiny_flux().save_pretrained(folder)


def save_schnell(folder: Path) -> None:
    """FLUX.1-schnell, which has no guidance."""
    tiny_flux(guidance_embeds=False).save_pretrained(folder)


def save_sdxl(folder: Path) -> None:
    """SDXL."""
    tiny_sdxl().save_pretrained(folder)


SAVERS: dict[str, Callable[[Path], None]] = {
    "FLUX.1-dev": save_flux,
    "FLUX.1-schnell": save_schnell,
    "SDXL": save_sdxl,
}
