"""The `vision_language` family: a model that sees and writes, checked by measurement. Needs the extra of its name."""

from lumenmill_captioner.families.photometric import photometric_family
from lumenmill_captioner.families.vision_language.aesthetics import Aesthetics
from lumenmill_captioner.families.vision_language.family import VisionLanguageFamily
from lumenmill_captioner.models import MODELS, VisionLanguageSettings
from lumenmill_common.artifacts import open_store_from
from lumenmill_neural.families import family_type
from lumenmill_neural.host import ModelHost

__all__ = ["VisionLanguageFamily", "VisionLanguageSettings", "vision_language_family"]


def vision_language_family(settings: VisionLanguageSettings) -> VisionLanguageFamily:
    """Return the family of the model that the settings name.

    Raises:
        FailedPreconditionError: there is no such model, or its entry is of another family.
    """
    host = ModelHost(settings, open_store_from(settings), MODELS.catalogue(settings))
    aesthetics = Aesthetics(host, settings.aesthetic_heads)
    family = family_type(host, {"vision_language": VisionLanguageFamily})
    return family(host, photometric_family(settings), settings.limits(), aesthetics)
