"""Prompts that describe a light: as an instruction, and as the description of a picture."""

from lumenmill.common.v1.model_pb2 import TextInput
from lumenmill.relighter.v1.relighter_pb2 import RelightVariant
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_relighter.light import Lighting

__all__ = ["TEXT_FIELDS", "description", "instruction"]

TEXT_FIELDS = {
    TextInput.TEXT_INPUT_DESCRIPTION: "description",
    TextInput.TEXT_INPUT_INSTRUCTION: "edit_prompt",
}
"""The field of a variant for each kind of text."""


def instruction(variant: RelightVariant, lighting: Lighting | None, field: str) -> str:
    """Return an instruction: the edit prompt, and the light unless the prompt contains it.

    Raises:
        InvalidArgumentError: there is neither an edit prompt nor a light.
    """
    edit = variant.edit_prompt.strip()
    if not edit and lighting is None:
        raise InvalidArgumentError(
            f"{field}.edit_prompt", "this model follows instructions; say what to change, or set `light`"
        )
    if lighting is None or lighting.words.lower() in edit.lower():
        return edit
    if edit:
        return f"{edit.rstrip(' .')}. The light: {lighting.words}."
    return f"Relight the picture: {lighting.words}. Keep everything else exactly as it is."


def description(variant: RelightVariant, lighting: Lighting | None, field: str, *, light_is_enough: bool) -> str:
    """Return what the picture shows, for models that paint a description; the light unless the text contains it.

    Raises:
        InvalidArgumentError: there is no description, and no light or the light alone is not enough.
    """
    shown = variant.description.strip()
    if not shown and not (light_is_enough and lighting is not None):
        remedy = ", or set `light`" if light_is_enough else "; it sees no colours of the picture"
        raise InvalidArgumentError(
            f"{field}.description", f"this model follows no instructions; describe what the picture shows{remedy}"
        )
    if lighting is None or lighting.words.lower() in shown.lower():
        return shown
    return f"{shown.rstrip(' .')}, {lighting.words}" if shown else lighting.words
