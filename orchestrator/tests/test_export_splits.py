"""No scene, environment map or image is in two splits, checked in the files of a larger export."""

import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from lumenmill.orchestrator.v1 import run_pb2

from .synthetic import Archive, clip_sample, image_sample, light

_NUM_SCENES, _NUM_MAPS = 80, 12


def _larger_runs(archive: Archive) -> dict[str, list[str]]:
    """Two runs over the same scenes and maps, photographs edited in both, and samples without scene keys.

    Returns the maps of each sample.
    """
    maps_of: dict[str, list[str]] = {}
    rng = random.Random(7)  # noqa: S311 - test data, not a secret
    maps = [f"{number:x}" * 64 for number in range(_NUM_MAPS)]
    for run_id, first in (("one", 0), ("two", _NUM_SCENES // 2)):
        made = []
        for scene in range(first, first + _NUM_SCENES):
            for number in range(3):
                chosen = rng.sample(maps, rng.choice((0, 0, 1, 2)))
                made.append(image_sample(archive, run_id, scene, number, requested_light=light(*chosen)))
            made.append(clip_sample(archive, run_id, scene, 0, requested_light=light(rng.choice(maps))))
            if scene % 10 == 0:  # the photograph that it was made from is its scene
                photo = archive.picture(f"photo {scene}")
                original = image_sample(archive, run_id, scene, 7)
                original.media["image"].CopyFrom(photo)
                for sample in [original, *made[-4:]]:
                    sample.scene_key, sample.group_id = photo.sha256, f"g-{photo.sha256[:24]}"
                made.append(original)
            if scene % 9 == 0 and run_id == "one":
                for sample in made[-4:]:
                    sample.scene_key = ""  # without a scene key
        archive.add(made)
        maps_of |= {
            sample.id: [source.environment_map.map.sha256 for source in sample.requested_light.sources]
            for sample in made
        }
    return maps_of


def _rows(folder: Path) -> list[dict[str, Any]]:
    return [row for path in sorted(folder.glob("data/*.parquet")) for row in pq.read_table(path).to_pylist()]


def _identities(row: dict[str, Any], maps: list[str]) -> set[str]:
    """Everything that must not be in two splits."""
    pictures = {f"media {entry['sha256']}" for entry in row["media"]}
    shown = {f"{name} {row[name]}" for name in ("scene_key", "group_id") if row[name]}
    photograph = {f"media {row['scene_key']}"} if row["scene_key"] else set()
    return pictures | shown | photograph | {f"map {sha256}" for sha256 in maps}


@pytest.mark.parametrize("rule", [run_pb2.SPLIT_RULE_UNSPECIFIED, run_pb2.SPLIT_RULE_SCENE])
async def test_no_scene_map_photograph_or_picture_is_in_two_splits(tmp_path: Path, rule: int) -> None:
    archive = Archive(tmp_path)
    maps_of = _larger_runs(archive)
    result = await archive.export("one", "PARQUET", tmp_path / "d", more_run_ids=["two"], split_rule=rule)
    rows = _rows(tmp_path / "d")
    assert len(rows) == result.num_samples > 300
    splits_of: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        for identity in _identities(row, maps_of[row["id"]] if rule != run_pb2.SPLIT_RULE_SCENE else []):
            splits_of[identity].add(row["split"])
    assert {split for splits in splits_of.values() for split in splits} == {"train", "validation", "test"}
    assert [identity for identity, splits in splits_of.items() if len(splits) > 1] == []
    assert len({row["id"] for row in rows}) == len(rows)
    shares = [sum(row["split"] == split for row in rows) / len(rows) for split in ("train", "validation", "test")]
    assert shares[0] > 0.8 and min(shares) > 0.01, shares
    archive.close()


async def test_a_sample_of_two_splits_is_excluded_and_counted(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    made = [image_sample(archive, "run", scene, 0, requested_light=light("a" * 64)) for scene in range(200)]
    archive.add(made)
    by_map = await archive.export("run", "PARQUET")
    by_scene = await archive.export("run", "PARQUET", split_rule=run_pb2.SPLIT_RULE_SCENE)
    assert (by_scene.num_samples, by_scene.num_excluded_by_split) == (200, 0)
    assert by_map.num_excluded_by_split > 5 and by_map.num_samples + by_map.num_excluded_by_split == 200
    archive.close()


async def test_equal_group_names_of_two_runs_are_two_groups(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    for run_id, first in (("one", 0), ("two", 1000)):
        made = [image_sample(archive, run_id, first + number, 0) for number in range(200)]
        for number, sample in enumerate(made):
            sample.group_id = f"set-{number}"
        archive.add(made)
    result = await archive.export("one", "PARQUET", more_run_ids=["two"], split_rule=run_pb2.SPLIT_RULE_SCENE)
    assert (result.num_samples, result.num_excluded_by_split) == (400, 0)
    older = image_sample(archive, "one", 1, 1, group_id="set-0")
    older.scene_key = ""
    archive.add([older])
    again = await archive.export("one", "PARQUET", tmp_path / "d", split_rule=run_pb2.SPLIT_RULE_SCENE)
    splits = {row["split"] for row in _rows(tmp_path / "d") if row["group_id"] == "set-0"}
    assert len(splits) == 1 and again.num_samples + again.num_excluded_by_split == 201
    archive.close()


async def test_equal_samples_of_several_runs_are_written_once(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    for run_id in ("one", "two"):
        archive.add([image_sample(archive, run_id, scene, 0) for scene in range(10)])
    recaptioned = image_sample(archive, "two", 3, 1)
    recaptioned.media["image"].CopyFrom(archive.picture("3/0"))
    archive.add([recaptioned])
    result = await archive.export("one", "PARQUET", tmp_path / "d", more_run_ids=["two", "one"])
    assert result.num_samples == 11
    assert {row["run_id"] for row in _rows(tmp_path / "d") if row["id"] != recaptioned.id} == {"one"}
    archive.close()
