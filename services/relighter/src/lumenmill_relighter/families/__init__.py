"""Families of the relighter, by their name in presets.yaml."""

from lumenmill_neural.families import family_type
from lumenmill_neural.host import ModelHost
from lumenmill_relighter.families.family import RelighterFamily
from lumenmill_relighter.families.flux_depth import FluxDepth
from lumenmill_relighter.families.flux_kontext import FluxKontext
from lumenmill_relighter.families.ic_light import IcLightBackground, IcLightForeground
from lumenmill_relighter.families.instruct_pix2pix import InstructPix2Pix
from lumenmill_relighter.families.marigold import MarigoldMaps
from lumenmill_relighter.families.qwen_image_edit import QwenImageEdit

__all__ = ["FAMILIES", "RelighterFamily", "family_of"]

FAMILIES: dict[str, type[RelighterFamily]] = {
    "flux_depth": FluxDepth,
    "flux_kontext": FluxKontext,
    "ic_light_background": IcLightBackground,
    "ic_light_foreground": IcLightForeground,
    "instruct_pix2pix": InstructPix2Pix,
    "marigold": MarigoldMaps,
    "qwen_image_edit": QwenImageEdit,
}


def family_of(host: ModelHost) -> RelighterFamily:
    """Return the family of the model of a host.

    Raises:
        FailedPreconditionError: the service has no family of the name in the entry.
    """
    return family_type(host, FAMILIES)(host)
