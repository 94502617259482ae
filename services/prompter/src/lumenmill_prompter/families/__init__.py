"""Families that keep the prompter contract: one module or package for each."""

from lumenmill_common.families import Family

from lumenmill_prompter.settings import FamilyName, PrompterSettings

from .grammar import GrammarFamily
from .openai_compatible import OpenAIFamily

__all__ = ["family_from"]


def family_from(settings: PrompterSettings) -> Family:
    """Return the family that the settings name."""
    if settings.family is FamilyName.OPENAI:
        return OpenAIFamily(settings)
    return GrammarFamily()
