"""What `python -m lumenmill_neural.fetch` fetches before a service starts, and its messages when it cannot."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.testing.recording_proxy import recording_proxy
from lumenmill_neural import hub as hub_module
from lumenmill_neural.checkpoint import put_checkpoint

from .hub_server import COMMIT, Hub, running_hub

_LORA = "lora.safetensors"


@pytest.fixture
def hub(flux_folder: Path, tmp_path: Path) -> Iterator[Hub]:
    """A hub with a tiny FLUX, whose repository also holds all weights in one file, and a LoRA."""
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
    """`fetch("lumenmill_imager", LUMENMILL_…="…")` runs in a process of its own, which prints if it imported torch."""
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
    assert not any(path.endswith("/tiny.safetensors") for path in hub.requested)  # all weights in one file
    hub.requested.clear()
    again = fetch("lumenmill_imager")
    assert again.returncode == 0 and not hub.requested
    host = host_of(
        entry={"checkpoint": "lumenmill/tiny", "revision": COMMIT}, cache_dir=tmp_path / "cache", offline=True
    )
    host.load()
    assert host.picture(num_inference_steps=1).shape == (64, 64, 3)


def test_a_hub_on_this_machine_is_not_looked_for_at_a_proxy(fetch: Callable[..., Any], hub: Hub) -> None:
    with recording_proxy() as proxy:
        fetched = fetch("lumenmill_imager", **proxy.environment)
    assert fetched.returncode == 0, fetched.stderr
    assert hub.requested and not proxy.requested


def test_the_newest_commit_is_loaded_where_none_is_pinned(
    fetch: Callable[..., Any], hub: Hub, tiny_entry: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "models.yaml").write_text(yaml.safe_dump({"tiny": tiny_entry | {"checkpoint": "lumenmill/tiny"}}))
    first = fetch("lumenmill_imager")
    assert first.returncode == 0, first.stderr
    logged = first.stdout + first.stderr
    assert "no commit is pinned" in logged and f'"revision": "{COMMIT}"' in logged
    assert [path for path in hub.requested if path.endswith("revision/main")] == [
        "api/models/lumenmill/tiny/revision/main"
    ]
    assert list((tmp_path / "cache").glob(f"models--lumenmill--tiny/snapshots/{COMMIT}/model_index.json"))
    offline = fetch("lumenmill_imager", LUMENMILL_OFFLINE="true")
    assert offline.returncode == 1 and "LUMENMILL_CHECKPOINT_REVISION: no commit of lumenmill/tiny" in offline.stderr
    pinned = fetch("lumenmill_imager", LUMENMILL_OFFLINE="true", LUMENMILL_CHECKPOINT_REVISION=COMMIT)
    assert pinned.returncode == 0, pinned.stderr


def test_the_newest_complete_snapshot_is_loaded_where_the_hub_does_not_answer(
    fetch: Callable[..., Any], tiny_entry: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "models.yaml").write_text(yaml.safe_dump({"tiny": tiny_entry | {"checkpoint": "lumenmill/tiny"}}))
    unreachable = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    refused = fetch("lumenmill_imager", **unreachable)
    assert refused.returncode == 1 and "the hub does not answer" in refused.stderr
    assert fetch("lumenmill_imager").returncode == 0
    (snapshots,) = (tmp_path / "cache").glob("models--*/snapshots")
    (snapshots / ("f" * 40)).mkdir()  # newer, and not complete
    cached = fetch("lumenmill_imager", **unreachable)
    assert cached.returncode == 0, cached.stderr
    logged = cached.stdout + cached.stderr
    assert "the newest in the cache is loaded" in logged and f'"revision": "{COMMIT}"' in logged
    (weights,) = snapshots.glob(f"{COMMIT}/vae/*.safetensors")
    weights.unlink()
    assert fetch("lumenmill_imager", **unreachable).returncode == 1


def test_a_part_with_pickles_only_is_logged(fetch: Callable[..., Any], hub: Hub) -> None:
    folder = hub.repositories["lumenmill/tiny"]
    for weights in (folder / "text_encoder").glob("*.safetensors"):
        weights.rename(weights.with_suffix(".bin"))
    (folder / "vae" / "diffusion_pytorch_model.bin").write_bytes(b"a pickle beside safetensors")
    done = fetch("lumenmill_imager")
    assert '"parts": ["text_encoder"]' in done.stdout + done.stderr
    assert not any(path.endswith(".bin") for path in hub.requested)


def test_a_missing_file_is_fetched_again(fetch: Callable[..., Any], hub: Hub, tmp_path: Path) -> None:
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


def test_a_captioner_fetches_only_the_backbones_that_its_heads_need(
    fetch: Callable[..., Any], flux_folder: Path, tmp_path: Path
) -> None:
    given = {"LUMENMILL_MODEL": "Qwen2.5-VL-3B", "LUMENMILL_CHECKPOINT": str(flux_folder)}
    without = fetch("lumenmill_captioner", **given)
    assert without.returncode == 0, without.stderr
    assert "no torch" in without.stdout
    heads = '{"v2": "/models/v2.pth"}'
    named = f'{{"clip": "lumenmill/lora@{COMMIT}", "siglip": "lumenmill/nothing@{COMMIT}"}}'
    needing = fetch("lumenmill_captioner", **given, LUMENMILL_AESTHETIC_HEADS=heads, LUMENMILL_PART_CHECKPOINTS=named)
    assert needing.returncode == 1 and "clip: lumenmill/lora" in needing.stderr  # which has no file of CLIP


def _gate(hub: Hub) -> None:
    hub.gated.add("lumenmill/tiny")


def _remove(hub: Hub) -> None:
    del hub.repositories["lumenmill/tiny"]


def _declare_too_large(hub: Hub) -> None:
    hub.declared_bytes["transformer/diffusion_pytorch_model.safetensors"] = 1 << 60


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        (_gate, {}, "accept its terms there and set HF_TOKEN"),
        (_gate, {"HF_TOKEN": "hf_other"}, "accept the terms of lumenmill/tiny on the hub, with the account"),
        (_remove, {"HF_TOKEN": "hf_tiny"}, "the hub has no lumenmill/tiny for the account"),
        (_declare_too_large, {}, "lumenmill/tiny needs 1073741824.00 GiB more"),
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
def test_a_failure_is_reported_in_one_line(
    fetch: Callable[..., Any], hub: Hub, change: Callable[[Hub], None] | None, settings: dict[str, str], message: str
) -> None:
    if change is not None:
        change(hub)
    refused = fetch("lumenmill_imager", **settings)
    assert refused.returncode == 1 and message in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_gated_model_is_fetched_with_the_token(fetch: Callable[..., Any], hub: Hub) -> None:
    _gate(hub)
    assert fetch("lumenmill_imager", HF_TOKEN=hub.token).returncode == 0


def test_a_service_without_neural_models_is_refused(fetch: Callable[..., Any]) -> None:
    refused = fetch("lumenmill_studio")
    assert refused.returncode == 1 and "no service with neural models" in refused.stderr


def test_progress_is_logged_at_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[dict[str, Any]] = []
    monkeypatch.setattr(hub_module, "_PROGRESS_INTERVAL_S", 0.0)
    monkeypatch.setattr(hub_module._log, "info", lambda event, **fields: logged.append(fields), raising=False)
    options = {"fields": {"of_gib": 4.0}, "total": 4 << 30, "unit": "B"}
    with hub_module.LoggedProgress(desc="Reconstructing", **options) as progress:
        progress.update(3 << 30)
    assert {"gib": 3.0, "of_gib": 4.0} in logged
    logged.clear()
    with hub_module.LoggedProgress(desc="Downloading bytes", **options) as progress:
        progress.update(3 << 30)
    assert not logged
