"""Every RPC of every service executes a fuzzed request or rejects it with its field, and the service keeps running.

LUMENMILL_FUZZ_EXAMPLES is the number of requests to each RPC; LUMENMILL_FUZZ_SEED chooses other requests.
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

from .call_results import assert_allowed, make_call
from .contracts import RPCS
from .corpus import RECIPE, Corpus, result_of, tiny
from .message_generator import MessageGenerator
from .processes import Mesh, Process

pytestmark = pytest.mark.timeout(1200)

_NUM_EXAMPLES = int(os.environ.get("LUMENMILL_FUZZ_EXAMPLES", "150"))
_SEED = int(os.environ.get("LUMENMILL_FUZZ_SEED", "0"))
# Accepted work may take longer; requests must be rejected within this time.
_HEAVY_TIMEOUT_S, _TIMEOUT_S, _MORE_S_PER_MIB = 1.0, 30.0, 1.0
_RETRY_TIMEOUT_S = 15.0

_CHOICES = st.one_of(st.randoms(use_true_random=False), st.integers(min_value=0, max_value=(1 << 64) - 1).map(Random))


def _methods_of(process: Process) -> set[str]:
    """Return the names of all methods that a process serves, by reflection."""
    pool = DescriptorPool(ProtoReflectionDescriptorDatabase(process.channel))
    services = [pool.FindServiceByName(name) for name in process.services]
    return {f"{service.name}.{method.name}" for service in services for method in service.methods}


def test_the_table_has_exactly_the_served_rpcs(processes: Mesh) -> None:
    served = {name for process in processes.processes.values() for name in _methods_of(process)}
    assert served == set(RPCS)


@pytest.mark.parametrize("name", RPCS)
def test_requests_are_executed_or_rejected_with_their_field(processes: Mesh, corpus: Corpus, name: str) -> None:
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
    def check(rng: Random, process: Process) -> None:
        requests = MessageGenerator(corpus, rng).requests(rpc)
        size_mib = sum(request.ByteSize() for request in requests) / (1 << 20)
        timeout_s = (_HEAVY_TIMEOUT_S if rpc.is_heavy else _TIMEOUT_S) + _MORE_S_PER_MIB * size_mib
        result = make_call(process, rpc, requests, timeout_s)
        if result.code is grpc.StatusCode.DEADLINE_EXCEEDED and not result.responses:
            # Earlier accepted work may delay the first event on a busy machine; a dead stream sends none.
            result = make_call(process, rpc, requests, _RETRY_TIMEOUT_S)
        assert_allowed(rpc, requests, result, process)

    check()


def _prompts(process: Process) -> object:
    request = prompter_pb2.RewritePromptsRequest(job={"request_id": "after"}, prompts=["The image shows a jug."])
    return _made(process, "PrompterService.RewritePrompts", request)


def _image(process: Process) -> object:
    request = imager_pb2.GenerateImagesRequest(prompt="a copper kettle", **tiny("after"))
    return _made(process, "ImagerService.GenerateImages", request)


def _caption(process: Process, corpus: Corpus) -> object:
    request = captioner_pb2.CaptionRequest(job={"request_id": "after"}, subject={"media": corpus.artifacts["image"]})
    return _made(process, "CaptionerService.Caption", request)


def _made(process: Process, name: str, request: object) -> object:
    result = make_call(process, RPCS[name], [request], 60.0)  # type: ignore[list-item]  # every request is a message
    assert result.code.name == "OK", result.message
    return result_of(iter(result.responses))


def _run(process: Process) -> None:
    """Execute the tiny recipe while the runs of the fuzzer continue."""
    submitted = make_call(
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


def test_every_service_is_serving_afterwards(processes: Mesh, corpus: Corpus) -> None:
    for process in processes.processes.values():
        assert process.is_alive and process.is_serving(), process.name
    assert _prompts(processes.processes["prompter"])
    assert _image(processes.processes["studio"])
    assert _caption(processes.processes["captioner"], corpus)
    _run(processes.processes["orchestrator"])
