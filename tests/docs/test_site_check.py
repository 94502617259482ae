"""A built site with a broken link, a missing anchor or an asset of another host is refused."""

from pathlib import Path

from docs.tools.site_check import problems_of


def _problems(folder: Path, **pages: str) -> list[str]:
    for name, html in pages.items():
        (folder / f"{name}.html").write_text(html)
    return problems_of(folder)


def test_links_to_pages_and_anchors_that_exist_are_accepted(tmp_path: Path) -> None:
    index = '<a href="other.html#here">x</a><a href="#top" id="top"></a><a href="https://example.com/">web</a>'
    assert _problems(tmp_path, index=index, other='<h2 id="here"></h2>') == []


def test_missing_pages_and_anchors_are_reported(tmp_path: Path) -> None:
    index = '<a href="gone.html">x</a><a href="other.html#gone">x</a>'
    expected = ["index.html: gone.html does not exist", "index.html: other.html#gone has no such anchor"]
    assert _problems(tmp_path, index=index, other="") == expected


def test_assets_of_other_hosts_are_reported(tmp_path: Path) -> None:
    index = '<script src="https://cdn.example.com/a.js"></script><link rel="canonical" href="https://example.com/">'
    assert _problems(tmp_path, index=index) == ["index.html: loads https://cdn.example.com/a.js"]
