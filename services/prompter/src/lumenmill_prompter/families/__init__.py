"""Families that keep the prompter contract: one module or package for each."""

from lumenmill_common.families import Family

from lumenmill_prompter.families.grammar import GrammarFamily
from lumenmill_prompter.families.openai_compatible import OpenAIFamily
from lumenmill_prompter.settings import FamilyName, PrompterSettings

__all__ = ["family_from"]


def family_from(settings: PrompterSettings) -> Family:
    """Return the family that the settings name."""
    if settings.family is FamilyName.OPENAI:
        return OpenAIFamily(settings)
    return GrammarFamily()
