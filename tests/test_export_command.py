"""`lumenmill export` end to end, with photographs whose licences were stated at the upload."""

import json
from pathlib import Path

import pytest
from mesh_command import Command
from PIL import Image

_RECIPE = """\
lumenmill: 1
name: photos
parameters:
  photos: {type: "list[artifact]"}
source: {items: "${params.photos}"}
steps:
  caption: {call: captioner.Caption, model: photometric, with: {subject: {media: "${item}"}}}
samples:
  photo: {kind: image, media: {image: "${item}"}, caption: "${caption.text}"}
"""


@pytest.fixture(scope="module")
def photos(photo: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three crops of one photograph, as files of three photographs."""
    folder = tmp_path_factory.mktemp("photos")
    paths = [folder / f"{number}.png" for number in range(3)]
    with Image.open(photo) as image:
        for number, path in enumerate(paths):
            image.crop((64 * number, 0, 64 * number + 256, 256)).save(path)
    return paths


def _run(lumenmill: Command, folder: Path, *arguments: str) -> str:
    (folder / "photos.yaml").write_text(_RECIPE)
    result = lumenmill("run", str(folder / "photos.yaml"), "--json", *arguments)
    assert result.returncode == 0, result.stderr
    return str(json.loads(result.stdout)["id"])


def test_an_export_is_updated(lumenmill: Command, photos: list[Path], tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    to = ["--format", "imagefolder", "--to", str(tmp_path / "d")]
    first_run = _run(lumenmill, tmp_path, "--set", f"photos=@{photos[0]},@{photos[1]}")
    first = json.loads(lumenmill("export", first_run, *to, "--json").stdout)
    assert sum(first["num_samples_by_split"].values()) == int(first["num_samples"]) == 2
    again = lumenmill("export", first_run, *to)
    assert "0 files written, " in again.stdout and "2 samples" in again.stdout
    assert f"datasets.load_dataset('imagefolder', data_dir='{tmp_path}/d/images')" in again.stdout
    second_run = _run(lumenmill, tmp_path, "--set", f"photos=@{photos[0]},@{photos[2]}")
    more = json.loads(lumenmill("export", first_run, second_run, *to, "--json").stdout)
    assert int(more["num_samples"]) == 3, "the photograph of both runs is written once"
    assert 2 <= more["num_files_written"] <= 3 and not more["num_files_removed"]
    opened = datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "d/images"), cache_dir=str(tmp_path / "c"))
    assert sum(split.num_rows for split in opened.values()) == 3
    smaller = json.loads(lumenmill("export", first_run, *to, "--json").stdout)
    assert smaller["num_files_removed"] >= 1


def test_only_stated_licences_allow_commercial_exports(lumenmill: Command, photos: list[Path], tmp_path: Path) -> None:
    setting = ["--set", f"photos=@{photos[0]}"]
    stated = _run(lumenmill, tmp_path, *setting, "--licence", "CC0-1.0")
    unstated = _run(lumenmill, tmp_path, *setting)
    commercial = ["--commercial", "--format", "videox-fun"]
    passed = lumenmill("export", stated, *commercial, "--to", str(tmp_path / "stated"))
    assert passed.returncode == 0 and "1 sample in" in passed.stdout, passed.stderr
    excluded = lumenmill("export", unstated, *commercial, "--to", str(tmp_path / "unstated"))
    assert excluded.returncode == 2 and "0.png (LicenseRef-not-stated) does not state" in excluded.stderr
    assert not (tmp_path / "unstated").exists()
    both = lumenmill("export", unstated, stated, *commercial, "--to", str(tmp_path / "both"))
    exclusion = "1 excluded by licences:\n  0.png (LicenseRef-not-stated): "
    exclusion += "does not state whether commercial use is allowed, 1\n"
    assert exclusion in both.stdout
    assert lumenmill("run", str(tmp_path / "photos.yaml"), *setting, "--licence", "my own").returncode == 2


@pytest.mark.timeout(300)  # nine commands
def test_a_jpeg_of_any_name_is_exported_in_every_format_and_shown(
    lumenmill: Command, photos: list[Path], tmp_path: Path
) -> None:
    files = [tmp_path / name for name in ("one.jpeg", "two.JFIF", "three")]
    for file, photo in zip(files, photos, strict=True):
        with Image.open(photo) as image:
            image.save(file, "JPEG")
    settings = ",".join(f"@{file}" for file in files)
    run = _run(lumenmill, tmp_path, "--set", f"photos={settings}")
    samples = json.loads(lumenmill("samples", run, "--json").stdout)
    stored = [sample["media"]["image"] for sample in samples]
    assert {artifact["media_type"] for artifact in stored} == {"image/jpeg"}
    assert all(artifact["image"]["width_px"] == 256 for artifact in stored)
    for format_ in ("parquet", "imagefolder", "webdataset", "videox-fun", "diffsynth"):
        exported = lumenmill("export", run, "--format", format_, "--to", str(tmp_path / format_), "--json")
        assert int(json.loads(exported.stdout)["num_samples"]) == len(files), exported.stderr
    shown = lumenmill("gallery", run, "--out", str(tmp_path / "gallery.html"))
    assert shown.returncode == 0 and "data:image/jpeg;base64," in (tmp_path / "gallery.html").read_text()
