"""This machine is reached without the proxy that the environment names."""

import os
import urllib.error
import urllib.request

import pytest

from lumenmill.common.v1 import model_pb2, model_pb2_grpc
from lumenmill_common.calls import call_unary, connect
from lumenmill_common.loopback import exempt_from_proxies, is_loopback
from lumenmill_common.serve import serving
from lumenmill_common.service import Service
from lumenmill_common.settings import SecuritySettings, ServiceSettings
from lumenmill_common.testing.recording_proxy import recording_proxy


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "dns:///localhost"])
async def test_services_on_this_machine_are_not_looked_for_at_a_proxy(
    service: Service, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    settings = ServiceSettings(listen_address="127.0.0.1:0", drain_s=0.0)
    with recording_proxy() as proxy:
        for name, value in proxy.environment.items():
            monkeypatch.setenv(name, value)
        async with serving(settings, service) as port, connect(f"{host}:{port}", SecuritySettings()) as channel:
            described = await call_unary(model_pb2_grpc.ModelServiceStub(channel).GetModel, model_pb2.GetModelRequest())
    assert described.model.family == "tiny" and not proxy.requested


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_http_clients_of_libraries_reach_this_machine_directly(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    with recording_proxy() as proxy, recording_proxy() as server:
        for name, value in proxy.environment.items():
            monkeypatch.setenv(name, value)
        url = server.url.replace("127.0.0.1", host)
        exempt_from_proxies(url)
        for elsewhere in (url, "http://llm.example.com"):
            with pytest.raises(urllib.error.HTTPError):
                urllib.request.build_opener().open(elsewhere)
    assert len(server.requested) == 1 and len(proxy.requested) == 1 and "example.com" in proxy.requested[0]


def test_hosts_that_are_exempt_already_stay_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "corp.example.com")
    monkeypatch.setenv("NO_PROXY", "10.0.0.1, localhost")
    exempt_from_proxies("http://127.0.0.9:8000", "http://hub.example.com")
    for name in ("no_proxy", "NO_PROXY"):
        assert os.environ[name] == "corp.example.com,10.0.0.1,localhost,127.0.0.1,::1,127.0.0.9"
    monkeypatch.setenv("no_proxy", "*")
    exempt_from_proxies()
    assert os.environ["no_proxy"] == "*"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("localhost", True),
        ("LOCALHOST.:50051", True),
        ("mill.localhost:50051", True),
        ("127.8.9.1:50051", True),
        ("0.0.0.0:50051", True),
        ("[::1]:50051", True),
        ("::1", True),
        ("[::ffff:127.0.0.1]:1", True),
        ("ipv4:127.0.0.1:50051,127.0.0.2:50051", True),
        ("dns:///[::1]:50051", True),
        ("http://localhost:8000/v1", True),
        ("http://user:word@[::1]:8000/v1", True),
        ("https://127.0.0.1", True),
        ("dns:///studio:50051", False),
        ("dns://127.0.0.1/studio:50051", False),
        ("ipv4:127.0.0.1:50051,10.0.0.2:50051", False),
        ("10.127.0.0.1.example.com:1", False),
        ("http://localhost@llm.example.com/v1", False),
        ("notlocalhost:50051", False),
        ("", False),
    ],
)
def test_addresses_of_this_machine_are_known(address: str, expected: bool) -> None:
    assert is_loopback(address) == expected
