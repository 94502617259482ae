"""Light at moments of a clip, and how it moves in the scene and relative to the camera."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import light_pb2
from lumenmill_captioner.families.photometric.subject import SubjectReader
from lumenmill_captioner.measure import Evidence, Measured, measure, swing_of
from lumenmill_captioner.requested.expected import ExpectedLight
from lumenmill_captioner.requested.frames import CameraFrame
from lumenmill_captioner.words import KeyMotion
from lumenmill_common.jobs import JobContext
from lumenmill_light.axes import Vector, scene_to_level, unit_vector
from lumenmill_light.difference import difference
from lumenmill_media import Clip

__all__ = ["Moment", "clip_error", "key_motion", "measure_moments", "measured_swing_deg"]

# Motion of a direction is derived when this part of the moments has one.
_MIN_DIRECTED = 0.6
# The camera rests when this part of the normals stays within this cosine.
_RESTING_PART, _RESTING_COSINE = 0.9, 0.99
_ERRORS: tuple[Literal["direction_deg", "hardness", "color_temperature_mired"], ...] = (
    "direction_deg",
    "hardness",
    "color_temperature_mired",
)


@dataclass(frozen=True)
class Moment:
    """One measured frame: its time, its camera, its light as measured and as requested."""

    time_s: float
    camera: CameraFrame
    evidence: Evidence
    measured: Measured
    requested: ExpectedLight | None

    @property
    def expected(self) -> light_pb2.LightAttributes | None:
        """The requested light on the visible surfaces, or None."""
        if self.requested is None:
            return None
        return self.requested.dominant_on(self.measured.surface.normals if self.measured.surface else None)


def measure_moments(reader: SubjectReader, clip: Clip, job: JobContext) -> list[Moment]:
    """Measure the sampled frames of a clip, each with its own maps and camera.

    Raises:
        InvalidArgumentError: a map is broken, lacks a frame, or is of another size than the clip.
        CancelledError: the job was cancelled.
    """
    moments = []
    evidence = reader.clip_evidence(clip.frames, clip.num_frames)
    for step, (frame, entry) in enumerate(zip(clip.frames, evidence, strict=True)):
        job.progress("measure", step, len(clip.frames))
        time = frame.index / max(clip.num_frames - 1, 1)
        moments.append(Moment(frame.time_s, reader.frame(time), entry, measure(entry), reader.expected(time)))
    return moments


def clip_error(moments: Sequence[Moment]) -> tuple[captioner_pb2.LightError | None, dict[str, float]]:
    """Return the median errors over the moments of a clip, and the largest error of direction as a score."""
    expected = [(moment.measured.proto.attributes, moment.expected) for moment in moments]
    errors = [difference(measured, light) for measured, light in expected if light is not None]
    result = captioner_pb2.LightError()
    for name in _ERRORS:
        values = [getattr(error, name) for error in errors if error.HasField(name)]
        if values:
            setattr(result, name, float(np.median(values)))
    directions = [error.direction_deg for error in errors if error.HasField("direction_deg")]
    scores = {"direction_error_largest_deg": max(directions)} if directions else {}
    return (result if result.ListFields() else None), scores


def key_motion(moments: Sequence[Moment], *, camera_path_known: bool) -> KeyMotion | None:
    """Return how the key light moves, as requested, else as measured; None where neither has directions.

    Args:
        moments: in time order.
        camera_path_known: whether the camera's move is known, so that directions in the scene follow.
    """
    requested = _directions(moments, lambda moment: moment.expected)
    found = requested or _directions(moments, lambda moment: moment.measured.proto.attributes)
    if not found:
        return None
    first_deg = moments[0].camera.azimuth_deg
    in_scene = [scene_to_level(vector, first_deg - camera.azimuth_deg) for camera, vector in found]
    camera_is_known = camera_path_known or bool(requested) or _camera_rests(moments)
    return KeyMotion(
        seen=swing_of([vector for _, vector in found], exact=bool(requested)),
        in_scene=swing_of(in_scene, exact=bool(requested)) if camera_is_known else None,
        is_requested=bool(requested),
    )


def measured_swing_deg(moments: Sequence[Moment], *, camera_path_known: bool) -> float | None:
    """Return the angle through which the measured key moves in the scene, or None where it is unknown."""
    if not (camera_path_known or _camera_rests(moments)):
        return None
    found = _directions(moments, lambda moment: moment.measured.proto.attributes)
    swing = swing_of([scene_to_level(vector, -camera.azimuth_deg) for camera, vector in found], exact=False)
    return swing.angle_deg if swing else None


def _directions(
    moments: Sequence[Moment], attributes_of: Callable[[Moment], light_pb2.LightAttributes | None]
) -> list[tuple[CameraFrame, Vector]]:
    """Return camera and direction of the light of the moments that have one; none where too few have."""
    directed = []
    for moment in moments:
        attributes = attributes_of(moment)
        if attributes is not None and attributes.HasField("azimuth_deg") and attributes.HasField("elevation_deg"):
            directed.append((moment.camera, unit_vector(attributes.azimuth_deg, attributes.elevation_deg)))
    return directed if len(directed) >= math.ceil(_MIN_DIRECTED * len(moments)) else []


def _camera_rests(moments: Sequence[Moment]) -> bool:
    """Return whether the same surfaces are seen from the same side throughout."""
    maps = [moment.evidence.normals for moment in moments]
    first = maps[0]
    if first is None:
        return False
    seen = np.linalg.norm(first, axis=-1) > 0.9
    if not seen.any():
        return False
    resting = [(first[seen] * entry[seen]).sum(-1) > _RESTING_COSINE for entry in maps[1:] if entry is not None]
    return all(float(part.mean()) > _RESTING_PART for part in resting)
