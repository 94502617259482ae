"""The `lumenmill` command end to end, against a local mesh."""

import asyncio
import json
import os
import signal
import subprocess
from pathlib import Path

from mesh_command import Command, run_command, start_command
from PIL import Image

from lumenmill_common.testing import eventually


def test_status_models_and_doctor_show_the_mesh(lumenmill: Command) -> None:
    state = json.loads(lumenmill("status", "--json").stdout)
    assert state["ready"] and {service["name"] for service in state["services"]} >= {"studio", "orchestrator"}
    models = {model["name"]: model for model in json.loads(lumenmill("models", "--json").stdout)}
    assert models["studio"]["ready"]
    assert "lumenmill.video.v1.VideoService" in models["studio"]["model"]["contracts"]
    assert lumenmill("doctor").returncode == 0


def test_the_vocabulary_of_studio_is_listed_and_searched(lumenmill: Command) -> None:
    listed = lumenmill("studio", "vocabulary")
    assert listed.returncode == 0
    assert "still life" in listed.stdout and "torus knot" in listed.stdout and "pitcher → jug" in listed.stdout
    assert "places: on an oak table" in listed.stdout
    known = lumenmill("studio", "vocabulary", "pitcher", "oak", "table")
    assert known.returncode == 0 and "pitcher: means jug; subject of still life" in known.stdout
    unknown = lumenmill("studio", "vocabulary", "jug", "boot", "--json")
    assert unknown.returncode == 1
    jug, boot = json.loads(unknown.stdout)
    assert jug["can_be_drawn"] and not boot["can_be_drawn"] and "book" in boot["nearest"]
    refused = lumenmill("render", "a leather boot on an oak table", "--preset", "fast")
    assert refused.returncode == 2 and "'boot' cannot be drawn" in refused.stderr


def test_up_again_changes_nothing(lumenmill: Command) -> None:
    before = json.loads(lumenmill("status", "--json").stdout)
    assert lumenmill("up").returncode == 0
    assert json.loads(lumenmill("status", "--json").stdout) == before


def test_up_with_options_other_than_those_of_the_running_mesh_is_rejected(lumenmill: Command, tmp_path: Path) -> None:
    rejected = lumenmill("up", "--assets", str(tmp_path))
    assert rejected.returncode == 2
    assert "other assets" in rejected.stderr and "lumenmill down" in rejected.stderr


def test_up_reports_a_process_that_exits_and_leaves_the_others_running(tmp_path: Path) -> None:
    models, home = tmp_path / "models.yaml", tmp_path / "home"
    models.write_text("mine: {service: prompter, family: misspelt}\n")
    (home / "logs").mkdir(parents=True)
    (home / "logs" / "mine.log").write_text("LUMENMILL_FAMILY: of an earlier start\n")
    refused = run_command(home, "up", "--models", str(models))
    assert refused.returncode == 1
    assert refused.stderr.count("LUMENMILL_FAMILY") == 1 and refused.stderr.count("mine does not start") == 1
    assert "`lumenmill down`" in refused.stderr
    assert json.loads(run_command(home, "status", "--json").stdout)["running"]
    assert run_command(home, "down").returncode == 0


def test_a_model_with_several_devices_is_served_by_a_process_for_each(tmp_path: Path) -> None:
    models, home = tmp_path / "models.yaml", tmp_path / "home"
    models.write_text("mine: {service: prompter, family: grammar, devices: [cuda:0, cuda:1]}\n")
    started = run_command(home, "up", "--models", str(models), "--json")
    try:
        assert started.returncode == 0, started.stderr
        names = {service["name"] for service in json.loads(started.stdout)["services"]}
        assert {"mine@cuda:0", "mine@cuda:1"} < names and "mine" not in names

        def workers() -> dict[str, int]:
            known = json.loads(run_command(home, "models", "--json").stdout)
            return {model["name"]: model["num_workers"] for model in known}

        asyncio.run(eventually(lambda: workers()["mine"] == 2 * workers()["grammar"], timeout_s=30))
        written = run_command(home, "prompts", "--model", "mine", "--num", "1", "--json")
        assert written.returncode == 0 and len(json.loads(written.stdout)["prompt_sets"]) == 1, written.stderr
    finally:
        assert run_command(home, "down").returncode == 0


def test_ctrl_c_while_the_mesh_starts_says_that_it_continues(tmp_path: Path) -> None:
    home = tmp_path / "home"
    starting = start_command(home, "up")
    asyncio.run(eventually((home / "run" / "mesh.json").exists, timeout_s=30))
    starting.send_signal(signal.SIGINT)
    _, stderr = starting.communicate(timeout=30)
    assert (starting.returncode, stderr.count("\n")) == (130, 1), stderr
    assert "the mesh continues to start" in stderr and "`lumenmill down`" in stderr
    assert run_command(home, "down").returncode == 0


def test_a_photograph_is_captioned(lumenmill: Command, photo: Path) -> None:
    result = lumenmill("caption", str(photo), "--json")
    assert result.returncode == 0, result.stderr
    caption = json.loads(result.stdout)
    assert caption["text"] and caption["scores"]["shown_brightness_ev"]
    # The level of the light that fell on what a photograph shows is unknown.
    assert "intensity_ev" not in caption["measurement"].get("attributes", {})


def test_relight_uses_the_files_that_render_wrote(lumenmill: Command, tmp_path: Path) -> None:
    made = lumenmill("render", "a brass bowl on a slate table", "--preset", "fast", "--out", str(tmp_path / "made"))
    assert made.returncode == 0, made.stderr
    scene = tmp_path / "made" / "image-0.scene.json"
    assert (tmp_path / "made" / "image-0.png").stat().st_size > 10_000 and scene.exists()
    light = "area:azimuth_deg=80,elevation_deg=20,irradiance=4,temperature_k=3000"
    relit = lumenmill(
        "relight",
        "--scene",
        str(scene),
        "--light",
        light,
        "--preset",
        "fast",
        "--out",
        str(tmp_path / "relit"),
        "--json",
    )
    assert relit.returncode == 0, relit.stderr
    assert Path(json.loads(relit.stdout)["files"][0]).stat().st_size > 10_000
    described = lumenmill("relight", "--scene", str(scene), "--describe", "a bowl at dusk")
    assert described.returncode == 2 and "variants[0].description" in described.stderr  # studio needs a light


def test_a_clip_is_made_from_text(lumenmill: Command, tmp_path: Path) -> None:
    out = tmp_path / "new" / "bowl.mp4"
    size = ("--width", "64", "--height", "48", "--fps", "6")
    made = lumenmill("clip", "a brass bowl on a slate table", "--preset", "fast", *size, "--out", str(out), "--json")
    assert made.returncode == 0, made.stderr
    document = json.loads(made.stdout)
    assert document["files"] == [str(out), str(out.with_suffix(".scene.json"))]
    facts = document["result"]["video"]["video"]
    assert (facts["width_px"], facts["height_px"], facts["fps"]) == (64, 48, 6)
    assert out.read_bytes()[4:8] == b"ftyp" and "render …" in made.stderr
    refused = lumenmill("clip", "--out", str(out), stdin=subprocess.DEVNULL)
    assert refused.returncode == 2 and "text: is required" in refused.stderr


def test_maps_of_a_picture_have_its_size(lumenmill: Command, tmp_path: Path) -> None:
    size = ("--width", "64", "--height", "48")
    made = lumenmill("render", "a marble bust", "--preset", "fast", *size, "--out", str(tmp_path / "made"), "--json")
    picture = json.loads(made.stdout)["result"]["images"][0]
    scene = str(tmp_path / "made" / "image-0.scene.json")
    for source in (str(tmp_path / "made" / "image-0.png"), picture["image"]["uri"]):
        maps = tmp_path / source[-8:]
        written = lumenmill("decompose", source, "--scene", scene, "--preset", "fast", "--out", str(maps))
        assert written.returncode == 0, written.stderr
        names = {path.name for path in maps.iterdir()}
        assert {"albedo.exr", "albedo.png", "normals.exr", "depth.exr", "instance_mask.png"} <= names
        with Image.open(maps / "albedo.png") as albedo:
            assert albedo.size == (64, 48)
    alone = lumenmill("decompose", str(tmp_path / "made" / "image-0.png"), "--out", str(tmp_path / "none"))
    assert alone.returncode == 2 and "scene" in alone.stderr and not (tmp_path / "none").exists()


def test_prompts_are_written(lumenmill: Command) -> None:
    result = json.loads(lumenmill("prompts", "--num", "2", "--relights", "2", "--json").stdout)
    assert len(result["prompt_sets"]) == 2
    assert all(len(entry["relight_prompts"]) == 2 for entry in result["prompt_sets"])


def test_an_invalid_recipe_is_rejected_with_file_and_line(lumenmill: Command, tmp_path: Path) -> None:
    recipe = tmp_path / "bad.yaml"
    recipe.write_text(
        (Path(__file__).parent.parent / "recipes" / "demo.yaml").read_text().replace("lumenmill: 1", "lumenmill: 99")
    )
    result = lumenmill("recipe", "check", str(recipe))
    assert result.returncode == 2
    assert "bad.yaml:" in result.stderr


def test_shipped_recipes_are_valid_and_planned(lumenmill: Command) -> None:
    for recipe in ("recipes/demo.yaml", "recipes/light-groups.yaml"):
        assert lumenmill("recipe", "check", recipe).returncode == 0
    plan = json.loads(lumenmill("recipe", "plan", "recipes/demo.yaml", "--json").stdout)
    assert plan["steps"] and int(plan["num_items"]) >= 6
    assert lumenmill("recipe", "graph", "recipes/demo.yaml").stdout.startswith("digraph")


def test_errors_have_their_exit_codes(lumenmill: Command, tmp_path: Path) -> None:
    assert lumenmill("lineage", "no-such-sample").returncode == 4
    assert lumenmill("watch", "no-such-run").returncode == 4
    assert lumenmill("render", "x", "--light", "area:colour=red").returncode == 2
    assert lumenmill("samples", "--verdict", "good").returncode == 2
    assert lumenmill("store", "get", "f" * 64).returncode == 4
    nowhere = run_command(tmp_path / "nowhere", "runs", "--json")
    assert nowhere.returncode == 3
    assert json.loads(nowhere.stderr)["error"]["code"] == "UNAVAILABLE"
    without_mesh = run_command(tmp_path / "nowhere", "status", "--json")
    assert without_mesh.returncode == 3 and not json.loads(without_mesh.stdout)["running"]
    assert without_mesh.stderr == nowhere.stderr, "status exits as the others"
    closed = run_command(tmp_path / "nowhere", "--address", "127.0.0.1:9", "runs")
    assert closed.returncode == 3 and "nothing answers at 127.0.0.1:9" in closed.stderr


def test_the_store_is_listed_and_verified(lumenmill: Command, photo: Path, tmp_path: Path) -> None:
    lumenmill("caption", str(photo))
    listed = json.loads(lumenmill("store", "ls", "--json").stdout)
    stored = next(artifact for artifact in listed if int(artifact["size_bytes"]) == photo.stat().st_size)
    target = tmp_path / "copy.png"
    assert lumenmill("store", "get", stored["sha256"][:12], "--out", str(target)).returncode == 0
    assert target.read_bytes() == photo.read_bytes()
    assert json.loads(lumenmill("store", "verify", "--json").stdout)["damaged"] == []


def test_a_crashed_process_is_restarted_on_its_port(lumenmill: Command) -> None:
    def grammar() -> dict:
        services = json.loads(lumenmill("status", "--json").stdout)["services"]
        return next(service for service in services if service["name"] == "grammar")

    before = grammar()
    os.kill(before["pid"], signal.SIGKILL)

    def has_restarted() -> bool:
        service = grammar()
        return service["health"] == "SERVING" and service["num_restarts"] > before["num_restarts"]

    asyncio.run(eventually(has_restarted, timeout_s=30))
    after = grammar()
    assert after["address"] == before["address"]
    assert lumenmill("prompts", "--num", "1").returncode == 0


def test_a_prompt_file_becomes_captioned_images(lumenmill: Command, tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("a brass bowl on a slate table\n\na marble bust\n")
    settings = ["--set", f"prompts=lines:{tmp_path}/prompts.txt", "--set", "preset=fast"]
    result = lumenmill("run", "recipes/prompt-file.yaml", *settings, "--json")
    assert result.returncode == 0, result.stderr
    samples = json.loads(lumenmill("samples", json.loads(result.stdout)["id"], "--json").stdout)
    assert sorted(sample["prompt"] for sample in samples) == ["a brass bowl on a slate table", "a marble bust"]
    assert all(sample["caption"] for sample in samples)


def test_a_folder_of_prompts_and_written_prompt_sets_becomes_relit_images(lumenmill: Command, tmp_path: Path) -> None:
    folder = tmp_path / "prompts"
    folder.mkdir()
    (folder / "plain.txt").write_text("\ufeffa marble bust\r\n")
    written = lumenmill("prompts", "--num", "1", "--relights", "2", "--motions", "0", "--json")
    (folder / "sets.json").write_text(written.stdout)
    settings = ["--set", f"prompts=@{folder}", "--set", "preset=fast"]
    result = lumenmill("run", "recipes/prompt-file.yaml", *settings, "--json")
    assert result.returncode == 0, result.stderr
    (prompt_set,) = json.loads(written.stdout)["prompt_sets"]
    samples = json.loads(lumenmill("samples", json.loads(result.stdout)["id"], "--json").stdout)
    # Studio takes descriptions.
    relit = [each["description"] for each in prompt_set["relight_prompts"]]
    expected = ["a marble bust", prompt_set["image_prompt"], *relit]
    assert sorted(sample["prompt"] for sample in samples) == sorted(expected)
    by_prompt = {sample["prompt"]: sample for sample in samples}
    assert (
        by_prompt[prompt_set["image_prompt"]]["requested_light"] and "requested_light" not in by_prompt["a marble bust"]
    )
