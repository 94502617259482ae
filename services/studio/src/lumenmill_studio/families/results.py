"""Store pictures and maps as artifacts, and record how they were rendered."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

import lumenmill_media as media
from lumenmill.common.v1.artifact_pb2 import Artifact, ColorSpace, ImageFacts, Licence
from lumenmill.common.v1.camera_pb2 import Camera
from lumenmill.common.v1.generation_pb2 import GenerationRecord
from lumenmill.common.v1.light_pb2 import Light
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.jobs import JobContext
from lumenmill_studio.light.basis import Image
from lumenmill_studio.render import tonemap
from lumenmill_studio.render.tonemap import DisplayTransform
from lumenmill_studio.scenes.spec import SceneSpec

__all__ = [
    "FAMILY",
    "GENERATED",
    "Origin",
    "Recorder",
    "put_display",
    "put_exr",
    "put_picture",
    "record_display",
    "revision_with",
]

FAMILY = "studio"
# Incremented whenever equal requests give other results than before.
_RESULTS = 12
GENERATED = Licence(subject="Scenes rendered by lumenmill-studio", spdx_id="CC0-1.0", allows_commercial_use=True)


@dataclass(frozen=True)
class Origin:
    """The device and the program revision that produce results; part of every record."""

    device: str
    revision: str


def revision_with(meshes: Mapping[str, Artifact]) -> str:
    """Return the versions of this program, of its results and of the renderer, and a digest of the operator's meshes.

    The terms of meshes are part of it: only the record of a picture names its meshes, so that corrected terms need a
    new rendering.
    """
    own = f"{version('lumenmill-studio')}-r{_RESULTS}+mitsuba{version('mitsuba')}"
    if not meshes:
        return own
    digest = hashlib.sha256()
    for name, mesh in sorted(meshes.items()):
        digest.update(f"{name} {mesh.sha256} ".encode() + mesh.licence.SerializeToString(deterministic=True) + b"\n")
    return f"{own}.meshes{digest.hexdigest()[:12]}"


@dataclass(frozen=True)
class Recorder:
    """Writes the generation records of one job. ``licence`` returns the terms of an asset."""

    origin: Origin
    licence: Callable[[Artifact], Licence]
    job: JobContext

    def record(
        self,
        preset: str,
        seed: int,
        parameters: dict[str, Any],
        spec: SceneSpec,
        lights: Sequence[Light],
        camera: Camera | None,
    ) -> GenerationRecord:
        """Return the record, with the licences of all assets of the scene and its lights.

        ``lights`` are all that the result shows; the first is the one that the record names.
        """
        record = GenerationRecord(
            family=FAMILY,
            model=FAMILY,
            revision=self.origin.revision,
            preset=preset,
            seed=seed,
            device=self.origin.device,
            stage_times=self.job.stage_times,
            licences=[GENERATED],
            light=lights[0],
        )
        record.parameters.update(dict(parameters))
        for artifact in (*_assets_of_scene(spec), *(asset for light in lights for asset in _assets_of_light(light))):
            licence = self.licence(artifact)
            if licence not in record.licences:
                record.licences.append(licence)
        if camera is not None:
            record.camera.CopyFrom(camera)
        return record


def _assets_of_scene(spec: SceneSpec) -> Iterator[Artifact]:
    for item in spec.objects:
        if item.shape == "asset":
            yield Artifact(uri=item.asset_uri, sha256=item.asset_sha256, name=item.name)


def _assets_of_light(light: Light) -> Iterator[Artifact]:
    for source in light.sources:
        if source.HasField("environment_map"):
            yield source.environment_map.map
        elif source.HasField("background"):
            yield source.background.image


def put_picture(store: ArtifactStore, linear_hw3: Image, transform: DisplayTransform) -> tuple[Artifact, Artifact]:
    """Store a picture as PNG, as the transform shows it, and as linear EXR."""
    display = put_display(store, transform.pixels(linear_hw3))
    record_display(display, transform)
    return display, put_exr(store, linear_hw3, ColorSpace.COLOR_SPACE_LINEAR_REC709, single=False)


def record_display(picture: Artifact, transform: DisplayTransform) -> None:
    """Record in the facts of a picture how it was made from linear radiance."""
    picture.image.exposure_ev, picture.image.tone_map = transform.exposure_ev, tonemap.NAME
    picture.image.white_balance_gains[:] = transform.gains or ()


def put_exr(store: ArtifactStore, data_hwc: Image, color_space: "ColorSpace.ValueType", *, single: bool) -> Artifact:
    """Store linear radiance or the data of a map as EXR, in half floats unless ``single``."""
    return store.put_bytes(
        media.encode_exr(data_hwc, single=single), "image/x-exr", image=_facts(data_hwc, color_space)
    )


def put_display(store: ArtifactStore, pixels_hw3: NDArray[np.uint8]) -> Artifact:
    """Store display pixels as PNG."""
    return store.put_bytes(
        media.encode_png(pixels_hw3), "image/png", image=_facts(pixels_hw3, ColorSpace.COLOR_SPACE_SRGB)
    )


def _facts(image: NDArray[np.generic], color_space: "ColorSpace.ValueType") -> ImageFacts:
    height, width, channels = image.shape
    return ImageFacts(width_px=width, height_px=height, num_channels=channels, color_space=color_space)
