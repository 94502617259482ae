"""Families of the imager, by their name in presets.yaml."""

from lumenmill_imager.families.family import ImagerFamily
from lumenmill_imager.families.flux import Flux
from lumenmill_imager.families.kolors import Kolors
from lumenmill_imager.families.sdxl import StableDiffusionXL
from lumenmill_imager.families.sdxl_identity import StableDiffusionXLIdentity
from lumenmill_neural.families import family_type
from lumenmill_neural.host import ModelHost

__all__ = ["FAMILIES", "ImagerFamily", "family_of"]

FAMILIES: dict[str, type[ImagerFamily]] = {
    "flux": Flux,
    "sdxl": StableDiffusionXL,
    "sdxl_identity": StableDiffusionXLIdentity,
    "kolors": Kolors,
}


def family_of(host: ModelHost) -> ImagerFamily:
    """Return the family of the model of a host.

    Raises:
        FailedPreconditionError: the service has no family of the name in the entry.
    """
    return family_type(host, FAMILIES)(host)
