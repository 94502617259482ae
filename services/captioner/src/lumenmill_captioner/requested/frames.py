"""The camera of a picture, and directions in its level frame, in which attributes are given.

The level frame turns with the camera's azimuth but not with its pitch: +Y is up, +Z points from the subject towards the
camera along the ground, +X to the camera's right. `lumenmill_light.axes.scene_to_level` turns scene directions into it.
"""

import math
from dataclasses import dataclass

import numpy as np

from lumenmill.common.v1 import camera_pb2
from lumenmill_light.axes import Vector

__all__ = ["CameraFrame", "camera_frame"]


@dataclass(frozen=True)
class CameraFrame:
    """Orientation of the camera of a picture. Where the elevation is unknown, `pitch_known` is false and it is 0.

    `focal_length_mm` is that on a sensor 36 mm wide, None where it is unknown.
    """

    azimuth_deg: float
    elevation_deg: float
    pitch_known: bool
    focal_length_mm: float | None = None

    def level_from_camera(self, vectors: Vector) -> Vector:
        """Turn camera-space directions (x right, y up, z towards the camera) into the level frame of this camera."""
        pitch = math.radians(self.elevation_deg)
        c, s = math.cos(pitch), math.sin(pitch)
        return np.asarray(vectors @ np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]]))


def camera_frame(camera: camera_pb2.Camera | None, time_fraction: float = 0.0) -> CameraFrame:
    """Return the frame of a camera at a time of its clip, 0 to 1.

    None is the reference viewpoint, whose pitch is unknown. Moves are assumed to ease in and out as a cubic, 3t² − 2t³,
    since the contract does not specify their timing.
    """
    if camera is None:
        return CameraFrame(0.0, 0.0, pitch_known=False)
    view, path = camera.viewpoint, camera.path
    moved = time_fraction**2 * (3.0 - 2.0 * time_fraction)
    # A camera that pans to its right sees what is behind it move further to its right.
    turn = moved * (path.orbit.sweep_deg - path.pan.sweep_deg)
    pitch = view.elevation_deg - moved * path.tilt.sweep_deg
    focal_length_mm = view.focal_length_mm if view.HasField("focal_length_mm") else None
    return CameraFrame(view.azimuth_deg + turn, pitch, view.HasField("elevation_deg"), focal_length_mm)
