"""What a description of a picture says apart from its light, and the description of the same picture relit.

Captions are read sentence by sentence, then clause by clause: those of this project state the light in sentences of
their own after the content, others put it between the things: "a kettle on a table, lit by a lamp on the left".
"""

import itertools
import re

from lumenmill_light.english import capitalised, with_article

__all__ = ["content_of", "relit_description"]

# Words for things that light is part of the name of; they say nothing about the light of the picture.
_THINGS = re.compile(
    r"\b(?:(?:traffic|string|fairy|christmas|street|car|stage|pilot|warning|neon) lights?|spotlit|light[- ]"
    r"(?:blue|green|gr[ea]y|brown|beige|pink|purple|yellow|red|orange|wood(?:en)?|oak|pine|colou?red|skinned|haired|hair"
    r"|bulbs?|switch(?:es)?|fixtures?|poles?|posts?|rail|meters?|stands?|box(?:es)?|panels?|weight))\b",
    re.IGNORECASE,
)
_LIT = r"\b(?:(?:back|side|rim|front|top|under|sun|moon|candle|lamp|fire|day|well|low|half|un)[- ]?)?lit\b"
_LIGHT_NOUN = (
    r"(?:light(?:s|ing)?|(?:sun|day|moon|candle|lamp|fire|star|back|rim|side|window|flood)[- ]?light(?:s|ing)?|sunshine"
    r"|illumination|shadows?|glow(?:s|ing)?)\b"
)
_TIME = r"(?:sunset|sunrise|dusk|dawn|twilight|noon|midday|night|golden hour|blue hour|nightfall)\b(?! sky)"
_WORD = r"(?!(?:in|on|under|by|with|at|of|from|and|beside|before|over|through)\b)[\w-]+,? "
# A rim and a key are things as well: they are light where they come from somewhere or look as only light does.
_LIGHT_OF_RIG = (
    rf"(?:(?:{_WORD}){{0,4}}fill\b(?! (?:an?|the|its|their)\b)|(?:[\w-]+ )?(?:rim|key)(?= (?:from|at|is)\b)"
    r"|(?:soft|hard|warm|cool|cold|faint|weak|strong|bright|gentle|subtle) (?:rim|key)$)"
)
_ABOUT_LIGHT = re.compile(
    rf"\b(?:{_LIGHT_NOUN}|{_LIT}|illuminat\w+|underexposed|overexposed|highlights?\b"
    r"|(?:high|low|medium|strong|weak|little) contrast|contrast (?:is|between)"
    r"|(?:warm|cool|cold|golden|neutral|bluish) (?:tones?|hues?|cast|colou?r temperature)\b)"
    rf"|^(?:and |with |plus )*(?:an? |the )?{_LIGHT_OF_RIG}"
    r"|^the (?:picture|image|photo(?:graph)?|scene|clip) is (?:very |rather |quite )?(?:bright|dark|dim)\b",
    re.IGNORECASE,
)
# Of pictures whose content is not known captions name the colours, which are those under the old light.
_COLORS_ALONE = re.compile(
    r"^an? (?:picture|image|photo(?:graph)?|clip)"
    r" (?:mostly in|dominated by|whose main colou?rs are|of many colou?rs)\b",
    re.IGNORECASE,
)
# What is left of "the scene is lit by …".
_NO_THING = re.compile(r"^(?:it|this|everything|the (?:whole )?(?:scene|picture|image|subject|view))$", re.IGNORECASE)
# From here on a clause is about light, and so is the rest of its sentence but for places.
_LIT_BY = re.compile(
    r",? (?:and |while |all )?(?:(?:is|are|being) )?(?:\w+ly )?"
    rf"(?:{_LIT}|illuminated|bathed|flooded|drenched)(?: up)? (?:by|in|with|from|under|against)\b.*$"
    r"|,? photographed under\b.*$",
    re.IGNORECASE,
)
_LIT_FIRST = re.compile(r"^(?:in|under|by|with|lit|illuminated|bathed)\b", re.IGNORECASE)
_LIGHT_FIRST = re.compile(rf"^(?:{_WORD}){{0,6}}?{_LIGHT_NOUN}", re.IGNORECASE)
_IN_LIGHT = re.compile(
    rf"(?:,? |^)(?:letting in|in|under|by|with|against) (?:{_WORD}){{0,4}}?{_LIGHT_NOUN}"
    r"(?:(?:(?<=shadow)|(?<=shadows)) (?:on|across|to|towards)\b[^,;]*| (?:from|of|through|falling|coming)\b[^,;]*)?"
    rf"|(?:,? |^)(?:at|in|during|before|after|around) (?:{_WORD}){{0,2}}?{_TIME}",
    re.IGNORECASE,
)
_LIT_THING = re.compile(
    rf"\b(?P<article>an? )?(?:\w+ly[- ])?(?:{_LIT}|sunny|shadowy|sun-drenched|sun-dappled) (?P<thing>[\w-]+)",
    re.IGNORECASE,
)
_ARTICLE = r"(?:an?|one|two|three|four|five|several|some|many)"
# The first sentence is what a description is of, though its light may carry it: "light falls on a vase".
_LIGHTS_THING = re.compile(
    rf"\b(?:(?:lights(?: up)?|illuminates) {_ARTICLE}"
    rf"|(?:falls?|shines?|streams?|pours?|plays?|rests?)\b[^,]{{0,80}}? (?:on|onto|upon|over|across) {_ARTICLE})\b",
    re.IGNORECASE,
)
_THING_FIRST = re.compile(
    rf"^(?:{_ARTICLE}|the) (?!(?:{_WORD}){{0,3}}?(?:pictures?|images?|photo(?:graph)?s?|clip|scene|view|subject|sun"
    r"|moon|sky|lamps?|softbox(?:es)?|spotlights?|sources?|background|foreground|sides?|parts?|mood|atmosphere"
    r"|contrast|tones?|hues?|colou?rs?)\b)",
    re.IGNORECASE,
)
# What a lit part of the subject leaves behind: ", her face" of "a woman, her face lit by a lamp".
_LIT_PART = re.compile(
    r"(?:,|,? (?:and|with))+ (?:one|his|her|its|their|the)(?: \w+ side of (?:his|her|its|their|the)| side of \w+)?"
    r"(?: [\w-]+)?? (?:face|features|profile|head|hair|eyes|skin|shoulders?|back|body|figure|silhouette|sides?|edges?"
    r"|surface|outlines?|background)$",
    re.IGNORECASE,
)
# Clauses with a participle belong to the subject, unless it is one of what light does.
_DOES = re.compile(
    r"^(?:and |while )?(?!(?:add|bath|bring|cast|com|creat|defin|emphasi[sz]|enhanc|enter|fall|fill|filter|form|giv"
    r"|graz|highlight|lead|leav|lend|light|mak|outlin|paint|pour|produc|rak|reflect|reveal|sculpt|set|shap|shin|show"
    r"|soften|spread|stream|throw|warm|wash|wrapp)ing\b)[a-z]{2,}ing\b",
    re.IGNORECASE,
)
# After a sentence on light these words mean the light.
_CONTINUES = re.compile(r"^(?:it|its|they|their|this|these)\b", re.IGNORECASE)
_PLACE = re.compile(
    r"^(?:on|in|at|beside|next to|before|near|behind|against|among|inside) (?:an?|the|its|some)\b", re.I
)


def content_of(description: str) -> str:
    """Return a description without what it says about light: "A copper kettle on an oak table", in sentences.

    Empty where it says nothing else, and where it names only colours, which depend on the light. A first sentence from
    which the light cannot be separated is kept as it is.
    """
    sentences = re.split(r"(?<=[.!?;])\s+", re.sub(r"\s+", " ", description).strip())
    contents: list[str] = []
    follows_light = False
    for number, sentence in enumerate(each.rstrip(" .!?;") for each in sentences):
        content = "" if follows_light and _CONTINUES.search(sentence) else _without_light(sentence)
        follows_light = not content
        contents.append(sentence if number == 0 and not content and _names_thing(sentence) else content)
    return " ".join(f"{capitalised(content)}." for content in contents if content)


def relit_description(description: str, light_text: str) -> str:
    """Return what a described picture shows under another light, for models that take descriptions.

    Args:
        description: of the picture, with or without its light.
        light_text: a noun phrase for the other light: "soft light from the left".
    """
    content = content_of(description)
    if not content:
        return f"{capitalised(light_text)}."
    if content.count(". "):
        return f"{content} The scene is lit by {light_text}."
    return f"{content.rstrip('.')}, lit by {light_text}."


def _names_thing(sentence: str) -> bool:
    """Return whether a sentence of which nothing is left without its light is about a thing too."""
    if _LIGHTS_THING.search(sentence):
        return True
    return _THING_FIRST.search(sentence) is not None and not _LIGHT_FIRST.search(sentence)


def _without_light(sentence: str) -> str:
    """Return a sentence, without its full stop, without its light; empty where it is about light alone."""
    if _COLORS_ALONE.search(sentence):
        return ""
    names = [match[0] for match in _THINGS.finditer(sentence)]
    numbers = itertools.count()
    content = _content_of_clauses(_THINGS.sub(lambda _: f"\0{next(numbers)}\0", sentence))
    return re.sub(r"\0(\d+)\0", lambda match: names[int(match[1])], content)


def _content_of_clauses(sentence: str) -> str:
    head, colon, tail = sentence.partition(": ")
    if colon and _LIT_FIRST.search(head):
        return _content_of_clauses(tail)
    if _LIGHT_FIRST.search(sentence):
        return ""
    lit = _LIT_BY.search(sentence)
    rest = _clauses(lit[0])[1:] if lit else []
    said = _IN_LIGHT.sub("", sentence[: lit.start()] if lit else sentence)
    if lit:
        said = _LIT_PART.sub("", said)
    clauses = _clauses(_LIT_THING.sub(_thing_alone, said))
    if not clauses or _ABOUT_LIGHT.search(clauses[0]) or _NO_THING.search(clauses[0]):
        return ""
    kept = [clauses[0], *(clause for clause in clauses[1:] if not _ABOUT_LIGHT.search(clause))]
    kept += [clause for clause in rest if _of_the_subject(clause) and not _ABOUT_LIGHT.search(clause)]
    return ", ".join(kept)


def _of_the_subject(clause: str) -> bool:
    return _PLACE.search(clause) is not None or _DOES.search(clause) is not None


def _clauses(sentence: str) -> list[str]:
    return [clause for part in re.split("[,;]", sentence) if (clause := part.strip())]


def _thing_alone(match: re.Match[str]) -> str:
    """Return a lit thing without how it is lit: "an alley" for "a dimly lit alley"."""
    if not match["article"]:
        return match["thing"]
    named = with_article(match["thing"])
    return capitalised(named) if match["article"][0].isupper() else named
