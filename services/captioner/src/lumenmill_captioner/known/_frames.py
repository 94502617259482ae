"""Directions in the scene, in the camera, and in the level frame in which attributes are told.

The level frame turns with the camera's azimuth but not with its pitch: +Y is up, +Z points from the subject towards the
camera along the ground, +X to the camera's right.
"""

import math
from dataclasses import dataclass

import numpy as np
from lumenmill.common.v1 import camera_pb2
from numpy.typing import NDArray

Vector = NDArray[np.float64]


def unit_vector(azimuth_deg: float, elevation_deg: float) -> Vector:
    """Return the unit vector of a direction that light comes from, in the axes of light.proto."""
    azimuth, elevation = math.radians(azimuth_deg), math.radians(elevation_deg)
    flat = math.cos(elevation)
    return np.array([math.sin(azimuth) * flat, math.sin(elevation), math.cos(azimuth) * flat])


def direction_angles(vector: Vector) -> tuple[float, float]:
    """Return azimuth in (−180, 180] and elevation of a unit vector, in degrees."""
    azimuth = math.degrees(math.atan2(float(vector[0]), float(vector[2])))
    return azimuth, math.degrees(math.asin(float(np.clip(vector[1], -1.0, 1.0))))


def wrap_deg(angle_deg: float) -> float:
    """Return the same direction in (−180, 180] degrees."""
    wrapped = angle_deg % 360.0
    return wrapped - 360.0 if wrapped > 180.0 else wrapped


@dataclass(frozen=True)
class CameraFrame:
    """Where the camera of a picture stands. Without `pitch_known` its elevation was not told and is 0."""

    azimuth_deg: float
    elevation_deg: float
    pitch_known: bool

    def level_from_scene(self, vectors: Vector) -> Vector:
        """Turn scene directions (..., 3) into the level frame of this camera."""
        turn = math.radians(self.azimuth_deg)
        c, s = math.cos(turn), math.sin(turn)
        return np.asarray(vectors @ np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]]))

    def scene_from_level(self, vectors: Vector) -> Vector:
        """Turn directions (..., 3) in the level frame of this camera into the scene."""
        return np.asarray(vectors @ self.level_from_scene(np.eye(3)).T)

    def level_from_camera(self, vectors: Vector) -> Vector:
        """Turn camera-space directions (x right, y up, z towards the camera) into the level frame of this camera."""
        pitch = math.radians(self.elevation_deg)
        c, s = math.cos(pitch), math.sin(pitch)
        return np.asarray(vectors @ np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]]))


def camera_frame(camera: camera_pb2.Camera | None, time_fraction: float = 0.0) -> CameraFrame:
    """Return the frame of a camera at a time of its clip, 0 to 1.

    None is the reference viewpoint, whose pitch is not known. Moves are taken to ease in and out as a cubic, 3t² − 2t³,
    since the contract leaves their course open.
    """
    if camera is None:
        return CameraFrame(0.0, 0.0, pitch_known=False)
    view, path = camera.viewpoint, camera.path
    moved = time_fraction**2 * (3.0 - 2.0 * time_fraction)
    # A camera that looks to its right has what comes from behind it further to its right.
    turn = moved * (path.orbit.sweep_deg - path.pan.sweep_deg)
    pitch = view.elevation_deg - moved * path.tilt.sweep_deg
    return CameraFrame(view.azimuth_deg + turn, pitch, view.HasField("elevation_deg"))
