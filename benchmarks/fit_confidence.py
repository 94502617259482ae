"""Fits the constants of `lumenmill_captioner.measure.confidence` on renders, and prints them with their curves.

Scenes of all kinds are lit by lamps, parallel light, daylight, harmonics, environment maps and pairs of lamps, of all
sides, sizes and colours. A direction is right within 15°, a temperature within 300 K of the light that arrived. The
curves are those of cross-validation: the confidence of a scene comes from constants that were fitted without it.
"""

import argparse
import asyncio
import math
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from scipy import optimize
from truth_photos import confidence_curve

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import intrinsics_pb2, light_pb2, scene_pb2
from lumenmill.imager.v1 import imager_pb2, imager_pb2_grpc
from lumenmill.relighter.v1 import relighter_pb2, relighter_pb2_grpc
from lumenmill_captioner.families.photometric.subject import SubjectReader
from lumenmill_captioner.measure.confidence import direction_features, temperature_features
from lumenmill_captioner.measure.direction import measured_key, relief_in
from lumenmill_captioner.measure.evidence import surface_of
from lumenmill_captioner.measure.shading_color import key_color, shading_estimates
from lumenmill_common.artifacts import ArtifactStore, open_store
from lumenmill_common.calls import call_heavy
from lumenmill_common.testing import running_service
from lumenmill_light.axes import unit_vector
from lumenmill_media import LIMITS
from lumenmill_studio.__main__ import studio_service
from lumenmill_studio.settings import StudioSettings

Vector = NDArray[np.float64]

_HDRI = Path(__file__).parent.parent.parent / "shared" / "data" / "hdri"
_NUM_SCENES, _NUM_LIGHTS, _SEED, _NUM_FOLDS = 28, 8, 2000, 5
_RIGHT_COSINE, _RIGHT_K = math.cos(math.radians(15.0)), 300.0
_RIDGE = 0.5
_MAPS = (
    intrinsics_pb2.INTRINSIC_KIND_ALBEDO,
    intrinsics_pb2.INTRINSIC_KIND_NORMALS,
    intrinsics_pb2.INTRINSIC_KIND_DEPTH,
    intrinsics_pb2.INTRINSIC_KIND_METALLIC,
)
_TEMPERATURES_K = (2200.0, 2800.0, 3200.0, 4000.0, 5000.0, 5600.0, 6504.0, 7500.0, 9000.0, 11000.0)


@dataclass(frozen=True)
class Case:
    """Features of a claim on one picture of a scene, and whether it is right."""

    scene: int
    features: Vector
    is_right: bool


def _lamp(random: Random, irradiance: float = math.pi) -> light_pb2.LightSource:
    size_deg = math.exp(random.uniform(math.log(2.0), math.log(70.0)))
    return light_pb2.LightSource(
        area=light_pb2.AreaLight(
            azimuth_deg=random.uniform(-180.0, 180.0),
            elevation_deg=random.uniform(0.0, 70.0),
            irradiance=irradiance,
            width_ratio=8.0 * math.tan(math.radians(size_deg / 2.0)),
            color=light_pb2.LightColor(temperature_k=random.choice(_TEMPERATURES_K)),
        )
    )


def _harmonics(random: Random) -> light_pb2.LightSource:
    coefficients = []
    x, y, z = (random.gauss(0.0, 1.0) for _ in range(3))
    for _ in range(3):
        tint = random.uniform(0.7, 1.3)
        coefficients += [1.6 * tint, 0.5 * abs(y) * tint, 0.5 * z * tint, 0.5 * x * tint, *[0.0] * 5]
    return light_pb2.LightSource(spherical_harmonics=light_pb2.SphericalHarmonicsLight(coefficients=coefficients))


def _light(random: Random, store: ArtifactStore, hdri: list[Path]) -> light_pb2.Light:
    kind = random.choice(("lamp", "lamp", "lamps", "parallel", "daylight", "harmonics", "map"))
    azimuth_deg, elevation_deg = random.uniform(-180.0, 180.0), random.uniform(5.0, 70.0)
    if kind == "lamps":
        return light_pb2.Light(sources=[_lamp(random), _lamp(random, random.choice((1.0, 2.0, 3.0)))])
    if kind == "parallel":
        parallel = light_pb2.DirectionalLight(
            azimuth_deg=azimuth_deg,
            elevation_deg=elevation_deg,
            irradiance=math.pi,
            angular_diameter_deg=random.choice((0.5, 3.0, 10.0, 20.0)),
            color=light_pb2.LightColor(temperature_k=random.choice(_TEMPERATURES_K)),
        )
        return light_pb2.Light(sources=[light_pb2.LightSource(directional=parallel)])
    if kind == "daylight":
        sun = light_pb2.SunSkyLight(sun_azimuth_deg=azimuth_deg, sun_elevation_deg=elevation_deg)
        return light_pb2.Light(sources=[light_pb2.LightSource(sun_sky=sun)])
    if kind == "map":
        file = store.put_bytes(random.choice(hdri).read_bytes(), "image/vnd.radiance")
        environment = light_pb2.EnvironmentMapLight(map=file, rotation_deg=azimuth_deg)
        return light_pb2.Light(sources=[light_pb2.LightSource(environment_map=environment)])
    return light_pb2.Light(sources=[_lamp(random) if kind == "lamp" else _harmonics(random)])


async def _subjects(num_scenes: int, hdri: list[Path], folder: str) -> AsyncIterator[tuple[int, captioner_pb2.Subject]]:
    """Render the scenes, and yield the index of the scene and the subject of each picture, arrived light included."""
    url = Path(folder).as_uri()
    store = open_store(url)
    settings = StudioSettings(listen_address="127.0.0.1:0", metrics_address="", drain_s=0.0, store_url=url)
    async with running_service(studio_service(settings), settings) as channel:
        imager = imager_pb2_grpc.ImagerServiceStub(channel)
        relighter = relighter_pb2_grpc.RelighterServiceStub(channel)
        for scene in range(num_scenes):
            random = Random(_SEED + scene)  # noqa: S311 - a choice of lights
            description = scene_pb2.SceneDescription(kind=1 + scene % 4, seed=_SEED + scene)
            request = imager_pb2.GenerateImagesRequest(scene=description, width_px=192, height_px=144, preset="fast")
            request.light.sources.append(_harmonics(random))
            request.job.request_id = f"scene-{scene}"
            image = (await call_heavy(imager.GenerateImages, request)).images[0]
            common = {"image": image.image, "scene": image.scene, "preset": "fast"}
            decompose = relighter_pb2.DecomposeRequest(kinds=_MAPS, **common)
            decompose.job.request_id = f"maps-{scene}"
            maps = (await call_heavy(relighter.Decompose, decompose)).maps
            relight = relighter_pb2.RelightRequest(**common)
            for _ in range(_NUM_LIGHTS):
                relight.variants.add(light=_light(random, store, hdri))
            relight.job.request_id = f"lights-{scene}"
            for made in (await call_heavy(relighter.Relight, relight)).variants:
                if made.HasField("image"):
                    yield (
                        scene,
                        captioner_pb2.Subject(
                            media=made.image,
                            linear=made.linear,
                            intrinsics=maps,
                            arrived_light=made.arrived_light,
                            camera=made.record.camera,
                        ),
                    )


def _cases(scene: int, subject: captioner_pb2.Subject, store: ArtifactStore) -> tuple[Case | None, Case | None]:
    """Return the cases of the direction and of the temperature of a picture; None where nothing can be claimed."""
    arrived = subject.arrived_light.attributes
    evidence = SubjectReader(store, LIMITS, subject, "subject").evidence()
    surface = surface_of(evidence)
    key = measured_key(evidence, surface, relief_in(evidence)) if surface else None
    if surface is None or key is None or key.found is None:
        return None, None
    direction = temperature = None
    if arrived.HasField("azimuth_deg"):
        is_right = float(key.direction @ unit_vector(arrived.azimuth_deg, arrived.elevation_deg)) > _RIGHT_COSINE
        direction = Case(scene, direction_features(key.found[0], key.by_normals, key.direction), is_right)
    estimates = shading_estimates(surface.shading, key_color(key, surface))
    if arrived.HasField("color_temperature_k") and estimates is not None:
        is_right = abs(estimates.color.temperature_k - arrived.color_temperature_k) < _RIGHT_K
        temperature = Case(scene, temperature_features(estimates.spread_k, estimates.key_apart_k), is_right)
    return direction, temperature


def _fitted(cases: list[Case]) -> Vector:
    """Return the intercept and the weights of a logistic regression with a small ridge."""
    features = np.array([[1.0, *case.features] for case in cases])
    signs = np.array([1.0 if case.is_right else -1.0 for case in cases])

    def loss(weights: Vector) -> float:
        return float(np.logaddexp(0.0, -signs * (features @ weights)).sum() + _RIDGE * (weights[1:] ** 2).sum())

    return np.asarray(optimize.minimize(loss, np.zeros(features.shape[1])).x)


def _cross_validated(cases: list[Case]) -> list[tuple[float, bool]]:
    """Return the confidence of each case, by constants of the other scenes, and whether it is right."""
    claims = []
    for fold in range(_NUM_FOLDS):
        weights = _fitted([case for case in cases if case.scene % _NUM_FOLDS != fold])
        for case in cases:
            if case.scene % _NUM_FOLDS == fold:
                logit = float(weights @ [1.0, *case.features])
                claims.append((1.0 / (1.0 + math.exp(-logit)), case.is_right))
    return claims


async def _measure(num_scenes: int, hdri: list[Path]) -> tuple[list[Case], list[Case]]:
    directions, temperatures = [], []
    with tempfile.TemporaryDirectory(prefix="lumenmill-confidence-") as folder:
        store = open_store(Path(folder).as_uri())
        async for scene, subject in _subjects(num_scenes, hdri, folder):
            direction, temperature = _cases(scene, subject, store)
            directions += [direction] if direction else []
            temperatures += [temperature] if temperature else []
    return directions, temperatures


def main() -> None:
    """Render, fit, and print constants and curves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--num-scenes", type=int, default=_NUM_SCENES, help=f"with {_NUM_LIGHTS} lights each")
    parser.add_argument("--hdri", type=Path, default=_HDRI, help="folder of environment maps")
    options = parser.parse_args()
    found = asyncio.run(_measure(options.num_scenes, sorted(options.hdri.glob("*.hdr"))))
    for name, cases in zip(("_DIRECTION", "_TEMPERATURE"), found, strict=True):
        constants = ", ".join(f"{value:.3f}" for value in _fitted(cases))
        lines = [f"{name} = ({constants})", "", *confidence_curve(_cross_validated(cases)), ""]
        sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
