"""Pages of the repository become pages of the site, with links that work in both."""

from pathlib import Path

import pytest

from docs.tools.site_sources import SiteSources


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in {
        "README.md": "[guide](docs/guide.md#start) ![picture](docs/picture.png) [decisions](docs/adr/)",
        "docs/guide.md": "# Guide\n\n## Start\n\n[code](../src/engine.py#L3) [sources](../src) `[no](link.md)`\n\n"
        "```\n[no](other.md)\n```\n\n[web](https://example.com/page.md)",
        "docs/adr/README.md": "# Decisions",
        "docs/picture.png": "PNG",
        "src/engine.py": "def execute() -> None: ...\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def _written(root: Path) -> tuple[SiteSources, Path]:
    files = [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]
    sources = SiteSources(root, files)
    sources.write(root / "site")
    return sources, root / "site"


def test_links_between_pages_are_kept_and_pictures_copied(root: Path) -> None:
    sources, site = _written(root)
    expected = "[guide](docs/guide.md#start) ![picture](docs/picture.png) [decisions](docs/adr/README.md)"
    assert (site / "README.md").read_text() == expected
    assert (site / "docs" / "picture.png").read_text() == "PNG"
    assert sources.broken_links == []


def test_a_link_to_a_source_file_leads_to_a_page_that_shows_it(root: Path) -> None:
    _, site = _written(root)
    assert "[code](../src/engine.py.md) [sources](../src/README.md)" in (site / "docs" / "guide.md").read_text()
    assert "```python\ndef execute() -> None: ...\n" in (site / "src" / "engine.py.md").read_text()
    assert "- `src/engine.py`" in (site / "src" / "README.md").read_text()


def test_code_and_other_hosts_are_left_alone(root: Path) -> None:
    _, site = _written(root)
    text = (site / "docs" / "guide.md").read_text()
    assert "`[no](link.md)`" in text and "\n[no](other.md)\n" in text and "(https://example.com/page.md)" in text


def test_a_link_to_nothing_is_reported(root: Path) -> None:
    (root / "README.md").write_text("[gone](docs/gone.md)")
    sources, _ = _written(root)
    assert sources.broken_links == ["README.md: docs/gone.md"]


def test_every_guide_and_package_is_in_the_navigation() -> None:
    root = Path(__file__).parents[2]
    navigation = (root / "zensical.toml").read_text()
    pages = [*root.glob("docs/*.md"), *root.glob("[!.]*/README.md"), *root.glob("services/*/README.md")]
    missing = [str(page.relative_to(root)) for page in pages if f'"{page.relative_to(root)}"' not in navigation]
    assert missing == []
