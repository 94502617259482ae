"""Temperatures, chromaticities and linear Rec. 709 agree as light.proto defines."""

import numpy as np
import pytest

from lumenmill.common.v1 import light_pb2
from lumenmill_light.color import (
    LUMINANCE,
    correlated_temperature,
    emitter_rgb,
    temperature_of_white,
    temperature_rgb,
    temperature_xy,
)


def test_6504_k_is_the_white_of_rec_709() -> None:
    assert temperature_rgb(6504.0) == pytest.approx(np.ones(3), abs=2e-3)
    assert emitter_rgb(None) == pytest.approx(np.ones(3))
    assert emitter_rgb(light_pb2.LightColor()) == pytest.approx(np.ones(3))


@pytest.mark.parametrize(
    ("temperature_k", "x", "y"),
    # CIE 15:2004: illuminants A, D50, D65 and D75.
    [(2856.0, 0.4476, 0.4074), (5003.0, 0.3457, 0.3585), (6504.0, 0.3127, 0.3290), (7504.0, 0.2990, 0.3149)],
)
def test_black_body_below_4000_k_and_daylight_above(temperature_k: float, x: float, y: float) -> None:
    assert temperature_xy(temperature_k) == pytest.approx((x, y), abs=1.5e-3)


@pytest.mark.parametrize("temperature_k", [2000, 2300, 2700, 3500, 3999, 4000, 5000, 5250, 6504, 8000, 12000, 20000])
def test_a_temperature_is_found_again_in_its_colour(temperature_k: float) -> None:
    found = correlated_temperature(3.0 * temperature_rgb(float(temperature_k)))
    assert found is not None and found.is_white
    assert found.temperature_k == pytest.approx(temperature_k, abs=50 if temperature_k < 12000 else 200)
    # Daylight lies on the green side of the black-body locus.
    assert found.duv == pytest.approx(0.003 if temperature_k >= 4000 else 0.0, abs=1e-3)


def test_coloured_light_and_black_have_no_temperature() -> None:
    for rgb in ((1.0, 0.06, 0.04), (0.08, 0.9, 0.16), (0.05, 0.16, 1.0), (1.0, 0.08, 0.55), (0.0, 0.0, 0.0)):
        assert temperature_of_white(rgb) is None
    found = correlated_temperature((0.08, 0.9, 0.16))
    assert found is not None and found.duv > 0.02
    assert correlated_temperature((0.0, 0.0, 0.0)) is None


def test_the_colour_of_an_emitter_has_luminance_1() -> None:
    for color in (
        light_pb2.LightColor(temperature_k=1500),
        light_pb2.LightColor(rgb=light_pb2.RgbColor(red=4, blue=1)),
    ):
        assert LUMINANCE @ emitter_rgb(color) == pytest.approx(1.0)
