"""What `python -m lumenmill_neural.fetch` brings before a service starts, and what it says when it cannot."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import yaml
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_neural.checkpoint import put_checkpoint
from safetensors.numpy import save_file

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_LORA = "lora.safetensors"


class Hub:
    """A hub of models on this machine, as far as its library asks: folders as repositories of one commit, which are
    shown to who has the token where they are gated, and what it was asked."""

    def __init__(self) -> None:
        self.repositories: dict[str, Path] = {}
        self.gated: set[str] = set()
        self.token, self.url = "hf_tiny", ""
        self.declared_bytes: dict[str, int] = {}
        """Sizes of files that the hub tells instead of the true ones."""
        self.asked: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, *args: object) -> None:
        """Nothing."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = urlsplit(self.path).path.strip("/")
        self.hub.asked.append(path)
        is_listing = path.startswith("api/models/")
        if path.count("/") < 4:  # what the library asks for itself
            self._refuse(404, "EntryNotFound")
            return
        owner, name, _, commit, *file = path.removeprefix("api/models/").split("/")
        repository = f"{owner}/{name}"
        if repository not in self.hub.repositories:
            self._refuse(401 if not self.headers.get("Authorization") else 404, "RepoNotFound")
        elif commit != COMMIT:
            self._refuse(404, "RevisionNotFound")
        elif is_listing:
            self._send(json.dumps(self._listed(self.hub.repositories[repository])).encode())
        elif repository in self.hub.gated and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            self._refuse(403 if self.headers.get("Authorization") else 401, "GatedRepo")
        else:
            self._send((self.hub.repositories[repository] / "/".join(file)).read_bytes())

    def _listed(self, folder: Path) -> list[dict[str, object]]:
        names = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        sizes = {name: self.hub.declared_bytes.get(name, path.stat().st_size) for name, path in names.items()}
        return [{"type": "file", "path": name, "size": size, "oid": "0" * 40} for name, size in sizes.items()]

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def running_hub() -> Iterator[Hub]:
    """A hub that answers at its `url`."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def hub(flux_folder: Path, tmp_path: Path) -> Iterator[Hub]:
    """A hub with a tiny FLUX beside which its repository holds all weights again, and a LoRA."""
    flux, lora = tmp_path / "flux", tmp_path / "lora"
    for folder in (flux, lora):
        folder.mkdir()
    for path in flux_folder.iterdir():
        (flux / path.name).symlink_to(path)
    save_file({"all": np.zeros(64, np.float32)}, flux / "tiny.safetensors")
    save_file({"x.lora_A.weight": np.zeros((2, 2), np.float32)}, lora / _LORA)
    with running_hub() as served:
        served.repositories = {"lumenmill/tiny": _copied(flux, tmp_path / "served"), "lumenmill/lora": lora}
        yield served


def _copied(folder: Path, to: Path) -> Path:
    subprocess.run(["/bin/cp", "-rL", str(folder), str(to)], check=True)
    return to


@pytest.fixture
def fetch(hub: Hub, tiny_entry: dict[str, Any], tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`fetch("lumenmill_imager", LUMENMILL_…="…")` in a process of its own, which says if it imported torch."""
    presets = tmp_path / "models.yaml"
    presets.write_text(yaml.safe_dump({"tiny": tiny_entry | {"checkpoint": "lumenmill/tiny", "revision": COMMIT}}))
    code = (
        "import sys, runpy\n"
        "try:\n    runpy.run_module('lumenmill_neural.fetch', run_name='__main__', alter_sys=True)\n"
        "finally:\n    print('torch' if 'torch' in sys.modules else 'no torch')\n"
    )
    base = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "LUMENMILL_"))}

    def run(package: str, **settings: str) -> subprocess.CompletedProcess[str]:
        given = {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "home"),
            "LUMENMILL_MODEL": "tiny",
            "LUMENMILL_PRESETS_FILE": str(presets) if package == "lumenmill_imager" else "",
            "LUMENMILL_CACHE_DIR": str(tmp_path / "cache"),
            "LUMENMILL_STORE_URL": f"file://{tmp_path}/store",
        }
        environment = {name: value for name, value in (base | given | settings).items() if value}
        return subprocess.run(
            [sys.executable, "-c", code, package],
            check=False,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def test_a_service_starts_offline_from_what_was_fetched(
    fetch: Callable[..., Any], hub: Hub, host_of: Callable[..., Any], tmp_path: Path
) -> None:
    first = fetch("lumenmill_imager")
    assert first.returncode == 0, first.stderr
    assert '"fetching"' in first.stdout + first.stderr and "no torch" in first.stdout
    assert not any(path.endswith("/tiny.safetensors") for path in hub.asked)  # the same weights again
    hub.asked.clear()
    again = fetch("lumenmill_imager")
    assert again.returncode == 0 and not hub.asked
    host = host_of(
        entry={"checkpoint": "lumenmill/tiny", "revision": COMMIT}, cache_dir=tmp_path / "cache", offline=True
    )
    host.load()
    assert host.picture(num_inference_steps=1).shape == (64, 64, 3)


def test_what_is_no_longer_whole_is_brought_again(fetch: Callable[..., Any], hub: Hub, tmp_path: Path) -> None:
    assert fetch("lumenmill_imager").returncode == 0
    (weights,) = (tmp_path / "cache").glob("models--*/snapshots/*/vae/*.safetensors")
    weights.unlink()
    assert fetch("lumenmill_imager").returncode == 0
    assert weights.is_file()
    weights.resolve().unlink()
    refused = fetch("lumenmill_imager", LUMENMILL_OFFLINE="true")
    assert refused.returncode == 1 and f"{weights} is missing" in refused.stderr


def test_a_clip_model_is_fetched_with_its_distilled_lora(
    fetch: Callable[..., Any], flux_folder: Path, store: ArtifactStore, tmp_path: Path
) -> None:
    stored = put_checkpoint(store, flux_folder)
    fetched = fetch(
        "lumenmill_video",
        LUMENMILL_MODEL="Wan2.1-T2V-1.3B",
        LUMENMILL_CHECKPOINT=f"artifact:{stored.sha256}",
        LUMENMILL_DISTILLED_LORA="lumenmill/lora",
        LUMENMILL_DISTILLED_LORA_REVISION=COMMIT,
    )
    assert fetched.returncode == 0, fetched.stderr
    assert "no torch" in fetched.stdout
    cache = tmp_path / "cache"
    assert list(cache.glob(f"models--lumenmill--lora/snapshots/{COMMIT}/{_LORA}"))
    assert (cache / "lumenmill" / "checkpoints" / stored.sha256 / "model_index.json").is_file()


def test_of_a_captioner_only_the_backbones_that_its_heads_need_are_fetched(
    fetch: Callable[..., Any], flux_folder: Path, tmp_path: Path
) -> None:
    given = {"LUMENMILL_MODEL": "Qwen2.5-VL-3B", "LUMENMILL_CHECKPOINT": str(flux_folder)}
    without = fetch("lumenmill_captioner", **given)
    assert without.returncode == 0, without.stderr
    assert "no torch" in without.stdout
    heads = '{"v2": "/models/v2.pth"}'
    named = f'{{"clip": "lumenmill/lora@{COMMIT}", "siglip": "lumenmill/nothing@{COMMIT}"}}'
    needing = fetch("lumenmill_captioner", **given, LUMENMILL_AESTHETIC_HEADS=heads, LUMENMILL_PART_CHECKPOINTS=named)
    assert needing.returncode == 1 and "clip: lumenmill/lora" in needing.stderr  # which has none of CLIP's files


def _gate(hub: Hub) -> None:
    hub.gated.add("lumenmill/tiny")


def _remove(hub: Hub) -> None:
    del hub.repositories["lumenmill/tiny"]


def _swell(hub: Hub) -> None:
    hub.declared_bytes["transformer/diffusion_pytorch_model.safetensors"] = 1 << 60


@pytest.mark.parametrize(
    ("spoil", "settings", "said"),
    [
        (_gate, {}, "accept its terms there and set HF_TOKEN"),
        (_gate, {"HF_TOKEN": "hf_other"}, "accept the terms of lumenmill/tiny on the hub, with the account"),
        (_remove, {"HF_TOKEN": "hf_tiny"}, "the hub has no lumenmill/tiny for the account"),
        (_swell, {}, "lumenmill/tiny needs 1073741824.00 GiB more"),
        (None, {"LUMENMILL_MODEL": "huge"}, "LUMENMILL_MODEL: is none of"),
        (None, {"LUMENMILL_CHECKPOINT": "lumenmill/tiny"}, "name the commit of lumenmill/tiny"),
        (
            None,
            {"LUMENMILL_CHECKPOINT": "lumenmill/tiny", "LUMENMILL_CHECKPOINT_REVISION": "f" * 40},
            "has no commit ffff",
        ),
        (None, {"LUMENMILL_OFFLINE": "true"}, "is not in the cache"),
        (None, {"HF_ENDPOINT": "http://127.0.0.1:9"}, "the hub does not answer"),
        (None, {"LUMENMILL_PROFILE": "fast"}, "Tiny has no fast profile"),
    ],
)
def test_what_keeps_it_from_being_fetched_is_said_in_one_line(
    fetch: Callable[..., Any], hub: Hub, spoil: Callable[[Hub], None] | None, settings: dict[str, str], said: str
) -> None:
    if spoil is not None:
        spoil(hub)
    refused = fetch("lumenmill_imager", **settings)
    assert refused.returncode == 1 and said in refused.stderr
    assert "Traceback" not in refused.stderr


def test_terms_that_were_accepted_let_it_through(fetch: Callable[..., Any], hub: Hub) -> None:
    _gate(hub)
    assert fetch("lumenmill_imager", HF_TOKEN=hub.token).returncode == 0


def test_a_service_without_neural_models_is_told(fetch: Callable[..., Any]) -> None:
    refused = fetch("lumenmill_studio")
    assert refused.returncode == 1 and "no service with neural models" in refused.stderr
