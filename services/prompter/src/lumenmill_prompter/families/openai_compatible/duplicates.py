"""Near-duplicates among descriptions."""

import re
from collections import Counter, defaultdict

__all__ = ["DuplicateFilter"]

# Two descriptions whose sets of content words have at least this Jaccard index are near-duplicates.
NEAR_DUPLICATE_JACCARD = 0.75

_STOP_WORDS = frozenset(
    {
        "a",
        "an",
        "the",
        "of",
        "on",
        "in",
        "at",
        "by",
        "to",
        "and",
        "or",
        "with",
        "under",
        "over",
        "near",
        "beside",
        "next",
    }
    | {"from", "its", "is", "are", "as", "into", "onto", "before", "behind"}
)


class DuplicateFilter:
    """Stores descriptions and detects near-duplicates of them."""

    def __init__(self) -> None:
        self._sets: list[frozenset[str]] = []
        self._by_word: dict[str, list[int]] = defaultdict(list)

    def admit(self, text: str) -> bool:
        """Return False for a near-duplicate; otherwise store the text and return True."""
        words = frozenset(re.findall(r"[a-z]+", text.lower())) - _STOP_WORDS
        shared: Counter[int] = Counter()
        for word in words:
            shared.update(self._by_word[word])
        for index, num_shared in shared.items():
            union = len(words) + len(self._sets[index]) - num_shared
            if num_shared / union >= NEAR_DUPLICATE_JACCARD:
                return False
        for word in words:
            self._by_word[word].append(len(self._sets))
        self._sets.append(words)
        return True
