"""From a light to what models take: numbers against what the sources say, and against real maps."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf.json_format import ParseDict
from PIL import Image

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.common.v1.light_pb2 import Light, LightAttributes
from lumenmill_common.artifacts import ArtifactStore, open_store
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_light.axes import angle_between_deg
from lumenmill_light.vocabulary import phrase
from lumenmill_media import put_png
from lumenmill_relighter.light import Lighting, gradient_picture, lighting_of, seen_behind

_DATA = Path(os.environ.get("LUMENMILL_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))

_MAX_BYTES = 64 << 20


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return open_store(f"file://{tmp_path}/store")


def lighting(store: ArtifactStore, *sources: dict[str, Any], **light: Any) -> Lighting:
    return lighting_of(ParseDict({"sources": sources, **light}, Light()), store, "light", _MAX_BYTES)


@pytest.mark.parametrize(
    ("azimuth", "elevation", "words"),
    [
        (-90, 10, "low from the left"),
        (45, 35, "from the front right"),
        (180, 60, "from high up behind"),
        (-130, -40, "from below on the back left"),
        (20, 85, "from straight overhead"),
    ],
)
def test_direction_is_found_again_and_said(store: ArtifactStore, azimuth: int, elevation: int, words: str) -> None:
    key = {"directional": {"azimuthDeg": azimuth, "elevationDeg": elevation, "irradiance": 3}}
    fill = {"area": {"azimuthDeg": azimuth + 150, "elevationDeg": 10, "irradiance": 0.5, "widthRatio": 8}}
    found = lighting(store, key, fill)
    assert angle_between_deg(found.attributes.azimuth_deg, found.attributes.elevation_deg, azimuth, elevation) < 4
    assert words in found.words


def test_hardness_colour_and_level_follow_the_sources(store: ArtifactStore) -> None:
    def of(**source: float) -> LightAttributes:
        return lighting(
            store, {"area": {"azimuthDeg": 30, "elevationDeg": 30, "irradiance": np.pi, **source}}
        ).attributes

    small, large = of(widthRatio=0.2), of(widthRatio=8)
    assert small.hardness > 0.75 and large.hardness < 0.3
    assert abs(small.intensity_ev) < 0.2 and abs(of(irradiance=4 * np.pi).intensity_ev - 2) < 0.2
    for kelvin in (2200, 3200, 5600, 9000):
        warm = {"directional": {"irradiance": 1, "color": {"temperatureK": kelvin}}}
        assert lighting(store, warm).attributes.color_temperature_k == pytest.approx(kelvin, rel=0.06)
    green = {"directional": {"irradiance": 1, "color": {"rgb": {"red": 0.1, "green": 1, "blue": 0.1}}}}
    assert "green light" in lighting(store, green).words


def test_even_light_has_no_direction_and_opposite_harmonics_have_opposite_ones(store: ArtifactStore) -> None:
    even = [2.0, 0, 0, 0, 0, 0, 0, 0, 0]
    assert not lighting(store, {"sphericalHarmonics": {"coefficients": even * 3}}).attributes.HasField("azimuth_deg")
    for x, side in ((1.5, "right"), (-1.5, "left")):
        sided = [2.0, 0, 0, x, 0, 0, 0, 0, 0]
        assert f"from the {side}" in lighting(store, {"sphericalHarmonics": {"coefficients": sided * 3}}).words


def test_a_turned_map_lights_from_elsewhere(store: ArtifactStore) -> None:
    path = _DATA / "hdri" / "kloppenheim_05_1k.hdr"
    if not path.is_file():
        pytest.skip(f"{path} is not on this machine; set LUMENMILL_TEST_DATA")
    stored = store.put_file(path, "image/vnd.radiance")

    def azimuth(rotation: float) -> float:
        source = ParseDict({"sources": [{"environmentMap": {"rotationDeg": rotation}}]}, Light())
        source.sources[0].environment_map.map.CopyFrom(stored)
        return lighting_of(source, store, "light", _MAX_BYTES).attributes.azimuth_deg

    turned = (azimuth(90) - azimuth(0) - 90 + 180) % 360 - 180
    assert abs(turned) < 5


def test_words_of_the_light_come_first_then_what_it_states(store: ArtifactStore) -> None:
    sources = ({"directional": {"azimuthDeg": -90, "irradiance": 3}},)
    assert lighting(store, *sources, text="moonlight").words == "moonlight"
    stated = lighting(store, *sources, attributes={"azimuthDeg": 90})
    assert "from the right" in stated.words and stated.attributes.hardness > 0.7
    assert phrase(LightAttributes(color_temperature_k=2000)) == "deep orange light"


def test_light_that_says_nothing_or_does_not_shine_is_refused(store: ArtifactStore) -> None:
    with pytest.raises(InvalidArgumentError, match="light: is empty"):
        lighting(store, name="key")
    with pytest.raises(InvalidArgumentError, match=r"light\.sources: give no light"):
        lighting(store, {"directional": {"irradiance": 0}})
    broken = store.put_bytes(b"#?RADIANCE\n", "image/vnd.radiance")
    light = Light(sources=[{"environment_map": {"map": broken}}])
    with pytest.raises(InvalidArgumentError, match=r"light\.sources\[0\]\.environment_map\.map"):
        lighting_of(light, store, "light", _MAX_BYTES)


def test_gradients_are_bright_on_the_side_of_the_light() -> None:
    attributes = LightAttributes(azimuth_deg=-90, elevation_deg=45)
    pixels = np.asarray(gradient_picture(attributes, 32, 32, (0, 255)))[..., 0].astype(int)
    assert pixels[0, 0] == 255 and pixels[-1, -1] == 0 and abs(pixels[0, -1] - pixels[-1, 0]) <= 1
    even = np.asarray(gradient_picture(LightAttributes(azimuth_deg=0, elevation_deg=5), 8, 8, (0, 255)))
    assert even.min() == even.max() == 128


def test_a_background_is_seen_again_behind_the_subject(store: ArtifactStore) -> None:
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:16, :16, 0] = pixels[16:, 16:, 2] = 255
    picture: Artifact = put_png(store, Image.fromarray(pixels))
    found = lighting_of(Light(sources=[{"background": {"image": picture}}]), store, "light", _MAX_BYTES)
    assert found.environment is not None
    view = seen_behind(found.environment, 16, 16)
    assert view[2, 2].argmax() == 0 and view[13, 13].argmax() == 2 and view[2, 13].max() == 0
    assert abs(found.attributes.azimuth_deg) > 90


def test_a_map_behind_the_subject_is_seen_as_it_is() -> None:
    """Azimuth 180°, behind the subject, is at both edges of a map; what is to its right begins at the left edge."""
    radiance = np.zeros((64, 128, 3), np.float32)
    radiance[:32, :64, 0] = radiance[:32, 64:, 1] = radiance[32:, :64, 2] = 1.0
    view = seen_behind(radiance, 16, 16)
    assert view[2, 13].argmax() == 0 and view[2, 2].argmax() == 1 and view[13, 13].argmax() == 2
    assert view[13, 2].max() == 0
