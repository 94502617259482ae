"""Mattes that are estimated from a picture and its depth."""

import itertools

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from lumenmill_relighter.matting import estimated_matte
from lumenmill_relighter.matting.min_cut import min_cut

WIDTH, HEIGHT = 320, 240
X, Y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))


def textured(seed: int, colour: tuple[int, int, int]) -> np.ndarray:
    noise = gaussian_filter(np.random.default_rng(seed).normal(0, 1, (HEIGHT, WIDTH)), 2)
    return np.array(colour) + noise[..., None] / noise.std() * 12


def picture_of(subject: np.ndarray) -> Image.Image:
    """A red thing on a brown table before a grey wall."""
    behind = np.where(Y[..., None] > HEIGHT * 0.45, textured(1, (120, 90, 60)), textured(2, (150, 150, 155)))
    shown = np.where(subject[..., None], textured(3, (170, 40, 40)), behind)
    return Image.fromarray(np.clip(shown, 0, 255).astype(np.uint8))


def depth_of(subject: np.ndarray, blur_px: float = 4.0) -> Image.Image:
    """Its inverse depth, as blurred as an estimate: the front of the table is nearer than the subject."""
    table = np.where(Y > HEIGHT * 0.45, 0.1 + 0.9 * (Y / HEIGHT - 0.45) / 0.55, 0.1)
    inverse_depth = gaussian_filter(np.where(subject, np.maximum(0.6, table + 0.02), table), blur_px)
    return Image.fromarray(np.round(inverse_depth * 255).astype(np.uint8)).convert("RGB")


def overlap(matte: Image.Image | None, subject: np.ndarray) -> float:
    assert matte is not None and matte.mode == "L"
    found = np.asarray(matte) > 127
    return float((found & subject).sum() / (found | subject).sum())


DISC = np.hypot(X - 150, Y - 110) < 60
SUBJECTS = {
    "in the middle": DISC,
    "cut by the left side": np.hypot(X - 15, Y - 110) < 60,
    "two things": DISC | (np.hypot(X - 255, Y - 120) < 35),
}


@pytest.mark.parametrize("where", SUBJECTS)
def test_what_stands_on_a_table_is_cut_out_along_its_edges(where: str) -> None:
    subject = SUBJECTS[where]
    matte = estimated_matte(picture_of(subject), depth_of(subject))
    assert overlap(matte, subject) > 0.93
    assert np.asarray(matte)[-10:].max() < 10  # the front of the table, which is the nearest of all


def test_edges_are_those_of_the_picture_where_depth_is_a_little_off() -> None:
    shifted = np.roll(DISC, 8, axis=1)
    assert overlap(depth_of(shifted, 0.0).point(lambda value: 255 * (value > 148)).convert("L"), DISC) < 0.85
    assert overlap(estimated_matte(picture_of(DISC), depth_of(shifted)), DISC) > 0.93


def test_a_large_picture_gets_edges_as_fine_as_its_own() -> None:
    large = (WIDTH * 4, HEIGHT * 4)
    picture, depth = (each.resize(large, Image.Resampling.BICUBIC) for each in (picture_of(DISC), depth_of(DISC)))
    matte = estimated_matte(picture, depth)
    subject = np.asarray(Image.fromarray(DISC).resize(large, Image.Resampling.NEAREST))
    assert matte is not None and matte.size == large
    assert overlap(matte, subject) > 0.95


def test_nothing_stands_out_of_an_empty_table() -> None:
    nothing = np.zeros_like(DISC)
    assert estimated_matte(picture_of(nothing), depth_of(nothing)) is None


def depth_picture(inverse_depth: np.ndarray) -> Image.Image:
    values = gaussian_filter(np.broadcast_to(inverse_depth, (HEIGHT, WIDTH)).astype(float), 4.0)
    return Image.fromarray(np.round(values * 255).astype(np.uint8)).convert("RGB")


BESIDE = np.abs(X - 160) > 90
NO_SUBJECT = {
    "doorway": np.where(BESIDE | (Y < 40), 0.9, 0.1),
    "trees at both sides": np.where(X < 60, 0.9, np.where(X > 250, 0.7, 0.05)),
    "wall that is seen obliquely": X / WIDTH,
    "wall that is seen obliquely from the other side": 1 - X / WIDTH,
    "window in such a wall": np.where((np.abs(X - 160) < 35) & (np.abs(Y - 110) < 50), 0.0, 0.2 + 0.7 * X / WIDTH),
}


@pytest.mark.parametrize("what", NO_SUBJECT)
def test_surroundings_alone_are_no_subject(what: str) -> None:
    picture = picture_of(BESIDE if what == "doorway" else np.zeros_like(DISC))
    assert estimated_matte(picture, depth_picture(NO_SUBJECT[what])) is None


BEFORE_OTHER_THINGS = {
    "doorway": (DISC, np.where(np.abs(X - 160) > 110, 0.5, 0.1)),
    "wall that is seen obliquely": (DISC, 0.7 * X / WIDTH),
    "wall that is seen obliquely and mostly hidden": (np.abs(X - 160) < 110, 0.7 * X / WIDTH),
    "wall, cut by the left half": (X < 165, np.full(X.shape, 0.2)),
}


@pytest.mark.parametrize("where", BEFORE_OTHER_THINGS)
def test_what_stands_before_other_things_is_cut_out_without_them(where: str) -> None:
    subject, behind = BEFORE_OTHER_THINGS[where]
    assert overlap(estimated_matte(picture_of(subject), depth_picture(np.where(subject, 0.95, behind))), subject) > 0.9


def test_flat_colours_log_no_warning(recwarn: pytest.WarningsRecorder) -> None:
    flat = Image.composite(
        *(Image.new("RGB", (WIDTH, HEIGHT), each) for each in ("red", "gray")), Image.fromarray(DISC)
    )
    assert overlap(estimated_matte(flat, depth_picture(np.where(DISC, 0.9, 0.1))), DISC) > 0.93
    assert not [str(each.message) for each in recwarn]


def test_the_same_picture_has_the_same_matte() -> None:
    first, second = (estimated_matte(picture_of(DISC), depth_of(DISC)) for _ in range(2))
    assert first is not None and second is not None and first.tobytes() == second.tobytes()


def test_a_cut_is_the_cheapest_of_all_divisions() -> None:
    rng = np.random.default_rng(4)
    for _ in range(5):
        background_cost, subject_cost = rng.normal(0, 3, (2, 3, 3))
        features = np.zeros((3, 3, 1))
        divisions = [np.array(each).reshape(3, 3) for each in itertools.product([False, True], repeat=9)]
        costs = [_cost(each, background_cost, subject_cost, 1.0) for each in divisions]
        found = min_cut(background_cost, subject_cost, features, 1.0)
        assert _cost(found, background_cost, subject_cost, 1.0) == pytest.approx(min(costs), abs=0.1)


def _cost(is_subject: np.ndarray, background_cost: np.ndarray, subject_cost: np.ndarray, smoothness: float) -> float:
    total = float(np.where(is_subject, subject_cost, background_cost).sum())
    places = list(itertools.product(range(3), repeat=2))
    for (row, column), (other_row, other_column) in itertools.combinations(places, 2):
        distance = np.hypot(row - other_row, column - other_column)
        if distance < 1.5 and is_subject[row, column] != is_subject[other_row, other_column]:
            total += smoothness / distance
    return total
