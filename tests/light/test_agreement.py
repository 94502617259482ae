"""Words, exact attributes and rendered radiance of one light say the same, for random lights of every kind."""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lumenmill.common.v1 import light_pb2
from lumenmill_light import vocabulary
from lumenmill_light.attributes import attributes
from lumenmill_light.axes import angle_between_deg, angles_of, unit_vector
from lumenmill_light.color import LUMINANCE, temperature_of_white
from lumenmill_light.irradiance import irradiance_of_source
from lumenmill_light.source_attributes import source_attributes
from lumenmill_light.sun_sky import MIN_SUN_SHARE, daylight
from lumenmill_prompter.phrases import light_phrase
from lumenmill_studio.light.description import described
from lumenmill_studio.light.sources import resolved
from lumenmill_studio.render.variant import find_variant, use_variant

from .random_lights import LIGHTS, RADIANCE, radiance_of

Array = np.ndarray
Ball = Callable[[light_pb2.LightSource, Array], Array]
AXES = np.concatenate([np.eye(3), -np.eye(3)])


@pytest.fixture(scope="module")
def ball() -> Iterator[Ball]:
    """Radiance (N, 3) that studio renders of a white Lambertian ball at normals (N, 3)."""
    with ThreadPoolExecutor(1) as renderer:
        renderer.submit(lambda: use_variant(find_variant("scalar"))).result()
        yield lambda source, normals: renderer.submit(_rendered, source, normals).result()


def _rendered(source: light_pb2.LightSource, normals: Array) -> Array:
    import mitsuba as mi

    from lumenmill_studio.light.emitters import emitter_of
    from lumenmill_studio.render.tracer import built_scene

    shape = mi.load_dict(
        {
            "type": "sphere",
            "radius": 1e-3,
            "bsdf": {"type": "diffuse", "reflectance": {"type": "rgb", "value": 1.0}},
        }
    )
    integrator = mi.load_dict({"type": "path", "max_depth": 2})
    total = np.zeros((len(normals), 3))
    for part in resolved(light_pb2.Light(sources=[source])):
        emitter = emitter_of(part.unit, (1.0, 1.0, 1.0), 1.0, lambda sha: RADIANCE)
        scene = built_scene([shape], [emitter])
        for index, normal in enumerate(normals):
            film = {"type": "hdrfilm", "width": 1, "height": 1, "rfilter": {"type": "box"}, "pixel_format": "rgb"}
            sensor = {"type": "radiancemeter", "origin": (normal * 0.5).tolist(), "direction": (-normal).tolist()}
            image = mi.render(
                scene, sensor=mi.load_dict({**sensor, "film": film}), integrator=integrator, spp=2048, seed=1
            )
            total[index] += np.array(image).reshape(-1)[:3] * np.array(part.weight)
    return np.maximum(total, 0.0)


@pytest.mark.parametrize("source", LIGHTS)
def test_attributes_are_what_studio_renders(source: light_pb2.LightSource, ball: Ball) -> None:
    found = source_attributes(source, radiance_of)
    exact = attributes(light_pb2.Light(sources=[source]), radiance_of=radiance_of)
    if found.azimuth_deg is None or found.elevation_deg is None:
        assert daylight(source.sun_sky).sun_share < MIN_SUN_SHARE
        lit = ball(
            source, np.stack([unit_vector(source.sun_sky.sun_azimuth_deg, angle) for angle in range(15, 135, 15)])
        )
        facing = lit[int(np.argmax(lit @ LUMINANCE))]
    else:
        facing = ball(source, unit_vector(found.azimuth_deg, found.elevation_deg)[None])[0]
    assert math.log2(float(facing @ LUMINANCE)) == pytest.approx(exact.intensity_ev, abs=0.1)
    rendered_k = temperature_of_white(facing.tolist())
    if exact.HasField("color_temperature_k"):
        # Where eyes see no difference, above 7000 K, 50 K become 1 mired.
        tolerance_k = max(50.0, 1e-6 * exact.color_temperature_k**2)
        assert rendered_k == pytest.approx(exact.color_temperature_k, abs=tolerance_k)
    else:
        assert rendered_k is None and found.hue == vocabulary.hue_word(facing.tolist())


@pytest.mark.parametrize("source", LIGHTS)
def test_the_direction_is_the_side_that_studio_lights(source: light_pb2.LightSource, ball: Ball) -> None:
    found = source_attributes(source, radiance_of)
    if found.azimuth_deg is None or found.elevation_deg is None:
        pytest.skip("light without a direction")
    directed = light_pb2.LightSource()
    directed.CopyFrom(source)
    if directed.HasField("sun_sky"):  # the direction is that of the sun
        directed.sun_sky.sky_scale = 0.0
    toward = (ball(directed, AXES) @ LUMINANCE) @ AXES
    angles = angles_of(toward / np.linalg.norm(toward))
    assert angle_between_deg(*angles, found.azimuth_deg, found.elevation_deg) < 4.0


@pytest.mark.parametrize("source", LIGHTS)
def test_irradiance_is_that_of_the_rendered_ball(source: light_pb2.LightSource, ball: Ball) -> None:
    expected = irradiance_of_source(source, AXES, RADIANCE)
    assert expected is not None
    rendered = ball(source, AXES) * math.pi
    assert np.abs(rendered - expected).max() < 0.12 * max(float(expected.max()), float(rendered.max()))


@pytest.mark.parametrize("source", LIGHTS)
@pytest.mark.parametrize("variant", range(6))
def test_words_are_those_of_the_attributes(source: light_pb2.LightSource, variant: int) -> None:
    light = light_pb2.Light(sources=[source])
    found, exact = source_attributes(source), attributes(light)
    written, phrase = light_phrase(light, variant), vocabulary.phrase(exact, found.hue, variant)
    rendered = described(light, [found])
    if source.HasField("environment_map"):
        assert "old room" in written and "old room" in rendered
        return
    veiled = source.HasField("sun_sky") and daylight(source.sun_sky).sun_share < 0.35
    if exact.HasField("color_temperature_k") and not veiled:
        color = vocabulary.TEMPERATURE_K.word(exact.color_temperature_k, variant)
        plain = vocabulary.TEMPERATURE_K.word(exact.color_temperature_k)
        assert color in written and color in phrase
        assert source.HasField("spherical_harmonics") or plain in rendered
    elif found.hue:
        assert found.hue in written and found.hue in phrase and found.hue in rendered
    if exact.HasField("azimuth_deg"):
        elevation_deg = 25.0 if source.HasField("sun_sky") else exact.elevation_deg
        where = vocabulary.direction_phrase(exact.azimuth_deg, elevation_deg, variant)
        assert where in written
        assert vocabulary.direction_phrase(exact.azimuth_deg, elevation_deg) in rendered
    # The picture of one light is exposed for it, so that nobody could see how bright it is.
    assert not {"dim", "bright"} & set(written.split())
