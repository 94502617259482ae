"""This machine is reached without the proxy that the environment names."""

import pytest

from lumenmill.common.v1 import model_pb2, model_pb2_grpc
from lumenmill_common.calls import call_unary, connect
from lumenmill_common.loopback import is_loopback
from lumenmill_common.serve import serving
from lumenmill_common.service import Service
from lumenmill_common.settings import SecuritySettings, ServiceSettings


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "dns:///localhost"])
async def test_services_on_this_machine_are_not_looked_for_at_a_proxy(
    service: Service, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    for name in ("no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    settings = ServiceSettings(listen_address="127.0.0.1:0", drain_s=0.0)
    async with serving(settings, service) as port, connect(f"{host}:{port}", SecuritySettings()) as channel:
        described = await call_unary(model_pb2_grpc.ModelServiceStub(channel).GetModel, model_pb2.GetModelRequest())
    assert described.model.family == "tiny"


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
