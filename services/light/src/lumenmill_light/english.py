"""Parts of English sentences that every text is put together with."""

from collections.abc import Sequence

__all__ = ["capitalised", "listed", "with_article"]


def capitalised(sentence: str) -> str:
    """Return the sentence with a capital first letter, the rest untouched."""
    return sentence[:1].upper() + sentence[1:]


def listed(parts: Sequence[str]) -> str:
    """Return "a", "a and b" or "a, b and c", nothing for no parts.

    A comma stands before "and" where a part is itself a list.
    """
    if len(parts) < 2:
        return "".join(parts)
    comma = "," if any("," in part or " and " in part for part in parts) else ""
    return f"{', '.join(parts[:-1])}{comma} and {parts[-1]}"


def with_article(words: str) -> str:
    """Return a noun phrase with "a" or "an", by its first letter."""
    return ("an " if words[:1].lower() in set("aeiou") else "a ") + words
