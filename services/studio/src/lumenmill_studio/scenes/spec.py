"""Define the scene specification: versioned JSON from which a scene is built and rendered again.

Coordinates are those of ``light.proto``: origin at the subject, +Y up, +Z towards the reference camera, in metres.
"""

import json
from dataclasses import asdict, dataclass, field

from google.protobuf import json_format

from lumenmill.common.v1.light_pb2 import Light

__all__ = ["FORMAT", "MEDIA_TYPE", "VERSION", "ObjectSpec", "ReferenceCamera", "SceneSpec"]

MEDIA_TYPE = "application/vnd.lumenmill.scene+json"
FORMAT = "lumenmill.scene"
VERSION = 1


@dataclass(frozen=True)
class ObjectSpec:
    """One object of a scene.

    ``shape`` is a name of :data:`lumenmill_studio.scenes.shapes.SHAPES`, of
    :data:`lumenmill_studio.scenes.sets.SETS`, or ``asset``, the user's mesh whose artifact is ``asset_uri``.
    ``role`` is ``subject``, ``ground`` or ``backdrop``; backdrops are left out when an environment is visible.
    ``instance`` is the object's number in instance masks, 1 and up.
    """

    name: str
    shape: str
    material: str
    seed: int
    instance: int
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    yaw_deg: float = 0.0
    scale: float = 1.0
    role: str = "subject"
    params: dict[str, float] = field(default_factory=dict)
    asset_uri: str = ""
    asset_sha256: str = ""


@dataclass(frozen=True)
class ReferenceCamera:
    """The reference viewpoint of a scene: azimuth 0, aimed at the point ``aim_y`` metres above the origin."""

    elevation_deg: float
    distance: float
    focal_length_mm: float
    aim_y: float = 0.0


@dataclass(frozen=True)
class SceneSpec:
    """A scene. ``description``, ``subjects`` and ``materials`` state what was built, whether it is in view or not.

    ``substitutions`` are words of the request that cannot be drawn, each with what was drawn instead.
    """

    kind: str
    seed: int
    description: str
    subjects: tuple[str, ...]
    materials: tuple[str, ...]
    place: str
    camera: ReferenceCamera
    subject_radius: float
    objects: tuple[ObjectSpec, ...]
    default_light: dict[str, object]
    substitutions: tuple[tuple[str, str], ...] = ()

    def light(self) -> Light:
        """Return the default light of the scene."""
        return json_format.ParseDict(self.default_light, Light())

    def to_json(self) -> bytes:
        """Return the specification as JSON; equal specifications give equal bytes."""
        document = {"format": FORMAT, "version": VERSION, **asdict(self)}
        if not self.substitutions:
            # Scenes of version 1 without it keep their bytes, and with them their noise.
            del document["substitutions"]
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
