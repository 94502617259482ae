"""All examples of docs/client.md run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "client.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_of_the_guide_runs(number: int, home: Path, photo: Path, tmp_path: Path) -> None:
    with Image.open(photo) as image:
        image.save(tmp_path / "photo.jpg")
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    environment = os.environ | {"LUMENMILL_HOME": str(home)}
    example = subprocess.run(
        [sys.executable, "-c", EXAMPLES[number]],
        cwd=tmp_path,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert example.returncode == 0, example.stderr
    assert example.stdout
