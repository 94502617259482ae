"""Prompt sets per second of the grammar over gRPC, with sequential requests."""

import asyncio
import tempfile
import time

import grpc
from figures import Figure, median_of, run_benchmark

from lumenmill.prompter.v1 import prompter_pb2, prompter_pb2_grpc
from lumenmill_common.calls import call_heavy
from lumenmill_common.testing import running_service
from lumenmill_prompter.__main__ import prompter_service
from lumenmill_prompter.settings import PrompterSettings


async def _sets_per_s(channel: grpc.aio.Channel, num_sets: int, num_relights: int, first: int) -> float:
    request = prompter_pb2.GeneratePromptSetsRequest(seed=1)
    request.brief.num_img_sets, request.brief.first_set_index = num_sets, first
    request.brief.num_relight_variants = num_relights
    request.job.request_id = f"{num_relights}-{first}"
    started_s = time.perf_counter()
    made = await call_heavy(prompter_pb2_grpc.PrompterServiceStub(channel).GeneratePromptSets, request)
    duration_s = time.perf_counter() - started_s
    if len({prompt_set.image_prompt for prompt_set in made.prompt_sets}) < num_sets:
        raise RuntimeError("the grammar repeated itself")
    return num_sets / duration_s


async def _measure(repeats: int) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="lumenmill-grammar-") as folder:
        settings = PrompterSettings(listen_address="127.0.0.1:0", drain_s=0.0, store_url=f"file://{folder}/store")
        async with running_service(prompter_service(settings), settings) as channel:
            await _sets_per_s(channel, 10, 1, 10**6)
            bare = [await _sets_per_s(channel, 1000, 0, 1000 * number) for number in range(repeats)]
            relit = [await _sets_per_s(channel, 500, 4, 500 * number) for number in range(repeats)]
    return [
        median_of("grammar, prompt sets without variants", bare, "sets/s"),
        median_of("grammar, prompt sets with four relights", relit, "sets/s"),
        median_of("grammar, prompts in sets with four relights", [5 * rate for rate in relit], "prompts/s"),
    ]


def measure(quick: bool) -> list[Figure]:
    """Measure sets without variants, and sets with four relights, each with a text and a structured light."""
    return asyncio.run(_measure(1 if quick else 5))


if __name__ == "__main__":
    run_benchmark(__doc__, measure)
