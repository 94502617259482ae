"""Settings of an S3 store as operators write them: they work, or are refused once with the name of the variable."""

import socket
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from lumenmill_common import errors
from lumenmill_common.artifacts import open_store, open_store_from
from lumenmill_common.settings import StoreSettings
from lumenmill_common.testing.certificates import make_authority, make_certificate
from lumenmill_common.testing.recording_proxy import recording_proxy
from lumenmill_common.testing.s3_server import S3Server, s3_server


@pytest.fixture(scope="session")
def plain_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("plain")) as server:
        server.start()
        yield server


@pytest.fixture(scope="session")
def secure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    folder = tmp_path_factory.mktemp("certificates")
    make_authority(folder)
    make_certificate(folder, "server")
    (folder / "server.pem").rename(folder / "public.crt")
    (folder / "server.key").rename(folder / "private.key")
    with s3_server(tmp_path_factory.mktemp("secure"), folder) as server:
        server.start()
        yield server


@pytest.mark.parametrize(
    ("endpoint", "is_secure"),
    [("http://{}", None), ("HTTP://{}/", None), ("http://{}", False), (" {} ", False), ("{}/", False)],
)
def test_an_endpoint_with_a_scheme_spaces_or_a_slash_works(
    plain_server: S3Server, endpoint: str, is_secure: bool | None
) -> None:
    settings = plain_server.settings()
    changes = {"s3_endpoint": endpoint.format(settings.s3_endpoint), "s3_secure": is_secure}
    store = open_store_from(settings.model_copy(update=changes))
    artifact = store.put_bytes(b"found", "text/plain")
    assert store.read_bytes(artifact) == b"found"


def test_https_in_the_endpoint_turns_tls_on(secure_server: S3Server) -> None:
    settings = secure_server.settings()
    changes = {"s3_endpoint": f"https://{settings.s3_endpoint}", "s3_secure": None}
    open_store_from(settings.model_copy(update=changes)).check()


def test_a_server_on_this_machine_is_not_looked_for_at_a_proxy(
    plain_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recording_proxy() as proxy:
        for name, value in proxy.environment.items():
            monkeypatch.setenv(name, value)
        open_store_from(plain_server.settings()).check()
    assert not proxy.requested


@pytest.mark.parametrize("prefix", ["", "/", "//a//", "/a b/100%/ü", "/~a+b=c&d/%23"])
def test_prefixes_are_used_as_they_are_written(plain_server: S3Server, prefix: str) -> None:
    store = open_store_from(plain_server.settings().model_copy(update={"store_url": f"s3://lumenmill{prefix}"}))
    artifact = store.put_bytes(b"prefixed", "text/plain")
    inside = prefix.strip("/")
    assert artifact.uri.startswith(f"s3://lumenmill/{inside}/objects" if inside else "s3://lumenmill/objects")
    assert store.read_bytes(artifact) == b"prefixed"


@pytest.mark.parametrize(
    ("changes", "variable"),
    [
        ({"s3_endpoint": ""}, "LUMENMILL_S3_ENDPOINT"),
        ({"s3_endpoint": "s3://host:9000"}, "LUMENMILL_S3_ENDPOINT"),
        ({"s3_endpoint": "http://host:9000/path"}, "LUMENMILL_S3_ENDPOINT"),
        ({"s3_endpoint": "host:9000?x"}, "LUMENMILL_S3_ENDPOINT"),
        ({"s3_endpoint": "http://"}, "LUMENMILL_S3_ENDPOINT"),
        ({"s3_endpoint": "::1:9000"}, "LUMENMILL_S3_ENDPOINT"),
        ({"s3_endpoint": "[::1:9000"}, "LUMENMILL_S3_ENDPOINT"),
        ({"s3_endpoint": "host:"}, "LUMENMILL_S3_ENDPOINT"),
        ({"s3_endpoint": "host:99999"}, "LUMENMILL_S3_ENDPOINT"),
        ({"s3_endpoint": "host :9000"}, "LUMENMILL_S3_ENDPOINT"),
        ({"s3_endpoint": "http://host:9000", "s3_secure": True}, "LUMENMILL_S3_ENDPOINT"),
        ({"s3_endpoint": "https://host:9000", "s3_secure": False}, "LUMENMILL_S3_ENDPOINT"),
        ({"s3_region": "eu west"}, "LUMENMILL_S3_REGION"),
        ({"store_url": "s3://"}, "LUMENMILL_STORE_URL"),
        ({"store_url": "s3://MyBucket"}, "LUMENMILL_STORE_URL"),
        ({"store_url": "s3://my_bucket/a"}, "LUMENMILL_STORE_URL"),
        ({"store_url": "s3://my"}, "LUMENMILL_STORE_URL"),
        ({"store_url": "s3://my..bucket"}, "LUMENMILL_STORE_URL"),
        ({"store_url": "s3://10.0.0.1/a"}, "LUMENMILL_STORE_URL"),
        ({"store_url": "s3://bucket:9000/a"}, "LUMENMILL_STORE_URL"),
        ({"store_url": "s3://bucket/a#b"}, "LUMENMILL_STORE_URL"),
        ({"store_url": "s3://bucket/a?b"}, "LUMENMILL_STORE_URL"),
        ({"store_url": "s3://bucket/a/../b"}, "LUMENMILL_STORE_URL"),
        ({"store_url": "s3://bucket/a//b"}, "LUMENMILL_STORE_URL"),
        ({"store_url": "s3://bucket/a\nb"}, "LUMENMILL_STORE_URL"),
        ({"s3_access_key_file": Path("/nowhere")}, "LUMENMILL_S3_ACCESS_KEY_FILE"),
        ({"s3_access_key_file": None}, "LUMENMILL_S3_ACCESS_KEY_FILE"),
        ({"s3_secret_key_file": Path("/dev/null")}, "LUMENMILL_S3_SECRET_KEY_FILE"),
        ({"s3_ca_file": Path("/nowhere")}, "LUMENMILL_S3_CA_FILE"),
        ({"s3_ca_file": Path(__file__)}, "LUMENMILL_S3_CA_FILE"),
    ],
)
def test_wrong_settings_are_refused_with_their_variable(tmp_path: Path, changes: dict[str, Any], variable: str) -> None:
    key = tmp_path / "key"
    key.write_text("a key of a test")
    given = {"store_url": "s3://bucket", "s3_endpoint": "host:9000", "s3_access_key_file": key}
    settings = StoreSettings(**given | {"s3_secret_key_file": key} | changes)
    with pytest.raises(errors.InvalidArgumentError) as refused:
        open_store_from(settings)
    assert refused.value.field == variable


def test_a_folder_that_cannot_be_used_is_refused_with_its_variable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for folder in ("/dev/null", "/proc/store", tmp_path / "file" / "store"):
        with pytest.raises(errors.FailedPreconditionError, match=f"LUMENMILL_STORE_URL: {folder} cannot be created"):
            open_store(f"file://{folder}")


def test_an_endpoint_that_is_refused_is_not_repeated_with_its_password() -> None:
    settings = StoreSettings(store_url="s3://bucket", s3_endpoint="http://user:word@host:9000")
    with pytest.raises(errors.InvalidArgumentError) as refused:
        open_store_from(settings)
    assert refused.value.field == "LUMENMILL_S3_ENDPOINT" and "word" not in refused.value.message


def test_https_to_a_plain_port_is_refused_with_its_variable(tmp_path: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as plain:
        threading.Thread(target=plain.serve_forever, daemon=True).start()
        store = open_store_from(StoreSettings(store_url="s3://bucket", s3_endpoint=f"127.0.0.1:{plain.server_port}"))
        with pytest.raises(errors.FailedPreconditionError) as refused:
            store.check()
        plain.shutdown()
    assert refused.value.field == "LUMENMILL_S3_SECURE"


def test_plain_requests_to_a_port_with_https_are_refused_with_the_variable(secure_server: S3Server) -> None:
    store = open_store_from(secure_server.settings().model_copy(update={"s3_secure": False}))
    for call in (store.check, lambda: store.put_result("any", b"bytes"), store.list):
        with pytest.raises(errors.FailedPreconditionError, match="LUMENMILL_S3_SECURE"):
            call()


class _ResetsUploads(BaseHTTPRequestHandler):
    """As a server that needs HTTPS: refuses plain requests, and resets connections that it has not read to the end."""

    def do_HEAD(self) -> None:
        self.send_response(400)
        self.end_headers()

    def do_PUT(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None: ...


def test_an_upload_to_a_port_with_https_that_is_reset_is_refused_with_the_variable(secure_server: S3Server) -> None:
    with HTTPServer(("127.0.0.1", 0), _ResetsUploads) as resets:
        threading.Thread(target=resets.serve_forever, daemon=True).start()
        changes = {"s3_endpoint": f"127.0.0.1:{resets.server_port}", "s3_secure": False}
        store = open_store_from(secure_server.settings().model_copy(update=changes))
        for call in (lambda: store.put_bytes(b"bytes", "text/plain"), lambda: store.put_result("any", b"bytes")):
            with pytest.raises(errors.FailedPreconditionError, match="LUMENMILL_S3_SECURE"):
                call()
        resets.shutdown()


def test_a_certificate_of_another_authority_is_refused_with_its_variable(
    secure_server: S3Server, tmp_path: Path
) -> None:
    make_authority(tmp_path)
    store = open_store_from(secure_server.settings().model_copy(update={"s3_ca_file": tmp_path / "ca.pem"}))
    with pytest.raises(errors.FailedPreconditionError) as refused:
        store.check()
    assert refused.value.field == "LUMENMILL_S3_CA_FILE"
