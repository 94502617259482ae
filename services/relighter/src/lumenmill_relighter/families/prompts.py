"""Words that say a light: in an instruction, and in the description of a picture."""

from lumenmill.relighter.v1.relighter_pb2 import RelightVariant
from lumenmill_common.errors import InvalidArgumentError

from lumenmill_relighter.light import Lighting

__all__ = ["description", "instruction"]


def instruction(variant: RelightVariant, lighting: Lighting | None) -> str:
    """What to do, for models that obey instructions: the edit prompt, and the light where that does not say it yet."""
    edit = variant.edit_prompt.strip()
    if lighting is None or lighting.words.lower() in edit.lower():
        return edit
    if edit:
        return f"{edit.rstrip(' .')}. The light: {lighting.words}."
    return f"Relight the picture: {lighting.words}. Keep everything else exactly as it is."


def description(variant: RelightVariant, lighting: Lighting | None, field: str, *, light_is_enough: bool) -> str:
    """What the picture shows, for models that paint what words describe.

    Raises:
        InvalidArgumentError: there is no edit prompt, and the light alone is not enough.
    """
    edit = variant.edit_prompt.strip()
    if not edit and not (light_is_enough and lighting is not None):
        raise InvalidArgumentError(
            f"{field}.edit_prompt", "this model sees no colours; say what the picture is to show"
        )
    if lighting is None or lighting.words.lower() in edit.lower():
        return edit
    return f"{edit.rstrip(' .')}, {lighting.words}" if edit else lighting.words
