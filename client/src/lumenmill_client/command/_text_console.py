"""A terminal on which texts are texts: captions, prompts and messages of models cannot style it or move its cursor."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.text import Text

__all__ = ["TextConsole", "escaped", "plain"]

_KEPT = frozenset("\n\t")
_CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]
# They change the direction of what follows, so that a text would be shown in another order than it is stored.
_DIRECTIONS = [chr(code) for code in (0x200E, 0x200F, 0x061C, *range(0x202A, 0x202F), *range(0x2066, 0x206A))]
_SEPARATORS = ["\u2028", "\u2029"]
_ESCAPES: Mapping[int, str] = str.maketrans(
    {
        character: character.encode("unicode_escape").decode()
        for character in [*_CONTROLS, *_DIRECTIONS, *_SEPARATORS]
        if character not in _KEPT
    }
)
_JSON_ESCAPES: Mapping[int, str] = {code: f"\\u{code:04x}" for code in _ESCAPES if code >= 0x7F}


def plain(text: str) -> str:
    r"""Return a text with control characters shown as escapes, such as `\x1b`; line ends and tabs are kept."""
    return text.replace("\r\n", "\n").translate(_ESCAPES)


def escaped(document: str) -> str:
    """Return a JSON document of the same content without control characters, of which JSON itself escapes only some."""
    return document.translate(_JSON_ESCAPES)


class TextConsole(Console):
    """A console without markup, emoji codes and highlighting, which shows control characters as escapes.

    Strings are printed as they are, also in tables; what should have a style is a `rich.text.Text` from `render_str`.
    """

    def __init__(self, **options: Any) -> None:
        """Take the options of `Console` besides `markup`, `emoji` and `highlight`."""
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string as text; `Console` calls it for every string that it prints."""
        return super().render_str(plain(text), **options)

    @contextmanager
    def working(self, doing: str) -> Iterator[Callable[[str], None]]:
        """Show what is being done while the block lasts; yield a function that replaces the text."""
        with self.status(self.render_str(doing)) as status:
            yield lambda text: status.update(self.render_str(text))
