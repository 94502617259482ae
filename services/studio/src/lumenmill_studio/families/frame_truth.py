"""Read the ground truth of a clip's frames from a request, and check it before it is used."""

from typing import Annotated, Any

from google.protobuf import json_format
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.common.v1.light_pb2 import Light
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.interceptors import check_bounds
from lumenmill_common.json_misfits import json_misfit
from lumenmill_studio.families.limits import MAX_EXPOSURE_EV, MAX_NUM_FRAMES
from lumenmill_studio.json_text import parsed
from lumenmill_studio.render.camera import Pose

__all__ = ["FrameTruth", "read_truths"]

_MAX_BYTES = 16 << 20
_MAX_BACKGROUNDS = 64


class _Checked(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


_Turn = Annotated[float, Field(ge=-36_000, le=36_000)]


class _Pose(_Checked):
    azimuth_deg: _Turn
    elevation_deg: float = Field(ge=-90, le=90)
    distance: float = Field(ge=1e-6, le=1e6)
    focal_length_mm: float = Field(ge=1, le=10_000)
    aim_y: float = Field(ge=-10_000, le=10_000)
    pan_deg: _Turn
    tilt_deg: _Turn


class _Camera(_Checked):
    pose: _Pose


class _Render(_Checked):
    """How the frame was rendered; the bounds are beyond every preset."""

    preset: str = Field(max_length=64)
    spp: int = Field(ge=1, le=1024)
    max_depth: int = Field(ge=1, le=64)
    guide_spp: int = Field(ge=1, le=256)
    open_set: bool
    backgrounds: tuple[
        tuple[Annotated[str, Field(pattern="^[0-9a-f]{64}$")], Annotated[float, Field(ge=1e-3, le=1e3)]], ...
    ] = Field(max_length=_MAX_BACKGROUNDS)


class FrameTruth(_Checked):
    """The ground truth of one frame."""

    scene_sha256: str
    width_px: int
    height_px: int
    camera: _Camera
    light: dict[str, Any]
    exposure_ev: float = Field(ge=-MAX_EXPOSURE_EV, le=MAX_EXPOSURE_EV)
    render: _Render

    @property
    def pose(self) -> Pose:
        """Return the pose of the camera."""
        return Pose(**self.camera.pose.model_dump())

    def bounded_light(self) -> Light:
        """Return the light, which is within the bounds of the contract.

        Raises:
            InvalidArgumentError: it is no light.
        """
        try:
            light = json_format.ParseDict(self.light, Light())
        except (json_format.ParseError, OverflowError, ValueError) as error:
            misfit = json_misfit(self.light, Light.DESCRIPTOR)
            raise InvalidArgumentError("frames", f"has an invalid light: {misfit}") from error
        try:
            check_bounds(light)
        except InvalidArgumentError as error:
            raise InvalidArgumentError("frames", f"has an invalid light: {error}") from error
        return light


def read_truths(store: ArtifactStore, artifact: Artifact, scene_sha256: str) -> list[FrameTruth]:
    """Return the ground truth of every frame of a clip of a scene.

    Raises:
        InvalidArgumentError: it is no such truth, or has frames of several sizes or too many; names ``frames``.
    """
    data = store.read_bytes(artifact, field="frames", max_bytes=_MAX_BYTES)
    lines = [line for line in data.splitlines() if line.strip()]
    if len(lines) > MAX_NUM_FRAMES:
        raise InvalidArgumentError("frames", f"has {len(lines)} frames; at most {MAX_NUM_FRAMES}")
    try:
        truths = [FrameTruth.model_validate(parsed(line)) for line in lines]
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        raise InvalidArgumentError(
            "frames", f"is not the ground truth of a studio clip: {path}: {first['msg']}"
        ) from error
    except (ValueError, OverflowError, RecursionError) as error:
        raise InvalidArgumentError("frames", f"is not the ground truth of a studio clip: {error}") from error
    if not truths or any(truth.scene_sha256 != scene_sha256 for truth in truths):
        raise InvalidArgumentError("frames", "is not the ground truth of a clip of this scene")
    if len({(truth.width_px, truth.height_px) for truth in truths}) > 1:
        raise InvalidArgumentError("frames", "has frames of several sizes; a clip has one")
    return truths
