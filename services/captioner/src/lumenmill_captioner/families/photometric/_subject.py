"""From a Subject to evidence that can be measured, and to the light that is known."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import artifact_pb2, intrinsics_pb2, light_pb2
from lumenmill_common.artifacts import ArtifactStore, media_type_of
from lumenmill_common.errors import InvalidArgumentError
from numpy.typing import NDArray

from lumenmill_captioner.known import CameraFrame, ExpectedLight, camera_frame, expected_light
from lumenmill_captioner.measure import Evidence, shading_from
from lumenmill_captioner.media import (
    Limits,
    Picture,
    linear_to_srgb,
    read_map,
    read_picture,
    read_radiance_map,
    reduced,
)

Array = NDArray[np.float32]


def is_clip(artifact: artifact_pb2.Artifact) -> bool:
    """Whether an artifact is a clip rather than an image, by its media type or the extension of its URI."""
    return (artifact.media_type or media_type_of(artifact.uri)).startswith("video/")


def evidence_of_picture(picture: Picture) -> Evidence:
    """Return the evidence of a picture alone."""
    clipped = picture.clipped_fractions
    if picture.display is None:
        shown = linear_to_srgb(picture.linear)
        return Evidence(shown, picture.linear, picture.weight, is_scene_linear=True, clipped_fractions=clipped)
    return Evidence(picture.display, picture.linear, picture.weight, is_scene_linear=False, clipped_fractions=clipped)


class SubjectReader:
    """Reads the artifacts of one subject. `path` is where it stands in the request, for error messages."""

    def __init__(self, store: ArtifactStore, limits: Limits, subject: captioner_pb2.Subject, path: str) -> None:
        self._store, self._limits, self._subject, self._path = store, limits, subject, path
        self.frame: CameraFrame = camera_frame(subject.camera if subject.HasField("camera") else None)

    def evidence(self) -> Evidence:
        """Return the evidence of an image: shown, linear, normals and shading where maps tell them.

        Raises:
            InvalidArgumentError: an artifact is broken, of the wrong kind, or of another size than the image.
        """
        subject = self._subject
        picture = read_picture(self._store, subject.media, f"{self._path}.media", self._limits)
        alone = evidence_of_picture(picture)
        linear, is_scene_linear = alone.linear, alone.is_scene_linear
        if subject.HasField("linear"):
            field = f"{self._path}.linear"
            scene = read_picture(self._store, subject.linear, field, self._limits)
            _check_size(scene.size_px, picture.size_px, field)
            linear, is_scene_linear = scene.linear, True
        normals = self._map(intrinsics_pb2.INTRINSIC_KIND_NORMALS, 3, picture.size_px)
        albedo = self._map(intrinsics_pb2.INTRINSIC_KIND_ALBEDO, 3, picture.size_px)
        metallic = self._map(intrinsics_pb2.INTRINSIC_KIND_METALLIC, 1, picture.size_px)
        shading: Array | None = None
        if albedo is not None:
            shading = shading_from(linear, albedo, metallic)
        else:
            shading = self._map(intrinsics_pb2.INTRINSIC_KIND_SHADING, 3, picture.size_px)
        if normals is not None:
            normals = self.frame.level_from_camera(normals.astype(np.float64)).astype(np.float32)
        return replace(alone, linear=linear, is_scene_linear=is_scene_linear, normals=normals, shading=shading)

    def known(self) -> ExpectedLight | None:
        """Return the known light relative to this camera, or None.

        Raises:
            InvalidArgumentError: an environment map of the light cannot be read.
        """
        if not self._subject.HasField("known_light"):
            return None
        return self._expected(self._subject.known_light, f"{self._path}.known_light")

    def known_path(self) -> tuple[ExpectedLight, ExpectedLight] | None:
        """Return the known light at the first and last keyframe, or None; errors as `known`."""
        keyframes = self._subject.known_light_path.keyframes
        if not keyframes:
            return None
        path = f"{self._path}.known_light_path"
        first = self._expected(keyframes[0].light, f"{path}.keyframes[0].light")
        return first, self._expected(keyframes[-1].light, f"{path}.keyframes[{len(keyframes) - 1}].light")

    def _expected(self, light: light_pb2.Light, path: str) -> ExpectedLight:
        reader: Callable[[artifact_pb2.Artifact, str], Array] = lambda artifact, field: read_radiance_map(  # noqa: E731
            self._store, artifact, field, self._limits
        )
        return expected_light(light, self.frame, reader, path)

    def _map(
        self, kind: "intrinsics_pb2.IntrinsicKind.ValueType", num_channels: int, size_px: tuple[int, int]
    ) -> Array | None:
        for index, entry in enumerate(self._subject.intrinsics):
            if entry.kind != kind:
                continue
            field = f"{self._path}.intrinsics[{index}].data"
            pixels = read_map(self._store, entry.data, field, self._limits)
            _check_size((pixels.shape[1], pixels.shape[0]), size_px, field)
            if pixels.shape[2] < num_channels:
                raise InvalidArgumentError(field, f"has {pixels.shape[2]} channels; this map needs {num_channels}")
            small = reduced(np.nan_to_num(pixels[..., :num_channels]), self._limits.measured_side_px)
            return np.asarray(small, np.float32)
        return None


def _check_size(size_px: tuple[int, int], wanted_px: tuple[int, int], field: str) -> None:
    if size_px != wanted_px:
        raise InvalidArgumentError(
            field, f"has {size_px[0]}×{size_px[1]} pixels; the image has {wanted_px[0]}×{wanted_px[1]}"
        )
