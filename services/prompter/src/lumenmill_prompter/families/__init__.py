"""Families that keep the prompter contract: one module or package for each."""

from collections.abc import Callable

from lumenmill_common.families import Family
from lumenmill_prompter.families.grammar import GrammarFamily
from lumenmill_prompter.families.openai_compatible import OpenAIFamily
from lumenmill_prompter.settings import FamilyName, PrompterSettings

__all__ = ["FAMILIES", "family_from"]

FAMILIES: dict[FamilyName, Callable[[PrompterSettings], Family]] = {
    FamilyName.GRAMMAR: lambda settings: GrammarFamily(),
    FamilyName.OPENAI: OpenAIFamily,
}
"""One entry for each name."""


def family_from(settings: PrompterSettings) -> Family:
    """Return the family that the settings name."""
    return FAMILIES[settings.family](settings)
