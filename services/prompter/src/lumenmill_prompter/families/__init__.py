"""Families that keep the prompter contract: one module or package for each."""

from collections.abc import Callable

from lumenmill_common.families import Family
from lumenmill_prompter.families.grammar import GrammarFamily
from lumenmill_prompter.settings import FamilyName, PrompterSettings

__all__ = ["FAMILIES", "family_from"]


def _openai(settings: PrompterSettings) -> Family:
    # Importing the client takes most of the start of a prompter, and the grammar does not need it.
    from lumenmill_prompter.families.openai_compatible import OpenAIFamily  # noqa: PLC0415

    return OpenAIFamily(settings)


FAMILIES: dict[FamilyName, Callable[[PrompterSettings], Family]] = {
    FamilyName.GRAMMAR: lambda settings: GrammarFamily(),
    FamilyName.OPENAI: _openai,
}
"""One entry for each name."""


def family_from(settings: PrompterSettings) -> Family:
    """Return the family that the settings name."""
    return FAMILIES[settings.family](settings)
