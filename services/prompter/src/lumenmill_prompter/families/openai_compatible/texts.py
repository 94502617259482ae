"""Task texts: the shipped defaults, and the numbers that are put into them."""

import functools
from importlib import resources
from string import Template

__all__ = ["default_text", "filled"]

NAMES = ("background", "edit_task", "t2v_task", "relight", "motion", "rewrite")


@functools.cache
def default_text(name: str) -> str:
    """Return the shipped text `name`, one of NAMES."""
    return resources.files(__package__ or __name__).joinpath("texts", f"{name}.txt").read_text(encoding="utf-8").strip()


def filled(text: str, **numbers: int) -> str:
    """Return the text with `$num_sets` and the like replaced; dollars that name nothing stay as they are."""
    return Template(text).safe_substitute({name: str(value) for name, value in numbers.items()})
