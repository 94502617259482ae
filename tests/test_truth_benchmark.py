"""The benchmark of labels finds captions that lie."""

import sys
from pathlib import Path

import pytest

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import light_pb2

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

from truth_pictures import Change, Picture
from truth_table import problems_of_change, problems_of_picture

_LEFT = light_pb2.LightAttributes(
    kinds=[light_pb2.LIGHT_KIND_AREA], azimuth_deg=-60, elevation_deg=30, hardness=0.8, color_temperature_k=2600
)
_ARRIVED = light_pb2.ArrivedLight(
    attributes=_LEFT, sources=[light_pb2.ArrivedSource(attributes=_LEFT, share=1.0, unoccluded_fraction=1.0)]
)


def _picture(content: str, light: str) -> Picture:
    caption = captioner_pb2.CaptionResult(text=f"{content} {light}", light_text=light)
    labels = "hand-made", "key", "still_life", "area"
    return Picture(*labels, arrived=_ARRIVED, caption=caption, seen=("jug", "lemon"), place="on an oak table")


def test_a_true_caption_has_no_problems() -> None:
    assert not problems_of_picture(
        _picture("A jug and a lemon on an oak table.", "Hard amber light comes from the left.")
    )


@pytest.mark.parametrize(
    ("content", "light"),
    [
        ("A jug and a lemon on an oak table.", "Hard amber light comes from the right."),
        ("A jug and a lemon on an oak table.", "Very soft amber light comes from the left."),
        ("A jug and a lemon on an oak table.", "Hard cold blue light comes from the left."),
        ("A bronze statue and a lemon on an oak table.", "Hard amber light comes from the left."),
        ("A bronze statue and a marble fountain in a courtyard.", "Hard amber light comes from the left."),
    ],
)
def test_a_caption_that_lies_is_found(content: str, light: str) -> None:
    assert problems_of_picture(_picture(content, light))


def test_an_instruction_that_says_nothing_of_a_change_is_found() -> None:
    right = light_pb2.LightAttributes()
    right.CopyFrom(_LEFT)
    right.azimuth_deg = 60
    after = light_pb2.ArrivedLight(attributes=right, sources=[light_pb2.ArrivedSource(attributes=right, share=1.0)])
    silent = captioner_pb2.CompareLightResult()
    assert problems_of_change(Change("hand-made", _ARRIVED, after, silent))
