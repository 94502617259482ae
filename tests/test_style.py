"""Rules of style that ruff cannot check: modules declare `__all__`, and only the client has private modules."""

import ast
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_TREES = ("services/*/src", "orchestrator/src", "client/src", "monitoring", "docs/tools")


def _modules() -> Iterator[Path]:
    for tree in _TREES:
        for path in _ROOT.glob(f"{tree}/**/*.py"):
            name = str(path.relative_to(_ROOT))
            if "/tests/" not in name and "/migrations/" not in name:
                yield path


def _public_names(tree: ast.Module) -> set[str]:
    """Return the names of the functions and classes that a module defines and another may import."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")}


def _declares_all(tree: ast.Module) -> bool:
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    return any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets)


def test_modules_with_public_names_declare_all() -> None:
    trees = {path: ast.parse(path.read_text()) for path in _modules() if path.name != "__main__.py"}
    missing = [path for path, tree in trees.items() if _public_names(tree) and not _declares_all(tree)]
    assert not missing, [str(path.relative_to(_ROOT)) for path in missing]


def test_only_the_client_has_private_modules() -> None:
    private = [path for path in _modules() if path.name.startswith("_") and not path.name.startswith("__")]
    others = [str(path.relative_to(_ROOT)) for path in private if not path.is_relative_to(_ROOT / "client")]
    assert not others, others
