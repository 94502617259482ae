"""Marigold on clips, and models that consist of parts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lumenmill.common.v1.intrinsics_pb2 import IntrinsicKind
from lumenmill_common.artifacts import open_store
from lumenmill_common.errors import CancelledError, FailedPreconditionError
from lumenmill_neural.catalogue import ModelEntry
from lumenmill_neural.host import ModelHost
from lumenmill_neural.marigold import Marigold, temporal_change
from lumenmill_neural.settings import NeuralSettings
from lumenmill_neural.testing import MARIGOLD_PARTS, save_marigold

DEPTH, ALBEDO = IntrinsicKind.INTRINSIC_KIND_DEPTH, IntrinsicKind.INTRINSIC_KIND_ALBEDO
ENTRY: dict[str, Any] = {
    "family": "marigold",
    "title": "Tiny",
    "task": "intrinsic maps",
    "checkpoint": "",
    "licence": {"spdx_id": "Apache-2.0", "allows_commercial_use": True, "url": "https://example.org"},
    "source": "a test",
    "presets": {"balanced": {"description": "As it is."}},
    "tiers": [{"min_memory_gib": 0}],
    "parts": {part: {"checkpoint": f"lumenmill/{part}"} for part in MARIGOLD_PARTS},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All four pipelines."""
    folder = tmp_path_factory.mktemp("marigold")
    save_marigold(folder)
    return folder


def _host(tmp_path: Path, **settings: Any) -> ModelHost:
    store_url = f"file://{tmp_path}/store"
    values = NeuralSettings(model="Tiny", device="cpu", offline=True, store_url=store_url, **settings)
    return ModelHost(values, open_store(store_url), {"Tiny": ModelEntry.model_validate(ENTRY)})


def _marigold(host: ModelHost) -> Marigold:
    marigold = Marigold(host)
    marigold.load()
    return marigold


def _frames() -> list[Image.Image]:
    pixels = np.random.default_rng(0).integers(0, 255, (2, 32, 48, 3), np.uint8)
    return [Image.fromarray(pixels[index]) for index in (0, 0, 1)]


def test_equal_frames_have_equal_maps(folder: Path, tmp_path: Path) -> None:
    host = _host(tmp_path, checkpoint=str(folder))
    marigold, frames = _marigold(host), _frames()
    maps = marigold.maps(host.plan(""), frames, [DEPTH, ALBEDO], 3)
    assert maps[DEPTH].shape == (3, 32, 48, 1) and maps[ALBEDO].shape == (3, 32, 48, 3)
    alone = marigold.maps(host.plan(""), frames[2:], [DEPTH], 3)
    assert np.array_equal(maps[DEPTH][0], maps[DEPTH][1]) and np.array_equal(maps[DEPTH][2], alone[DEPTH][0])
    assert temporal_change(maps[DEPTH], frames) == 0
    coupled = marigold.maps(host.plan(""), frames, [DEPTH], 3, coupling=0.5)[DEPTH]
    assert np.array_equal(coupled[0], maps[DEPTH][0]) and not np.array_equal(coupled[2], maps[DEPTH][2])


def test_temporal_change_is_measured_where_the_frames_do_not_change() -> None:
    frames = [np.zeros((4, 4, 3), np.uint8) for _ in range(3)]
    frames[1][:2] = frames[2][:2] = 200
    maps = np.zeros((3, 4, 4, 1), np.float32)
    maps[1, :2] = 5  # in pixels where the frame changes too
    maps[2] = maps[1] + 0.3
    pictures = [Image.fromarray(frame) for frame in frames]
    assert temporal_change(maps, pictures) == pytest.approx(0.3 * 16 / 24)
    assert temporal_change(maps[:1], pictures[:1]) is None


def test_a_cancelled_job_stops_at_the_next_step(folder: Path, tmp_path: Path) -> None:
    class Job:
        num_steps = 0

        def progress(self, stage: str, step: int = 0, total: int = 0) -> None:
            self.num_steps += step > 0
            if self.num_steps == 3:
                raise CancelledError("the job was cancelled")

        def check_cancelled(self) -> None:
            pass

        def add_stage_time(self, name: str, duration_s: float) -> None:
            pass

    host, job = _host(tmp_path, checkpoint=str(folder)), Job()
    with pytest.raises(CancelledError):
        _marigold(host).maps(host.plan("").with_arguments(num_inference_steps=50), _frames(), [DEPTH], 0, [job])
    assert job.num_steps == 3


def test_parts_are_loaded_from_where_the_operator_says(folder: Path, tmp_path: Path) -> None:
    named = {"depth": str(folder / "depth"), "normals": "", "appearance": "", "lighting": ""}
    host = _host(tmp_path, part_checkpoints=named)
    assert _marigold(host).kinds == [DEPTH]
    assert host.revision.startswith("depth@")
    whole = _host(tmp_path, checkpoint=str(folder), part_checkpoints={"lighting": str(folder / "lighting")})
    assert len(_marigold(whole).kinds) == 7 and whole.revision.startswith("sha256:") and "+lighting@" in whole.revision


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    with pytest.raises(FailedPreconditionError, match="LUMENMILL_PART_CHECKPOINTS: lighting: name the commit"):
        _marigold(_host(tmp_path))
    (tmp_path / "empty").mkdir()
    save_marigold(tmp_path / "empty" / "elsewhere", ("depth",))
    with pytest.raises(FailedPreconditionError, match="holds none of the folders"):
        _marigold(_host(tmp_path, checkpoint=str(tmp_path / "empty")))
