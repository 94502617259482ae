"""Light at moments of a clip, and how it moves in the scene and relative to the camera."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lumenmill.common.v1 import light_pb2
from lumenmill_captioner.families.photometric.subject import SubjectReader
from lumenmill_captioner.measure import Evidence, Measured, measure, swing_of
from lumenmill_captioner.requested.frames import CameraFrame
from lumenmill_captioner.words.motion import KeyMotion
from lumenmill_common.jobs import JobContext
from lumenmill_light.axes import Vector, scene_to_level, unit_vector, wrap_deg
from lumenmill_light.visible_lights import visible_lights
from lumenmill_media import Clip

__all__ = ["Moment", "arrived_motion", "in_first_frame", "measure_moments", "measured_motion", "measured_swing_deg"]

# Motion of a direction is derived when this part of the moments has one.
_MIN_DIRECTED = 0.6
# The camera rests when this part of the normals stays within this cosine.
_RESTING_PART, _RESTING_COSINE = 0.9, 0.99
_FrameAt = Callable[[float], CameraFrame]


@dataclass(frozen=True)
class Moment:
    """One measured frame: its time, its camera and its light."""

    time_s: float
    camera: CameraFrame
    evidence: Evidence
    measured: Measured


def measure_moments(reader: SubjectReader, clip: Clip, job: JobContext) -> list[Moment]:
    """Measure the sampled frames of a clip, each with its own maps and camera.

    Raises:
        InvalidArgumentError: a map is broken, lacks a frame, or is of another size than the clip.
        CancelledError: the job was cancelled.
    """
    moments = []
    evidence = reader.clip_evidence(clip)
    for step, (frame, entry) in enumerate(zip(clip.frames, evidence, strict=True)):
        job.progress("measure", step, len(clip.frames))
        camera = reader.frame(clip.time_fraction(frame))
        moments.append(Moment(frame.time_s, camera, entry, measure(entry)))
    return moments


def arrived_motion(arrived: Sequence[light_pb2.ArrivedMoment], frame_at: _FrameAt) -> KeyMotion | None:
    """Return how the main light moves; None where it is not one source, or comes evenly at the start or the end.

    Args:
        arrived: moments in time order, from the first frame to the last.
        frame_at: returns the camera's frame at a time of 0 to 1.
    """
    found = [
        (frame_at(_time_fraction(arrived, moment)), lights[0])
        for moment in arrived
        if (lights := visible_lights(moment.light))
    ]
    if len({light.source_index for _, light in found}) != 1 or not all(found[end][1].has_direction for end in (0, -1)):
        return None
    moments = [(camera, light.attributes) for camera, light in found]
    return _key_motion(_directed(moments, len(arrived)), exact=True, camera_is_known=True)


def measured_motion(moments: Sequence[Moment], *, camera_path_known: bool) -> KeyMotion | None:
    """Return how the key light moves by measurement; None where too few moments have a direction.

    Args:
        moments: in time order.
        camera_path_known: whether the camera's move is known, so that directions in the scene follow.
    """
    camera_is_known = camera_path_known or _camera_rests(moments)
    return _key_motion(_measured_directions(moments), exact=False, camera_is_known=camera_is_known)


def measured_swing_deg(moments: Sequence[Moment], *, camera_path_known: bool) -> float | None:
    """Return the angle through which the measured key moves in the scene, or None where it is unknown."""
    if not (camera_path_known or _camera_rests(moments)):
        return None
    found = _measured_directions(moments)
    swing = swing_of([scene_to_level(vector, -camera.azimuth_deg) for camera, vector in found], exact=False)
    return swing.angle_deg if swing else None


def in_first_frame(
    arrived: Sequence[light_pb2.ArrivedMoment], frame_at: _FrameAt
) -> tuple[light_pb2.ArrivedLight, ...]:
    """Return the light at each moment relative to the camera at the start, so that only moves of light differ."""
    first_deg = frame_at(0.0).azimuth_deg
    return tuple(
        _turned(moment.light, frame_at(_time_fraction(arrived, moment)).azimuth_deg - first_deg) for moment in arrived
    )


def _turned(arrived: light_pb2.ArrivedLight, turn_deg: float) -> light_pb2.ArrivedLight:
    light = light_pb2.ArrivedLight()
    light.CopyFrom(arrived)
    for attributes in (light.attributes, *(source.attributes for source in light.sources)):
        if attributes.HasField("azimuth_deg"):
            attributes.azimuth_deg = wrap_deg(attributes.azimuth_deg + turn_deg)
    return light


def _time_fraction(arrived: Sequence[light_pb2.ArrivedMoment], moment: light_pb2.ArrivedMoment) -> float:
    return moment.time_s / arrived[-1].time_s if arrived[-1].time_s > 0.0 else 0.0


def _key_motion(found: Sequence[tuple[CameraFrame, Vector]], *, exact: bool, camera_is_known: bool) -> KeyMotion | None:
    if not found:
        return None
    first_deg = found[0][0].azimuth_deg
    in_scene = [scene_to_level(vector, first_deg - camera.azimuth_deg) for camera, vector in found]
    return KeyMotion(
        seen=swing_of([vector for _, vector in found], exact=exact),
        in_scene=swing_of(in_scene, exact=exact) if camera_is_known else None,
        camera_is_known=camera_is_known,
        is_exact=exact,
    )


def _measured_directions(moments: Sequence[Moment]) -> list[tuple[CameraFrame, Vector]]:
    pairs = [(moment.camera, moment.measured.proto.attributes) for moment in moments]
    return _directed(pairs, len(moments))


def _directed(
    moments: Sequence[tuple[CameraFrame, light_pb2.LightAttributes]], num_moments: int
) -> list[tuple[CameraFrame, Vector]]:
    """Return camera and direction of the light of the moments that have one; none where too few have."""
    directed = [
        (camera, unit_vector(attributes.azimuth_deg, attributes.elevation_deg))
        for camera, attributes in moments
        if attributes.HasField("azimuth_deg") and attributes.HasField("elevation_deg")
    ]
    return directed if len(directed) >= math.ceil(_MIN_DIRECTED * num_moments) else []


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
