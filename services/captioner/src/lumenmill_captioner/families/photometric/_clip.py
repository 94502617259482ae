"""Light at moments of a clip, and how it moves in the scene and before the camera."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import light_pb2
from lumenmill_common.jobs import JobContext
from lumenmill_media import Clip
from numpy.typing import NDArray

from lumenmill_captioner.known import CameraFrame, ExpectedLight, unit_vector
from lumenmill_captioner.measure import Evidence, Measured, light_error, measure, swing_of
from lumenmill_captioner.words import KeyMotion

from ._subject import SubjectReader

Vector = NDArray[np.float64]

# A direction is told over time when it is in this part of the moments.
_MIN_TOLD = 0.6
# The camera rests when this part of the normals stays within this cosine.
_RESTING_PART, _RESTING_COSINE = 0.9, 0.99
_ERRORS: tuple[Literal["direction_deg", "hardness", "color_temperature_mired"], ...] = (
    "direction_deg",
    "hardness",
    "color_temperature_mired",
)


@dataclass(frozen=True)
class Moment:
    """One measured frame: its time, its camera, its light as measured and as known."""

    time_s: float
    camera: CameraFrame
    evidence: Evidence
    measured: Measured
    known: ExpectedLight | None

    @property
    def expected(self) -> light_pb2.LightAttributes | None:
        """Known light on the surfaces that are seen, or None."""
        if self.known is None:
            return None
        surface = self.measured.surface
        return self.known.dominant_on(surface.normals) if surface else self.known.attributes


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
        moments.append(Moment(frame.time_s, reader.frame(time), entry, measure(entry), reader.known(time)))
    return moments


def clip_error(moments: Sequence[Moment]) -> tuple[captioner_pb2.LightError | None, dict[str, float]]:
    """Return the median errors over the moments of a clip, and the largest error of direction as a score."""
    errors = []
    for moment in moments:
        if moment.expected is not None:
            error = light_error(moment.measured.proto.attributes, moment.expected)
            if error is not None:
                errors.append(error)
    result = captioner_pb2.LightError()
    for name in _ERRORS:
        values = [getattr(error, name) for error in errors if error.HasField(name)]
        if values:
            setattr(result, name, float(np.median(values)))
    directions = [error.direction_deg for error in errors if error.HasField("direction_deg")]
    scores = {"direction_error_largest_deg": max(directions)} if directions else {}
    return (result if result.ListFields() else None), scores


def key_motion(moments: Sequence[Moment], *, camera_path_known: bool) -> KeyMotion | None:
    """Return how the key light moves, as it is known, else as measured; None where neither tells its direction.

    Args:
        moments: in time order.
        camera_path_known: whether the camera's move is known, so that directions can be told in the scene.
    """
    known = _directions(moments, lambda moment: moment.expected)
    found = known or _directions(moments, lambda moment: moment.measured.proto.attributes)
    if not found:
        return None
    first = moments[0].camera
    in_scene = [first.level_from_scene(camera.scene_from_level(vector)) for camera, vector in found]
    camera_is_told = camera_path_known or bool(known) or _camera_rests(moments)
    return KeyMotion(
        seen=swing_of([vector for _, vector in found], exact=bool(known)),
        in_scene=swing_of(in_scene, exact=bool(known)) if camera_is_told else None,
        is_known=bool(known),
    )


def measured_swing_deg(moments: Sequence[Moment], *, camera_path_known: bool) -> float | None:
    """Return the angle through which the measured key goes in the scene, or None where it is not told."""
    if not (camera_path_known or _camera_rests(moments)):
        return None
    found = _directions(moments, lambda moment: moment.measured.proto.attributes)
    swing = swing_of([camera.scene_from_level(vector) for camera, vector in found], exact=False)
    return swing.angle_deg if swing else None


def _directions(
    moments: Sequence[Moment], attributes_of: Callable[[Moment], light_pb2.LightAttributes | None]
) -> list[tuple[CameraFrame, Vector]]:
    """Camera and direction of the light of those moments that tell one; none where too few do."""
    told = []
    for moment in moments:
        attributes = attributes_of(moment)
        if attributes is not None and attributes.HasField("azimuth_deg") and attributes.HasField("elevation_deg"):
            told.append((moment.camera, unit_vector(attributes.azimuth_deg, attributes.elevation_deg)))
    return told if len(told) >= math.ceil(_MIN_TOLD * len(moments)) else []


def _camera_rests(moments: Sequence[Moment]) -> bool:
    """Whether the same surfaces are seen from the same side throughout."""
    maps = [moment.evidence.normals for moment in moments]
    first = maps[0]
    if first is None:
        return False
    seen = np.linalg.norm(first, axis=-1) > 0.9
    if not seen.any():
        return False
    resting = [(first[seen] * entry[seen]).sum(-1) > _RESTING_COSINE for entry in maps[1:] if entry is not None]
    return all(float(part.mean()) > _RESTING_PART for part in resting)
