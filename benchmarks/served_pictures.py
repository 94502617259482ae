"""Pictures of a pipeline that was built already, made by the imager."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from served import BuiltHost, Served, calls_of

from lumenmill.imager.v1 import imager_pb2, imager_pb2_grpc
from lumenmill_common.families import family_service
from lumenmill_common.jobs import jobs_from
from lumenmill_common.testing import running_service
from lumenmill_imager.families import family_of

__all__ = ["PROMPT", "Measured", "served_pictures"]

PROMPT = "a lemon on slate under soft light from the left"
_NUM_QUEUED = 4


@dataclass
class Measured:
    """The measurements of the imager."""

    stages: list[dict[str, float]]
    taken_s: list[float]
    """From the request to the result, with its PNG in the store."""
    served: Served


async def served_pictures(host: BuiltHost, arguments: dict[str, Any], num_repetitions: int) -> Measured:
    """Make pictures in the service, alternating with the same direct calls of the pipeline; then queue several."""
    jobs = jobs_from(host.settings, host.settings.model, max_batch_size=host.max_queued_batch_size)
    service = family_service(family_of(host), jobs, imager_pb2.DESCRIPTOR)
    async with running_service(service, host.settings) as channel:
        stub = imager_pb2_grpc.ImagerServiceStub(channel)

        async def made(request_id: str, num_steps: int) -> tuple[float, Any]:
            request = imager_pb2.GenerateImagesRequest(
                job={"request_id": request_id},
                prompt=PROMPT,
                width_px=arguments["width"],
                height_px=arguments["height"],
                sampling={"num_steps": num_steps},
            )
            started_s = time.perf_counter()
            events = [event async for event in stub.GenerateImages(request)]
            return time.perf_counter() - started_s, events[-1].result.images[0].record

        num_steps, runs = arguments["num_inference_steps"], []
        await made("warm-up", num_steps)
        with calls_of(host.pipe, host.device) as spans:
            for number in range(num_repetitions):
                runs.append(await made(f"alone-{number}", num_steps))
                host.pipe(prompt=[PROMPT], generator=[host.device.generator(number)], **arguments)
            alone, direct = spans[0::2], spans[1::2]
            spans.clear()
            # One step more each, so that no two share a batch.
            await asyncio.gather(*(made(f"queued-{number}", num_steps + number) for number in range(_NUM_QUEUED)))
            queued = spans.copy()
    stages = [{stage.stage: stage.duration_s for stage in record.stage_times} for _, record in runs]
    return Measured(stages, [taken_s for taken_s, _ in runs], Served(direct, alone, queued))
