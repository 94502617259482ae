"""Whatever a request holds, every RPC of every service refuses it by the field or does what it asks, and lives on.

LUMENMILL_FUZZ_EXAMPLES is the number of requests to each RPC; LUMENMILL_FUZZ_SEED chooses others than CI's.
"""

import os
from random import Random

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.imager.v1 import imager_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill.prompter.v1 import prompter_pb2

from .answers import ask, assert_right
from .contracts import RPCS
from .messages import Maker
from .processes import Mesh, Process
from .stock import RECIPE, Stock, result_of, tiny

pytestmark = pytest.mark.timeout(1200)

_NUM_EXAMPLES = int(os.environ.get("LUMENMILL_FUZZ_EXAMPLES", "150"))
_SEED = int(os.environ.get("LUMENMILL_FUZZ_SEED", "0"))
# Work that is accepted may go on for longer; what is refused must be refused by then.
_HEAVY_TIMEOUT_S, _TIMEOUT_S, _MORE_S_PER_MIB = 1.0, 30.0, 1.0
_PATIENT_S = 15.0

_CHOICES = st.one_of(st.randoms(use_true_random=False), st.integers(min_value=0, max_value=(1 << 64) - 1).map(Random))


def _methods_of(process: Process) -> set[str]:
    """Names of all methods that a process serves, as its reflection tells them."""
    pool = DescriptorPool(ProtoReflectionDescriptorDatabase(process.channel))
    services = [pool.FindServiceByName(name) for name in process.services]
    return {f"{service.name}.{method.name}" for service in services for method in service.methods}


def test_every_rpc_that_is_served_is_in_the_table_and_the_other_way_round(processes: Mesh) -> None:
    served = {name for process in processes.processes.values() for name in _methods_of(process)}
    assert served == set(RPCS)


@pytest.mark.parametrize("name", RPCS)
def test_requests_are_refused_by_the_field_or_obeyed(processes: Mesh, stock: Stock, name: str) -> None:
    rpc = RPCS[name]

    @seed(_SEED)
    @settings(
        max_examples=_NUM_EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(_CHOICES, st.sampled_from(processes.serving(rpc.service)))
    def check(choices: Random, process: Process) -> None:
        requests = Maker(stock, choices).requests(rpc)
        size_mib = sum(request.ByteSize() for request in requests) / (1 << 20)
        timeout_s = (_HEAVY_TIMEOUT_S if rpc.is_heavy else _TIMEOUT_S) + _MORE_S_PER_MIB * size_mib
        answer = ask(process, rpc, requests, timeout_s)
        if answer.code is grpc.StatusCode.DEADLINE_EXCEEDED and not answer.responses:
            # Work that was accepted before may keep a busy machine from telling so in time; a dead stream stays silent.
            answer = ask(process, rpc, requests, _PATIENT_S)
        assert_right(rpc, requests, answer, process)

    check()


def _prompts(process: Process) -> object:
    request = prompter_pb2.RewritePromptsRequest(job={"request_id": "after"}, prompts=["The image shows a jug."])
    return _made(process, "PrompterService.RewritePrompts", request)


def _image(process: Process) -> object:
    request = imager_pb2.GenerateImagesRequest(prompt="a copper kettle", **tiny("after"))
    return _made(process, "ImagerService.GenerateImages", request)


def _caption(process: Process, stock: Stock) -> object:
    request = captioner_pb2.CaptionRequest(job={"request_id": "after"}, subject={"media": stock.artifacts["image"]})
    return _made(process, "CaptionerService.Caption", request)


def _made(process: Process, name: str, request: object) -> object:
    answer = ask(process, RPCS[name], [request], 60.0)  # type: ignore[list-item]  # every request is a message
    assert answer.code.name == "OK", answer.message
    return result_of(iter(answer.responses))


def _run(process: Process) -> None:
    """A run of the tiny recipe; the runs that the fuzzer started go on beside it."""
    submitted = ask(
        process, RPCS["RunService.SubmitRun"], [run_pb2.SubmitRunRequest(recipe=RECIPE, run_id="after")], 60.0
    )
    assert submitted.code.name == "OK", submitted.message
    watch = process.channel.unary_stream(
        RPCS["RunService.WatchRun"].path,
        request_serializer=run_pb2.WatchRunRequest.SerializeToString,
        response_deserializer=run_pb2.WatchRunResponse.FromString,
    )
    last = list(watch(run_pb2.WatchRunRequest(run_id="after"), timeout=120.0))[-1].run
    assert last.state == run_pb2.RUN_STATE_COMPLETED and last.num_samples_accepted == 1, last


def test_afterwards_every_service_serves(processes: Mesh, stock: Stock) -> None:
    for process in processes.processes.values():
        assert process.is_alive and process.is_serving(), process.name
    assert _prompts(processes.processes["prompter"])
    assert _image(processes.processes["studio"])
    assert _caption(processes.processes["captioner"], stock)
    _run(processes.processes["orchestrator"])
