"""A full store still supports everything that is needed to empty it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lumenmill_common import errors
from lumenmill_common.artifacts import ArtifactStore, open_store
from lumenmill_common.testing import eventually
from lumenmill_common.testing.s3_server import s3_store
from lumenmill_common.testing.small_disk import fill, small_disk


@pytest.fixture(params=["folder", "s3"])
def small_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ArtifactStore]:
    if request.param == "folder":
        with small_disk(tmp_path, "256k,nr_inodes=24") as disk:
            yield open_store(f"file://{disk}/store")
    else:
        with small_disk(tmp_path, "48m") as disk, s3_store(disk) as store:
            yield store


async def test_a_full_store_returns_time_and_owners_and_can_be_emptied(small_store: ArtifactStore) -> None:
    small_store.register_owner("a" * 32)
    registered_s = small_store.owners()["a" * 32]
    num_stored = fill(small_store)
    assert small_store.clock_s() >= int(registered_s)
    assert list(small_store.owners()) == ["a" * 32]
    with pytest.raises(errors.ResourceExhaustedError):
        small_store.put_bytes(b"more", "text/plain")
    for stored in small_store.list(limit=num_stored):
        small_store.delete(stored.artifact.sha256)
    await eventually(lambda: _registers(small_store, "b" * 32))  # MinIO measures its free space once a second
    assert small_store.put_bytes(b"more", "text/plain").size_bytes == 4


def _registers(store: ArtifactStore, owner: str) -> bool:
    try:
        store.register_owner(owner)
    except errors.ResourceExhaustedError:
        return False
    return True
