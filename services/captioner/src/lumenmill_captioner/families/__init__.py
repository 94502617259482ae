"""Families that keep the captioner contract: one module or package for each."""

from lumenmill_common.artifacts import open_store_from
from lumenmill_common.families import Family
from lumenmill_common.settings import load_settings

from lumenmill_captioner.families.photometric import PhotometricFamily
from lumenmill_captioner.settings import CaptionerSettings

__all__ = ["PhotometricFamily", "family_from", "load_family_settings"]


def load_family_settings() -> CaptionerSettings:
    """Read the settings of the family that the environment names.

    Raises:
        SystemExit: one is wrong, or the family's libraries are not installed.
    """
    settings = load_settings(CaptionerSettings)
    if settings.family == "photometric":
        return settings
    try:
        from lumenmill_captioner.families.vision_language import (  # noqa: PLC0415 - torch, for those who have it
            VisionLanguageSettings,
        )
    except ModuleNotFoundError as error:
        missing = f"LUMENMILL_FAMILY={settings.family} needs {error.name}"
        raise SystemExit(f"{missing}: pip install 'lumenmill-captioner[vision-language]'") from None
    return load_settings(VisionLanguageSettings)


def family_from(settings: CaptionerSettings) -> Family:
    """Return the family that the settings name.

    Raises:
        FailedPreconditionError: it has no such model.
    """
    photometric = PhotometricFamily(open_store_from(settings), settings.limits(), settings.num_clip_samples)
    if settings.family == "photometric":
        return photometric
    from lumenmill_captioner.families.vision_language import (  # noqa: PLC0415 - torch, for those who have it
        VisionLanguageSettings,
        vision_language_family,
    )

    if not isinstance(settings, VisionLanguageSettings):
        raise TypeError("the settings of this family are VisionLanguageSettings")
    return vision_language_family(settings, photometric)
