"""The command serves until SIGTERM."""

from pathlib import Path

from lumenmill.common.v1 import model_pb2, model_pb2_grpc
from lumenmill_common.calls import call_unary, connect
from lumenmill_common.settings import ServiceSettings
from lumenmill_common.testing import running_process
from lumenmill_prompter.families import FAMILIES
from lumenmill_prompter.settings import FamilyName


async def test_the_process_serves_and_stops(tmp_path: Path) -> None:
    async with running_process(["-m", "lumenmill_prompter"], tmp_path) as service:
        async with connect((await service.addresses())["grpc"], ServiceSettings()) as channel:
            stub = model_pb2_grpc.ModelServiceStub(channel)
            model = (await call_unary(stub.GetModel, model_pb2.GetModelRequest())).model
        assert model.contracts and model.limits.num_workers == 1


def test_every_family_name_has_an_entry() -> None:
    assert set(FAMILIES) == set(FamilyName)
