"""Photographs: what is claimed of their light is what a person sees, and nothing depends on how a file stores them."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lumenmill.common.v1 import artifact_pb2
from lumenmill_captioner.families.photometric.subject import evidence_of_picture
from lumenmill_captioner.measure import Measured, cast_word, measure
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_media import read_picture

Pixels = NDArray[np.uint8]

LABELS = list(csv.DictReader((Path(__file__).parent / "data" / "photographs.csv").read_text().splitlines()))


@pytest.fixture
def measured_of(store: ArtifactStore) -> "MeasuredOf":
    return MeasuredOf(store)


class MeasuredOf:
    """Measures images of pixels (H, W, 3) or (H, W, 4), and files."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store

    def __call__(self, image: Pixels | Path) -> Measured:
        if isinstance(image, Path):
            data = image.read_bytes()
        else:
            target = io.BytesIO()
            Image.fromarray(image).save(target, "PNG")
            data = target.getvalue()
        artifact = artifact_pb2.Artifact(inline_data=data, media_type="image/png")
        return measure(evidence_of_picture(read_picture(self._store, artifact, "media")))


def pixels_of(path: Path, side_px: int = 480) -> Pixels:
    with Image.open(path) as image:
        image.thumbnail((side_px, side_px))
        return np.asarray(image.convert("RGB"))


def photographs(source: str, folder: Path) -> dict[Path, dict[str, str]]:
    return {folder / row["file"]: row for row in LABELS if row["source"] == source}


def check_claims(rows: dict[Path, dict[str, str]], measured_of: MeasuredOf) -> tuple[int, int]:
    """Compare claims with what a person sees; return the numbers of claims and of pictures in colour."""
    num_claimed = num_in_color = 0
    for path, row in rows.items():
        measured = measured_of(path)
        word = cast_word(measured.scores)
        if row["grey"] == "yes":
            assert measured.monochrome and not measured.monochrome.is_toned, path.name
            assert not word and not measured.proto.HasField("duv"), path.name
            assert not measured.proto.attributes.HasField("color_temperature_k"), path.name
        else:
            assert not measured.monochrome, path.name
            seen = row["colour"].replace("mixed", "mixed warm and cool").split("|")
            assert not word or word in seen, (path.name, word, seen)
            num_in_color += row["colour"] != "unknown"
            num_claimed += bool(word)
    return num_claimed, num_in_color


def test_the_color_that_is_claimed_is_what_a_person_sees(data_dir: Path, measured_of: MeasuredOf) -> None:
    num_claimed, num_in_color = check_claims(photographs("shared", data_dir / "photos"), measured_of)
    assert num_claimed >= 0.5 * num_in_color


def test_photographs_that_come_with_a_package(measured_of: MeasuredOf) -> None:
    data = pytest.importorskip("skimage.data", reason="scikit-image, which brings photographs, is not installed")
    num_claimed, num_in_color = check_claims(photographs("skimage", Path(data.__file__).parent), measured_of)
    assert num_claimed >= 0.5 * num_in_color


def test_a_sepia_print_tells_nothing_of_its_light(data_dir: Path, measured_of: MeasuredOf) -> None:
    grey = pixels_of(data_dir / "photos" / "forest_stream.jpg").mean(axis=-1, keepdims=True) / 255.0
    sepia = (np.clip(grey * [1.07, 0.92, 0.74], 0, 1) * 255).astype(np.uint8)
    measured = measured_of(sepia)
    assert measured.monochrome and measured.monochrome.is_toned
    assert measured.scores["monochrome_tint_chroma"] > 0.02
    assert not cast_word(measured.scores) and not measured.proto.attributes.HasField("color_temperature_k")


@pytest.mark.parametrize("name", ["wine_room.jpg", "clock.jpg"])
def test_turned_pictures_have_the_same_colors(data_dir: Path, measured_of: MeasuredOf, name: str) -> None:
    pixels = pixels_of(data_dir / "photos" / name, 200)
    upright = measured_of(pixels)
    for turned in (np.rot90(pixels), pixels[::-1], pixels[:, ::-1], np.rot90(pixels, 2)):
        measured = measured_of(np.ascontiguousarray(turned))
        assert [(color.hex, color.name) for color in measured.proto.dominant_colors] == [
            (color.hex, color.name) for color in upright.proto.dominant_colors
        ]
        assert cast_word(measured.scores) == cast_word(upright.scores)
        for score, value in upright.scores.items():
            assert measured.scores[score] == pytest.approx(value, rel=1e-3, abs=1e-3), score


@pytest.mark.parametrize("side_px", [200, 1100])
def test_what_lies_under_transparency_counts_for_nothing(data_dir: Path, measured_of: MeasuredOf, side_px: int) -> None:
    pixels = pixels_of(data_dir / "photos" / "fig_bowl.jpg", side_px)
    y, x = np.mgrid[-1 : 1 : pixels.shape[0] * 1j, -1 : 1 : pixels.shape[1] * 1j]
    alpha = np.where(np.hypot(x, y) < 0.8, 255, 0).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, pixels.shape).astype(np.uint8)
    hidden = {"white": np.full_like(pixels, 255), "black": np.zeros_like(pixels), "noise": noise}
    results = []
    for color in hidden.values():
        shown = np.where(alpha[..., None] > 0, pixels, color)
        results.append(measured_of(np.concatenate([shown, alpha[..., None]], axis=-1)))
    first = results[0]
    for other in results[1:]:
        assert other.proto == first.proto
        assert other.scores == pytest.approx(first.scores)
    # The bowl alone is redder than the whole picture.
    assert first.scores["colorfulness"] > measured_of(pixels).scores["colorfulness"]


def test_a_margin_that_is_transparent_changes_nothing(data_dir: Path, measured_of: MeasuredOf) -> None:
    pixels = pixels_of(data_dir / "photos" / "nuthatch.jpg", 320)
    opaque = np.full(pixels.shape[:2], 255, np.uint8)
    cropped = np.concatenate([pixels, opaque[..., None]], axis=-1)
    wide = np.pad(cropped, ((40, 60), (90, 30), (0, 0)))
    wide[..., :3][wide[..., 3] == 0] = (255, 0, 255)
    alone, framed = measured_of(cropped), measured_of(wide)
    assert [color.hex for color in framed.proto.dominant_colors] == [color.hex for color in alone.proto.dominant_colors]
    for score, value in alone.scores.items():
        # The outermost pixels have no neighbours to compare with.
        assert framed.scores[score] == pytest.approx(value, rel=0.03, abs=0.01), score


@pytest.mark.parametrize("size_px", [(1, 1), (2, 3), (7, 1), (64, 48)])
@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (200, 30, 10), (90, 90, 90)])
def test_plain_and_tiny_pictures_claim_nothing(
    measured_of: MeasuredOf, size_px: tuple[int, int], color: tuple[int, int, int]
) -> None:
    measured = measured_of(np.full((size_px[1], size_px[0], 3), color, np.uint8))
    assert not cast_word(measured.scores)
    assert len(measured.proto.dominant_colors) == 1 and measured.proto.dominant_colors[0].fraction == 1.0
    for name in ("azimuth_deg", "elevation_deg", "hardness", "color_temperature_k", "intensity_ev"):
        assert not measured.proto.attributes.HasField(name)
    assert all(np.isfinite(list(measured.scores.values())))


def test_a_picture_of_which_nothing_shows_is_measured(measured_of: MeasuredOf) -> None:
    measured = measured_of(np.zeros((20, 30, 4), np.uint8))
    assert all(np.isfinite(list(measured.scores.values())))


@pytest.mark.parametrize("size_px", [(1, 1), (1, 60), (60, 1), (3, 3), (2, 200)])
def test_tiny_pictures_are_measured(size_px: tuple[int, int], store: ArtifactStore) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (*size_px[::-1], 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    artifact = artifact_pb2.Artifact(inline_data=buffer.getvalue(), media_type="image/png")
    measured = measure(evidence_of_picture(read_picture(store, artifact, "media")))
    assert not measured.proto.attributes.HasField("azimuth_deg")
