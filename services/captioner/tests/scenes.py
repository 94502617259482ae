"""Analytic pictures: Lambertian spheres on a floor of known light, as artifacts and as evidence."""

import io
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import OpenEXR
from numpy.typing import NDArray
from PIL import Image

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import artifact_pb2, camera_pb2, intrinsics_pb2, light_pb2
from lumenmill_captioner.measure import Evidence, shading_from
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_light.axes import unit_vector
from lumenmill_light.color import temperature_rgb
from lumenmill_light.hardness import hardness_of_size
from lumenmill_light.irradiance import facing
from lumenmill_media import linear_to_srgb

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Lamp:
    azimuth_deg: float
    elevation_deg: float
    temperature_k: float = 6504.0
    size_deg: float = 0.0
    irradiance: float = math.pi


@dataclass(frozen=True)
class Scene:
    normals: Array
    albedo: Array
    linear: Array

    @property
    def display(self) -> Array:
        return linear_to_srgb(self.linear)

    def evidence(self) -> Evidence:
        weight = np.ones(self.linear.shape[:2], np.float32)
        shading = shading_from(self.linear, self.albedo, None)
        return Evidence(
            self.display,
            self.linear,
            weight,
            is_scene_linear=True,
            clipped_fractions=(0.0, 0.0),
            normals=self.normals,
            shading=shading,
        )


def sphere_scene(*lamps: Lamp, even: float = 0.05, noise: float = 0.01, side_px: int = 192, seed: int = 0) -> Scene:
    """A sphere of patchy colours in camera space, lit by lamps and even white light, with a cast shadow across it."""
    y, x = np.mgrid[1 : -1 : side_px * 1j, -1 : 1 : side_px * 1j]
    depth = 1.0 - x * x - y * y
    seen = depth > 0.02
    normals = np.where(seen[..., None], np.stack([x, y, np.sqrt(np.maximum(depth, 0.0))], -1), 0.0)
    rng = np.random.default_rng(seed)
    patches = rng.uniform(0.15, 0.8, (6, 6, 3)).astype(np.float32)
    cell = np.clip(((np.stack([y, x], -1) + 1.0) * 3.0).astype(int), 0, 5)
    albedo = np.where(seen[..., None], patches[cell[..., 0], cell[..., 1]], 0.0)
    lit = np.zeros_like(normals)
    for lamp in lamps:
        direction = unit_vector(lamp.azimuth_deg, lamp.elevation_deg)
        share = facing((normals.reshape(-1, 3) @ direction), lamp.size_deg / 2.0).reshape(seen.shape)
        lit += share[..., None] * temperature_rgb(lamp.temperature_k) * lamp.irradiance / math.pi
    stripe = (np.abs(x - 0.25 * y - 0.1) < 0.08)[..., None]
    shading = np.where(stripe, 0.0, lit) + even
    linear = albedo * shading * rng.normal(1.0, noise, normals.shape)
    return Scene(normals.astype(np.float32), albedo.astype(np.float32), np.maximum(linear, 0.0).astype(np.float32))


def exr_bytes(image: Array) -> bytes:
    name = "RGB" if image.shape[-1] == 3 else "Y"
    pixels = np.ascontiguousarray(image if name == "RGB" else image[..., 0], np.float32)
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.exr"
        with OpenEXR.File(header, {name: pixels}) as file:
            file.write(str(path))
        return path.read_bytes()


def put_exr(store: ArtifactStore, image: Array) -> artifact_pb2.Artifact:
    return store.put_bytes(exr_bytes(image), "image/x-exr")


def png_bytes(display: Array) -> bytes:
    target = io.BytesIO()
    Image.fromarray(np.round(np.clip(display, 0, 1) * 255).astype(np.uint8)).save(target, "PNG")
    return target.getvalue()


def put_png(store: ArtifactStore, display: Array) -> artifact_pb2.Artifact:
    return store.put_bytes(png_bytes(display), "image/png")


def requested_light(*lamps: Lamp) -> light_pb2.Light:
    return light_pb2.Light(
        sources=[
            light_pb2.LightSource(
                directional=light_pb2.DirectionalLight(
                    azimuth_deg=lamp.azimuth_deg,
                    elevation_deg=lamp.elevation_deg,
                    irradiance=lamp.irradiance,
                    angular_diameter_deg=lamp.size_deg,
                    color=light_pb2.LightColor(temperature_k=lamp.temperature_k),
                )
            )
            for lamp in lamps
        ]
    )


def arrived_light(*lamps: Lamp, shares: Sequence[float] = ()) -> light_pb2.ArrivedLight:
    """What arrives of lamps, all of which the camera sees lit; directions are relative to it."""
    found = light_pb2.ArrivedLight()
    for index, lamp in enumerate(lamps):
        red, green, blue = temperature_rgb(lamp.temperature_k).tolist()
        found.sources.add(
            source_index=index,
            attributes=light_pb2.LightAttributes(
                azimuth_deg=lamp.azimuth_deg,
                elevation_deg=lamp.elevation_deg,
                hardness=hardness_of_size(lamp.size_deg),
                color_temperature_k=lamp.temperature_k,
                intensity_ev=math.log2(lamp.irradiance / math.pi),
                kinds=[light_pb2.LIGHT_KIND_DIRECTIONAL],
            ),
            share=shares[index] if shares else 1.0 / len(lamps),
            unoccluded_fraction=1.0,
            color=light_pb2.RgbColor(red=red, green=green, blue=blue),
        )
    if lamps:
        found.attributes.CopyFrom(found.sources[0].attributes)
        found.attributes.intensity_ev = math.log2(sum(lamp.irradiance for lamp in lamps) / math.pi)
    return found


def subject_of(
    store: ArtifactStore, scene: Scene, *lamps: Lamp, camera_azimuth_deg: float = 0.0
) -> captioner_pb2.Subject:
    """A whole subject. The scene was made in camera space, so that lamps are turned by the camera into the scene."""
    kinds = (
        (intrinsics_pb2.INTRINSIC_KIND_NORMALS, scene.normals),
        (intrinsics_pb2.INTRINSIC_KIND_ALBEDO, scene.albedo),
    )
    subject = captioner_pb2.Subject(
        media=put_png(store, scene.display),
        linear=put_exr(store, scene.linear),
        intrinsics=[intrinsics_pb2.IntrinsicMap(kind=kind, data=put_exr(store, image)) for kind, image in kinds],
        camera=camera_pb2.Camera(viewpoint=camera_pb2.Viewpoint(azimuth_deg=camera_azimuth_deg, elevation_deg=0.0)),
    )
    if lamps:
        turned = [
            Lamp(
                lamp.azimuth_deg + camera_azimuth_deg,
                lamp.elevation_deg,
                lamp.temperature_k,
                lamp.size_deg,
                lamp.irradiance,
            )
            for lamp in lamps
        ]
        subject.requested_light.CopyFrom(requested_light(*turned))
    return subject


def clip_bytes(frames: list[Array], fps: int = 12, times_ms: Sequence[int] = ()) -> bytes:
    """H.264 of sRGB frames of even size, each shown at its time in `times_ms`, else at even times."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        if times_ms:
            stream.codec_context.time_base = Fraction(1, 1000)
        for index, pixels in enumerate(frames):
            eight_bit = np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(eight_bit, format="rgb24")
            if times_ms:
                frame.pts, frame.time_base = times_ms[index], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return target.getvalue()


def stream_bytes(width_px: int, height_px: int, num_frames: int = 4) -> bytes:
    """An MPEG-1 elementary stream; streams put one after another are a stream that changes its size."""
    target = io.BytesIO()
    with av.open(target, "w", format="mpeg1video") as container:
        stream = container.add_stream("mpeg1video", rate=25)
        stream.width, stream.height, stream.pix_fmt = width_px, height_px, "yuv420p"
        for _ in range(num_frames):
            pixels = np.full((height_px, width_px, 3), 128, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return target.getvalue()
