"""Follows the first part of docs/adding-a-family.md to the letter: a family from scratch."""

import re
import subprocess
import sys
from pathlib import Path

_REPOSITORY = Path(__file__).parents[1]
_GUIDE = _REPOSITORY / "docs" / "adding-a-family.md"
_FILE = re.compile(r"^`(?P<name>\w+\.py)`:\n\n```python\n(?P<text>.*?)^```", re.S | re.M)


def test_the_family_of_the_guide_is_served(tmp_path: Path) -> None:
    guide = _GUIDE.read_text(encoding="utf-8")
    files = {step["name"]: step["text"] for step in _FILE.finditer(guide)}
    assert list(files) == ["flat_colors.py", "test_flat_colors.py"]
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (command,) = re.findall(r"^python -m (pytest test_.*)$", guide, re.M)
    settings = ["-c", str(_REPOSITORY / "pyproject.toml"), "--rootdir", str(tmp_path), "-p", "no:cacheprovider"]
    followed = subprocess.run(
        [sys.executable, "-m", *command.split(), *settings, "-o", f"pythonpath={tmp_path}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert followed.returncode == 0, followed.stdout[-3000:]
    assert followed.stdout.splitlines()[0].startswith(".")
