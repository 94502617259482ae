"""Nouns and other words that stand for a light, with what each states unless other words do."""

from dataclasses import dataclass

from lumenmill_light.reading_words import (
    BELOW,
    COOL,
    DEEP_ORANGE,
    FRONT,
    FRONT_OF,
    HARD,
    HIGH,
    LEFT,
    OVERHEAD,
    RIGHT,
    SOFT,
    VERY_SOFT,
    Arc,
    Range,
)

__all__ = ["NOUNS", "Meaning"]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a noun states. Empty means nothing.

    Attributes:
        source: sun, sky, moon, window, lamp, candle, surroundings, background; "light" for others.
        role: key, fill or rim.
    """

    source: str = ""
    role: str = ""
    azimuths_deg: tuple[Arc, ...] = ()
    elevations_deg: tuple[Range, ...] = ()
    hardness: tuple[Range, ...] = ()
    temperatures_k: tuple[Range, ...] = ()
    is_even: bool = False


_GOLDEN_HOUR = Meaning("sun", elevations_deg=(Range(-2, 22, 8),), temperatures_k=(Range(1800, 4600, 3200),))
_SUNSET = Meaning("sun", elevations_deg=(Range(-2, 15, 4),), temperatures_k=(Range(1700, 4200, 2700),))
_NOON = Meaning("sun", elevations_deg=(Range(42, 90, 62),), hardness=(HARD,))
_FROM_FRONT_ABOVE = Meaning("lamp", azimuths_deg=(FRONT,), elevations_deg=(HIGH,))
_REMBRANDT = Meaning("lamp", azimuths_deg=tuple(FRONT_OF.values()), elevations_deg=(Range(25, 70, 45),))
_LIT = r"(?:lit|light(?:s|ing)?)"

NOUNS: tuple[tuple[str, Meaning], ...] = (
    (r"golden[- ]hour|magic hour", _GOLDEN_HOUR),
    (r"blue hour|dusk|twilight", Meaning("sky", hardness=(VERY_SOFT,), temperatures_k=(COOL,))),
    (r"sunset|sunrise|dawn", _SUNSET),
    (r"(?:high )?noon|midday", _NOON),
    (r"overcast|cloudy|gr[ea]y sky", Meaning("sky", hardness=(VERY_SOFT,), is_even=True)),
    (r"moon-?light|moon-?lit|moon", Meaning("moon", temperatures_k=(COOL,))),
    (
        rf"contre-?jour|back[- ]?{_LIT}|silhouetted?|against the light",
        Meaning("light", azimuths_deg=(Arc(180, 60),)),
    ),
    (rf"(?:rim|hair|edge)[- ]?{_LIT}|kicker|rim", Meaning("light", "rim", azimuths_deg=(Arc(180, 75),))),
    (rf"(?:butterfly|paramount)(?: {_LIT})?", _FROM_FRONT_ABOVE),
    (rf"clamshell(?: {_LIT})?", Meaning("lamp", azimuths_deg=(FRONT,), hardness=(SOFT,))),
    (rf"rembrandt(?: {_LIT})?|loop {_LIT}", _REMBRANDT),
    (rf"(?:split|side)[- ]?{_LIT}", Meaning("light", azimuths_deg=(LEFT, RIGHT))),
    (rf"front(?:al)?[- ]?{_LIT}", Meaning("light", azimuths_deg=(FRONT,))),
    (rf"top[- ]?{_LIT}", Meaning("light", elevations_deg=(OVERHEAD,))),
    (rf"(?:under|up)-?{_LIT}", Meaning("light", elevations_deg=(BELOW,))),
    (r"candle-?light|candle-?lit|candles?", Meaning("candle", temperatures_k=(DEEP_ORANGE,))),
    (r"fire-?light|camp-?fire|fireplace", Meaning("candle", temperatures_k=(DEEP_ORANGE,))),
    (r"(?:without|no) (?:a |any )?sun(?:light)?|sunless", Meaning("sky")),
    (r"(?:veiled|weak|pale|hazy|dim) sun(?:light)?", Meaning("sun")),
    (r"direct sun|open sunlight|sun-?light|sun-?lit|sunshine|sun", Meaning("sun", hardness=(Range(0.3, 1.0, 0.95),))),
    (r"day-?light(?!-)|sky[- ]?light", Meaning("sky")),
    (r"sky", Meaning("sky")),
    (r"windows?", Meaning("window")),
    (r"fill(?:[- ]light)?", Meaning("light", "fill")),
    (r"(?<!low-)(?<!high-)key(?:[- ]light)?|main light", Meaning("light", "key")),
    (r"softbox(?:es)?|diffusion screens?|(?:light|glowing) panels?|umbrellas?", Meaning("lamp", hardness=(SOFT,))),
    (r"(?:bare )?bulbs?|spot-?lights?|spots?(?= from)", Meaning("lamp", hardness=(HARD,))),
    (
        r"lamps?|lanterns?|(?:flood|strip |street ?)-?lights?|torch(?:es)?|strobe|flash|neon|beauty dish",
        Meaning("lamp"),
    ),
    (r"surroundings?|environment map [\w ]*", Meaning("surroundings")),
    (r"background(?: picture)?", Meaning("background")),
    (r"ones?(?= (?:on|from|at|behind|in)\b)", Meaning("light")),
    (r"light(?:s|ing)?|lit|beams?|illuminat(?:ed|ion)|glow|shine|rays?", Meaning("light")),
)
"""An expression for a noun, and what it states. More exact ones stand first."""
