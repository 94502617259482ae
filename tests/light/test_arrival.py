"""Light from all around arrives with the direction and the colour of the shading that studio renders."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random

import numpy as np
import pytest

from lumenmill.common.v1 import light_pb2
from lumenmill.common.v1.scene_pb2 import SceneDescription, SceneKind
from lumenmill_captioner.measure.key_fit import fit_key, gather
from lumenmill_common.artifacts import open_store
from lumenmill_light import build
from lumenmill_light.attributes import attributes
from lumenmill_light.axes import angle_between_deg, angles_of
from lumenmill_light.color import mired, temperature_of_white, temperature_rgb
from lumenmill_studio.assets import Assets
from lumenmill_studio.families.arrivals import Arrivals
from lumenmill_studio.families.lighting import LightReader
from lumenmill_studio.presets import preset_named
from lumenmill_studio.render.camera import pose_of
from lumenmill_studio.render.engine import Engine
from lumenmill_studio.render.variant import find_variant, use_variant
from lumenmill_studio.render.view import view_of
from lumenmill_studio.scenes.compose import compose
from lumenmill_studio.scenes.stored import store_scene

SIZE_PX = (64, 48)
KINDS = (SceneKind.SCENE_KIND_STILL_LIFE, SceneKind.SCENE_KIND_ROOM, SceneKind.SCENE_KIND_PORTRAIT)
LIGHTS_PER_KIND = 2


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, float]]:
    """For harmonics in several sets: how far the requested and the arrived light are from the rendered shading."""
    url = tmp_path_factory.mktemp("store").as_uri()
    with ThreadPoolExecutor(1) as renderer:
        renderer.submit(use_variant, find_variant("scalar")).result()
        return renderer.submit(lambda: list(_errors(url))).result()


def _errors(url: str) -> Iterator[dict[str, float]]:
    store = open_store(url)
    assets = Assets(store, None, None)
    engine, lights = Engine(assets.pixels, assets.parts), LightReader(store, assets)
    for kind in KINDS:
        random = Random(kind)  # noqa: S311 - no secrets
        scene = store_scene(store, compose(SceneDescription(kind=kind), "", 1 + kind))
        view = view_of(scene, pose_of(scene.spec.camera, None), SIZE_PX, preset_named("fast"))
        normals = (engine.buffers(view).normals.reshape(-1, 3) @ view.pose.axes()).astype(np.float64)
        seen = np.linalg.norm(normals, axis=1) > 0.9
        for _ in range(LIGHTS_PER_KIND):
            color = temperature_rgb(random.uniform(2500, 9000)).tolist()
            source = build.spherical_harmonics_light(random.uniform(-120, 120), 30.0, 0.9, 2.0, color)
            lighting = lights.resolve(light_pb2.Light(sources=[source]), "light")
            shading = engine.light(view, lighting.parts, lambda: None, {}, shading=True).reshape(-1, 3)[seen]
            gathered = gather(normals[seen], np.maximum(shading.astype(np.float64), 0), np.ones(len(shading)))
            key = None if gathered is None else fit_key(gathered)
            if key is None or key.confidence < 0.3:
                continue
            shown = angles_of(key.direction)
            arrived = Arrivals(engine, lights).in_frame(view, lighting).attributes
            requested = attributes(lighting.light)
            shown_k = temperature_of_white(shading.mean(axis=0).tolist())
            assert shown_k is not None
            yield {
                "arrived_deg": angle_between_deg(arrived.azimuth_deg, arrived.elevation_deg, *shown),
                "requested_deg": angle_between_deg(requested.azimuth_deg, requested.elevation_deg, *shown),
                "color_mired": abs(mired(arrived.color_temperature_k) - mired(shown_k)),
            }


def _median(found: list[dict[str, float]], name: str) -> float:
    return float(np.median([errors[name] for errors in found]))


def test_what_arrives_of_harmonics_has_the_direction_of_the_shading(found: list[dict[str, float]]) -> None:
    assert len(found) > len(KINDS) * LIGHTS_PER_KIND / 2
    assert _median(found, "arrived_deg") < 16.0
    assert _median(found, "arrived_deg") < 0.6 * _median(found, "requested_deg")


def test_what_arrives_of_harmonics_has_the_colour_of_the_shading(found: list[dict[str, float]]) -> None:
    # Interreflection takes on the colour of the set.
    assert _median(found, "color_mired") < 15.0
