"""Light that is known to be in a picture: what it should look like from its camera."""

from ._expected import ExpectedLight, expected_light
from ._frames import CameraFrame, camera_frame, direction_angles, unit_vector, wrap_deg
from ._path import light_at

__all__ = [
    "CameraFrame",
    "ExpectedLight",
    "camera_frame",
    "direction_angles",
    "expected_light",
    "light_at",
    "unit_vector",
    "wrap_deg",
]
