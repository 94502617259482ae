"""Light in English: captions, and what changed between two pictures."""

from lumenmill_captioner.words.caption import caption_text, content_text, light_text, scene_phrase
from lumenmill_captioner.words.change import INTENSITY_EV, UNCHANGED, Change, are_comparable, changes_between
from lumenmill_captioner.words.lighting import (
    Lighting,
    arrived_lighting,
    as_shown,
    measured_lighting,
    without_intensity,
)
from lumenmill_captioner.words.motion import KeyMotion, MotionContext, Tone, motion_text
from lumenmill_captioner.words.shown import shown_by
from lumenmill_captioner.words.wording import Words, joined

__all__ = [
    "INTENSITY_EV",
    "UNCHANGED",
    "Change",
    "KeyMotion",
    "Lighting",
    "MotionContext",
    "Tone",
    "Words",
    "are_comparable",
    "arrived_lighting",
    "as_shown",
    "caption_text",
    "changes_between",
    "content_text",
    "joined",
    "light_text",
    "measured_lighting",
    "motion_text",
    "scene_phrase",
    "shown_by",
    "without_intensity",
]
