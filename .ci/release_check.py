"""Checks that the working tree can be released, and builds what is released: `make release-check`.

Prints one line for each problem and exits with 1 when there is any. The distributions lie in dist/ afterwards.
"""

import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from packaging.metadata import Metadata

__all__ = ["changelog_problems", "main", "metadata_problems", "projects", "version_problems"]

_ROOT = Path(__file__).parents[1]
_BIN = Path(sys.executable).parent


def projects(root: Path) -> dict[Path, dict[str, Any]]:
    """Return the `project` table of every distribution by its folder."""
    files = sorted([*root.glob("*/pyproject.toml"), *root.glob("services/*/pyproject.toml")])
    return {file.parent: tomllib.loads(file.read_text())["project"] for file in files}


def version_problems(root: Path) -> Iterator[str]:
    """Yield every place whose version is not the client's: distributions, their dependencies, the chart, the images."""
    tables = projects(root)
    version = tables[root / "client"]["version"]
    for folder, table in tables.items():
        name = folder.relative_to(root)
        if table["version"] != version:
            yield f"{name}/pyproject.toml: version {table['version']} instead of {version}"
        extras = table.get("optional-dependencies", {}).values()
        for requirement in [*table.get("dependencies", []), *(one for extra in extras for one in extra)]:
            if requirement.startswith("lumenmill-") and not requirement.endswith(f"=={version}"):
                yield f"{name}/pyproject.toml: {requirement} instead of =={version}"
    for file, pattern in (
        ("helm/lumenmill/Chart.yaml", r"^(?:version|appVersion): (.+)$"),
        ("Dockerfile", r"^ARG VERSION=(.+)$"),
    ):
        found = re.findall(pattern, (root / file).read_text(), re.MULTILINE)
        if set(found) != {version}:
            yield f"{file}: version {', '.join(found) or 'missing'} instead of {version}"


def changelog_problems(text: str, version: str) -> Iterator[str]:
    """Yield what a changelog lacks for the release of a version."""
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    titles = [section.splitlines()[0] for section in sections]
    if not titles or titles[0] != "[Unreleased]":
        yield "CHANGELOG.md: the first section is not [Unreleased]"
    elif sections[0].splitlines()[1:] and "".join(sections[0].splitlines()[1:]).strip():
        yield "CHANGELOG.md: [Unreleased] is not empty; its entries belong to the version"
    if len(titles) < 2 or not re.fullmatch(rf"\[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d", titles[1]):
        yield f"CHANGELOG.md: the second section is not '[{version}] - YYYY-MM-DD'"
    elif not re.search(r"^- ", sections[1], re.MULTILINE):
        yield f"CHANGELOG.md: [{version}] has no entries"


def metadata_problems(file: Path) -> Iterator[str]:
    """Yield what package indexes would refuse, or show badly, of a wheel or source distribution."""
    metadata = Metadata.from_email(_core_metadata(file))
    for field in ("summary", "license_expression", "requires_python", "description"):
        if not getattr(metadata, field):
            yield f"{file.name}: no {field.replace('_', ' ')}"
    if not (metadata.description_content_type or "").startswith("text/markdown"):
        yield f"{file.name}: the description is not declared as Markdown"


def _core_metadata(file: Path) -> bytes:
    if file.suffix == ".whl":
        with zipfile.ZipFile(file) as wheel:
            return wheel.read(next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")))
    with tarfile.open(file) as archive:
        member = next(name for name in archive.getnames() if re.fullmatch(r"[^/]+/PKG-INFO", name))
        content = archive.extractfile(member)
        assert content is not None, file  # noqa: S101 - it is a file
        return content.read()


def _tree_problems() -> Iterator[str]:
    changed = _output("git", "status", "--porcelain")
    if changed:
        yield f"the working tree is not clean:\n{changed.rstrip()}"


def _baseline_problems() -> Iterator[str]:
    with tempfile.NamedTemporaryFile(suffix=".binpb") as file:
        _output(str(_BIN / "buf"), "build", "--exclude-source-info", "-o", file.name, folder=_ROOT / "protos")
        now = FileDescriptorSet.FromString(Path(file.name).read_bytes())
    if FileDescriptorSet.FromString((_ROOT / "protos" / "baseline.binpb").read_bytes()) != now:
        yield "protos/baseline.binpb is not that of the contracts; RELEASING.md says how it is refreshed"


def _distribution_problems() -> Iterator[str]:
    """Build every distribution into dist/ and check it."""
    target = _ROOT / "dist"
    shutil.rmtree(target, ignore_errors=True)
    for folder in projects(_ROOT):
        _output(sys.executable, "-m", "hatchling", "build", "-d", str(target), folder=folder)
    for file in sorted(target.iterdir()):
        yield from metadata_problems(file)


def _output(*command: str, folder: Path = _ROOT) -> str:
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


def main() -> None:
    """Check everything that needs no long run; `make lint docs` comes before."""
    version = projects(_ROOT)[_ROOT / "client"]["version"]
    problems = [
        *version_problems(_ROOT),
        *changelog_problems((_ROOT / "CHANGELOG.md").read_text(), version),
        *_tree_problems(),
        *_baseline_problems(),
        *_distribution_problems(),
    ]
    if problems:
        sys.exit("\n".join(problems))
    sys.stdout.write(f"{version} can be released; its distributions are in dist/\n")


if __name__ == "__main__":
    main()
