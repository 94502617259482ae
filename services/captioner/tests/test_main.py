"""The command serves until SIGTERM."""

import os
import subprocess
import sys
from pathlib import Path

from lumenmill.common.v1 import model_pb2, model_pb2_grpc
from lumenmill_captioner.families import FAMILIES
from lumenmill_captioner.settings import FamilyName
from lumenmill_common.calls import call_unary, connect
from lumenmill_common.settings import ServiceSettings
from lumenmill_common.testing import running_process


async def test_the_process_serves_and_stops(tmp_path: Path) -> None:
    async with running_process(["-m", "lumenmill_captioner"], tmp_path) as service:
        async with connect((await service.addresses())["grpc"], ServiceSettings()) as channel:
            stub = model_pb2_grpc.ModelServiceStub(channel)
            model = (await call_unary(stub.GetModel, model_pb2.GetModelRequest())).model
        assert model.contracts and model.limits.num_workers == 1


def test_only_the_vision_language_family_needs_torch() -> None:
    light = "import sys, lumenmill_captioner.__main__; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", light], check=False).returncode == 0
    without = (
        "import sys; sys.modules['lumenmill_neural'] = None\nfrom lumenmill_captioner.__main__ import main; main()"
    )
    environment = os.environ | {"LUMENMILL_FAMILY": "vision_language"}
    refused = subprocess.run(
        [sys.executable, "-c", without], env=environment, check=False, capture_output=True, text=True
    )
    assert refused.returncode == 1 and "pip install 'lumenmill-captioner[vision-language]'" in refused.stderr


def test_every_family_name_has_an_entry() -> None:
    assert set(FAMILIES) == set(FamilyName)
