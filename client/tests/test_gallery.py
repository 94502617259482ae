"""The gallery of samples that were made here: three descriptions of light, headings that follow it, rejections."""

import base64
import io
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lumenmill.common.v1 import artifact_pb2, light_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_client._sample_light import light_line, lights_of
from lumenmill_client.gallery import _jpeg, write_gallery
from lumenmill_client.gallery._content import content_of
from lumenmill_common import errors
from lumenmill_common.decoding import DecodeLimits

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@dataclass
class Samples:
    """Answers as a client whose run has these samples, with contents by digest, else all with the same picture."""

    made: list[run_pb2.Sample] = field(default_factory=list)
    contents: dict[str, bytes] = field(default_factory=dict)
    lost: dict[str, errors.LumenmillError] = field(default_factory=dict)

    def samples(self, run_id: str, *, verdicts: list[int]) -> Iterator[run_pb2.Sample]:
        return (sample for sample in self.made if sample.verdict in verdicts)

    def lineage(self, sample_id: str) -> run_pb2.GetLineageResponse:
        return run_pb2.GetLineageResponse()

    def read(self, artifact: artifact_pb2.Artifact) -> bytes:
        if artifact.sha256 in self.lost:
            raise self.lost[artifact.sha256]
        if artifact.sha256 in self.contents:
            return self.contents[artifact.sha256]
        out = io.BytesIO()
        Image.new("RGB", (32, 24), "teal").save(out, "PNG")
        return out.getvalue()

    def add(self, name: str, verdict: str, azimuth_deg: float, light: str, **more: Any) -> run_pb2.Sample:
        content = "A copper kettle on an oak table."
        sample = run_pb2.Sample(
            id=name, group_id="g", kind=run_pb2.SAMPLE_KIND_IMAGE, verdict=f"VERDICT_{verdict}",
            prompt="a kettle", caption=f"{content} {light}", light_caption=light,
            requested_attributes=light_pb2.LightAttributes(azimuth_deg=azimuth_deg, elevation_deg=30, hardness=0.5),
            measured_light=light_pb2.LightAttributes(color_temperature_k=3100), **more,
        )  # type: ignore[arg-type]  # fmt: skip
        sample.media["image"].CopyFrom(artifact_pb2.Artifact(media_type="image/png"))
        self.made.append(sample)
        return sample


@pytest.fixture
def samples() -> Samples:
    made = Samples()
    arrived = made.add("first", "ACCEPTED", -45, "Warm light from the front left.").arrived_light
    arrived.attributes.MergeFrom(light_pb2.LightAttributes(azimuth_deg=-50, elevation_deg=28, color_temperature_k=3000))
    kinds = (light_pb2.LIGHT_KIND_AREA, light_pb2.LIGHT_KIND_SUN_SKY)
    for kind, share in zip(kinds, (0.8, 0.2), strict=True):
        source = arrived.sources.add(share=share, unoccluded_fraction=0.5, color={"red": 1, "green": 1, "blue": 1})
        source.attributes.MergeFrom(light_pb2.LightAttributes(kinds=[kind], azimuth_deg=-50, elevation_deg=28))
    made.add("second", "ACCEPTED", 90, "Cool light from the right.", instruction="Move the light to the right.")
    made.add("third", "REJECTED", 90, "Warm light.", reason="contradiction: It says warm, but 6500 K arrived.")
    clip = made.add("clip", "ACCEPTED", 90, "Cool light moves from the right to the left.")
    clip.kind, clip.media["video"].media_type = run_pb2.SAMPLE_KIND_CLIP, "video/mp4"
    refused = made.add("fourth", "REJECTED", 150, "", reason="light_refused: It is behind the back wall.")
    refused.media.clear()
    return made


def _encoded(image: Image.Image, format_: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format_, **options)
    return out.getvalue()


def _lying_photograph() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return _encoded(Image.new("RGB", (32, 24)), "JPEG", exif=exif)


@pytest.mark.parametrize(
    ("media_type", "content"),
    [
        ("image/jpeg", _lying_photograph()),
        ("image/webp", _encoded(Image.new("RGB", (32, 24)), "WEBP")),
        ("image/png", _encoded(Image.fromarray(np.full((24, 32), 40_000, np.uint16)), "PNG")),
        ("image/png", b"\x89PNG\r\n\x1a\n damaged"),
    ],
)
def test_pictures_of_users_are_embedded_as_they_are(samples: Samples, media_type: str, content: bytes) -> None:
    samples.contents["0" * 64] = content
    samples.made[0].media["image"].CopyFrom(
        artifact_pb2.Artifact(media_type=media_type, sha256="0" * 64, image={"color_space": "COLOR_SPACE_SRGB"})
    )
    shown = content_of(samples, run_pb2.Run(), samples.made)["groups"][0]["images"][0]["src"]  # type: ignore[arg-type]
    assert shown == f"data:{media_type};base64,{base64.b64encode(content).decode()}"


@pytest.mark.parametrize(
    "error", [errors.NotFoundError("no artifact in the store"), errors.DataLossError("does not match its digest")]
)
def test_a_lost_picture_does_not_lose_the_gallery(samples: Samples, error: errors.LumenmillError) -> None:
    samples.lost["1" * 64] = error
    for sample, role in ((samples.made[0], "image"), (samples.made[3], "video")):
        sample.media[role].sha256 = "1" * 64
    group = content_of(samples, run_pb2.Run(), samples.made)["groups"][0]  # type: ignore[arg-type]
    assert [bool(image["src"]) for image in group["images"]] == [False, True]
    assert group["clips"][0]["src"] == ""


def test_a_picture_that_is_too_large_to_decode_is_embedded_as_it_is(
    samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_jpeg, "STILL_LIMITS", DecodeLimits(max_s=60.0, max_memory_bytes=64 << 20))
    large = _encoded(Image.new("RGB", (7000, 7000)), "PNG")
    samples.contents["0" * 64] = large
    samples.made[0].media["image"].CopyFrom(
        artifact_pb2.Artifact(media_type="image/png", sha256="0" * 64, image={"color_space": "COLOR_SPACE_SRGB"})
    )
    shown = content_of(samples, run_pb2.Run(), samples.made)["groups"][0]["images"]  # type: ignore[arg-type]
    assert shown[0]["src"] == f"data:image/png;base64,{base64.b64encode(large).decode()}" and shown[1]["src"]


def test_pictures_that_were_made_are_embedded_as_jpeg_and_exr_is_not_shown(samples: Samples) -> None:
    samples.made[0].media["image"].image.color_space = artifact_pb2.COLOR_SPACE_SRGB
    samples.made[1].media["image"].media_type = "image/x-exr"
    first, second = content_of(samples, run_pb2.Run(), samples.made)["groups"][0]["images"]  # type: ignore[arg-type]
    assert first["src"].startswith("data:image/jpeg;base64,") and not second["src"]


def test_descriptions_that_are_not_known_are_left_out(samples: Samples) -> None:
    first, second = samples.made[:2]
    assert list(lights_of(first)) == ["requested", "arrived", "measured"]
    assert list(lights_of(second)) == ["requested", "measured"]
    assert light_line(lights_of(first)["arrived"]) == "-50° 28°, 3000 K"
    assert light_line(lights_of(first)["requested"]) == "-45° 30°, hardness 0.50"


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_the_page_follows_the_light_and_shows_what_was_wrong(samples: Samples, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    write_gallery(samples, run_pb2.Run(id="run"), tmp_path / "gallery.html")  # type: ignore[arg-type]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 390, "height": 800})
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto((tmp_path / "gallery.html").as_uri())
        heading, table = page.locator(".headings > .on"), page.locator("aside .light").first
        assert heading.locator("h2").inner_text() == "A copper kettle on an oak table."
        assert heading.locator(".lit").inner_text() == "Warm light from the front left."
        assert [row.split() for row in table.inner_text().splitlines()][1:] == [
            ["requested", "−45°", "30°", "0.50", "–"],
            ["arrived", "−50°", "28°", "–", "3000", "K"],
            ["measured", "–", "–", "–", "3100", "K"],
        ]
        assert page.locator("aside .sources em").all_inner_texts() == ["80 %", "20 %"]
        assert page.locator("aside .dial circle").count() == 3 + 2 * 2 + 1, "rings, two sources, the requested light"
        page.locator("input[type=range]").fill("1")
        assert heading.locator(".lit").inner_text() == "Cool light from the right."
        assert page.locator(".headings > .on").count() == 1
        assert "arrived" not in table.inner_text()
        assert page.locator(".clips .moment").all_inner_texts() == ["The light at the start of the clip:"]
        page.locator(".rejected summary").click()
        assert page.locator(".reason").all_inner_texts() == [
            "contradiction It says warm, but 6500 K arrived.", "light refused It is behind the back wall.",
        ]  # fmt: skip
        assert page.locator(".rejected img").count() == 1, "the refused one has no picture"
        assert page.evaluate("document.documentElement.scrollWidth") == 390, "nothing is wider than a phone"
        assert problems == []
        browser.close()
