"""Accuracy of hardness and directions on real renders.

Stills under sources of all sizes, and clips in which the light or the camera moves.
"""

import io
import itertools
import math
import re
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import grpc
import numpy as np
import pytest
import pytest_asyncio
from scenes import exr_bytes

from lumenmill.captioner.v1 import captioner_pb2, captioner_pb2_grpc
from lumenmill.common.v1 import artifact_pb2, camera_pb2, intrinsics_pb2, light_pb2, scene_pb2
from lumenmill.imager.v1 import imager_pb2, imager_pb2_grpc
from lumenmill.relighter.v1 import relighter_pb2, relighter_pb2_grpc
from lumenmill.video.v1 import video_pb2, video_pb2_grpc
from lumenmill_captioner.families import PhotometricFamily
from lumenmill_common import errors
from lumenmill_common.artifacts import open_store
from lumenmill_common.calls import call_heavy
from lumenmill_common.testing import running_family, running_service
from lumenmill_media import LIMITS

pytest.importorskip("lumenmill_studio", reason="lumenmill-studio, which renders the pictures, is not installed")
from lumenmill_studio.__main__ import studio_service
from lumenmill_studio.settings import StudioSettings

pytestmark = pytest.mark.asyncio(loop_scope="module")

MAPS = [
    intrinsics_pb2.INTRINSIC_KIND_ALBEDO,
    intrinsics_pb2.INTRINSIC_KIND_NORMALS,
    intrinsics_pb2.INTRINSIC_KIND_DEPTH,
    intrinsics_pb2.INTRINSIC_KIND_METALLIC,
]
SIZE = {"width_px": 256, "height_px": 192, "preset": "fast"}
CLIP_SIZE = {"width_px": 192, "height_px": 144, "preset": "fast", "num_frames": 9, "fps": 9.0}
AZIMUTH_DEG, ELEVATION_DEG = -50.0, 35.0


def parallel(size_deg: float) -> light_pb2.LightSource:
    return light_pb2.LightSource(
        directional=light_pb2.DirectionalLight(
            azimuth_deg=AZIMUTH_DEG, elevation_deg=ELEVATION_DEG, irradiance=math.pi, angular_diameter_deg=size_deg
        )
    )


def softbox(size_deg: float, azimuth_deg: float = AZIMUTH_DEG) -> light_pb2.LightSource:
    width = 8.0 * math.tan(math.radians(size_deg / 2.0))
    return light_pb2.LightSource(
        area=light_pb2.AreaLight(
            azimuth_deg=azimuth_deg, elevation_deg=ELEVATION_DEG, irradiance=math.pi, width_ratio=width
        )
    )


def daylight(sun_scale: float) -> light_pb2.LightSource:
    return light_pb2.LightSource(
        sun_sky=light_pb2.SunSkyLight(
            sun_azimuth_deg=AZIMUTH_DEG, sun_elevation_deg=ELEVATION_DEG, sun_scale=sun_scale, sky_scale=0.5
        )
    )


def smooth() -> light_pb2.LightSource:
    band = [2.0, 1.0, 0.4, -0.5, 0.0, 0.0, 0.0, 0.0, 0.0]
    return light_pb2.LightSource(spherical_harmonics=light_pb2.SphericalHarmonicsLight(coefficients=band * 3))


# From hard to soft.
SOURCES = {
    "point": parallel(0.0),
    "sun": daylight(1.0),
    "small lamp": parallel(6.0),
    "lamp": softbox(14.0),
    "softbox": softbox(30.0),
    "wide softbox": softbox(60.0),
    "smooth light": smooth(),
    "overcast sky": daylight(0.0),
}


class Mesh:
    """A studio and a captioner that share a store."""

    def __init__(self, studio: grpc.aio.Channel, captioner: captioner_pb2_grpc.CaptionerServiceStub) -> None:
        self.imager = imager_pb2_grpc.ImagerServiceStub(studio)
        self.relighter = relighter_pb2_grpc.RelighterServiceStub(studio)
        self.video = video_pb2_grpc.VideoServiceStub(studio)
        self.captioner = captioner
        self._num_calls = 0

    async def call(self, method: Any, request: Any) -> Any:
        self._num_calls += 1
        request.job.request_id = f"call-{self._num_calls}"
        return await call_heavy(method, request)

    async def caption(self, subject: captioner_pb2.Subject, seed: int = 0) -> captioner_pb2.CaptionResult:
        return await self.call(self.captioner.Caption, captioner_pb2.CaptionRequest(subject=subject, seed=seed))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    store_url = tmp_path_factory.mktemp("store").as_uri()
    settings = StudioSettings(
        listen_address="127.0.0.1:0", metrics_address="", drain_s=0.0, render_variant="scalar", store_url=store_url
    )
    family = PhotometricFamily(open_store(store_url), LIMITS)
    async with (
        running_service(studio_service(settings), settings) as studio,
        running_family(family, captioner_pb2.DESCRIPTOR) as channel,
    ):
        yield Mesh(studio, captioner_pb2_grpc.CaptionerServiceStub(channel))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def still_life(mesh: Mesh) -> imager_pb2.GeneratedImage:
    description = scene_pb2.SceneDescription(
        kind=scene_pb2.SCENE_KIND_STILL_LIFE,
        subjects=["jug", "lemon"],
        materials=["white ceramic", "natural"],
        place="on an oak table",
    )
    request = imager_pb2.GenerateImagesRequest(scene=description, seed=3, light=lit_by("softbox"), **SIZE)
    return (await mesh.call(mesh.imager.GenerateImages, request)).images[0]


def lit_by(name: str) -> light_pb2.Light:
    return light_pb2.Light(sources=[SOURCES[name]])


async def test_hardness_is_measured_from_a_point_to_an_overcast_sky(
    mesh: Mesh, still_life: imager_pb2.GeneratedImage
) -> None:
    common = {"image": still_life.image, "scene": still_life.scene, "preset": "fast"}
    maps = (await mesh.call(mesh.relighter.Decompose, relighter_pb2.DecomposeRequest(kinds=MAPS, **common))).maps
    variants = [relighter_pb2.RelightVariant(light=lit_by(name)) for name in SOURCES]
    relit = await mesh.call(mesh.relighter.Relight, relighter_pb2.RelightRequest(variants=variants, **common))
    measured, off_by, directions = {}, {}, []
    for name, picture in zip(SOURCES, relit.variants, strict=True):
        subject = captioner_pb2.Subject(
            media=picture.image,
            linear=picture.linear,
            intrinsics=maps,
            requested_light=picture.light,
            camera=picture.record.camera,
        )
        result = await mesh.caption(subject)
        if result.measurement.attributes.HasField("hardness"):
            measured[name] = result.measurement.attributes.hardness
            off_by[name] = result.error.hardness
        directions += [result.error.direction_deg] if result.error.HasField("direction_deg") else []
    in_order = list(measured.values())
    assert len(in_order) >= 5, measured  # what does not show it is left out
    assert all(later < earlier + 0.04 for earlier, later in itertools.pairwise(in_order)), str(measured)
    assert measured["point"] > 0.85 and measured.get("wide softbox", 0.0) < 0.4
    assert measured.get("overcast sky", 0.0) == 0.0
    assert float(np.median(list(off_by.values()))) < 0.05 and max(off_by.values()) < 0.15, off_by
    assert float(np.median(directions)) < 8.0 and max(directions) < 20.0, directions


async def clip_subject(
    mesh: Mesh, still_life: imager_pb2.GeneratedImage, **moves: Any
) -> tuple[captioner_pb2.Subject, video_pb2.GenerateVideoResult]:
    request = video_pb2.GenerateVideoRequest(scene=still_life.scene, **moves, **CLIP_SIZE)
    clip = await mesh.call(mesh.video.GenerateVideo, request)
    decompose = video_pb2.DecomposeVideoRequest(
        video=clip.video, scene=clip.scene, frames=clip.frames, kinds=MAPS, preset="fast"
    )
    maps = (await mesh.call(mesh.video.DecomposeVideo, decompose)).maps
    return captioner_pb2.Subject(media=clip.video, intrinsics=maps), clip


async def test_a_moving_light_is_described(mesh: Mesh, still_life: imager_pb2.GeneratedImage) -> None:
    ends = [light_pb2.Light(sources=[softbox(12.0, azimuth)]) for azimuth in (-75.0, 75.0)]
    path = light_pb2.LightPath(
        interpolation=light_pb2.LIGHT_INTERPOLATION_MOVE,
        keyframes=[
            light_pb2.LightKeyframe(time_fraction=time, light=light)
            for time, light in zip((0.0, 1.0), ends, strict=True)
        ],
    )
    subject, _ = await clip_subject(mesh, still_life, light_path=path)
    subject.camera.viewpoint.CopyFrom(still_life.record.camera.viewpoint)
    measured = await mesh.caption(subject)
    azimuths = [sample.attributes.azimuth_deg for sample in measured.measurement.samples]
    assert azimuths == sorted(azimuths) and azimuths[0] < -55.0 and azimuths[-1] > 55.0
    assert re.search(r"The key light swings from the (front )?left to the (front )?right", measured.light_text)
    assert measured.scores["light_swing_deg"] > 80.0
    assert not measured.HasField("error")

    subject.requested_light_path.CopyFrom(path)
    requested = await mesh.caption(subject)
    assert requested.light_text == measured.light_text  # what was only requested is not stated
    assert requested.error.direction_deg < 12.0 and requested.error.hardness < 0.15


async def test_a_fixed_light_moves_relative_to_a_moving_camera(
    mesh: Mesh, still_life: imager_pb2.GeneratedImage
) -> None:
    light = light_pb2.Light(sources=[softbox(12.0, -20.0)])
    camera = camera_pb2.Camera(
        viewpoint=still_life.record.camera.viewpoint,
        path=camera_pb2.CameraPath(orbit=camera_pb2.OrbitMove(sweep_deg=-70.0)),
    )
    subject, _ = await clip_subject(mesh, still_life, light=light, camera=camera)
    as_seen = await mesh.caption(subject)
    assert "light_swing_deg" not in as_seen.scores
    assert "Seen from the camera, the key light swings from" in as_seen.light_text

    subject.camera.CopyFrom(camera)
    measured = await mesh.caption(subject)
    azimuths = [sample.attributes.azimuth_deg for sample in measured.measurement.samples]
    # The camera goes 70° to the left, so that the light comes from 70° further to its right.
    assert 45.0 < azimuths[-1] - azimuths[0] < 95.0
    assert measured.scores["light_swing_deg"] < 25.0
    assert "key light" not in measured.light_text

    subject.requested_light.CopyFrom(light)
    requested = await mesh.caption(subject)
    assert requested.light_text == measured.light_text
    assert requested.error.direction_deg < 12.0


async def test_maps_of_a_clip_are_refused_by_field(mesh: Mesh, still_life: imager_pb2.GeneratedImage) -> None:
    subject, clip = await clip_subject(mesh, still_life, light=lit_by("softbox"))
    subject.intrinsics[1].data.CopyFrom(clip.poster)
    with pytest.raises(errors.InvalidArgumentError, match="ZIP") as refused:
        await mesh.caption(subject)
    assert refused.value.field == "subject.intrinsics[1].data"
    first_frame_alone = io.BytesIO()
    with zipfile.ZipFile(first_frame_alone, "w") as archive:
        archive.writestr("000000.exr", exr_bytes(np.zeros((144, 192, 3), np.float32)))
    subject.intrinsics[1].data.CopyFrom(
        artifact_pb2.Artifact(inline_data=first_frame_alone.getvalue(), media_type="application/zip")
    )
    with pytest.raises(errors.InvalidArgumentError, match="has no map of frame 1"):
        await mesh.caption(subject)
