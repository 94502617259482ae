"""What KEDA gets: requests as those of its operator, over a real connection."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from keda import externalscaler_pb2 as pb
from keda import externalscaler_pb2_grpc

from lumenmill_common.errors import FailedPreconditionError
from lumenmill_common.testing.certificates import make_authority, make_certificate
from lumenmill_orchestrator.fleet.demand import Demand
from lumenmill_orchestrator.mesh import Load

from ..conftest import LocalMesh, open_mesh
from ..recipes import ONE_IMAGE


def _free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def _reference(**metadata: str) -> pb.ScaledObjectRef:
    return pb.ScaledObjectRef(name="mill-tiny", namespace="mill", scalerMetadata=metadata)


class Keda:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.stub: Any = externalscaler_pb2_grpc.ExternalScalerStub(channel)

    async def value(self, **metadata: str) -> float:
        request = pb.GetMetricsRequest(scaledObjectRef=_reference(**metadata), metricName="lumenmill-backlog-seconds")
        (metric,) = (await self.stub.GetMetrics(request)).metricValues
        assert metric.metricName == "lumenmill-backlog-seconds"
        return float(metric.metricValueFloat)

    async def is_active(self, **metadata: str) -> bool:
        return bool((await self.stub.IsActive(_reference(**metadata))).result)


@contextlib.asynccontextmanager
async def open_keda(folder: Path, **more: Any) -> AsyncIterator[tuple[LocalMesh, Keda]]:
    address = _free_address()
    async with (
        open_mesh(folder, scaler_address=address, **more) as mesh,
        grpc.aio.insecure_channel(address) as channel,
    ):
        yield mesh, Keda(channel)


async def test_work_starts_pods_and_idle_models_end_them(tmp_path: Path) -> None:
    async with open_keda(tmp_path) as (mesh, keda):
        tiny = {"model": "tiny", "targetBacklogS": "90"}
        assert not await keda.is_active(**tiny)
        stream = keda.stub.StreamIsActive(_reference(**tiny))
        assert not (await stream.read()).result
        mesh.family.go_on.clear()
        run_id = await mesh.submit(ONE_IMAGE, {"tags": [f"picture {number}" for number in range(8)]})
        async with asyncio.timeout(5):
            assert (await stream.read()).result, "KEDA is notified of work at once"
        (spec,) = (await keda.stub.GetMetricSpec(_reference(**tiny))).metricSpecs
        assert (spec.metricName, spec.targetSize, spec.targetSizeFloat) == ("lumenmill-backlog-seconds", 90, 90.0)
        async with asyncio.timeout(15):
            while await keda.value(**tiny) != 8 * 60.0:  # nothing is measured yet: a minute for each call
                await asyncio.sleep(0.05)
        mesh.family.go_on.set()
        await mesh.ended(run_id)
        assert await keda.value(**tiny) == 0.0
        assert await keda.is_active(**tiny), "it is kept for a while after the last work"


async def test_wrong_metadata_is_reported_where_keda_shows_it(tmp_path: Path) -> None:
    async with open_keda(tmp_path) as (_, keda):
        wrong = {
            "metadata.model: no model `tinny` here; registered are: `tiny`": {"model": "tinny"},
            "metadata.model: names no model; registered are: `tiny`": {"targetBacklogS": "600"},
            "metadata.targetBacklogS: `ten` is not a number": {"model": "tiny", "targetBacklogS": "ten"},
            "metadata.targetBacklogS: `0` is not a number of seconds of at least 1": {
                "model": "tiny",
                "targetBacklogS": "0",
            },
        }
        for words, metadata in wrong.items():
            for ask in (keda.value, keda.is_active):
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await ask(**metadata)
                assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
                assert words in (refused.value.details() or "")
            # KEDA only logs its errors, and then requests no metric.
            (spec,) = (await keda.stub.GetMetricSpec(_reference(**metadata))).metricSpecs
            assert spec.targetSize == 600


async def test_with_tls_a_client_certificate_is_required_and_no_token(tmp_path: Path) -> None:
    for authority in ("ca", "stranger"):
        make_authority(tmp_path, authority)
    make_certificate(tmp_path, "mesh")
    make_certificate(tmp_path, "keda")
    make_certificate(tmp_path, "other", "stranger")
    (tmp_path / "token").write_text("s3cret")
    address = _free_address()
    secured = {
        "tls_cert_file": tmp_path / "mesh.pem",
        "tls_key_file": tmp_path / "mesh.key",
        "tls_ca_file": tmp_path / "ca.pem",
        "token_file": tmp_path / "token",
        "scaler_address": address,
    }

    async def is_served_with(name: str | None) -> bool:
        credentials = grpc.ssl_channel_credentials(
            (tmp_path / "ca.pem").read_bytes(),
            (tmp_path / f"{name}.key").read_bytes() if name else None,
            (tmp_path / f"{name}.pem").read_bytes() if name else None,
        )
        async with grpc.aio.secure_channel(address, credentials) as channel:
            try:
                return not await Keda(channel).is_active(model="tiny")
            except grpc.aio.AioRpcError as error:
                assert error.code() == grpc.StatusCode.UNAVAILABLE
                return False

    async with open_mesh(tmp_path, **secured):
        assert await is_served_with("keda")
        assert not await is_served_with("other")
        assert not await is_served_with(None)
        async with grpc.aio.insecure_channel(address) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await Keda(channel).is_active(model="tiny")


async def test_tls_without_an_authority_is_refused_at_start(tmp_path: Path) -> None:
    make_authority(tmp_path)
    make_certificate(tmp_path, "mesh")
    secured = {"tls_cert_file": tmp_path / "mesh.pem", "tls_key_file": tmp_path / "mesh.key"}
    with pytest.raises(FailedPreconditionError, match="LUMENMILL_TLS_CLIENT_CA_FILE"):
        async with open_mesh(tmp_path, scaler_address=_free_address(), **secured):
            pass


@pytest.mark.parametrize(
    ("num_calls", "backlog_s", "num_workers", "num_pods"),
    [
        (0, 0.0, 1, 0),
        (1, 1.0, 1, 1),
        (1, 1800.0, 1, 1),  # one half-hour clip is work for one pod
        (3, 5400.0, 1, 3),
        (100, 3000.0, 1, 5),
        (100, 3000.0, 4, 2),  # four at once
        (2, 3600.0, 4, 1),
    ],
)
def test_the_number_of_pods_follows_the_work(num_calls: int, backlog_s: float, num_workers: int, num_pods: int) -> None:
    demand = Demand(Load(num_waiting=num_calls, backlog_s=backlog_s), 600.0, num_workers)
    assert demand.num_pods == num_pods
    assert demand.is_active(0.0) == (num_calls > 0)


def test_a_model_with_a_long_load_time_is_kept_longer() -> None:
    idle = Load(last_work_time=1000.0)
    assert Demand(idle, 600.0).is_active(1059.0)
    assert not Demand(idle, 600.0).is_active(1061.0)
    assert Demand(idle, 600.0, load_time_s=300.0).is_active(1599.0)
    assert not Demand(idle, 600.0, load_time_s=300.0).is_active(1601.0)
