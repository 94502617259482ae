"""Light in English: captions, and what changed between two pictures."""

from ._caption import caption_text, content_text, light_text, scene_phrase
from ._change import Change, Side, changes_between
from ._motion import KeyMotion, ToldMotion, motion_text
from ._vocabulary import Words, capitalised

__all__ = [
    "Change",
    "KeyMotion",
    "Side",
    "ToldMotion",
    "Words",
    "capitalised",
    "caption_text",
    "changes_between",
    "content_text",
    "light_text",
    "motion_text",
    "scene_phrase",
]
