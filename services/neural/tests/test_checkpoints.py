"""Checkpoints from a folder, the store and the hub's cache, and errors when they are incomplete."""

import hashlib
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.errors import FailedPreconditionError
from lumenmill_neural.checkpoint import check_complete, put_checkpoint
from lumenmill_neural.hub import files_of_pipeline

from .hub_server import COMMIT


@pytest.fixture
def copy(flux_folder: Path, tmp_path: Path) -> Path:
    """A checkpoint that a test may damage."""
    return Path(shutil.copytree(flux_folder, tmp_path / "copy"))


def test_a_folder_the_store_and_a_hub_cache_give_the_same_model(
    host_of: Callable[..., Any], flux_folder: Path, store: ArtifactStore, tmp_path: Path
) -> None:
    snapshot = tmp_path / "hub" / "models--lumenmill--tiny" / "snapshots" / COMMIT
    shutil.copytree(flux_folder, snapshot)
    stored = put_checkpoint(store, flux_folder)
    hosts = {
        "folder": host_of(str(flux_folder)),
        "store": host_of(f"artifact:{stored.sha256}", cache_dir=tmp_path / "cache"),
        "hub": host_of("lumenmill/tiny", checkpoint_revision=COMMIT, cache_dir=tmp_path / "hub", offline=True),
    }
    pictures = {}
    for name, host in hosts.items():
        host.load()
        pictures[name] = host.picture(num_inference_steps=1)
    assert np.array_equal(pictures["folder"], pictures["store"])
    assert np.array_equal(pictures["folder"], pictures["hub"])
    assert hosts["hub"].revision.startswith(COMMIT)
    assert hosts["store"].revision.startswith(f"sha256:{stored.sha256}")
    assert hosts["folder"].revision.startswith("sha256:")


def test_equal_weights_are_stored_and_copied_once(
    host_of: Callable[..., Any], flux_folder: Path, store: ArtifactStore, tmp_path: Path
) -> None:
    stored = put_checkpoint(store, flux_folder)
    assert put_checkpoint(store, flux_folder).sha256 == stored.sha256
    folders = [host_of(f"artifact:{stored.sha256}", cache_dir=tmp_path / "cache").checkpoint().folder for _ in range(2)]
    weights = folders[0] / "vae" / "diffusion_pytorch_model.safetensors"
    assert folders[0] == folders[1] and not list(folders[0].rglob("*.part"))
    weights.write_bytes(weights.read_bytes()[:-7])  # an incomplete copy is made again
    again = host_of(f"artifact:{stored.sha256}", cache_dir=tmp_path / "cache").checkpoint().folder
    assert (again / "vae" / weights.name).stat().st_size == weights.stat().st_size
    check_complete(again)


def test_a_file_that_the_store_has_lost_is_named(
    host_of: Callable[..., Any], flux_folder: Path, store: ArtifactStore, tmp_path: Path
) -> None:
    stored = put_checkpoint(store, flux_folder)
    config = (flux_folder / "vae" / "config.json").read_bytes()
    store.delete(hashlib.sha256(config).hexdigest())
    with pytest.raises(FailedPreconditionError, match=r"vae/config\.json cannot be had"):
        host_of(f"artifact:{stored.sha256}", cache_dir=tmp_path / "cache").checkpoint()
    with pytest.raises(FailedPreconditionError, match="the store has no artifact:0000"):
        host_of(f"artifact:{'0' * 64}").checkpoint()


@pytest.mark.parametrize("path", ["../outside.json", "/etc/outside.json"])
def test_a_list_in_the_store_cannot_write_outside_its_folder(
    host_of: Callable[..., Any], store: ArtifactStore, tmp_path: Path, path: str
) -> None:
    entry = {"sha256": "0" * 64, "size_bytes": 1, "media_type": "application/json"}
    listed = store.put_bytes(json.dumps({"files": {path: entry}}).encode(), "application/json")
    with pytest.raises(FailedPreconditionError, match="lies outside"):
        host_of(f"artifact:{listed.sha256}", cache_dir=tmp_path / "cache").checkpoint()


def _lose_a_shard(folder: Path) -> str:
    index = {"metadata": {}, "weight_map": {"a": "diffusion_pytorch_model-00002-of-00002.safetensors"}}
    (folder / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    (folder / "vae" / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    return "vae/diffusion_pytorch_model-00002-of-00002.safetensors is missing"


def _truncate(folder: Path) -> str:
    weights = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    return "transformer/diffusion_pytorch_model.safetensors is damaged: it has"


def _spoil_a_header(folder: Path) -> str:
    weights = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(b"\xff" * 64 + weights.read_bytes()[64:])
    return "transformer/diffusion_pytorch_model.safetensors is damaged: its header is too long"


def _empty(folder: Path) -> str:
    (folder / "text_encoder" / "model.safetensors").write_bytes(b"")
    return "text_encoder/model.safetensors is damaged"


def _spoil_json(folder: Path) -> str:
    (folder / "scheduler" / "scheduler_config.json").write_text('{"shift": 3.0, ')
    return "scheduler/scheduler_config.json is damaged: Expecting property name"


@pytest.mark.parametrize("damage", [_lose_a_shard, _truncate, _spoil_a_header, _empty, _spoil_json])
def test_damage_is_found_before_loading_and_the_file_is_named(
    host_of: Callable[..., Any], copy: Path, store: ArtifactStore, damage: Callable[[Path], str]
) -> None:
    message = damage(copy)
    with pytest.raises(FailedPreconditionError) as refused:
        host_of(str(copy)).load()
    assert message in refused.value.message and refused.value.field == "LUMENMILL_CHECKPOINT"
    with pytest.raises(FailedPreconditionError, match=r"damaged|missing"):
        put_checkpoint(store, copy)


def test_a_missing_part_is_refused(host_of: Callable[..., Any], copy: Path) -> None:
    shutil.rmtree(copy / "vae")
    with pytest.raises(FailedPreconditionError, match="is no FluxPipeline"):
        host_of(str(copy)).load()


class _Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, created: Path) -> None:
        self.created = created

    def __reduce__(self) -> Any:
        return Path.touch, (self.created,)


def test_a_pickle_is_never_read(host_of: Callable[..., Any], copy: Path, store: ArtifactStore, tmp_path: Path) -> None:
    created = tmp_path / "created"
    weights = copy / "vae" / "diffusion_pytorch_model.safetensors"
    weights.with_suffix(".bin").write_bytes(pickle.dumps(_Trap(created)))
    weights.unlink()
    host = host_of(str(copy))
    with pytest.raises(FailedPreconditionError):
        host.load()
    pickle.loads(pickle.dumps(_Trap(created)))  # noqa: S301 - our own trap: shows that it works
    assert created.exists()
    created.unlink()
    for path in copy.rglob("*.safetensors"):
        path.rename(path.with_suffix(".bin"))
    with pytest.raises(FailedPreconditionError, match=r"holds no \.safetensors weights"):
        host_of(str(copy)).load()
    assert not created.exists()


@pytest.mark.parametrize("revision", ["", "main", "v1.0", COMMIT[:7]])
def test_a_hub_model_without_a_commit_is_refused(host_of: Callable[..., Any], revision: str) -> None:
    with pytest.raises(FailedPreconditionError, match="name the commit of lumenmill/tiny"):
        host_of("lumenmill/tiny", checkpoint_revision=revision, offline=True).checkpoint()


def test_a_checkpoint_outside_the_cache_and_a_missing_folder_are_refused(
    host_of: Callable[..., Any], tmp_path: Path
) -> None:
    with pytest.raises(FailedPreconditionError, match="is not in the cache"):
        host_of("lumenmill/tiny", checkpoint_revision=COMMIT, cache_dir=tmp_path, offline=True).checkpoint()
    with pytest.raises(FailedPreconditionError, match="there is no folder"):
        host_of(str(tmp_path / "nowhere")).checkpoint()


def test_the_revision_of_a_folder_changes_with_its_files(host_of: Callable[..., Any], copy: Path) -> None:
    before = host_of(str(copy)).checkpoint().revision
    assert host_of(str(copy)).checkpoint().revision == before
    config = copy / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text().replace('"shift": 1.0', '"shift": 3.0'))
    assert host_of(str(copy)).checkpoint().revision != before


NAMES = [
    ".gitattributes",
    "model_index.json",
    "sd_xl_base_1.0.safetensors",
    "scheduler/scheduler_config.json",
    "tokenizer/merges.txt",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "unet/diffusion_pytorch_model.bin",
    "text_encoder/config.json",
    "text_encoder/model.safetensors.index.json",
    "text_encoder/model-00001-of-00002.safetensors",
    "text_encoder/model-00002-of-00002.safetensors",
    "text_encoder/model.safetensors.index.fp16.json",
    "text_encoder/model.fp16-00001-of-00002.safetensors",
    "text_encoder/model.fp16-00002-of-00002.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
    "vae_1_0/diffusion_pytorch_model.safetensors",
]
PARTS = {"scheduler", "tokenizer", "unet", "text_encoder", "vae"}
SMALL_FILES = {
    "model_index.json",
    "scheduler/scheduler_config.json",
    "tokenizer/merges.txt",
    "unet/config.json",
    "text_encoder/config.json",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
}


def test_only_the_files_that_the_pipeline_reads_are_needed() -> None:
    assert set(files_of_pipeline(NAMES, PARTS, "")) == SMALL_FILES | {
        "unet/diffusion_pytorch_model.safetensors",
        "text_encoder/model.safetensors.index.json",
        "text_encoder/model-00001-of-00002.safetensors",
        "text_encoder/model-00002-of-00002.safetensors",
    }
    assert set(files_of_pipeline(NAMES, PARTS, "fp16")) == SMALL_FILES | {
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "text_encoder/model.safetensors.index.fp16.json",
        "text_encoder/model.fp16-00001-of-00002.safetensors",
        "text_encoder/model.fp16-00002-of-00002.safetensors",
    }


def test_weights_of_a_variant_are_loaded_if_a_part_has_them(
    host_of: Callable[..., Any], flux_folder: Path, copy: Path
) -> None:
    for name in ("transformer", "vae"):
        weights = copy / name / "diffusion_pytorch_model.safetensors"
        weights.rename(weights.with_name("diffusion_pytorch_model.fp16.safetensors"))
    host, plain = host_of(str(copy), entry={"variant": "fp16"}), host_of(str(flux_folder))
    host.load()
    plain.load()
    assert np.array_equal(host.picture(num_inference_steps=1), plain.picture(num_inference_steps=1))


def test_an_artifact_that_is_no_checkpoint_is_refused(host_of: Callable[..., Any], store: ArtifactStore) -> None:
    picture: Artifact = store.put_bytes(b"\x89PNG", "image/png")
    with pytest.raises(FailedPreconditionError, match="is no checkpoint"):
        host_of(f"artifact:{picture.sha256}").checkpoint()
