"""docs/recipes.md and docs/exports.md agree with the code."""

import re
from pathlib import Path

from lumenmill_orchestrator.exporters.columns import SCHEMA
from lumenmill_orchestrator.recipe import KnownModel, check_recipe

_DOCS = Path(__file__).parents[2] / "docs"
_TEXT = (_DOCS / "recipes.md").read_text()
_KNOWN = {name: KnownModel(name) for name in ("grammar", "studio", "photometric")}


def test_the_example_recipe_is_valid() -> None:
    match = re.search(r"```yaml\n(lumenmill: 1.*?)```", _TEXT, re.DOTALL)
    assert match is not None
    assert check_recipe(match.group(1), "recipes.md", {}, _KNOWN).problems == []


def test_all_columns_are_explained() -> None:
    text = (_DOCS / "exports.md").read_text()
    explained = set(re.findall(r"`(\w+)`", text[text.index("## Columns") : text.index("## Splits")]))
    unexplained = [name for name in SCHEMA.names if name not in explained and not name.startswith("measured_")]
    assert not unexplained
