"""Instructions around a light's text, and the rewriting of prompts by rule."""

import re

from lumenmill_light.english import capitalised
from lumenmill_prompter.families.grammar.numbers import Choice

__all__ = ["main_thing", "plain_rewrite", "relight_instruction"]

_RELIGHT_TEMPLATES = (
    "Relight the scene with {light}; keep everything else.",
    "Relight the scene: {light}. Leave objects, materials and camera as they are.",
    "Change the light to {light}, and nothing else.",
    "Replace the lighting with {light}; geometry and materials stay the same.",
    "Give the same scene {light}; do not move anything.",
    "Keep the picture as it is, but light it with {light}.",
)
_RELIGHT_THING_TEMPLATES = (
    "Relight {about} with {light}; keep everything else.",
    "Keep {about} exactly as shown, but light the scene with {light}.",
    "Show {about} in the same place under {light}.",
)


# Stops from which a change of brightness is said, and from which it is said to be large.
_VISIBLE_EV, _LARGE_EV = 0.9, 1.7


def relight_instruction(light_text: str, about: str, choice: Choice, change_ev: float | None = None) -> str:
    """Return an edit instruction for a light.

    Args:
        light_text: words for the light.
        about: the main thing ("the kettle"); an empty one refers to the scene.
        choice: picks among wordings.
        change_ev: how much brighter the picture becomes, in stops; None where it is not known.
    """
    templates = _RELIGHT_TEMPLATES + _RELIGHT_THING_TEMPLATES if about else _RELIGHT_TEMPLATES
    instruction = capitalised(choice.pick(templates).format(light=light_text, about=about))
    if change_ev is None or abs(change_ev) < _VISIBLE_EV:
        return instruction
    words = ("much " if abs(change_ev) >= _LARGE_EV else "") + ("brighter" if change_ev > 0.0 else "dimmer")
    return f"{instruction} The light is {words} than before."


_OPENERS = re.compile(
    r"^\s*(?:(?:in|within)\s+(?:this|the)\s+(?:image|picture|photo(?:graph)?|video|clip|scene|frame)\s*,?\s*"
    r"(?:we\s+(?:can\s+)?see|there\s+(?:is|are)|one\s+(?:can\s+)?sees?)?\s*"
    r"|(?:this|the|an?)\s+(?:(?:overall|given|provided|following)\s+)?"
    r"(?:image|picture|photo(?:graph)?|video|clip|scene|frame)\s+"
    r"(?:shows?|depicts?|displays?|features?|captures?|presents?|portrays?|illustrates?|is\s+of|is\s+about|contains?)\s+"
    r"|we\s+(?:can\s+)?see\s+|here\s+(?:we\s+see|is|are)\s+)",
    re.IGNORECASE,
)
_HEDGES = re.compile(r"\b(?:it (?:appears|seems) (?:that|to be)|what (?:appears|seems) to be)\s+", re.IGNORECASE)
_BLURBS = re.compile(
    r",?\s*\b(?:masterpiece|best quality|trending on artstation|award[- ]winning|8k(?: uhd)?|4k|ultra[- ]detailed|"
    r"highly detailed|hyper[- ]?realistic)\b",
    re.IGNORECASE,
)


def plain_rewrite(prompt: str) -> str:
    """Return a prompt in plain words: no "the image shows", no hedging, no quality tags, tidy spaces and punctuation.

    Nothing is added; a prompt that would become empty is returned unchanged except for spaces and punctuation.
    """
    text = re.sub(r"\s+", " ", prompt).strip().strip('"“”').strip()
    sentences = [_OPENERS.sub("", part) for part in re.split(r"(?<=[.!?])\s+", text)]
    rewritten = " ".join(capitalised(part.strip()) for part in sentences if part.strip())
    rewritten = _BLURBS.sub("", _HEDGES.sub("", rewritten))
    rewritten = re.sub(r"\s+([,.;:!?])", r"\1", rewritten)
    rewritten = re.sub(r"([,;])(?:\s*[,;])+", r"\1", rewritten).strip(" ,;")
    rewritten = capitalised(rewritten or text)
    return rewritten if rewritten.endswith((".", "!", "?")) else rewritten + "."


def main_thing(description: str, nouns: tuple[str, ...]) -> str:
    """Return the first of the known nouns that a description names, as "the kettle", or an empty string."""
    found = [
        (match.start(), -len(noun), noun)
        for noun in nouns
        if (match := re.search(rf"\b{re.escape(noun)}\b", description, re.IGNORECASE))
    ]
    return f"the {min(found)[2]}" if found else ""
