"""Valid text files: prompts as lines and as JSON, and recipes."""

import json
from pathlib import Path

from ..corpus import RECIPE

__all__ = ["prompt_files", "recipe_files"]

_RECIPES = Path(__file__).parents[3] / "recipes"
_PROMPT_SETS = [
    "a copper kettle",
    {
        "image_prompt": "a glass vase on an oak table",
        "relight_prompts": [{"edit_prompt": "light it from the left", "description": "light from the left"}],
    },
    {"scene": {"subjects": ["jug"], "place": "on a marble floor", "seed": 3}},
]


def prompt_files() -> dict[str, bytes]:
    """Return files by name; the part before the first `-` is the extension."""
    return {
        "txt": "a copper kettle\n  a glass vase \u2028 and a pear\r\n\n# a comment?\n".encode("utf-8-sig"),
        "json": json.dumps(_PROMPT_SETS).encode(),
        "json-result": json.dumps({"prompt_sets": _PROMPT_SETS[1:], "video_prompts": []}).encode(),
    }


def recipe_files() -> dict[str, bytes]:
    """Return recipes by name."""
    return {"recipe": RECIPE.encode(), "recipe-full": (_RECIPES / "full.yaml").read_bytes()}
