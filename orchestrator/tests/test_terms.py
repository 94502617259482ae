"""On whose terms samples are: those of models, of what records name, and of maps whose terms were corrected."""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from lumenmill.common.v1 import artifact_pb2, generation_pb2, model_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.artifacts import open_store

from .conftest import House, open_house
from .test_origins import _CC_BY, _PHOTOS, _photo, _upload
from .tiny_mesh import TinyFamily

_FREE = artifact_pb2.Licence(subject="sky.hdr", spdx_id="CC0-1.0", allows_commercial_use=True)
_FORBIDDEN = artifact_pb2.Licence(subject="sky.hdr", spdx_id="CC-BY-NC-4.0", allows_commercial_use=False)
_SOURCE = """\
lumenmill: 1
name: source
source:
  call: imager.GenerateImages
  model: tiny
  count: 1
  with: {prompt: a kettle}
  items: ${result.images}
nodes:
  caption: {call: captioner.Caption, model: tiny, with: {subject: {media: "${item.image}"}}}
samples:
  image: {kind: image, media: {image: "${item.image}"}, caption: "${caption.text}"}
"""


class Family(TinyFamily):
    """A tiny family that states other terms, and whose records name those of what it used."""

    changed: Callable[[model_pb2.Model], None] = staticmethod(lambda model: None)
    named: Callable[[Any], list[artifact_pb2.Licence]] = staticmethod(lambda request: [])

    def describe(self) -> model_pb2.Model:
        model = super().describe()
        self.changed(model)
        return model

    def record(self, request: Any) -> generation_pb2.GenerationRecord:
        record = super().record(request)
        record.licences.extend(self.named(request))
        return record


@contextlib.asynccontextmanager
async def _house(folder: Path, **more: Any) -> AsyncIterator[House]:
    family = Family(open_store(f"file://{folder}/store"))
    for name, value in more.items():
        setattr(family, name, value)
    async with open_house(folder, family=family) as house:
        yield house


async def _terms(house: House, run: run_pb2.Run) -> list[tuple[str, str]]:
    """(subject, SPDX identifier) of the terms of a run's only sample."""
    assert run.state == run_pb2.RUN_STATE_COMPLETED, run.error
    (sample,) = await house.samples(run_id=run.id)
    return [(licence.subject, licence.spdx_id) for licence in sample.licences]


async def _is_free(house: House, run: run_pb2.Run) -> bool:
    """Whether the samples of a run are exported for commercial use."""
    request = run_pb2.ExportRunRequest(
        run_id=run.id, format=run_pb2.EXPORT_FORMAT_PARQUET, for_commercial_use=True, split_rule=2
    )  # type: ignore[arg-type]
    try:
        *_, last = [response async for response in house.runs.ExportRun(request)]
    except grpc.aio.AioRpcError as error:
        assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
        return False
    return bool(last.result.num_samples) and not last.result.num_refused


@pytest.mark.parametrize(
    ("map_name", "stated", "expected"),
    [("", None, ("tiny", "LicenseRef-not-stated")), ("sky.hdr", _FREE, ("tiny", "LicenseRef-not-stated")),
     ("", artifact_pb2.Licence(spdx_id="CC-BY-NC-4.0", allows_commercial_use=False), ("", "CC-BY-NC-4.0"))],
    ids=["nothing", "of its map alone", "without a subject, beside a map without a name"],
)  # fmt: skip
async def test_what_a_model_states_of_itself_is_behind_its_samples_and_so_is_that_it_states_nothing(
    tmp_path: Path, map_name: str, stated: artifact_pb2.Licence | None, expected: tuple[str, str]
) -> None:
    def changed(model: model_pb2.Model) -> None:
        del model.licences[:]
        model.licences.extend([stated] if stated is not None else [])
        model.environment_maps.add(sha256="a" * 64, media_type="image/vnd.radiance", name=map_name)

    async with _house(tmp_path, changed=changed) as house:
        photo = await _upload(house, _photo(house, "one"), "image/png", _CC_BY)
        run = await house.run(_PHOTOS, {"photos": [photo]})
        assert await _terms(house, run) == [expected, ("theirs", "CC-BY-4.0")]
        assert not await _is_free(house, run)


async def test_terms_that_the_record_of_a_source_item_names_are_behind_its_samples(tmp_path: Path) -> None:
    async with _house(tmp_path, named=lambda request: [_FORBIDDEN]) as house:
        run = await house.run(_SOURCE)
        assert await _terms(house, run) == [("tiny", "CC0-1.0"), ("sky.hdr", "CC-BY-NC-4.0")]
        assert not await _is_free(house, run)
