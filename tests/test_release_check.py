"""A release with differing versions, an incomplete changelog or incomplete metadata is refused."""

import importlib.util
import shutil
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

_ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def release_check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release_check", _ROOT / ".ci" / "release_check.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The files of the repository that state a version."""
    stating = [*_ROOT.glob("*/pyproject.toml"), *_ROOT.glob("services/*/pyproject.toml"), _ROOT / "Dockerfile"]
    for file in [*stating, _ROOT / "helm" / "lumenmill" / "Chart.yaml"]:
        target = tmp_path / file.relative_to(_ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    return tmp_path


def test_the_repository_states_one_version(release_check: ModuleType) -> None:
    assert list(release_check.version_problems(_ROOT)) == []


def test_another_version_is_reported_wherever_it_is_stated(release_check: ModuleType, root: Path) -> None:
    version = release_check.projects(root)[root / "client"]["version"]
    for name in ("services/media/pyproject.toml", "helm/lumenmill/Chart.yaml", "Dockerfile"):
        file = root / name
        file.write_text(file.read_text().replace(version, "99.9.9"))
    problems = list(release_check.version_problems(root))
    assert f"services/media/pyproject.toml: version 99.9.9 instead of {version}" in problems
    assert f"services/media/pyproject.toml: lumenmill-common==99.9.9 instead of =={version}" in problems
    assert f"helm/lumenmill/Chart.yaml: version 99.9.9, 99.9.9 instead of {version}" in problems
    assert f"Dockerfile: version 99.9.9 instead of {version}" in problems


_RELEASED = "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2030-01-31\n\n### Added\n\n- Light.\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (_RELEASED, None),
        (_RELEASED.replace("[0.2.0]", "[0.1.0]"), "the second section is not '[0.2.0] - YYYY-MM-DD'"),
        (_RELEASED.replace("## [Unreleased]\n", "## [Unreleased]\n\n- More.\n"), "[Unreleased] is not empty"),
        (_RELEASED.replace("- Light.\n", ""), "[0.2.0] has no entries"),
    ],
)
def test_the_changelog_must_have_a_dated_section_of_the_version(
    release_check: ModuleType, text: str, problem: str | None
) -> None:
    problems = list(release_check.changelog_problems(text, "0.2.0"))
    assert (problem is None and not problems) or (problem is not None and problem in problems[0])


def test_a_distribution_without_a_description_is_reported(release_check: ModuleType, tmp_path: Path) -> None:
    wheel = tmp_path / "toy-0.2.0-py3-none-any.whl"
    metadata = "Metadata-Version: 2.4\nName: toy\nVersion: 0.2.0\nSummary: A toy.\nLicense-Expression: Apache-2.0\n"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("toy-0.2.0.dist-info/METADATA", f"{metadata}Requires-Python: >=3.11\n")
    expected = ["no description", "the description is not declared as Markdown"]
    assert list(release_check.metadata_problems(wheel)) == [f"{wheel.name}: {problem}" for problem in expected]
