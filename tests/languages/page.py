"""The code blocks of docs/other-languages.md, by the heading above them."""

import re
from pathlib import Path

__all__ = ["blocks_of", "sections"]

_PAGE = Path(__file__).parents[2] / "docs" / "other-languages.md"
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def sections() -> dict[str, str]:
    """Return the text of each section, without its subsections, by heading. Comments in code are no headings."""
    text = _PAGE.read_text()
    in_code = [range(*block.span()) for block in _BLOCK.finditer(text)]
    headings = [found for found in _HEADING.finditer(text) if not any(found.start() in code for code in in_code)]
    ends = [*(heading.start() for heading in headings[1:]), len(text)]
    return {heading[1]: text[heading.end() : end] for heading, end in zip(headings, ends, strict=True)}


def blocks_of(heading: str, language: str) -> list[str]:
    """Return the code in one language below a heading."""
    return [code for name, code in _BLOCK.findall(sections()[heading]) if name == language]
