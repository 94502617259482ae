"""Families of the imager, by their name in presets.yaml."""

from lumenmill_imager.families.family import ImagerFamily
from lumenmill_imager.families.flux import Flux
from lumenmill_imager.families.flux2_klein import Flux2Klein
from lumenmill_imager.families.kolors import Kolors
from lumenmill_imager.families.qwen_image import QwenImage
from lumenmill_imager.families.sdxl import StableDiffusionXL
from lumenmill_imager.families.sdxl_identity import StableDiffusionXLIdentity
from lumenmill_imager.families.z_image import ZImage
from lumenmill_neural.families import family_type
from lumenmill_neural.host import ModelHost

__all__ = ["FAMILIES", "ImagerFamily", "family_of"]

FAMILIES: dict[str, type[ImagerFamily]] = {
    "flux": Flux,
    "flux2_klein": Flux2Klein,
    "sdxl": StableDiffusionXL,
    "sdxl_identity": StableDiffusionXLIdentity,
    "kolors": Kolors,
    "qwen_image": QwenImage,
    "z_image": ZImage,
}


def family_of(host: ModelHost) -> ImagerFamily:
    """Return the family of the model of a host.

    Raises:
        FailedPreconditionError: the service has no family of the name in the entry.
    """
    return family_type(host, FAMILIES)(host)
