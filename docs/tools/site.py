"""Builds the documentation site. `python -m docs.tools.site` writes build/site; open its index.html."""

import shutil
import subprocess
import sys
from pathlib import Path

from docs.tools.contract_pages import contract_pages, read_contracts
from docs.tools.site_check import problems_of
from docs.tools.site_sources import SiteSources, tracked_files

__all__ = ["main"]

_ROOT = Path(__file__).parents[2]
_SOURCES, _SITE = _ROOT / "build" / "site-sources", _ROOT / "build" / "site"
_CLIENT_PAGE = """# Python client

Generated from the docstrings of `lumenmill_client`. [The guide](../docs/client.md) shows how the parts work together.

::: lumenmill_client.Client

::: lumenmill_client.AsyncClient

::: lumenmill_client._runs.Runs

::: lumenmill_client._store.Store

::: lumenmill_client.SavedDataset

::: lumenmill_client.ClientSettings

::: lumenmill_common.errors
"""


def main() -> None:
    """Build the site, and exit with a message when a link of it is broken or it needs the network."""
    for folder in (_SOURCES, _SITE):
        shutil.rmtree(folder, ignore_errors=True)
    sources = SiteSources(_ROOT, tracked_files(_ROOT))
    sources.write(_SOURCES)
    if sources.broken_links:
        sys.exit("links to files that do not exist:\n" + "\n".join(sources.broken_links))
    _write_api_pages(_SOURCES / "api")
    shutil.copyfile(_ROOT / "docs" / "site.css", _SOURCES / "docs" / "site.css")
    subprocess.run([sys.executable, "-m", "zensical", "build", "--strict", "--clean"], cwd=_ROOT, check=True)
    if problems := problems_of(_SITE):
        sys.exit("the site is not whole:\n" + "\n".join(problems))


def _write_api_pages(folder: Path) -> None:
    (folder / "contracts").mkdir(parents=True)
    (folder / "client.md").write_text(_CLIENT_PAGE)
    for name, text in contract_pages(read_contracts()).items():
        (folder / "contracts" / name).write_text(text)


if __name__ == "__main__":
    main()
