"""How large a recipe and its run may be. docs/recipes.md states these numbers."""

__all__ = [
    "LONGEST_KEY",
    "LONGEST_NUMBER",
    "LONGEST_PATH",
    "LONGEST_SCALAR",
    "MAX_ALIASES",
    "MAX_AT_MOST",
    "MAX_CHOICES",
    "MAX_DEPTH",
    "MAX_EVENTS",
    "MAX_EXECUTIONS",
    "MAX_ITEMS",
    "MAX_PARAMETERS",
    "MAX_PIPELINES",
    "MAX_PROBLEMS",
    "MAX_RECIPE_BYTES",
    "MAX_STEPS",
    "MAX_TIMEOUT_S",
    "MAX_VALUES",
]

# Of a run. Ten times the items that runs are designed for (docs/adr/0002-durable-execution.md).
MAX_ITEMS = 1_000_000
"""Items of all pipelines together."""
MAX_EXECUTIONS = 10_000_000
"""Planned executions of all steps together."""
MAX_AT_MOST = 100_000
"""Instances of a step for one item."""
MAX_TIMEOUT_S = 30 * 86_400.0

# Of the text of a recipe, checked before anything is built from it.
MAX_RECIPE_BYTES = 1 << 20
MAX_EVENTS = 100_000
"""Events of YAML: each scalar is one, each list and mapping two."""
MAX_DEPTH = 64
MAX_ALIASES = 1000
MAX_VALUES = 50_000
"""Values of the document, those of aliases counted each time."""
LONGEST_SCALAR = 1 << 18
LONGEST_NUMBER = 64
LONGEST_KEY = 256
LONGEST_PATH = 600
"""Every value has one; what is beyond is not shown."""

# Of its content.
MAX_PARAMETERS = 256
MAX_CHOICES = 1000
MAX_PIPELINES = 64
MAX_STEPS = 500
"""Steps and rules for samples of all pipelines together."""
MAX_PROBLEMS = 100
"""Problems that are reported of one recipe."""
