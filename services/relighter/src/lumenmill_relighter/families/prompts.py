"""Prompts that describe a light: as an instruction, and as the description of a picture."""

from lumenmill.relighter.v1.relighter_pb2 import RelightVariant
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_relighter.light import Lighting

__all__ = ["description", "instruction"]


def instruction(variant: RelightVariant, lighting: Lighting | None) -> str:
    """Return an instruction: the edit prompt, and the light unless the prompt contains it."""
    edit = variant.edit_prompt.strip()
    if lighting is None or lighting.words.lower() in edit.lower():
        return edit
    if edit:
        return f"{edit.rstrip(' .')}. The light: {lighting.words}."
    return f"Relight the picture: {lighting.words}. Keep everything else exactly as it is."


def description(variant: RelightVariant, lighting: Lighting | None, field: str, *, light_is_enough: bool) -> str:
    """Return what the picture shows, for models that paint a description.

    Raises:
        InvalidArgumentError: there is no edit prompt, and the light alone is not enough.
    """
    edit = variant.edit_prompt.strip()
    if not edit and not (light_is_enough and lighting is not None):
        raise InvalidArgumentError(
            f"{field}.edit_prompt", "this model sees no colours; describe what the picture shows"
        )
    if lighting is None or lighting.words.lower() in edit.lower():
        return edit
    return f"{edit.rstrip(' .')}, {lighting.words}" if edit else lighting.words
