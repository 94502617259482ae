"""The command starts, reports its address, serves, and stops on SIGTERM."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from lumenmill.common.v1 import model_pb2, model_pb2_grpc
from lumenmill_captioner.families import FAMILIES
from lumenmill_captioner.settings import FamilyName
from lumenmill_common.calls import call_unary, connect
from lumenmill_common.settings import ServiceSettings


async def test_the_process_serves_and_stops(tmp_path: Path) -> None:
    address_file = tmp_path / "address.json"
    environment = os.environ | {
        "LUMENMILL_LISTEN_ADDRESS": "127.0.0.1:0",
        "LUMENMILL_METRICS_ADDRESS": "127.0.0.1:0",
        "LUMENMILL_ADDRESS_FILE": str(address_file),
        "LUMENMILL_STORE_URL": f"file://{tmp_path / 'store'}",
    }
    process = subprocess.Popen([sys.executable, "-m", "lumenmill_captioner"], env=environment)  # noqa: ASYNC220 - nothing else runs in this loop
    try:
        end_s = time.monotonic() + 30
        while not address_file.exists() and time.monotonic() < end_s:
            time.sleep(0.05)  # noqa: ASYNC251 - nothing else runs in this loop
        address = json.loads(address_file.read_text())["grpc"]
        async with connect(address, ServiceSettings()) as channel:
            stub = model_pb2_grpc.ModelServiceStub(channel)
            model = (await call_unary(stub.GetModel, model_pb2.GetModelRequest())).model
        assert model.contracts and model.limits.num_workers == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()


def test_measurement_needs_no_torch_and_a_missing_extra_is_named() -> None:
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
