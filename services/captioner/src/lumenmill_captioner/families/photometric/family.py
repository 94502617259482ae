"""The `photometric` family: one method for each RPC."""

import os
from collections.abc import Mapping
from functools import partial
from importlib import metadata

from google.protobuf import struct_pb2

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import artifact_pb2, generation_pb2, light_pb2, model_pb2
from lumenmill_captioner.families.photometric.clip import (
    arrived_motion,
    in_first_frame,
    measure_moments,
    measured_motion,
    measured_swing_deg,
)
from lumenmill_captioner.families.photometric.comparison import compared
from lumenmill_captioner.families.photometric.subject import SubjectReader, is_clip
from lumenmill_captioner.measure import Measured, measure, measure_motion
from lumenmill_captioner.requested.frames import camera_frame
from lumenmill_captioner.words import (
    MotionContext,
    Tone,
    Words,
    caption_text,
    content_text,
    joined,
    light_text,
    motion_text,
)
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.jobs import JobContext, Work, in_worker
from lumenmill_light.contradictions import contradictions
from lumenmill_light.difference import difference
from lumenmill_media import Limits, read_clip

__all__ = ["PhotometricFamily", "arrived_light", "contradictions_of"]

_FAMILY = "photometric"
_REVISION = "2.2.0"


class PhotometricFamily:
    """Measures pictures, and describes the light that arrived, or what it measured."""

    def __init__(self, store: ArtifactStore, limits: Limits, num_clip_samples: int = 8) -> None:
        """Take the store of the subjects, the limits on media and the number of frames of a clip that are measured."""
        self._store, self._limits, self._num_clip_samples = store, limits, num_clip_samples
        # Measurements depend on these too, so that other values are another revision.
        self._revision = f"{_REVISION}+{limits.measured_side_px}px.{num_clip_samples}frames"

    def describe(self) -> model_pb2.Model:
        """Return the model."""
        return model_pb2.Model(
            family=_FAMILY, name=_FAMILY, revision=self._revision, licences=[_licence()], device=_device()
        )

    def load(self) -> None:
        """Nothing is loaded: the family measures."""

    def caption(self, request: captioner_pb2.CaptionRequest) -> Work:
        """Return the description of one image or clip as work.

        Raises:
            InvalidArgumentError: an instruction or preset is given.
        """
        _refuse("instruction", request.instruction, "this family measures and follows no instructions; leave it empty")
        _refuse("preset", request.preset, f"{request.preset!r} is no preset: this family has none; leave it empty")
        return Work(partial(self.measured_caption, request))

    def measured_caption(self, request: captioner_pb2.CaptionRequest, job: JobContext) -> captioner_pb2.CaptionResult:
        """Describe one image or clip; instruction and preset are not considered.

        Raises:
            InvalidArgumentError: a part of the subject is broken.
            CancelledError: the job was cancelled.
        """
        subject, words = request.subject, Words(request.seed)
        reader = SubjectReader(self._store, self._limits, subject, "subject")
        reader.check_moments()
        requested = reader.requested()
        clip = is_clip(subject.media)
        measured, motion = self._clip(reader, subject, words, job) if clip else (_image(reader, job), "")
        with job.stage("describe"):
            arrived = arrived_light(subject)
            about_light = joined(light_text(measured, arrived, words), motion)
            scene = subject.built_scene if subject.HasField("built_scene") else None
            result = captioner_pb2.CaptionResult(
                text=caption_text(content_text(scene, measured, clip, words), about_light),
                light_text=about_light,
                measurement=measured.proto,
                scores=measured.scores,
            )
        _compare_attributes(result, requested, arrived)
        result.contradictions.extend(contradictions_of(about_light, subject))
        result.record.CopyFrom(self._record(request.seed, job, reader))
        return result

    @in_worker
    def compare_light(
        self, request: captioner_pb2.CompareLightRequest, job: JobContext
    ) -> captioner_pb2.CompareLightResult:
        """Describe what changed in the light between two images of one scene.

        Raises:
            InvalidArgumentError: a part of a subject is broken, or a clip.
            CancelledError: the job was cancelled.
        """
        for name in ("before", "after"):
            if is_clip(getattr(request, name).media):
                raise InvalidArgumentError(f"{name}.media", "is a clip; light is compared between two images")
        subjects = (request.before, request.after)
        readers = [
            SubjectReader(self._store, self._limits, subject, name)
            for name, subject in zip(("before", "after"), subjects, strict=True)
        ]
        with job.stage("read"):
            evidence = [reader.evidence() for reader in readers]
        with job.stage("measure"):
            measured = [measure(entry) for entry in evidence]
        with job.stage("describe"):
            result = compared(subjects, evidence, measured, Words(request.seed))
        result.record.CopyFrom(self._record(request.seed, job, readers[0]))
        return result

    def _clip(
        self, reader: SubjectReader, subject: captioner_pb2.Subject, words: Words, job: JobContext
    ) -> tuple[Measured, str]:
        """Return the measurement of the first frame with samples of all, and a text on what moves."""
        with job.stage("read"):
            clip = read_clip(self._store, subject.media, "subject.media", self._num_clip_samples, self._limits)
        with job.stage("measure"):
            moments = measure_moments(reader, clip, job)
            moving = measure_motion(clip.track)
        first, path_known = moments[0].measured, subject.camera.HasField("path")
        first.proto.samples.extend(
            captioner_pb2.LightSample(time_s=moment.time_s, attributes=moment.measured.proto.attributes)
            for moment in moments
        )
        swing_deg = measured_swing_deg(moments, camera_path_known=path_known)
        first.scores.update(moving.scores() | ({} if swing_deg is None else {"light_swing_deg": swing_deg}))
        arrived = subject.arrived_moments
        context = MotionContext(
            camera=subject.camera if subject.HasField("camera") else None,
            arrived=in_first_frame(arrived, reader.frame),
            key=arrived_motion(arrived, reader.frame)
            if arrived
            else measured_motion(moments, camera_path_known=path_known),
            tones=tuple(_tone(moment.time_s, moment.measured) for moment in moments),
        )
        return first, motion_text(moving, context, words)

    def _record(self, seed: int, job: JobContext, reader: SubjectReader) -> generation_pb2.GenerationRecord:
        parameters: Mapping[str, float | bool] = {
            "measured_side_px": float(self._limits.measured_side_px),
            "num_clip_samples": float(self._num_clip_samples),
            "camera_elevation_known": reader.frame().pitch_known,
        }
        struct = struct_pb2.Struct()
        struct.update(dict(parameters))
        return generation_pb2.GenerationRecord(
            family=_FAMILY,
            model=_FAMILY,
            revision=self._revision,
            seed=seed,
            parameters=struct,
            stage_times=job.stage_times,
            device=_device(),
            licences=[_licence()],
        )


def contradictions_of(text: str, subject: captioner_pb2.Subject) -> list[str]:
    """Return what in a text on light contradicts the light that arrived; nothing where that is not known."""
    arrived = arrived_light(subject)
    if arrived is None:
        return []
    camera = subject.camera if subject.HasField("camera") else None
    moments = in_first_frame(subject.arrived_moments, partial(camera_frame, camera))
    return contradictions(text, arrived, moments[-1] if moments else None)


def arrived_light(subject: captioner_pb2.Subject) -> light_pb2.ArrivedLight | None:
    """Return the light that arrived, in a clip at its start; None where it is not known."""
    if subject.arrived_moments:
        return subject.arrived_moments[0].light
    return subject.arrived_light if subject.HasField("arrived_light") else None


def _compare_attributes(
    result: captioner_pb2.CaptionResult,
    requested: light_pb2.LightAttributes | None,
    arrived: light_pb2.ArrivedLight | None,
) -> None:
    """Fill the attributes of the requested light and both errors, which follow from the attributes alone."""
    measured = result.measurement.attributes
    if requested is not None:
        result.requested_attributes.CopyFrom(requested)
        result.error.CopyFrom(difference(measured if arrived is None else arrived.attributes, requested))
    if arrived is not None:
        result.measurement_error.CopyFrom(difference(measured, arrived.attributes))


def _image(reader: SubjectReader, job: JobContext) -> Measured:
    with job.stage("read"):
        evidence = reader.evidence()
    with job.stage("measure"):
        return measure(evidence)


def _tone(time_s: float, measured: Measured) -> Tone:
    attributes = measured.proto.attributes
    known = attributes.HasField("color_temperature_k")
    return Tone(time_s, measured.shown_brightness_ev, attributes.color_temperature_k if known else None)


def _refuse(field: str, value: str, problem: str) -> None:
    if value.strip():
        raise InvalidArgumentError(field, problem)


def _licence() -> artifact_pb2.Licence:
    return artifact_pb2.Licence(subject="lumenmill photometric", spdx_id="Apache-2.0", allows_commercial_use=True)


def _device() -> str:
    return f"cpu:{os.cpu_count() or 1} (numpy {metadata.version('numpy')})"
