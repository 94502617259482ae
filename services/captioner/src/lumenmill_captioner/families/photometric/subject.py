"""From a Subject to the evidence that is measured, and to the attributes of the requested light."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import artifact_pb2, intrinsics_pb2, light_pb2
from lumenmill_captioner.measure import Evidence, pitch_deg, shading_from, undo_shoulder
from lumenmill_captioner.requested.attributes import file_of_source, requested_attributes
from lumenmill_captioner.requested.frames import CameraFrame, camera_frame
from lumenmill_common.artifacts import ArtifactStore, media_type_of
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_light import environment_map
from lumenmill_light.path import light_at
from lumenmill_media import (
    Clip,
    Limits,
    Picture,
    linear_to_srgb,
    read_light,
    read_map,
    read_map_sequence,
    read_picture,
    read_radiance_map,
    reduced,
)

__all__ = ["SubjectReader", "evidence_of_picture", "is_clip"]

Array = NDArray[np.float32]
_Kind = intrinsics_pb2.IntrinsicKind
_Maps = dict["intrinsics_pb2.IntrinsicKind.ValueType", Array]

# The maps that are read, and the number of their channels.
_CHANNELS: dict["intrinsics_pb2.IntrinsicKind.ValueType", int] = {
    _Kind.INTRINSIC_KIND_ALBEDO: 3,
    _Kind.INTRINSIC_KIND_NORMALS: 3,
    _Kind.INTRINSIC_KIND_DEPTH: 1,
    _Kind.INTRINSIC_KIND_METALLIC: 1,
    _Kind.INTRINSIC_KIND_SHADING: 3,
}


def is_clip(artifact: artifact_pb2.Artifact) -> bool:
    """Return whether an artifact is a clip rather than an image, by its media type or the extension of its URI."""
    return (artifact.media_type or media_type_of(artifact.uri)).startswith("video/")


def evidence_of_picture(picture: Picture) -> Evidence:
    """Return the evidence of a picture alone."""
    clipped = picture.clipped_fractions
    if picture.display is None:
        shown = linear_to_srgb(picture.linear)
        return Evidence(shown, picture.linear, picture.weight, is_scene_linear=True, clipped_fractions=clipped)
    return Evidence(picture.display, picture.linear, picture.weight, is_scene_linear=False, clipped_fractions=clipped)


class SubjectReader:
    """Reads the artifacts of one subject. `path` is the subject's field path in the request, for error messages."""

    def __init__(self, store: ArtifactStore, limits: Limits, subject: captioner_pb2.Subject, path: str) -> None:
        self._store, self._limits, self._subject, self._path = store, limits, subject, path
        self._radiance: dict[bytes, Array] = {}

    def frame(self, time_fraction: float = 0.0) -> CameraFrame:
        """Return the frame of the camera at a time of the clip, 0 to 1."""
        return camera_frame(self._subject.camera if self._subject.HasField("camera") else None, time_fraction)

    def check_moments(self) -> None:
        """Check that the moments of arrived light are in order, from the first frame to the last.

        Raises:
            InvalidArgumentError: a time does not rise.
        """
        last_s = -math.inf
        for index, moment in enumerate(self._subject.arrived_moments):
            field = f"{self._path}.arrived_moments[{index}].time_s"
            if moment.time_s <= last_s:
                reason = f"is {moment.time_s:g} after {last_s:g}; times must rise from the first frame to the last"
                raise InvalidArgumentError(field, reason)
            last_s = moment.time_s

    def evidence(self) -> Evidence:
        """Return the evidence of an image: shown, linear, and normals and shading from its maps.

        Raises:
            InvalidArgumentError: an artifact is broken, of the wrong kind, or of another size than the image.
        """
        subject = self._subject
        picture = read_picture(self._store, subject.media, f"{self._path}.media", self._limits)
        alone = evidence_of_picture(picture)
        if subject.HasField("linear"):
            field = f"{self._path}.linear"
            scene = read_picture(self._store, subject.linear, field, self._limits)
            _check_size(scene.size_px, picture.size_px, field)
            alone = replace(alone, linear=scene.linear, is_scene_linear=True)
        maps: _Maps = {}
        for kind, data, field in self._given_maps():
            maps[kind] = self._small(kind, read_map(self._store, data, field, self._limits), picture.size_px, field)
        return _with_maps(alone, alone.linear, maps, self.frame())

    def clip_evidence(self, clip: Clip) -> list[Evidence]:
        """Return the evidence of the sampled frames of a clip; errors as `evidence`.

        Clips have no linear radiance; the compression of their highlights is undone before shading is computed.
        """
        frames = clip.frames
        indices = [frame.index for frame in frames]
        maps: list[_Maps] = [{} for _ in frames]
        for kind, data, field in self._given_maps():
            by_number = read_map_sequence(self._store, data, field, indices, self._limits)
            for entry, frame in zip(maps, frames, strict=True):
                entry[kind] = self._small(kind, by_number[frame.index], frame.picture.size_px, field)
        cameras = [self.frame(clip.time_fraction(frame)) for frame in frames]
        return [
            _with_maps(evidence_of_picture(frame.picture), undo_shoulder(frame.picture.linear), entry, camera)
            for frame, entry, camera in zip(frames, maps, cameras, strict=True)
        ]

    def requested(self) -> light_pb2.LightAttributes | None:
        """Return the attributes of the requested light from the camera, at the start of a clip; None without a request.

        Raises:
            InvalidArgumentError: a map or a background of the light cannot be read.
        """
        if self._subject.requested_light_path.keyframes:
            self._read_files_of_path()
            light = light_at(self._subject.requested_light_path, 0.0)
            return requested_attributes(light, self.frame(), self._read_radiance, f"{self._path}.requested_light_path")
        if self._subject.HasField("requested_light"):
            light = self._subject.requested_light
            return requested_attributes(light, self.frame(), self._read_radiance, f"{self._path}.requested_light")
        return None

    def _read_files_of_path(self) -> None:
        """Read the files of all keyframes once, so that an error names the field of the keyframe."""
        for index, keyframe in enumerate(self._subject.requested_light_path.keyframes):
            for number, source in enumerate(keyframe.light.sources):
                file = file_of_source(source)
                if file is not None:
                    light = f"{self._path}.requested_light_path.keyframes[{index}].light"
                    self._read_radiance(file[0], f"{light}.sources[{number}].{file[1]}")

    def _read_radiance(self, artifact: artifact_pb2.Artifact, field: str) -> Array:
        """Read the file of an environment map, reduced to the size at which maps are analysed, or of a background."""
        key = artifact.SerializeToString(deterministic=True)
        if key not in self._radiance:
            read = self._read_background if field.endswith(".image") else self._read_environment_map
            self._radiance[key] = read(artifact, field)
        return self._radiance[key]

    def _read_environment_map(self, artifact: artifact_pb2.Artifact, field: str) -> Array:
        return environment_map.reduced(read_radiance_map(self._store, artifact, field, self._limits))

    def _read_background(self, artifact: artifact_pb2.Artifact, field: str) -> Array:
        return read_light(self._store, artifact, field, self._limits.max_bytes)[0]

    def _given_maps(self) -> list[tuple["intrinsics_pb2.IntrinsicKind.ValueType", artifact_pb2.Artifact, str]]:
        """Return kind, data and field of the first map of each kind that is read."""
        given: dict[intrinsics_pb2.IntrinsicKind.ValueType, tuple[artifact_pb2.Artifact, str]] = {}
        for index, entry in enumerate(self._subject.intrinsics):
            if entry.kind in _CHANNELS and not (entry.kind == _Kind.INTRINSIC_KIND_SHADING and self._has_albedo()):
                given.setdefault(entry.kind, (entry.data, f"{self._path}.intrinsics[{index}].data"))
        return [(kind, data, field) for kind, (data, field) in given.items()]

    def _has_albedo(self) -> bool:
        return any(entry.kind == _Kind.INTRINSIC_KIND_ALBEDO for entry in self._subject.intrinsics)

    def _small(
        self, kind: "intrinsics_pb2.IntrinsicKind.ValueType", pixels: Array, size_px: tuple[int, int], field: str
    ) -> Array:
        _check_size((pixels.shape[1], pixels.shape[0]), size_px, field)
        if pixels.shape[2] < _CHANNELS[kind]:
            raise InvalidArgumentError(field, f"has {pixels.shape[2]} channels; this map needs {_CHANNELS[kind]}")
        values = np.nan_to_num(pixels[..., : _CHANNELS[kind]])
        small = reduced(values, self._limits.measured_side_px)
        if kind == _Kind.INTRINSIC_KIND_DEPTH:
            # Depth cannot be averaged across the edge of a surface.
            small = np.where(
                reduced((values > 0.0).astype(np.float32), self._limits.measured_side_px) < 1.0, 0.0, small
            )
        return np.asarray(small, np.float32)


def _with_maps(alone: Evidence, linear: Array, maps: _Maps, camera: CameraFrame) -> Evidence:
    """Return the evidence of a picture with its maps.

    Shading is `linear` over albedo, else that of a shading map. An unknown pitch of the camera is estimated from the
    horizontal surfaces that it sees.
    """
    albedo, normals = maps.get(_Kind.INTRINSIC_KIND_ALBEDO), maps.get(_Kind.INTRINSIC_KIND_NORMALS)
    shading, depth = maps.get(_Kind.INTRINSIC_KIND_SHADING), maps.get(_Kind.INTRINSIC_KIND_DEPTH)
    if albedo is not None:
        shading = shading_from(linear, albedo, maps.get(_Kind.INTRINSIC_KIND_METALLIC))
    if normals is not None:
        if not camera.pitch_known and (pitch := pitch_deg(normals)) is not None:
            camera = replace(camera, elevation_deg=pitch)
        normals = camera.level_from_camera(normals.astype(np.float64)).astype(np.float32)
    focal_px = None if camera.focal_length_mm is None else camera.focal_length_mm / 36.0 * alone.display.shape[1]
    return replace(
        alone,
        focal_px=focal_px,
        normals=normals,
        shading=shading,
        albedo=albedo,
        depth=None if depth is None else depth[..., 0],
        camera_axes=camera.level_from_camera(np.eye(3)),
    )


def _check_size(size_px: tuple[int, int], expected_px: tuple[int, int], field: str) -> None:
    if size_px != expected_px:
        raise InvalidArgumentError(
            field, f"has {size_px[0]}×{size_px[1]} pixels; the image has {expected_px[0]}×{expected_px[1]}"
        )
