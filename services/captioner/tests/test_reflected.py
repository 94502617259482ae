"""What surfaces reflect onto each other, against form factors that are known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from lumenmill_captioner.measure.reflected import reflected_shading
from lumenmill_captioner.measure.relief import Relief
from lumenmill_light.irradiance import rectangle_irradiance

Vector = NDArray[np.float64]

SIDE_PX, FOCAL_PX = 96, 60.0


def wall_ahead(distance: float) -> tuple[Relief, NDArray[np.float32]]:
    """A wall of radiance (1, 0.5, 0) that fills the picture, seen head on."""
    shape = (SIDE_PX, SIDE_PX)
    normals = np.broadcast_to([0.0, 0.0, 1.0], (*shape, 3)).astype(np.float64)
    linear = np.broadcast_to(np.array([1.0, 0.5, 0.0], np.float32), (*shape, 3))
    return Relief(np.full(shape, distance), normals, FOCAL_PX), linear


@pytest.mark.parametrize("gap", [0.6, 1.5])
def test_a_wall_lights_what_faces_it_by_its_form_factor(gap: float) -> None:
    relief, linear = wall_ahead(3.0)
    half_width = 3.0 * SIDE_PX / 2.0 / FOCAL_PX / gap
    form_factor = rectangle_irradiance(half_width, half_width) / np.pi
    facing, averted = np.array([0.0, 0.0, -1.0]), np.array([0.0, 0.0, 1.0])
    points = np.array([[0.0, 0.0, gap - 3.0]] * 2)
    shading = reflected_shading(relief, linear, points, np.stack([facing, averted]))
    np.testing.assert_allclose(shading[0], form_factor * np.array([1.0, 0.5, 0.0]), rtol=0.08)
    np.testing.assert_allclose(shading[1], 0.0, atol=1e-9)


def test_a_surface_gives_itself_nothing() -> None:
    relief, linear = wall_ahead(3.0)
    points = relief.positions.reshape(-1, 3)[::97]
    shading = reflected_shading(relief, linear, points, np.broadcast_to([0.0, 0.0, 1.0], points.shape))
    np.testing.assert_allclose(shading, 0.0, atol=1e-9)
