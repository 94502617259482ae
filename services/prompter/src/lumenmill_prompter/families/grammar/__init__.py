"""The `grammar` family: a seeded compositional grammar of scenes and lights. No network, no model."""

from ._family import GrammarFamily
from ._sets import SetWriter, grammar_lights

__all__ = ["GrammarFamily", "SetWriter", "grammar_lights"]
