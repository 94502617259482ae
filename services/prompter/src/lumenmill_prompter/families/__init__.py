"""Families that keep the prompter contract: one module or package for each."""

from lumenmill_prompter.settings import FamilyName, PrompterSettings

from ._family import Family
from .grammar import GrammarFamily
from .openai_compatible import OpenAIFamily

__all__ = ["Family", "family_from"]


def family_from(settings: PrompterSettings) -> Family:
    """Return the family that the settings name."""
    if settings.family is FamilyName.OPENAI:
        return OpenAIFamily(settings)
    return GrammarFamily()
