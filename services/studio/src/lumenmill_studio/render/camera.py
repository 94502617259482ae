"""Compute camera poses: viewpoints, moves, matrices. Axes are those of ``light.proto``."""

from dataclasses import dataclass, replace

import numpy as np

from lumenmill.common.v1.camera_pb2 import Camera, CameraPath, Viewpoint
from lumenmill_light.axes import unit_vector
from lumenmill_light.color import Array
from lumenmill_studio.scenes.spec import ReferenceCamera

__all__ = ["Pose", "ease", "frame_poses", "pose_of", "viewpoint_of"]


@dataclass(frozen=True)
class Pose:
    """A camera around the subject: azimuth, elevation, distance, focal length, pan and tilt; angles in degrees."""

    azimuth_deg: float
    elevation_deg: float
    distance: float
    focal_length_mm: float
    aim_y: float
    pan_deg: float = 0.0
    tilt_deg: float = 0.0

    @property
    def position(self) -> Array:
        """Return the position of the camera, (3,)."""
        return self.distance * unit_vector(self.azimuth_deg, self.elevation_deg)

    def axes(self) -> Array:
        """Return right, up and back (towards the viewer) as rows of unit vectors, (3, 3)."""
        forward = np.array([0.0, self.aim_y, 0.0]) - self.position
        forward = forward / np.linalg.norm(forward)
        azimuth = np.arctan2(forward[0], -forward[2]) + np.radians(self.pan_deg)
        elevation = np.clip(np.arcsin(forward[1]) + np.radians(self.tilt_deg), -1.55, 1.55)
        forward = np.array(
            [np.cos(elevation) * np.sin(azimuth), np.sin(elevation), -np.cos(elevation) * np.cos(azimuth)]
        )
        right = np.array([np.cos(azimuth), 0.0, np.sin(azimuth)])
        return np.stack([right, np.cross(right, forward), -forward])

    def world_from_camera(self) -> Array:
        """Return the matrix (4, 4) from camera space (x right, y up, z towards the viewer) to the scene."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.axes().T
        matrix[:3, 3] = self.position
        return matrix

    @property
    def key(self) -> str:
        """Return the canonical text of the pose."""
        values = (
            self.azimuth_deg % 360,
            self.elevation_deg,
            self.distance,
            self.focal_length_mm,
            self.aim_y,
            self.pan_deg,
            self.tilt_deg,
        )
        return ",".join(f"{value:.5f}" for value in values)


def pose_of(reference: ReferenceCamera, viewpoint: Viewpoint | None) -> Pose:
    """Return the pose of a viewpoint; what it leaves open is as in the reference camera."""
    pose = Pose(0.0, reference.elevation_deg, reference.distance, reference.focal_length_mm, reference.aim_y)
    if viewpoint is None:
        return pose
    return replace(
        pose,
        azimuth_deg=viewpoint.azimuth_deg,
        elevation_deg=viewpoint.elevation_deg if viewpoint.HasField("elevation_deg") else pose.elevation_deg,
        distance=pose.distance * (viewpoint.distance_ratio if viewpoint.HasField("distance_ratio") else 1.0),
        focal_length_mm=viewpoint.focal_length_mm if viewpoint.HasField("focal_length_mm") else pose.focal_length_mm,
    )


def viewpoint_of(pose: Pose, reference: ReferenceCamera) -> Viewpoint:
    """Return the pose as the contract's viewpoint, which has no pan and tilt."""
    return Viewpoint(
        azimuth_deg=(pose.azimuth_deg + 180) % 360 - 180,
        elevation_deg=pose.elevation_deg,
        distance_ratio=pose.distance / reference.distance,
        focal_length_mm=pose.focal_length_mm,
    )


def frame_poses(reference: ReferenceCamera, camera: Camera | None, num_frames: int) -> list[Pose]:
    """Return the pose of each frame; moves ease in and out."""
    start = pose_of(reference, camera.viewpoint if camera and camera.HasField("viewpoint") else None)
    path = camera.path if camera and camera.HasField("path") else None
    return [_moved(start, path, ease(index / max(num_frames - 1, 1))) for index in range(num_frames)]


def ease(t: float) -> float:
    """Map 0…1 to 0…1 with zero speed at both ends."""
    return t * t * (3 - 2 * t)


def _moved(start: Pose, path: CameraPath | None, t: float) -> Pose:
    move = path.WhichOneof("move") if path else None
    if path is None or move in (None, "static"):
        return start
    if move == "orbit":
        return replace(start, azimuth_deg=start.azimuth_deg + path.orbit.sweep_deg * t)
    if move == "dolly":
        return replace(start, distance=start.distance * path.dolly.end_distance_ratio**t)
    if move == "pan":
        return replace(start, pan_deg=path.pan.sweep_deg * t)
    return replace(start, tilt_deg=path.tilt.sweep_deg * t)
