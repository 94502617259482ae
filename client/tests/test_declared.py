"""A distribution declares everything that it imports; a fresh environment has nothing else."""

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


@pytest.mark.parametrize("package", ["protos", "services/common", "client"])
def test_everything_imported_is_declared(package: str) -> None:
    project = _PROJECTS[package]["project"]
    declared = _modules_of_all(project["name"], *project["dependencies"], *_extra(project, "testing"))
    # What an extra brings is imported where it is used, so that everything else works without it.
    in_functions = declared | _modules_of_all(*_extra(project, "mesh"))

    undeclared = {
        f"{file.relative_to(_ROOT)}: {module}"
        for file in (_ROOT / package / "src").rglob("*.py")
        for module, is_in_function in _imported(ast.parse(file.read_text()))
        if not (in_functions if is_in_function else declared) & {module, module.partition(".")[0]}
    }

    assert not undeclared, f"declare in {package}/pyproject.toml what these import: {sorted(undeclared)}"


def _extra(project: dict[str, Any], name: str) -> list[str]:
    return list(project.get("optional-dependencies", {}).get(name, ()))


def _modules_of_all(*requirements: str) -> set[str]:
    names = [re.split(r"[^\w.-]", requirement)[0] for requirement in requirements]
    return {module for name in names for module in _modules_of(name)}


def _imported(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """Yield the first two names of every imported module outside the standard library, and whether it is imported in a
    function."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    in_functions = {id(node) for function in functions for node in ast.walk(function)}
    for node in ast.walk(tree):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
        for module in modules:
            parts = module.split(".")
            if parts[0] not in sys.stdlib_module_names:
                yield ".".join(parts[:2]), id(node) in in_functions


def _modules_of(distribution: str) -> set[str]:
    """Return the packages of a distribution; of namespace packages such as `google` only its own part."""
    for project in _PROJECTS.values():
        if project["project"]["name"] == distribution:  # installed from its folder, without a list of files
            packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
            return {PurePath(package).name for package in packages}
    files = {file.parts for file in metadata.files(distribution) or () if file.suffix in {".py", ".so"}}
    whole = {parts[0] for parts in files if parts[1:] == ("__init__.py",)}
    return whole | {".".join(parts[:2]).removesuffix(".py") for parts in files if parts[0] not in whole}
