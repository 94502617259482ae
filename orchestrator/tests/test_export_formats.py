"""Datasets of every export format, opened as training code opens them."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from lumenmill.common.v1 import light_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_orchestrator.exporters.columns import SCHEMA

from .synthetic import Archive, clip_sample, image_sample, light

_NUM_SCENES, _NUM_LIGHTS = 60, 3
_SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """60 scenes with 3 images and a clip each; some of them have an environment map."""
    made = Archive(tmp_path_factory.mktemp("archive"))
    samples = []
    for scene in range(_NUM_SCENES):
        known = {"requested_light": light("a" * 64)} if scene % 7 == 0 else {}
        samples += [image_sample(made, "run", scene, number, **known) for number in range(_NUM_LIGHTS)]
        samples.append(clip_sample(made, "run", scene, 0))
    samples[0].requested_attributes.MergeFrom(light_pb2.LightAttributes(azimuth_deg=10, elevation_deg=0))
    samples[0].measured_light.MergeFrom(light_pb2.LightAttributes(azimuth_deg=14, elevation_deg=0))
    samples[0].arrived_light.sources.add(share=0.9, color=light_pb2.RgbColor(red=1, green=1, blue=1))
    samples[0].arrived_light.attributes.MergeFrom(samples[0].measured_light)
    made.add(samples)
    yield made
    made.close()


async def test_parquet_is_opened_by_datasets(archive: Archive, tmp_path: Path) -> None:
    from datasets import load_dataset

    result = await archive.export("run", "PARQUET", tmp_path / "d", embed_media=True, split_rule=2)
    dataset = load_dataset("parquet", data_dir=str(tmp_path / "d"), cache_dir=str(tmp_path / "c"))
    assert set(dataset) == set(_SPLITS)
    assert sum(split.num_rows for split in dataset.values()) == result.num_samples == _NUM_SCENES * 4
    assert dataset["train"].column_names == SCHEMA.names
    row = next(iter(dataset["train"]))
    assert row["image"].size == (24, 16) and row["scene_key"]


async def test_folders_are_opened_by_datasets(archive: Archive, tmp_path: Path) -> None:
    from datasets import Video, load_dataset

    result = await archive.export("run", "IMAGEFOLDER", tmp_path / "d", split_rule=2)
    assert result.num_excluded_by_format == 0
    images = load_dataset("imagefolder", data_dir=str(tmp_path / "d/images"), cache_dir=str(tmp_path / "c"))
    assert sum(split.num_rows for split in images.values()) == _NUM_SCENES * _NUM_LIGHTS
    assert set(images) == set(_SPLITS), "types are equal in all splits"
    by_id = {row["id"]: row for split in images.values() for row in split}
    row = by_id["run.0.image.0"]
    assert row["image"].size == (24, 16)
    assert (row["caption"], round(row["error_direction_deg"], 3)) == ("scene 0, light “0”", 4.0)
    assert json.loads(row["arrived_sources"])[0]["rgb"] == [1, 1, 1]
    assert row["environment_map_sha256"] == "a" * 64 and row["camera_azimuth_deg"] != row["camera_azimuth_deg"]
    clips = load_dataset("videofolder", data_dir=str(tmp_path / "d/clips"), cache_dir=str(tmp_path / "c"))
    assert isinstance(clips["train"].features["video"], Video)
    clip = clips["train"].cast_column("video", Video(decode=False))[0]
    assert _read(clip["video"]["path"]).startswith(b"a clip") and clip["num_frames"] == 9


def _read(path: str) -> bytes:
    return Path(path).read_bytes()


async def test_webdataset_is_opened_by_webdataset_and_by_datasets(archive: Archive, tmp_path: Path) -> None:
    import webdataset
    from datasets import load_dataset

    await archive.export("run", "WEBDATASET", tmp_path / "d", split_rule=2)
    urls = [str(path) for path in sorted((tmp_path / "d/images-png-albedo").glob("*.tar"))]
    read = list(webdataset.WebDataset(urls, shardshuffle=False).decode("pil"))
    assert len(read) == _NUM_SCENES * _NUM_LIGHTS
    for sample in read:
        assert sample["png"].size == (24, 16) and sample["albedo.exr"].startswith(b"albedo")
        assert sample["json"]["caption"].startswith("scene")
    opened = load_dataset("webdataset", data_dir=str(tmp_path / "d/images-png-albedo"), cache_dir=str(tmp_path / "c"))
    assert set(opened) == set(_SPLITS)
    row = opened["train"][0]
    assert row["png"].size == (24, 16)
    assert {row["json"]["split"] for row in opened["test"]} == {"test"}
    assert (tmp_path / "d/clips-mp4-depth/train-00000.tar").is_file()


async def test_long_sample_names_are_read_by_webdataset_and_by_datasets(tmp_path: Path) -> None:
    import webdataset
    from datasets import load_dataset

    archive = Archive(tmp_path)
    made = image_sample(archive, "run", 1, 0)
    made.id = f"{'r' * 63}.{'p' * 63}-000000.{'s' * 63}.00000000"
    archive.add([made])
    assert len(made.id) > 200
    await archive.export("run", "WEBDATASET", tmp_path / "d", split_rule=2)
    urls = [str(path) for path in (tmp_path / "d").rglob("*.tar")]
    (read,) = webdataset.WebDataset(urls, shardshuffle=False).decode("pil")
    assert read["__key__"] == made.id.replace(".", "-") and read["json"]["id"] == made.id
    assert read["png"].size == (24, 16)
    opened = load_dataset("webdataset", data_files=urls, cache_dir=str(tmp_path / "c"), split="train")
    assert [row["json"]["id"] for row in opened] == [made.id] and opened[0]["png"].size == (24, 16)
    archive.close()


async def test_videox_fun_opens_its_lists(archive: Archive, tmp_path: Path) -> None:
    """Reads as ImageVideoControlDataset does: `json.load`, then paths joined to the root."""
    folder = tmp_path / "d"
    await archive.export("run", "VIDEOX_FUN", folder, split_rule=2)
    num_read = 0
    for split in _SPLITS:
        for entry in json.loads((folder / f"{split}.json").read_text()):
            num_read += 1
            assert entry["text"].startswith("scene")
            assert (entry["width"], entry["height"]) == (24, 16)
            if entry.get("type", "image") == "video":
                assert (folder / entry["file_path"]).read_bytes().startswith(b"a clip")
                assert (folder / entry["control_file_path"]).read_bytes().startswith(b"a clip: depth")
            else:
                assert Image.open(folder / entry["file_path"]).convert("RGB").size == (24, 16)
                assert Image.open(folder / entry["control_file_path"]).convert("RGB").size == (24, 16)
    assert num_read == _NUM_SCENES * 4


def _diffsynth_rows(folder: Path, metadata: str, keys: str) -> list[dict[str, Any]]:
    """Read as UnifiedDataset does: `pandas.read_csv`, then paths of the named columns, which must be strings."""
    table = pd.read_csv(folder / metadata)
    rows = [table.iloc[number].to_dict() for number in range(len(table))]
    for row in rows:
        for key in keys.split(","):
            assert isinstance(row[key], str), "the reader parses empty cells as numbers"
            row[key] = (folder / row[key]).read_bytes()
    return rows


async def test_diffsynth_opens_its_tables(archive: Archive, tmp_path: Path) -> None:
    folder = tmp_path / "d"
    await archive.export("run", "DIFFSYNTH", folder, split_rule=2)
    rows = [row for split in _SPLITS for row in _diffsynth_rows(folder, f"images/{split}/metadata.csv", "image")]
    assert len(rows) == _NUM_SCENES * _NUM_LIGHTS and all(isinstance(row["prompt"], str) for row in rows)
    edits = _diffsynth_rows(folder, "images/train/metadata_edit.csv", "image,edit_image")
    for row in edits:
        scene, _, number = row["image"].rsplit(b"IEND", 1)[1][4:].partition(b"/")
        assert row["edit_image"].endswith(scene + b"/0"), "edits start from the image of the same scene"
        assert row["prompt"] == f"Move the light to {number.decode()}."
    assert len(edits) == 2 * len(_diffsynth_rows(folder, "images/train/metadata.csv", "image")) // 3
    assert _diffsynth_rows(folder, "images/train/metadata_control.csv", "image,control_image")
    clips = _diffsynth_rows(folder, "clips/train/metadata_control.csv", "video,control_video")
    assert clips[0]["control_video"].startswith(b"a clip: depth")


async def test_unsupported_samples_are_counted(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    raw = image_sample(archive, "odd", 1, 0)
    raw.media["image"].CopyFrom(archive.store.put_bytes(b"numbers", "image/x-exr"))
    without_text = image_sample(archive, "odd", 2, 0)
    without_text.caption = without_text.prompt = ""
    quoted = image_sample(archive, "odd", 3, 0)
    quoted.caption = 'said "so",\nand so on'
    archive.add([raw, without_text, quoted])
    assert (await archive.export("odd", "PARQUET")).num_excluded_by_format == 0
    assert (await archive.export("odd", "WEBDATASET")).num_excluded_by_format == 1
    result = await archive.export("odd", "DIFFSYNTH", tmp_path / "d")
    assert (result.num_excluded_by_format, result.num_samples) == (2, 1)
    (path,) = [file.path for file in result.files if file.path.endswith("metadata.csv")]
    with (tmp_path / "d" / path).open(newline="") as file:
        assert [row["prompt"] for row in csv.DictReader(file)] == ['said "so",\nand so on']
    archive.close()


async def test_media_of_a_dataset_are_artifacts_of_the_store(archive: Archive) -> None:
    def listed() -> int:
        return len(archive.store.list(limit=10_000))

    before = listed()
    result = await archive.export("run", "VIDEOX_FUN", split_rule=run_pb2.SPLIT_RULE_SCENE)
    media = [file for file in result.files if file.path.startswith("media/")]
    assert len({file.path for file in media}) == len(media) and listed() <= before + 3
    assert all(archive.store.stat(file.artifact.sha256) and file.reused for file in media)
