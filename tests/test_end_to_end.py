"""From a recipe to a dataset and a gallery, over real gRPC."""

import json
import shutil
import time
from pathlib import Path

import pytest
from mesh_command import Command, run_command

SMALL = ["--set", "num_img_sets=2", "--set", "num_relight_variants=2", "--set", "num_clip_sets=1"]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def demo(home: Path, photo: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("demo")
    result = run_command(
        home, "demo", "--photo", str(photo), "--out", str(folder / "demo.html"), "--json", *SMALL, timeout_s=400
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def samples_of(lumenmill: Command, run: str) -> list[dict]:
    return json.loads(lumenmill("samples", run, "--limit", "1000", "--json").stdout)


@pytest.mark.timeout(400)
def test_the_demo_makes_light_groups_with_captions_measurements_and_maps(lumenmill: Command, demo: dict) -> None:
    samples = samples_of(lumenmill, demo["run"])
    rendered = [sample for sample in samples if sample.get("group_id") and sample["kind"] == "image"]
    groups = {sample["group_id"] for sample in rendered}
    assert len(groups) == 2
    for group in groups:
        members = [sample for sample in rendered if sample["group_id"] == group]
        assert len(members) >= 2
        assert len({sample["media"]["image"]["sha256"] for sample in members}) == len(members)
        assert len({sample["media"]["albedo"]["sha256"] for sample in members}) == 1
    for sample in rendered:
        assert sample["caption"] and sample["licences"]
        assert sample["requested_light"]["sources"] and sample["arrived_light"]["sources"] and sample["measured_light"]
        assert 0.5 < sum(source["share"] for source in sample["arrived_light"]["sources"]) < 1.01
        assert {"albedo", "depth", "normals", "roughness", "metallic"} <= set(sample["media"])
    table = lumenmill("samples", demo["run"]).stdout
    assert all(description in table for description in ("requested", "arrived", "measured"))
    clips = [sample for sample in samples if sample["kind"] == "clip"]
    assert clips and all(clip["caption"] and clip["media"]["video"]["video"]["codec"] == "h264" for clip in clips)


def test_a_photograph_has_a_caption_a_lineage_and_is_exported(lumenmill: Command, demo: dict, photo: Path) -> None:
    photographs = [sample for sample in samples_of(lumenmill, demo["run"]) if not sample.get("group_id")]
    assert len(photographs) == 1 and photographs[0]["caption"]
    lineage = json.loads(lumenmill("lineage", photographs[0]["id"], "--json").stdout)
    assert [step["call"] for step in lineage["executions"]] == ["captioner.Caption"]
    datasets = pytest.importorskip("datasets")
    dataset = datasets.load_dataset("parquet", data_files=f"{demo['dataset']}/**/*.parquet", split="train")
    assert len(dataset) == demo["num_samples_accepted"]
    assert photographs[0]["id"] in dataset["id"]


def test_the_same_recipe_reuses_all_results(lumenmill: Command, demo: dict, photo: Path, tmp_path: Path) -> None:
    started_s = time.monotonic()
    result = lumenmill("demo", "--photo", str(photo), "--out", str(tmp_path / "again.html"), "--json", *SMALL)
    assert result.returncode == 0, result.stderr
    again = json.loads(result.stdout)
    assert again["num_samples_accepted"] == demo["num_samples_accepted"]
    run = json.loads(lumenmill("watch", again["run"], "--json").stdout)
    for step in run["steps"]:
        assert step.get("num_reused") == step.get("num_accepted"), step
    assert time.monotonic() - started_s < 45


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_the_gallery_shows_all_images_and_follows_the_slider(demo: dict) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: problems.append(request.url) if request.url.startswith("http") else None)
        page.goto(Path(demo["gallery"]).as_uri())
        assert page.locator("section").count() == 3
        assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
        assert page.locator("video").count() >= 1
        first = page.locator("section").first
        before = first.locator(".headings > .on").inner_text()
        first.locator("input[type=range]").fill("1")
        assert first.locator(".headings > .on").inner_text() != before
        assert first.locator(".frame img.on").count() == 1
        assert problems == []
        browser.close()
