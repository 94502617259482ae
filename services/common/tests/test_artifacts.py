"""The store: the same behaviour for a folder and for S3."""

import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from lumenmill.common.v1.artifact_pb2 import Artifact, ImageFacts
from lumenmill_common import errors
from lumenmill_common.artifacts import ArtifactStore, digest_of, media_type_of, open_store, open_store_from
from lumenmill_common.artifacts.layout import OWNERS
from lumenmill_common.settings import StoreSettings
from lumenmill_common.testing.s3_server import s3_store


@pytest.fixture(params=["folder", "s3"])
def any_store(request: pytest.FixtureRequest, store: ArtifactStore) -> ArtifactStore:
    return store if request.param == "folder" else request.getfixturevalue("minio_store")


@pytest.fixture(scope="session")
def minio_store(tmp_path_factory: pytest.TempPathFactory):
    with s3_store(tmp_path_factory.mktemp("minio")) as store:
        yield store


def test_stored_bytes_are_read_with_their_facts(any_store: ArtifactStore) -> None:
    facts = ImageFacts(width_px=2, height_px=3)
    artifact = any_store.put_bytes(b"pixels", "image/png", name="two.png", image=facts)
    assert any_store.read_bytes(artifact) == b"pixels"
    assert artifact.image == facts and artifact.name == "two.png" and artifact.size_bytes == 6
    assert any_store.stat(artifact.sha256).media_type == "image/png"
    assert any_store.read_range(artifact.sha256, 1, 3) == b"ixe"
    assert any_store.read_range(artifact.sha256, 2, 0) == b"xels"
    assert any_store.read_range(artifact.sha256, 6, 0) == b""
    with any_store.local_file(artifact) as path:
        assert path.suffix == ".png" and path.read_bytes() == b"pixels"
    assert not path.exists()


def test_the_same_bytes_are_stored_once(any_store: ArtifactStore) -> None:
    first, again = (any_store.put_bytes(b"same", "text/plain") for _ in range(2))
    assert first == again
    assert [found.artifact.uri for found in any_store.list(limit=1000)].count(first.uri) == 1


def test_touching_renews_the_time_of_an_artifact(any_store: ArtifactStore) -> None:
    artifact = any_store.put_bytes(b"found again", "image/png")
    any_store.put_bytes(b"found again", "application/octet-stream")
    written_s = _modified_times_s(any_store, artifact.sha256)
    time.sleep(1.1)  # times of S3 are whole seconds
    assert any_store.touch(artifact.sha256)
    assert min(_modified_times_s(any_store, artifact.sha256)) > max(written_s)
    assert any_store.read_bytes(artifact) == b"found again"
    any_store.delete(artifact.sha256)
    assert not any_store.touch(artifact.sha256)
    assert any_store.stat(artifact.sha256) is None


@pytest.mark.parametrize("wrong_by_s", [-30 * 86_400, 0])
def test_writing_again_renews_the_time_whatever_the_clock_of_the_writer(
    any_store: ArtifactStore, monkeypatch: pytest.MonkeyPatch, wrong_by_s: float
) -> None:
    data = f"again {wrong_by_s}".encode()
    artifact = any_store.put_bytes(data, "text/plain")
    time.sleep(1.1)  # times of S3 are whole seconds
    now_s, right = any_store.clock_s(), time.time
    monkeypatch.setattr(time, "time", lambda: right() + wrong_by_s)
    any_store.put_bytes(data, "text/plain")
    (stored,) = (found for found in any_store.list(limit=1000) if found.artifact.sha256 == artifact.sha256)
    assert stored.modified_time_s >= int(now_s)


def test_an_overwritten_object_is_repaired_by_storing_it_again(minio_store: ArtifactStore) -> None:
    artifact = minio_store.put_bytes(b"precious", "text/plain")
    minio_store._replace(minio_store.key_from(artifact), b"previous")
    assert not minio_store.verify(artifact)
    minio_store.put_bytes(b"precious", "text/plain")
    assert minio_store.verify(artifact)


def _modified_times_s(store: ArtifactStore, sha256: str) -> list[float]:
    found = [stored.modified_time_s for stored in store.list(limit=1000) if stored.artifact.sha256 == sha256]
    assert len(found) == 2
    return found


def test_listing_pages_in_order_and_deleting_removes(any_store: ArtifactStore) -> None:
    stored = sorted(any_store.put_bytes(f"page {n}".encode(), "text/plain").sha256 for n in range(7))
    seen, after = [], ""
    while page := any_store.list(after, limit=3):
        seen += [found.artifact.sha256 for found in page]
        after = seen[-1]
    assert seen == sorted(seen) and set(stored) <= set(seen)
    any_store.delete(stored[0])
    assert any_store.stat(stored[0]) is None
    with pytest.raises(errors.NotFoundError):
        any_store.read_bytes(Artifact(uri=any_store.uri_for(stored[0], "text/plain")))


def test_results_are_replaced_and_old_ones_are_deleted(any_store: ArtifactStore) -> None:
    assert any_store.get_result("any name\n") is None
    any_store.put_result("any name\n", b"1")
    any_store.put_result("any name\n", b"2")
    assert any_store.get_result("any name\n") == b"2"
    assert any_store.delete_results_before(time.time() - 60) == 0
    assert any_store.delete_results_before(time.time() + 60) == 1
    assert any_store.get_result("any name\n") is None
    assert all("notes" not in found.artifact.uri for found in any_store.list(limit=1000))


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "file:///etc/passwd",
        "s3://other-bucket/objects/aa/" + "a" * 64 + ".png",
        "{base}../../etc/passwd",
        "{base}objects/../../../etc/passwd",
        "{base}objects/aa/" + "a" * 63 + ".png",
        "{base}objects/ab/" + "a" * 64 + ".png",
        "{base}objects/aa/" + "a" * 64 + ".exe",
        "{base}objects/aa/" + "a" * 64 + ".png/../x",
        "http://localhost/objects/aa/" + "a" * 64 + ".png",
    ],
)
def test_nothing_outside_the_store_can_be_named(any_store: ArtifactStore, uri: str) -> None:
    with pytest.raises(errors.InvalidArgumentError) as refused:
        any_store.read_bytes(Artifact(uri=uri.format(base=any_store.base_uri)), field="image")
    assert refused.value.field == "image.uri"


def test_digest_and_uri_must_agree(any_store: ArtifactStore) -> None:
    artifact = any_store.put_bytes(b"a", "text/plain")
    artifact.sha256 = "0" * 64
    with pytest.raises(errors.InvalidArgumentError):
        any_store.read_bytes(artifact)


def test_the_digest_of_an_artifact_is_in_its_name_not_in_its_folders(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}/{'1' * 64}/store")
    artifact = store.put_bytes(b"a", "text/plain")
    assert digest_of(Artifact(uri=artifact.uri)) == digest_of(artifact) == artifact.sha256
    assert digest_of(Artifact(inline_data=b"a")) == artifact.sha256
    assert digest_of(Artifact(uri=f"file:///{'1' * 64}/kettle.png")) == ""


def test_inline_bytes_are_read_and_verified(any_store: ArtifactStore) -> None:
    assert any_store.read_bytes(Artifact(inline_data=b"abc", media_type="text/plain")) == b"abc"
    with pytest.raises(errors.InvalidArgumentError):
        any_store.read_bytes(Artifact(inline_data=b"abc", sha256="0" * 64))
    with pytest.raises(errors.InvalidArgumentError):
        any_store.read_bytes(Artifact(inline_data=b"abc"), max_bytes=2)


def test_a_flipped_bit_is_detected(store: ArtifactStore) -> None:
    artifact = store.put_bytes(b"precious", "text/plain")
    Path(artifact.uri.removeprefix("file://")).write_bytes(b"previous")
    assert not store.verify(artifact)
    with pytest.raises(errors.DataLossError):
        store.read_bytes(artifact)


def test_a_damaged_artifact_is_repaired_by_storing_it_again(store: ArtifactStore) -> None:
    artifact = store.put_bytes(b"precious", "text/plain")
    Path(artifact.uri.removeprefix("file://")).write_bytes(b"previous")
    store.put_bytes(b"precious", "text/plain")
    assert store.read_bytes(artifact) == b"precious"


def test_links_are_not_followed(store: ArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    uri = store.uri_for("b" * 64, "text/plain")
    link = Path(uri.removeprefix("file://"))
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "secret")
    with pytest.raises(errors.NotFoundError):
        store.read_bytes(Artifact(uri=uri))


@pytest.mark.parametrize("planted", ["objects", "objects/8c", "incoming"])
def test_no_folder_of_the_store_is_followed_elsewhere(store: ArtifactStore, tmp_path: Path, planted: str) -> None:
    known = store.put_bytes(b"light", "text/plain")
    root, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
    folder = root / (f"objects/{known.sha256[:2]}" if planted == "objects/8c" else planted)
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)
    before = sorted(elsewhere.rglob("*"))
    with pytest.raises(errors.LumenmillError):
        store.put_bytes(b"dark", "text/plain") if planted != "objects/8c" else store.put_bytes(b"light", "text/plain")
    if planted != "incoming":
        assert store.stat(known.sha256) is None
        store.delete(known.sha256)
    assert sorted(elsewhere.rglob("*")) == before


def test_no_file_is_written_or_listed_through_a_link(store: ArtifactStore, tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
    (elsewhere / "ab").mkdir(parents=True)
    (elsewhere / "ab" / "other").write_text("of another program")
    (root / OWNERS).symlink_to(elsewhere)
    assert store.owners() == {}
    (root / "incoming").rmdir()
    (root / "incoming").symlink_to(elsewhere)
    with pytest.raises(errors.LumenmillError):
        store.check()
    assert sorted(path.name for path in elsewhere.rglob("*")) == ["ab", "other"]


def test_a_missing_store_is_unavailable_rather_than_empty(store: ArtifactStore, tmp_path: Path) -> None:
    artifact = store.put_bytes(b"a", "text/plain")
    (tmp_path / "store").rename(tmp_path / "away")
    for call in (
        store.list,
        lambda: store.stat(artifact.sha256),
        lambda: store.touch(artifact.sha256),
        lambda: store.read_bytes(artifact),
        lambda: store.put_bytes(b"b", "text/plain"),
        lambda: store.get_result("name"),
        lambda: store.put_result("name", b""),
        lambda: store.delete(artifact.sha256),
    ):
        with pytest.raises(errors.UnavailableError):
            call()
    (tmp_path / "away").rename(tmp_path / "store")
    assert store.read_bytes(artifact) == b"a"


class _Proxy(BaseHTTPRequestHandler):
    """A proxy that answers instead of the store."""

    def do_GET(self) -> None:
        page = b"<html><p>Back in five minutes"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        pass


def test_a_page_instead_of_a_listing_means_that_the_store_is_unavailable(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("a key of a test")
    with HTTPServer(("127.0.0.1", 0), _Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        store = open_store_from(
            StoreSettings(
                store_url="s3://lumenmill",
                s3_endpoint=f"127.0.0.1:{proxy.server_port}",
                s3_secure=False,
                s3_region="us-east-1",
                s3_access_key_file=key,
                s3_secret_key_file=key,
            )
        )
        with pytest.raises(errors.UnavailableError):
            store.list()
        with pytest.raises(errors.UnavailableError):
            store.owners()
        proxy.shutdown()


def test_unknown_media_types_are_refused(any_store: ArtifactStore) -> None:
    with pytest.raises(errors.InvalidArgumentError):
        any_store.put_bytes(b"", "application/x-python-pickle")
    assert media_type_of("a/b/scene.scene.json") == "application/vnd.lumenmill.scene+json"
    assert media_type_of("urban.alley.HDR") == "image/vnd.radiance"


@pytest.mark.parametrize("media_type", ["application/vnd.safetensors", "application/octet-stream"])
def test_weights_are_not_taken_inline(store: ArtifactStore, media_type: str) -> None:
    weights = b"\x40\x00\x00\x00\x00\x00\x00\x00" + b'{"lora": {}}'.ljust(64)
    with pytest.raises(errors.InvalidArgumentError, match="not taken inline") as refused:
        store.put_inline(Artifact(inline_data=weights, media_type=media_type), field="parameters.lora")
    assert refused.value.field == "parameters.lora"
