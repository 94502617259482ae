"""What a distribution imports it declares: in a fresh environment nothing else is there."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path, PurePath
from typing import Any

import pytest

_ROOT = Path(__file__).parents[2]
_PROJECTS: dict[str, dict[str, Any]] = {
    str(file.parent.relative_to(_ROOT)): tomllib.loads(file.read_text())
    for pattern in ("*/pyproject.toml", "services/*/pyproject.toml")
    for file in _ROOT.glob(pattern)
}


@pytest.mark.parametrize("room", ["protos", "services/common", "client"])
def test_everything_imported_is_declared(room: str) -> None:
    project = _PROJECTS[room]["project"]
    there = {
        module
        for need in (project["name"], *project["dependencies"])
        for module in _modules_of(re.split(r"[^\w.-]", need)[0])
    }

    undeclared = {
        f"{file.relative_to(_ROOT)}: {module}"
        for file in (_ROOT / room / "src").rglob("*.py")
        for module in _imported(ast.parse(file.read_text()))
        if not there & {module, module.partition(".")[0]}
    }

    assert not undeclared, f"declare in {room}/pyproject.toml what these import: {sorted(undeclared)}"


def _imported(tree: ast.Module) -> Iterator[str]:
    """The first two names of every module outside the standard library that a file imports."""
    for step in ast.walk(tree):
        modules: list[str] = []
        if isinstance(step, ast.Import):
            modules = [alias.name for alias in step.names]
        elif isinstance(step, ast.ImportFrom) and step.module and step.level == 0:
            modules = [f"{step.module}.{alias.name}" for alias in step.names]
        for module in modules:
            parts = module.split(".")
            if parts[0] not in sys.stdlib_module_names:
                yield ".".join(parts[:2])


def _modules_of(distribution: str) -> set[str]:
    """What a distribution ships: its packages; of `google` and others that several share, the part that is its own."""
    for project in _PROJECTS.values():
        if project["project"]["name"] == distribution:  # ours: installed from its folder, without a list of files
            packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
            return {PurePath(package).name for package in packages}
    files = {file.parts for file in metadata.files(distribution) or () if file.suffix in {".py", ".so"}}
    whole = {parts[0] for parts in files if parts[1:] == ("__init__.py",)}
    return whole | {".".join(parts[:2]).removesuffix(".py") for parts in files if parts[0] not in whole}
