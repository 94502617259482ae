"""Follows the second part of docs/adding-a-family.md to the letter in a copy of this service."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).parents[3]
_GUIDE = _REPOSITORY / "docs" / "adding-a-family.md"
_STEP = re.compile(r"^(?P<append>Append to )?`(?P<path>[^`]+)`:\n\n```(?P<kind>\w+)\n(?P<text>.*?)^```", re.S | re.M)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for part in ("src", "tests"):
        shutil.copytree(_REPOSITORY / "services" / "imager" / part, tmp_path / "services" / "imager" / part)
    return tmp_path


def _changed(before: str, diff: str) -> str:
    """Apply a diff whose hunks have no line numbers."""
    for hunk in diff.split("@@\n")[1:]:
        lines = hunk.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if not line.startswith("+"))
        assert before.count(old) == 1, f"the guide changes lines that do not exist: {old}"
        before = before.replace(old, "".join(line[1:] for line in lines if not line.startswith("-")))
    return before


def _follow(root: Path) -> list[str]:
    done = []
    for step in _STEP.finditer(_GUIDE.read_text(encoding="utf-8")):
        if not step["path"].startswith("services/"):
            continue  # the family from scratch: tests/test_family_guide.py
        file = root / step["path"]
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        if step["kind"] == "diff":
            after = _changed(before, step["text"])
        else:
            assert bool(step["append"]) == bool(before), f"{step['path']} must exist only for `Append to`"
            after = f"{before}\n\n{step['text']}" if before else step["text"]
        file.write_text(after, encoding="utf-8")
        done.append(file.name)
    return done


def test_the_guide_adds_a_model_that_is_served(copy: Path) -> None:
    assert _follow(copy) == ["auraflow.py", "__init__.py", "presets.yaml", "tiny.py", "test_models.py"]
    (command,) = re.findall(r"^python -m (pytest services.*)$", _GUIDE.read_text(encoding="utf-8"), re.M)
    settings = ["-c", str(_REPOSITORY / "pyproject.toml"), "--rootdir", str(copy), "-p", "no:cacheprovider"]
    source = [str(copy / "services" / "imager" / "src"), os.environ.get("PYTHONPATH", "")]
    followed = subprocess.run(
        [sys.executable, "-m", *command.split(), *settings],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(source)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert followed.returncode == 0, followed.stdout[-3000:]
    assert followed.stdout.splitlines()[0].startswith("...")
