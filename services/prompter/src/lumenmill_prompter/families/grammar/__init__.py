"""The `grammar` family: a seeded compositional grammar of scenes and lights. No network, no model."""

from lumenmill_prompter.families.grammar.family import GrammarFamily
from lumenmill_prompter.families.grammar.sets import SetWriter, grammar_lights

__all__ = ["GrammarFamily", "SetWriter", "grammar_lights"]
