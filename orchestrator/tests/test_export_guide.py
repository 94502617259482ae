"""All examples of docs/exports.md run, beside datasets in folders named after their formats."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_orchestrator.exporters import EXPORT_FORMATS

from .synthetic import Archive, clip_sample, image_sample

_GUIDE = (Path(__file__).parents[2] / "docs" / "exports.md").read_text()
_EXAMPLES = re.findall(r"```python\n(.*?)```", _GUIDE, re.DOTALL)


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("datasets")
    archive = Archive(folder / "archive")
    for scene in range(40):
        archive.add([image_sample(archive, "run", scene, number) for number in range(2)])
        archive.add([clip_sample(archive, "run", scene, 0)])
    for value in EXPORT_FORMATS:
        name = run_pb2.ExportFormat.Name(value).removeprefix("EXPORT_FORMAT_")  # type: ignore[arg-type]
        asyncio.run(archive.export("run", name, folder / name.lower().replace("_", "-"), embed_media=True))
    archive.close()
    return folder


def test_the_examples_run(datasets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(datasets / "cache"))
    # In one process, since importing their libraries takes most of the time.
    scripts = [f"{example}\nprint('example {number} ran')\n" for number, example in enumerate(_EXAMPLES)]
    command = [sys.executable, "-c", "\n".join(scripts)]
    examples = subprocess.run(command, cwd=datasets, check=False, capture_output=True, text=True, timeout=100)
    assert examples.returncode == 0, examples.stderr
    assert len(_EXAMPLES) == 6 and examples.stdout.endswith("example 5 ran\n")
