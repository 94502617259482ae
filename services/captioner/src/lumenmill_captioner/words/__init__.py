"""Light in English: captions, and what changed between two pictures."""

from lumenmill_captioner.words.caption import caption_text, content_text, light_text, scene_phrase
from lumenmill_captioner.words.change import AttributeName, Change, Side, changes_between
from lumenmill_captioner.words.motion import KeyMotion, MotionContext, motion_text
from lumenmill_captioner.words.wording import Words, capitalised

__all__ = [
    "AttributeName",
    "Change",
    "KeyMotion",
    "MotionContext",
    "Side",
    "Words",
    "capitalised",
    "caption_text",
    "changes_between",
    "content_text",
    "light_text",
    "motion_text",
    "scene_phrase",
]
