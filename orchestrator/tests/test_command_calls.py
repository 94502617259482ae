"""Commands that call one model: files and options of `clip` and `decompose`, and what Ctrl-C does to a job."""

import asyncio
import os
import pty
import signal

import pytest

from lumenmill.common.v1 import scene_pb2

from .commands import finished, run_command, start_command
from .conftest import LocalMesh


async def test_a_clip_is_written_where_it_is_asked_for(mesh: LocalMesh) -> None:
    made = await run_command(mesh, "clip", "a kettle boils", "--seed", "7")
    assert (made.code, made.out) == (0, "output/text2video.mp4\n"), made.err
    assert (mesh.folder / "output" / "text2video.mp4").read_bytes() == b"a kettle boils7"
    named = await run_command(mesh, "clip", "a kettle boils", "--out", "kettle.mp4", "--model", "tiny", "--json")
    assert named.document["files"] == ["kettle.mp4"]
    assert named.document["result"]["record"]["model"] == "tiny"
    size = ("--width", "64", "--height", "48", "--duration", "2.5", "--fps", "6")
    light = ("--light", "area:azimuth_deg=-60,irradiance=4")
    await run_command(mesh, "clip", "a kettle", *size, *light, "--preset", "fast", "--seed", "3", "--substitute")
    request = dict(mesh.family.requests)["video"]
    assert (request.width_px, request.height_px, request.duration_s, request.fps) == (64, 48, 2.5, 6)
    assert (request.preset, request.seed, request.unknown_words) == ("fast", 3, scene_pb2.UNKNOWN_WORDS_SUBSTITUTE)
    assert request.light.sources[0].area.azimuth_deg == -60
    for arguments, problem in (
        (["--out", "kettle.webm"], "ends in .mp4"),
        (["--model", "wan"], "no model named 'wan'"),
        (["--duration", "-1"], "--duration"),
    ):
        refused = await run_command(mesh, "clip", "a kettle boils", *arguments)
        assert refused.code in (2, 4) and problem in refused.err, arguments


async def test_a_clip_without_text_is_refused_where_nobody_can_be_asked(mesh: LocalMesh) -> None:
    for text in ([], ["  "]):
        refused = await run_command(mesh, "clip", *text)
        assert refused.code == 2 and "text: is required" in refused.err
    as_json = await run_command(mesh, "clip", "--json")
    assert as_json.code == 2 and '"text"' in as_json.err


async def test_a_clip_without_text_asks_for_it_on_a_terminal(mesh: LocalMesh) -> None:
    for typed, code in ((b"\na kettle boils\n", 0), (b"\x04", 2), (b"\x03", 130)):
        terminal, end = pty.openpty()
        process = await start_command(mesh, "clip", stdin=end, stderr=end, start_new_session=True)
        os.close(end)
        if typed == b"\x03":
            await asyncio.to_thread(_read_until, terminal, b"Content of the clip: ")
            process.send_signal(signal.SIGINT)
        else:
            os.write(terminal, typed)
        ended = await finished(process)
        os.close(terminal)
        assert ended.code == code and "Traceback" not in ended.out
    assert (mesh.folder / "output" / "text2video.mp4").read_bytes() == b"a kettle boils0"


def _read_until(terminal: int, wanted: bytes) -> None:
    seen = b""
    while wanted not in seen:
        seen += os.read(terminal, 1000)


async def test_maps_of_files_and_of_the_store_are_written(mesh: LocalMesh) -> None:
    picture = mesh.family.picture("a kettle")
    scene = mesh.store.put_bytes(b"{}", "application/vnd.lumenmill.scene+json")
    (mesh.folder / "kettle.png").write_bytes(mesh.store.read_bytes(picture))
    files = ["albedo.exr", "albedo.png", "depth.exr", "depth.png"]
    made = await run_command(mesh, "decompose", "kettle.png")
    assert (made.code, made.out.splitlines()) == (0, [f"maps/{name}" for name in files]), made.err
    albedo = mesh.folder / "maps" / "albedo.exr"
    assert albedo.read_bytes() == f"{picture.sha256}/1".encode()
    for source in (picture.uri, picture.sha256[:10]):
        albedo.unlink()
        again = await run_command(mesh, "decompose", source, "--out", "maps", "--model", "tiny", "--json")
        assert len(again.document["files"]) == len(again.document["result"]["maps"]) * 2 == 4
        assert albedo.read_bytes() == f"{picture.sha256}/1".encode()
    size = ("--width", "64", "--height", "48")
    light = ("--light", "area:azimuth_deg=-60")
    await run_command(mesh, "decompose", scene.uri, *size, *light, "--preset", "fast", "--seed", "3")
    request = dict(mesh.family.requests)["decompose"]
    assert (request.width_px, request.height_px, request.preset, request.seed) == (64, 48, "fast", 3)
    assert request.light.sources[0].area.azimuth_deg == -60 and not request.HasField("image")
    assert albedo.read_bytes() == f"{scene.sha256}/1".encode()
    await run_command(mesh, "decompose", picture.uri, "--scene", scene.sha256)
    assert albedo.read_bytes() == f"{picture.sha256}{scene.sha256}/1".encode()
    facts = dict(mesh.family.requests)["decompose"].image.image
    assert (facts.width_px, facts.height_px) == (1, 1), "the maps are to be as large as the picture"


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["nowhere.png"], 2, "nowhere.png"),
        (["abc123"], 4, "abc123"),
        (["file:///elsewhere/kettle.png"], 2, "source: 'file:///elsewhere/kettle.png'"),
        (["clip.mp4"], 2, "clip.mp4 begins as no file of that type"),
        (["kettle.scene.json", "--scene", "kettle.scene.json"], 2, "--scene: is for images"),
    ],
)
async def test_what_cannot_be_decomposed_is_named(
    mesh: LocalMesh, arguments: list[str], code: int, problem: str
) -> None:
    for name in ("clip.mp4", "kettle.scene.json"):
        (mesh.folder / name).write_bytes(b"{}")
    refused = await run_command(mesh, "decompose", *arguments)
    assert refused.code == code and problem in refused.err
    assert not (mesh.folder / "maps").exists()


@pytest.mark.parametrize("command", [["render", "a kettle"], ["clip", "a kettle"], ["prompts"]])
async def test_ctrl_c_says_what_becomes_of_the_job(mesh: LocalMesh, command: list[str]) -> None:
    mesh.family.go_on.clear()
    process = await start_command(mesh, *command, "--json")
    assert process.stderr is not None
    while b"wait" not in await asyncio.wait_for(process.stderr.readline(), 30):  # the stage of the tiny model
        pass
    process.send_signal(signal.SIGINT)
    interrupted = await finished(process)
    assert interrupted.code == 130 and "Traceback" not in interrupted.err
    assert "the grace period of its service" in interrupted.err
    request_id = interrupted.err.split("--request-id ")[1].split()[0]
    mesh.family.go_on.set()
    attached = await run_command(mesh, *command, "--json", "--request-id", request_id)
    assert attached.code == 0, attached.err
    assert mesh.family.num_done.total() == 1, "the job was not started again"
