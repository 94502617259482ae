"""Invalid command lines exit with the documented code and a message, not a traceback."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lumenmill_client.command import main

from .bad_files import png, png_bomb
from .corpus import RECIPE, Corpus
from .processes import Mesh

_KETTLE = "a copper kettle"
_SMALL = ("--preset", "fast", "--width", "16", "--height", "16")
_MAX_LINES = 12

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def command(
    processes: Mesh, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Run:
    """Return a function that runs the command in an empty folder and returns its exit code and standard error."""
    monkeypatch.chdir(tmp_path)
    address = processes.processes["orchestrator"].address

    def run(*words: str, to: str = address) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["lumenmill", "--home", str(tmp_path / "home"), "--address", to, *words])
        capfd.readouterr()
        with pytest.raises(SystemExit) as exited:
            main()
        stderr = capfd.readouterr().err
        code = exited.value.code or 0
        assert isinstance(code, int) and code in (0, 1, 2, 3, 4, 5)
        assert "Traceback" not in stderr and len(stderr.splitlines()) <= _MAX_LINES, stderr
        assert code == 0 or stderr.strip(), "it failed without a message"
        return code, stderr

    return run


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        (["brew"], 2, "brew"),
        (["render"], 2, "prompt"),
        (["render", _KETTLE, "--seed", "-1"], 2, "--seed"),
        (["render", _KETTLE, "--seed", "18446744073709551616"], 2, "--seed"),
        (["render", _KETTLE, "--width", "nan"], 2, "--width"),
        (["render", _KETTLE, "--width", "33"], 2, "width_px"),
        (["render", _KETTLE, "--width", "16384"], 2, "width_px"),
        (["render", _KETTLE, "--num", "0"], 2, "--num"),
        (["render", _KETTLE, "--preset", "../fast"], 2, "preset"),
        (["render", _KETTLE, "--preset", "x" * 65], 2, "preset"),
        (["render", _KETTLE, "--model", "unknown"], 4, "unknown"),
        (["render", "x" * 20_001], 2, "prompt"),
        (["render", ""], 2, "prompt"),
        (["render", "caf\udce9"], 2, "caf\\udce9"),
        (["render", _KETTLE, "--request-id", "has spaces"], 2, "request_id"),
        (["render", _KETTLE, "--light", "candle"], 2, "--light"),
        (["render", _KETTLE, "--light", "area:azimuth_deg"], 2, "--light"),
        (["render", _KETTLE, "--light", "area:azimuth_deg=left"], 2, "--light"),
        (["render", _KETTLE, "--light", "area:colour=red"], 2, "--light"),
        (["render", _KETTLE, "--light", "area:irradiance=nan"], 2, "irradiance"),
        (["render", _KETTLE, "--light", "area:irradiance=1e30"], 2, "irradiance"),
        (["render", _KETTLE, "--light", "area:irradiance=1e400"], 2, "irradiance"),
        (["render", _KETTLE, "--light", "area:temperature_k=0"], 2, "temperature_k"),
        (["render", _KETTLE, "--light", "area:irradiance=0"], 2, "light.sources"),
        (["render", _KETTLE, "--light", "environment_map:map=nowhere.hdr"], 2, "nowhere.hdr"),
        (["render", _KETTLE, "--light", "environment_map:map=."], 2, "."),
        (["render", _KETTLE, "--light", "environment_map:map=text.png"], 2, "text.png begins as no file of that type"),
        (["render", _KETTLE, *_SMALL, "--out", "text.png"], 2, "text.png"),
        (["clip"], 2, "text"),
        (["clip", _KETTLE, "--duration", "601"], 2, "--duration"),
        (["clip", _KETTLE, "--duration", "nan"], 2, "--duration"),
        (["clip", _KETTLE, "--width", "33"], 2, "width_px"),
        (["clip", _KETTLE, "--out", "clip.webm"], 2, "clip.webm"),
        (["clip", _KETTLE, "--light", "candle"], 2, "--light"),
        (["decompose"], 2, "source"),
        (["decompose", "nowhere.png"], 2, "nowhere.png"),
        (["decompose", "text.png"], 2, "text.png begins as no file of that type"),
        (["decompose", "0" * 64], 4, "0" * 64),
        (["decompose", "s3://nowhere/x.png"], 2, "s3://nowhere/x.png"),
        (["decompose", "."], 2, "."),
        (["samples", "--verdict", "[/nope]"], 2, "[/nope]"),
        (["samples", "--group", "[/nope]"], 2, "group_id"),
        (["caption", "nowhere.png"], 2, "nowhere.png"),
        (["caption", "."], 2, "."),
        (["caption", "text.png"], 2, "media"),
        (["caption", "empty.png"], 2, "empty"),
        (["caption", "bomb.png"], 2, "media"),
        (["caption", "picture.exe"], 0, ""),
        (["caption", "caf\udce9.png"], 0, ""),
        (["run", "nowhere.yaml"], 2, "nowhere.yaml"),
        (["run", "text.png"], 2, "text.png"),
        (["run", "binary.yaml"], 2, "binary.yaml"),
        (["run", "good.yaml", "--set", "width"], 2, "--set"),
        (["run", "good.yaml", "--set", "width=wide"], 2, "width"),
        (["run", "good.yaml", "--set", "unknown=1"], 2, "unknown"),
        (["run", "good.yaml", "--set", "width=NaN"], 2, "width"),
        (["run", "good.yaml", "--set", f"width={'9' * 5000}"], 2, "width"),
        (["run", "good.yaml", "--set", f"width={'[' * 5000}"], 2, "width"),
        (["run", "good.yaml", "--set", r'prompts=["x\ud83d"]'], 2, "x\\ud83d"),
        (["run", "good.yaml", "--set", "prompts=@nowhere.png"], 2, "nowhere.png"),
        (["run", "good.yaml", "--set", "prompts=lines:nowhere.txt"], 2, "nowhere.txt"),
        (["run", "good.yaml", "--set", "prompts=lines:binary.yaml"], 2, "binary.yaml"),
        (["run", "good.yaml", "--run-id", "Has Spaces"], 2, "run_id"),
        (["recipe", "check", "bad.yaml"], 2, "bad.yaml"),
        (["watch", "unknown"], 4, "unknown"),
        (["watch", ""], 2, "run_id"),
        (["cancel", "../.."], 2, "run_id"),
        (["lineage", "unknown"], 4, "unknown"),
        (["export", "unknown"], 4, "unknown"),
        (["export", "corpus", "--format", "zip"], 2, "--format"),
        (["export", "corpus", "--to", "text.png"], 2, "text.png"),
        (["store", "get", "zz"], 4, "zz"),
        (["store", "get", "0" * 64], 4, "0" * 64),
        (["store", "get", "../../etc/passwd"], 4, "../../etc/passwd"),
        (["gallery", "unknown"], 4, "unknown"),
    ],
)
def test_invalid_arguments_are_named_with_their_exit_code(
    command: Run, tmp_path: Path, words: list[str], code: int, named: str
) -> None:
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "bomb.png").write_bytes(png_bomb(20_000, 20_000))
    for name in ("picture.exe", "caf\udce9.png"):
        (tmp_path / name).write_bytes(png())
    (tmp_path / "good.yaml").write_text(RECIPE)
    (tmp_path / "bad.yaml").write_text(RECIPE.replace("gates:", "gats:"))
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00binary")
    exit_code, stderr = command(*words)
    assert (exit_code, named in stderr) == (code, True), stderr


@pytest.mark.parametrize(
    ("address", "code"), [("127.0.0.1:1", 3), ("nowhere.invalid:1", 3), ("127.0.0.1", 2), ("::::", 2)]
)
def test_a_missing_mesh_is_reported(command: Run, address: str, code: int) -> None:
    assert command("runs", to=address)[0] == code
