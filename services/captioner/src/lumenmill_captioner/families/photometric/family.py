"""The `photometric` family: one method for each RPC."""

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from importlib import metadata

import numpy as np
from google.protobuf import struct_pb2

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import artifact_pb2, generation_pb2, light_pb2, model_pb2
from lumenmill_captioner.families.photometric.clip import clip_error, key_motion, measure_moments, measured_swing_deg
from lumenmill_captioner.families.photometric.consistency import consistent_request
from lumenmill_captioner.families.photometric.subject import SubjectReader, is_clip
from lumenmill_captioner.measure import Measured, expected_on_surfaces, measure, measure_motion
from lumenmill_captioner.requested.expected import ExpectedLight
from lumenmill_captioner.words import (
    AttributeName,
    MotionContext,
    Side,
    Words,
    caption_text,
    changes_between,
    content_text,
    light_text,
    motion_text,
)
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.jobs import JobContext, Work, in_worker
from lumenmill_light.difference import difference
from lumenmill_media import Limits, read_clip

__all__ = ["PhotometricFamily"]

_FAMILY = "photometric"
_REVISION = "1.5.0"
# Fields that are compared as measured even where the light was requested: they include the exposure of the picture.
_MEASURED_FIELDS: tuple[AttributeName, ...] = ("intensity_ev", "contrast_ev")
_REQUESTED_FIELDS: tuple[AttributeName, ...] = ("azimuth_deg", "elevation_deg", "hardness", "color_temperature_k")


class PhotometricFamily:
    """Measures pictures and describes what it measured."""

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
        """Make sure that the store can be used.

        Raises:
            LumenmillError: the store cannot be read or written.
        """
        self._store.check()

    def caption(self, request: captioner_pb2.CaptionRequest) -> Work:
        """Return the description of one image or clip as work.

        Raises:
            InvalidArgumentError: an instruction or preset is given.
        """
        _refuse("instruction", request.instruction, "this family measures and follows no instructions; leave it empty")
        _refuse("preset", request.preset, "this family has no presets; leave it empty")
        return Work(partial(self.measured_caption, request))

    def measured_caption(self, request: captioner_pb2.CaptionRequest, job: JobContext) -> captioner_pb2.CaptionResult:
        """Describe one image or clip; instruction and preset are not considered.

        Raises:
            InvalidArgumentError: a part of the subject is broken.
            CancelledError: the job was cancelled.
        """
        subject, words = request.subject, Words(request.seed)
        reader = SubjectReader(self._store, self._limits, subject, "subject")
        clip = is_clip(subject.media)
        requested = reader.expected()
        if clip:
            measured, motion, error = self._clip(reader, subject, words, job)
        else:
            measured, motion = _image(reader, job), ""
            error = _error(measured, requested)
        with job.stage("describe"):
            scene = subject.scene if subject.HasField("scene") else None
            described = requested if clip else consistent_request(measured, requested)
            still = light_text(_at_start(measured), described, words)
            about_light = " ".join(part for part in (still, motion) if part)
            result = captioner_pb2.CaptionResult(
                text=caption_text(content_text(scene, measured, clip, words), about_light),
                light_text=about_light,
                measurement=measured.proto,
                scores=measured.scores,
            )
        if error is not None:
            result.error.CopyFrom(error)
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
        readers = [
            SubjectReader(self._store, self._limits, subject, name)
            for name, subject in (("before", request.before), ("after", request.after))
        ]
        measured = [_image(reader, job) for reader in readers]
        requested = [
            consistent_request(entry, reader.expected()) for entry, reader in zip(measured, readers, strict=True)
        ]
        with job.stage("describe"):
            before, after = _comparable(measured, requested)
            change = changes_between(before, after, Words(request.seed))
        return captioner_pb2.CompareLightResult(
            instruction=change.instruction,
            text=change.text,
            before=measured[0].proto,
            after=measured[1].proto,
            changed_attributes=change.attributes,
            record=self._record(request.seed, job, readers[0]),
        )

    def _clip(
        self, reader: SubjectReader, subject: captioner_pb2.Subject, words: Words, job: JobContext
    ) -> tuple[Measured, str, captioner_pb2.LightError | None]:
        """Return the measurement of the middle frame with samples of all, a text on what moves, and the error."""
        with job.stage("read"):
            clip = read_clip(self._store, subject.media, "subject.media", self._num_clip_samples, job, self._limits)
        with job.stage("measure"):
            moments = measure_moments(reader, clip, job)
            moving = measure_motion(clip.track)
        middle = moments[len(moments) // 2].measured
        middle.proto.samples.extend(
            captioner_pb2.LightSample(time_s=moment.time_s, attributes=moment.measured.proto.attributes)
            for moment in moments
        )
        middle.proto.attributes.intensity_ev = float(
            np.mean([moment.measured.proto.attributes.intensity_ev for moment in moments])
        )
        error, scores = clip_error(moments)
        path_known = subject.camera.HasField("path")
        swing_deg = measured_swing_deg(moments, camera_path_known=path_known)
        middle.scores.update(moving.scores() | scores | ({} if swing_deg is None else {"light_swing_deg": swing_deg}))
        first, last = moments[0].requested, moments[-1].requested
        context = MotionContext(
            camera=subject.camera if subject.HasField("camera") else None,
            has_requested_light=first is not None,
            path=(first, last) if first and last and subject.HasField("requested_light_path") else None,
            interpolation=subject.requested_light_path.interpolation,
            key=key_motion(moments, camera_path_known=path_known),
        )
        return middle, motion_text(list(middle.proto.samples), moving, context, words), error

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


def _image(reader: SubjectReader, job: JobContext) -> Measured:
    with job.stage("read"):
        evidence = reader.evidence()
    with job.stage("measure"):
        return measure(evidence)


def _at_start(measured: Measured) -> Measured:
    """Return a clip's measurement with the first direction of its light that was measured; images unchanged."""
    directed = [sample.attributes for sample in measured.proto.samples if sample.attributes.HasField("azimuth_deg")]
    if not directed:
        return measured
    proto = captioner_pb2.LightMeasurement()
    proto.CopyFrom(measured.proto)
    proto.attributes.azimuth_deg, proto.attributes.elevation_deg = directed[0].azimuth_deg, directed[0].elevation_deg
    return replace(measured, proto=proto)


def _error(measured: Measured, requested: ExpectedLight | None) -> captioner_pb2.LightError | None:
    """Return measured against expected light, on the visible surfaces where their normals are known.

    The expected direction is that of the source which gives these surfaces the most light; expected contrast and
    brightness are those that all sources together give them.
    """
    if requested is None:
        return None
    expected = requested.dominant_on(measured.surface.normals if measured.surface else None)
    expected_on_surfaces(expected, measured, requested.shading)
    error = difference(measured.proto.attributes, expected)
    return error if error.ListFields() else None


def _comparable(measured: list[Measured], requested: list[ExpectedLight | None]) -> tuple[Side, Side]:
    """Return the two sides with the fields that have the same origin on both."""
    sides = []
    methods = [entry.proto.methods for entry in measured]
    first, second = requested
    for entry, light in zip(measured, requested, strict=True):
        attributes = light_pb2.LightAttributes()
        for name in _MEASURED_FIELDS + (() if first and second else _REQUESTED_FIELDS):
            if entry.proto.attributes.HasField(name) and methods[0].get(name) == methods[1].get(name):
                setattr(attributes, name, getattr(entry.proto.attributes, name))
        # An instruction refers to the pictures as shown, each with its own exposure.
        attributes.intensity_ev = entry.shown_brightness_ev
        if first and second and light:
            for name in _REQUESTED_FIELDS:
                if light.attributes.HasField(name):
                    setattr(attributes, name, getattr(light.attributes, name))
            attributes.kinds.extend(light.attributes.kinds)
        both_requested = first is not None and second is not None and light is not None
        sides.append(Side(attributes, *((light.map_names, light.color_name) if both_requested and light else ())))
    return sides[0], sides[1]


def _refuse(field: str, value: str, problem: str) -> None:
    if value.strip():
        raise InvalidArgumentError(field, problem)


def _licence() -> artifact_pb2.Licence:
    return artifact_pb2.Licence(subject="lumenmill photometric", spdx_id="Apache-2.0", allows_commercial_use=True)


def _device() -> str:
    return f"cpu:{os.cpu_count() or 1} (numpy {metadata.version('numpy')})"
