"""Copies the Markdown of the repository into the source tree of the documentation site.

The tree mirrors the repository, so that relative links between pages work on the code host and on the site alike. A
link to something else, a source file or a folder, leads to a page that shows it.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

__all__ = ["SiteSources", "tracked_files"]

# Code, which is left alone, or a relative link or picture: `](target#fragment)`.
_CODE_OR_LINK = re.compile(
    r"(?P<code>^ *```.*?^ *```|`[^`\n]+`)|\]\((?![a-z]+:|#|/)(?P<target>[^)#\s]+)(?P<fragment>#\S*?)?\)",
    re.MULTILINE | re.DOTALL,
)
_COPIED = {".md", ".png", ".jpg", ".svg"}
_LANGUAGES = {".py": "python", ".yaml": "yaml", ".proto": "protobuf", ".toml": "toml", ".sh": "bash", ".json": "json"}
# Texts for the code host only, and fixtures of tests.
_NO_PAGES = re.compile(r"^\.github/|/tests/")


def tracked_files(root: Path) -> list[str]:
    """Return the paths of the files that git tracks or would track, relative to the root of the repository."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=root, check=True, capture_output=True, text=True).stdout.splitlines()  # noqa: S603
    return sorted({name for name in names if (root / name).is_file()})


@dataclass
class SiteSources:
    """Writes the source pages of the site."""

    root: Path
    files: Iterable[str]
    broken_links: list[str] = field(default_factory=list)
    """`page: target` of every link to a file that the repository does not have; filled while pages are written."""

    def __post_init__(self) -> None:
        self._files = set(self.files)
        self._folders = {str(parent) for name in self._files for parent in PurePosixPath(name).parents}

    def write(self, target: Path) -> None:
        """Write every Markdown page below a folder, with what the pages link to."""
        for page in sorted(name for name in self._files if name.endswith(".md") and not _NO_PAGES.search(name)):
            _write(target / page, self._rewritten(page, target))

    def _rewritten(self, page: str, target: Path) -> str:
        """Return the text of a page with links to pages of the site."""

        def replace(match: re.Match[str]) -> str:
            if match["code"]:
                return match[0]
            linked = os.path.normpath(PurePosixPath(page).parent / match["target"])
            if linked not in self._files | self._folders:
                self.broken_links.append(f"{page}: {match['target']}")
                return match[0]
            on_site = self._add(linked, target)
            fragment = match["fragment"] if on_site == linked and match["fragment"] else ""
            return f"]({os.path.relpath(on_site, PurePosixPath(page).parent)}{fragment})"

        return _CODE_OR_LINK.sub(replace, (self.root / page).read_text())

    def _add(self, name: str, target: Path) -> str:
        """Add the target of a link to the tree, and return its path there."""
        if name in self._folders:
            return self._add_folder(name, target)
        if PurePosixPath(name).suffix in _COPIED:
            if not name.endswith(".md"):
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.root / name, target / name)
            return name
        language = _LANGUAGES.get(PurePosixPath(name).suffix, "text")
        _write(target / f"{name}.md", f"# {name}\n\n`````{language}\n{(self.root / name).read_text()}`````\n")
        return f"{name}.md"

    def _add_folder(self, name: str, target: Path) -> str:
        readme = f"{name}/README.md"
        if readme not in self._files:
            inside = sorted(file for file in self._files if file.startswith(f"{name}/"))
            _write(target / readme, "\n".join([f"# {name}", "", *(f"- `{file}`" for file in inside), ""]))
        return readme


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
