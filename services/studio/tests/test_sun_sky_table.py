"""The table of sun and sky, from which all services derive attributes, agrees with Mitsuba's plugin."""

import runpy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lumenmill_light.sun_sky import sky_harmonics, sun_irradiance
from lumenmill_studio.render.variant import find_variant, use_variant

TOOL = Path(__file__).parents[2] / "light/tools/tabulate_sun_sky.py"


@pytest.fixture(scope="module")
def plugin() -> Any:
    """The functions that tabulate Mitsuba's plugin, in a thread with a variant of its own."""
    with ThreadPoolExecutor(1) as renderer:
        renderer.submit(lambda: use_variant(find_variant("scalar"))).result()
        tool = runpy.run_path(str(TOOL))
        yield lambda name, *arguments: renderer.submit(tool[name], *arguments).result()


@pytest.mark.parametrize("turbidity", [2.0, 3.0, 4.7, 8.0])
@pytest.mark.parametrize("elevation_deg", [0.0, 2.3, 4.0, 11.0, 37.0, 88.0])
def test_the_sun_is_that_of_the_plugin(plugin: Any, elevation_deg: float, turbidity: float) -> None:
    exact = plugin("sun_irradiance", elevation_deg, turbidity)
    assert sun_irradiance(elevation_deg, turbidity) == pytest.approx(exact, rel=0.01, abs=0.01)


@pytest.mark.parametrize(("elevation_deg", "turbidity"), [(1.0, 3.0), (14.0, 2.5), (60.0, 6.0)])
def test_the_sky_is_that_of_the_plugin(plugin: Any, elevation_deg: float, turbidity: float) -> None:
    exact = plugin("sky_harmonics", elevation_deg, turbidity)
    assert np.abs(sky_harmonics(elevation_deg, turbidity) - exact).max() < 0.02 * np.abs(exact).max()
