"""Split free text into noun phrases, by the words between them; there is no model of language.

A phrase begins after an article, a number, a preposition, a conjunction or punctuation, and ends before the next of
them; its last word is its head. Clauses on light are left out first.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from lumenmill_studio.scenes.other_words import (
    AMBIGUOUS_HEADS,
    ARTICLES,
    BOUNDARIES,
    IGNORED_HEADS,
    IGNORED_PHRASES,
    NUMBERS,
    PREPOSITIONS,
    is_adjective,
    is_light,
    is_of_light,
)

__all__ = ["NounPhrase", "noun_phrases", "without_light"]

_PUNCTUATION = frozenset(",()")
_ENDING = BOUNDARIES | PREPOSITIONS | ARTICLES | NUMBERS.keys()
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*|[,()]")
_STACK_OF_BOOKS = re.compile(r"\b(stacks?|piles?) of (?:[a-z-]+ ){1,2}books\b")
_MOST_MERGED_WORDS = 4
# Of a title on light, "the light:", after which light is described.
_MOST_TITLE_WORDS = 2
_LIT = r"(?:softly |warmly |dramatically |evenly |strongly )?(?:lit|illuminated|backlit|side-lit|bathed)"
_DOES = r"(?:is|turn|slowly|gently|[a-z]+s|from|through|in|on|with|at)"
# After lamps that are no things in the picture: "two lamps from the left"; "two lamps" alone are two things.
_SHINES = (
    r"\s*:|\s+(?:from|above|behind|overhead|light|shin|glow|illuminat"
    r"|(?:on|at|to) (?:the |its )?(?:left|right|side|both|either|each)\b)"
)
_LIGHT_OPENER = re.compile(
    rf"^\s*(?:(?:and|it is|the scene is|all|plus)\s+)*(?:{_LIT}\b|(?:the )?(?:lighting|illumination)\b|"
    rf"(?:two|three|four|several) (?:lights\b|lamps\b(?={_SHINES}))|"
    rf"(?:the )?(?:[a-z-]+ )?light(?:\s*:|\s*$| {_DOES}\b)|photographed (?:under|in)\b)"
)
# Sentences on moves of the camera and of the light.
_MOVE = re.compile(
    r"^\s*(?:(?:all the while|in time-lapse|slowly|then|and|while)\s+)*"
    r"(?:the (?:[a-z-]+ )?(?:camera|frame|light|sun|shadows?|surroundings?|surrounding light|colou?r of the light)\b"
    rf"(?= {_DOES}\b)|an? (?:[0-9a-z-]+ ){{0,2}}(?:dolly|orbit|pan|tilt|zoom)\b|hours pass\b)"
)
_LIT_INSIDE = re.compile(rf"\b{_LIT} (?:by|with|from|in|under)\b")
# After a clause on light, a part that begins so may name a thing or a place again.
_BACK_TO_THINGS = re.compile(r"^\s*(?:on|in|before|among|beside|next to) (?:an? |the )")


@dataclass(frozen=True)
class NounPhrase:
    """Words of one noun phrase, some of them merged ("torus knot"); ``preposition`` is the word before it, or empty.

    ``number`` is what it states, 0 if nothing.
    """

    preposition: str
    number: int
    words: tuple[str, ...]

    @property
    def head(self) -> str:
        """Return the last word."""
        return self.words[-1]


def noun_phrases(text: str, known: Collection[str]) -> list[NounPhrase]:
    """Return the noun phrases of a text; ``known`` are words of the vocabulary, some of more than one word.

    Phrases whose head names light, a direction, the camera or style are left out.
    """
    plain = _STACK_OF_BOOKS.sub(r"\1 of books", text.lower())
    return [phrase for part in re.split(r"[.;:!?\n]+", plain) for phrase in _phrases_of(part, known)]


def _phrases_of(part: str, known: Collection[str]) -> Iterator[NounPhrase]:
    preposition, article, number, words = "", "", 0, list[str]()

    def ended() -> Iterator[NounPhrase]:
        del words[_end_of_noun(words, known) :]
        while words and words[-1] not in known and _ends_no_phrase(words[-1], bool(article or number)):
            words.pop()
        is_thing = (article in ("a", "an") or number > 0) and not is_of_light(words[:-1])
        if words and not _ignored(words[-1], known, is_thing=is_thing):
            yield NounPhrase(preposition, number, tuple(words))

    for item in [*_merged(_WORD.findall(part), known), ","]:
        ends = item in _PUNCTUATION or (item not in known and item in _ENDING)
        if not ends:
            words.append(item)
            continue
        had_words = bool(words)
        yield from ended()
        words.clear()
        if had_words or item in BOUNDARIES or item in _PUNCTUATION:
            preposition, article, number = "", "", 0
        preposition = item if item in PREPOSITIONS else preposition
        article = item if item in ARTICLES else article
        number = NUMBERS.get(item, number)


def _end_of_noun(words: list[str], known: Collection[str]) -> int:
    """Return how many words there are before a participle that follows a known noun: "a book lying open"."""
    last_known = max((index for index, word in enumerate(words) if word in known), default=len(words))
    follows = words[last_known + 1] if last_known + 1 < len(words) else ""
    return last_known + 1 if follows.endswith(("ing", "ed")) else len(words)


def _ends_no_phrase(word: str, has_article: bool) -> bool:
    """Return whether an unknown last word is no noun: a participle, or an adjective that stands alone."""
    if is_light(word):
        return False
    return word.endswith(("ing", "ed", "ly")) or (not has_article and is_adjective(word)) or word[0].isdigit()


def _ignored(head: str, known: Collection[str], *, is_thing: bool) -> bool:
    if head in known:
        return False
    return head in IGNORED_HEADS or is_light(head) or (head in AMBIGUOUS_HEADS and not is_thing)


def _merged(words: list[str], known: Collection[str]) -> Iterator[str]:
    """Yield the words, with those of a longer known word as one."""
    index = 0
    while index < len(words):
        for length in range(_MOST_MERGED_WORDS, 0, -1):
            joined = " ".join(words[index : index + length])
            if length == 1 or joined in known or joined in IGNORED_PHRASES or joined in NUMBERS:
                yield joined
                index += max(1, min(length, len(words) - index))
                break


def without_light(text: str) -> str:
    """Return a text without its clauses on light and moves: "a jug on a table, lit by a lamp" → "a jug on a table"."""
    kept, light_follows = [], False
    for sentence in re.findall(r"[^.;:!?\n]+[.;:!?\n]*", text.lower()):
        if not light_follows and not _MOVE.match(sentence):
            kept.append(_sentence_without_light(sentence))
        last = sentence.rsplit(",", maxsplit=1)[-1].rstrip()
        is_title = last.endswith(":") and len(last.split()) <= _MOST_TITLE_WORDS
        light_follows = is_title and bool(_LIGHT_OPENER.match(last))
    return " . ".join(part for part in kept if part.strip())


def _sentence_without_light(sentence: str) -> str:
    parts, in_light = [], False
    for part in sentence.split(","):
        in_light = bool(_LIGHT_OPENER.match(part)) or (in_light and not _BACK_TO_THINGS.match(part))
        if in_light:
            continue
        inside = _LIT_INSIDE.search(part)
        parts.append(part[: inside.start()] if inside else part)
        in_light = inside is not None
    return " , ".join(parts)
