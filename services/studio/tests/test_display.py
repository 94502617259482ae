"""Exposure and white balance of pictures, groups and clips, as `Display` says and as the results record them."""

import io
import json
from typing import Any

import av
import grpc
import numpy as np
import pytest
from PIL import Image

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.common.v1.display_pb2 import Display, Exposure, WhiteBalance
from lumenmill.common.v1.intrinsics_pb2 import IntrinsicKind
from lumenmill.common.v1.light_pb2 import ArrivedLight, ArrivedSource, Light, RgbColor
from lumenmill.imager.v1 import imager_pb2
from lumenmill.relighter.v1 import relighter_pb2
from lumenmill.video.v1 import video_pb2
from lumenmill_light.color import LUMINANCE
from lumenmill_studio.families.display import BRIGHTEST_EV, DARKEST_EV, white_balance_gains
from lumenmill_studio.render.tonemap import auto_exposure_ev

SIZE = {"width_px": 96, "height_px": 72, "preset": "fast"}
PICTURE, GROUP = Exposure.EXPOSURE_PICTURE, Exposure.EXPOSURE_GROUP
AUTO = WhiteBalance.WHITE_BALANCE_AUTO

pytestmark = pytest.mark.asyncio(loop_scope="session")


def lamp(irradiance: float, temperature_k: float = 6504.0) -> Light:
    light = Light()
    source = light.sources.add().area
    source.azimuth_deg, source.elevation_deg, source.irradiance = 30.0, 35.0, irradiance
    source.color.temperature_k = temperature_k
    return light


def pixels(studio: Any, picture: Artifact) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(studio.store.read_bytes(picture)))).astype(float)


async def relit(
    studio: Any, scene: Artifact, lights: list[Light], name: str, **fields: Any
) -> list[relighter_pb2.RelitImage]:
    request = relighter_pb2.RelightRequest(scene=scene, **SIZE, **fields)
    for light in lights:
        request.variants.add().light.CopyFrom(light)
    return list((await studio.result(studio.relighter.Relight, request, name)).variants)


async def test_relit_variants_share_the_exposure_of_the_image(studio: Any) -> None:
    image = await studio.still_life("display-0")
    lights = [lamp(1.4), lamp(2.0), lamp(2.7)]
    variants = await relit(studio, image.scene, lights, "display-1", image=image.image)
    assert {variant.image.image.exposure_ev for variant in variants} == {image.image.image.exposure_ev}
    dim, middle, bright = (pixels(studio, variant.image).mean() for variant in variants)
    assert dim < middle - 5 < bright - 10
    record = variants[0].record.parameters
    assert record["exposure"] == "GROUP" and record["white_balance"] == "FIXED"
    assert record["exposure_ev"] == pytest.approx(image.image.image.exposure_ev)
    # Without an image that records its exposure, that of the first variant.
    alone = await relit(studio, image.scene, lights, "display-2")
    metered = auto_exposure_ev(studio.numbers(alone[0].linear))
    assert [variant.image.image.exposure_ev for variant in alone] == pytest.approx([metered] * 3, abs=2e-3)


async def test_a_group_shows_neither_black_nor_burnt_out_pictures(studio: Any) -> None:
    image = await studio.still_life("display-3")
    lights = [lamp(2.0), lamp(2.0 * 2.0**-9), lamp(2.0 * 2.0**9)]
    variants = await relit(studio, image.scene, lights, "display-4")
    apart = [found.image.image.exposure_ev - auto_exposure_ev(studio.numbers(found.linear)) for found in variants]
    assert apart == pytest.approx([0.0, DARKEST_EV, BRIGHTEST_EV], abs=5e-3)
    middle, dark, bright = (pixels(studio, variant.image).mean() for variant in variants)
    assert 20 < dark < middle - 20 < bright - 40 < 170


async def test_each_picture_may_be_metered_or_given_an_exposure(studio: Any) -> None:
    image = await studio.still_life("display-5")
    lights = [lamp(1.0), lamp(8.0)]
    metered = await relit(
        studio, image.scene, lights, "display-6", image=image.image, display=Display(exposure=PICTURE)
    )
    assert metered[0].image.image.exposure_ev == pytest.approx(metered[1].image.image.exposure_ev + 3, abs=5e-3)
    assert abs(pixels(studio, metered[0].image) - pixels(studio, metered[1].image)).mean() < 1
    given = await relit(studio, image.scene, lights, "display-7", display=Display(exposure_ev=-12.0))
    assert [variant.image.image.exposure_ev for variant in given] == [-12.0, -12.0]
    assert pixels(studio, given[1].image).mean() < 20
    assert "exposure" not in given[0].record.parameters

    kinds = [IntrinsicKind.INTRINSIC_KIND_SHADING]
    previews = []
    for index, variant in enumerate(given):
        decompose = relighter_pb2.DecomposeRequest(
            scene=image.scene, image=variant.image, light=variant.light, kinds=kinds, preset="fast"
        )
        found = await studio.result(studio.relighter.Decompose, decompose, f"display-8-{index}")
        previews.append(pixels(studio, found.maps[0].preview).mean())
    # Previews of shading have the exposure of their picture.
    assert previews[0] < previews[1] < 20


async def test_an_exposure_beyond_floats_is_refused(studio: Any) -> None:
    image = await studio.still_life("display-17")
    image.image.image.exposure_ev = 1e30
    problem = r"image\.image\.exposure_ev: is 1e\+30; must be between -64 and 64"
    with pytest.raises(grpc.aio.AioRpcError, match=problem):
        await relit(studio, image.scene, [lamp(1.0)], "display-18", image=image.image)
    decompose = relighter_pb2.DecomposeRequest(scene=image.scene, image=image.image, preset="fast")
    with pytest.raises(grpc.aio.AioRpcError, match=problem):
        await studio.result(studio.relighter.Decompose, decompose, "display-19")


async def test_pictures_of_new_scenes_are_metered_unless_they_are_a_group(studio: Any) -> None:
    request = imager_pb2.GenerateImagesRequest(
        prompt="two lemons on a slate table", light=lamp(3.0), num_images=2, seed=1, **SIZE
    )
    alone = (await studio.result(studio.imager.GenerateImages, request, "display-9")).images
    request.display.exposure = GROUP
    together = (await studio.result(studio.imager.GenerateImages, request, "display-10")).images
    assert alone[1].image.image.exposure_ev == pytest.approx(
        auto_exposure_ev(studio.numbers(alone[1].linear)), abs=2e-3
    )
    assert alone[0].image.image.exposure_ev != alone[1].image.image.exposure_ev
    assert together[0].image.image.exposure_ev == together[1].image.image.exposure_ev


async def test_automatic_white_balance_makes_warm_light_white(studio: Any) -> None:
    image = await studio.still_life("display-11")
    warm = [lamp(3.0, 3000.0)]
    (fixed,) = await relit(studio, image.scene, warm, "display-12")
    (auto,) = await relit(studio, image.scene, warm, "display-13", display=Display(white_balance=AUTO))
    (white,) = await relit(studio, image.scene, [lamp(3.0)], "display-14")

    def red_over_blue(picture: Artifact) -> float:
        red, _, blue = pixels(studio, picture).mean(axis=(0, 1))
        return float(red / blue)

    assert red_over_blue(auto.image) == pytest.approx(red_over_blue(white.image), rel=0.05)
    assert red_over_blue(fixed.image) > 1.5 * red_over_blue(auto.image)
    assert auto.linear.sha256 == fixed.linear.sha256
    gains = list(auto.image.image.white_balance_gains)
    assert gains[0] < 1 < gains[2] and np.dot(gains, LUMINANCE) == pytest.approx(1, abs=1e-3)
    assert list(auto.record.parameters["white_balance_gains"]) == pytest.approx(gains)
    assert not fixed.image.image.white_balance_gains


async def test_a_clip_is_balanced_and_exposed_once(studio: Any) -> None:
    image = await studio.still_life("display-15")
    request = video_pb2.GenerateVideoRequest(
        scene=image.scene, image=image.image, num_frames=3, light=lamp(5.0, 3000.0), **SIZE
    )
    request.display.exposure, request.display.white_balance = GROUP, AUTO
    result = await studio.result(studio.video.GenerateVideo, request, "display-16")
    assert result.poster.image.exposure_ev == pytest.approx(image.image.image.exposure_ev)
    gains = list(result.poster.image.white_balance_gains)
    assert gains[0] < 1 < gains[2]
    assert list(result.record.parameters["white_balance_gains"]) == pytest.approx(gains)
    truth = [json.loads(line) for line in studio.store.read_bytes(result.frames).splitlines()]
    assert all(frame["white_balance_gains"] == pytest.approx(gains) for frame in truth)
    with av.open(io.BytesIO(studio.store.read_bytes(result.video))) as clip:
        shown = next(clip.decode(video=0)).to_ndarray(format="rgb24").mean(axis=(0, 1))
    assert np.abs(shown - pixels(studio, result.poster).mean(axis=(0, 1))).max() < 6


def arrived(*sources: tuple[float, tuple[float, float, float]]) -> ArrivedLight:
    found = []
    for share, (red, green, blue) in sources:
        found.append(ArrivedSource(share=share, color=RgbColor(red=red, green=green, blue=blue)))
    return ArrivedLight(sources=found)


async def test_white_is_the_mean_colour_of_all_sources() -> None:
    mixed = arrived((0.75, (1.6, 0.9, 0.2)), (0.25, (0.4, 1.1, 1.8)))
    gains = np.array(white_balance_gains([mixed]))
    balanced = gains * np.array([1.3, 0.95, 0.6])
    assert np.ptp(balanced) < 1e-6
    assert gains @ LUMINANCE == pytest.approx(1)
    assert white_balance_gains([arrived()]) is None
    candle = np.array([2.9, 0.55, 0.0])
    gains = np.array(white_balance_gains([arrived((1.0, tuple(candle)))]))
    assert gains.max() / gains.min() == pytest.approx(8)
    # It stays orange, and becomes paler.
    red, green, blue = gains * candle
    assert red > green > blue and red / green < 0.5 * candle[0] / candle[1]
