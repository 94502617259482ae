"""Families that keep the captioner contract: one module or package for each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lumenmill_captioner.families.photometric import PhotometricFamily, photometric_family
from lumenmill_captioner.settings import CaptionerSettings, FamilyName
from lumenmill_common.families import Family
from lumenmill_common.settings import load_settings

__all__ = ["FAMILIES", "PhotometricFamily", "RegisteredFamily", "family_from", "load_family_settings"]


@dataclass(frozen=True)
class RegisteredFamily:
    """A family: the type of its settings, and the function that creates it from them."""

    settings_type: type[CaptionerSettings]
    create: Callable[[Any], Family]


def _photometric() -> RegisteredFamily:
    return RegisteredFamily(CaptionerSettings, photometric_family)


def _vision_language() -> RegisteredFamily:
    try:
        from lumenmill_captioner.families.vision_language import (  # noqa: PLC0415 - imports torch
            VisionLanguageSettings,
            vision_language_family,
        )
    except ModuleNotFoundError as error:
        missing = f"LUMENMILL_FAMILY={FamilyName.VISION_LANGUAGE} needs {error.name}"
        raise SystemExit(f"{missing}: pip install 'lumenmill-captioner[vision-language]'") from None
    return RegisteredFamily(VisionLanguageSettings, vision_language_family)


FAMILIES: dict[FamilyName, Callable[[], RegisteredFamily]] = {
    FamilyName.PHOTOMETRIC: _photometric,
    FamilyName.VISION_LANGUAGE: _vision_language,
}
"""One entry for each name. They are functions, since only the family that is served may import its libraries."""


def load_family_settings() -> CaptionerSettings:
    """Read the settings of the family that the environment names.

    Raises:
        SystemExit: one is wrong, or the family's libraries are not installed.
    """
    return load_settings(FAMILIES[load_settings(CaptionerSettings).family]().settings_type)


def family_from(settings: CaptionerSettings) -> Family:
    """Return the family that the settings name; they are of its type.

    Raises:
        FailedPreconditionError: it has no such model.
    """
    return FAMILIES[settings.family]().create(settings)
