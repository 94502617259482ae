"""Counts the samples of a saved dataset, and prints how to open it."""

import csv
import importlib
import json
import tarfile
from collections import Counter
from pathlib import Path, PurePosixPath

from lumenmill_client._dataset_folder import SavedDataset

__all__ = ["opening_lines", "samples_by_split"]

_SPLITS = ("train", "validation", "test")


def samples_by_split(saved: SavedDataset) -> dict[str, int]:
    """Return the number of samples of each split. Empty for Parquet without pyarrow."""
    counts: Counter[str] = Counter()
    for file in saved.result.files:
        path = PurePosixPath(file.path)
        split = next((name for name in _SPLITS if path.name.startswith(name)), path.parent.name)
        if split in _SPLITS:
            counts[split] += _num_samples(saved.folder / path)
    return {split: counts[split] for split in _SPLITS if counts[split]}


def _num_samples(path: Path) -> int:
    """Return the number of samples that a file lists; media files list none."""
    if path.suffix == ".parquet":
        try:
            parquet = importlib.import_module("pyarrow.parquet")
        except ModuleNotFoundError:
            return 0
        return int(parquet.read_metadata(path).num_rows)
    if path.suffix == ".tar":
        with tarfile.open(path) as tar:
            return sum(member.name.endswith(".json") for member in tar)
    if path.name == "metadata.jsonl":
        with path.open("rb") as lines:
            return sum(1 for _ in lines)
    if path.name == "metadata.csv":
        with path.open(newline="", encoding="utf-8") as rows:
            return sum(1 for _ in csv.DictReader(rows))
    return len(json.loads(path.read_text(encoding="utf-8"))) if path.suffix == ".json" else 0


def opening_lines(saved: SavedDataset, export_format: str) -> list[str]:
    """Return a line of Python for each separately opened part of a dataset."""
    folder = saved.folder
    tops = sorted({PurePosixPath(file.path).parts[0] for file in saved.result.files})
    if export_format == "parquet":
        return [_load("parquet", folder)] if tops else []
    if export_format == "imagefolder":
        builders = {"images": "imagefolder", "clips": "videofolder"}
        return [_load(builders[top], folder / top) for top in tops]
    if export_format == "webdataset":
        return [_load("webdataset", folder / top) for top in tops]
    if export_format == "videox-fun":
        lists = [top for top in tops if top.endswith(".json")]
        return [f"json.load(open({str(folder / name)!r}))  # paths are relative to {folder}" for name in lists]
    tables = [file.path for file in saved.result.files if PurePosixPath(file.path).name == "metadata.csv"]
    return [f"pandas.read_csv({str(folder / path)!r})  # paths are relative to {folder}" for path in tables]


def _load(builder: str, folder: Path) -> str:
    return f"datasets.load_dataset({builder!r}, data_dir={str(folder)!r})"
