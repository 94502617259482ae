"""Checks a built site: every relative link and anchor exists, and no page loads anything from another host."""

from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["problems_of"]

# Elements that make a browser fetch something while it shows the page.
_LOADING = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src"}


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[tuple[str, bool]] = []
        """(target, whether the browser loads it with the page)"""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value for name, value in attrs if value}
        self.ids |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append((found["href"], False))
        if tag in _LOADING and _LOADING[tag] in found and found.get("rel") != "canonical":
            self.links.append((found[_LOADING[tag]], True))


def problems_of(site: Path) -> list[str]:
    """Return one line for each broken link, missing anchor and asset of another host, sorted."""
    return sorted(problem for page in site.rglob("*.html") for problem in _page_problems(site, page))


def _page_problems(site: Path, page: Path) -> Iterator[str]:
    for target, is_loaded in _read(page).links:
        url = urlsplit(target)
        if url.scheme or url.netloc:
            if is_loaded and url.scheme != "data":
                yield f"{page.relative_to(site)}: loads {target}"
            continue
        # The page of errors is shown at any address, so that its links start at the root.
        folder = site if url.path.startswith("/") else page.parent
        linked = folder / unquote(url.path.lstrip("/")) if url.path else page
        linked = linked / "index.html" if linked.is_dir() else linked
        if not linked.is_file():
            yield f"{page.relative_to(site)}: {target} does not exist"
        elif url.fragment and linked.suffix == ".html" and unquote(url.fragment) not in _read(linked.resolve()).ids:
            yield f"{page.relative_to(site)}: {target} has no such anchor"


@cache
def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text())
    return page
