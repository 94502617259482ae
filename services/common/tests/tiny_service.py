"""A tiny real service on the imager contract, made with the service framework alone."""

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import Any

from prometheus_client import REGISTRY

from lumenmill.common.v1 import artifact_pb2, generation_pb2, job_pb2, model_pb2
from lumenmill.imager.v1 import imager_pb2, imager_pb2_grpc
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.calls import call_heavy
from lumenmill_common.errors import UnavailableError
from lumenmill_common.families import family_service
from lumenmill_common.jobs import BatchWork, DeferredWork, JobContext, JobQueue, Work
from lumenmill_common.retries import RetryPolicy
from lumenmill_common.service import Service
from lumenmill_common.testing import eventually


class Panic(BaseException):
    """As raised by native libraries: no Exception."""


class TinyFamily:
    """Makes text files instead of images, step by step, and counts what it does."""

    def __init__(self, store: ArtifactStore) -> None:
        self.store = store
        self.num_steps, self.step_s = 3, 0.02
        self.prompts_done: list[str] = []
        self.batch_sizes: list[int] = []
        self.cancelled_at_step: int | None = None
        self.estimate_s: float | None = None
        self.resume = threading.Event()
        self.resume.set()
        self.resume_deferred = threading.Event()
        self.resume_deferred.set()
        self.num_started = 0
        self.num_last_steps = 0
        self.num_deferred = 0

    def generate(self, request: imager_pb2.GenerateImagesRequest, job: JobContext) -> imager_pb2.GenerateImagesResult:
        self.num_started += 1
        with job.stage("render"):
            num_steps = self.num_steps
            for step in range(num_steps):
                try:
                    job.progress("render", step + 1, num_steps)
                except Exception:
                    self.cancelled_at_step = step
                    raise
                self.resume.wait()
                self.num_last_steps += step + 1 == num_steps
                time.sleep(self.step_s)
        self.prompts_done.append(request.prompt)
        if request.prompt == "bug":
            raise RuntimeError("secret detail of a bug")
        if request.prompt == "panic":
            raise Panic
        if request.prompt == "down":
            raise UnavailableError("the backend is down", retry_delay_s=0.01)
        artifact = self.store.put_bytes(request.prompt.encode(), "text/plain")
        record = generation_pb2.GenerationRecord(family="tiny", stage_times=job.stage_times)
        return imager_pb2.GenerateImagesResult(images=[imager_pb2.GeneratedImage(image=artifact, record=record)])

    def generate_batch(
        self, requests: Sequence[imager_pb2.GenerateImagesRequest], jobs: Sequence[JobContext]
    ) -> list[imager_pb2.GenerateImagesResult]:
        self.batch_sizes.append(len(requests))
        return [self.generate(request, job) for request, job in zip(requests, jobs, strict=True)]

    def generate_deferred(
        self, requests: Sequence[imager_pb2.GenerateImagesRequest], jobs: Sequence[JobContext]
    ) -> list[DeferredWork]:
        """Render in the worker, and encode in deferred work."""
        made = self.generate_batch(requests, jobs)
        return [
            DeferredWork(lambda result=result, job=job: self._encode(result, job))
            for result, job in zip(made, jobs, strict=True)
        ]

    def _encode(self, result: imager_pb2.GenerateImagesResult, job: JobContext) -> imager_pb2.GenerateImagesResult:
        self.num_deferred += 1
        self.resume_deferred.wait()
        with job.stage("encode"):
            if self.store.read_bytes(result.images[0].image) == b"broken":
                raise UnavailableError("the encoder is away", retry_delay_s=0.01)
        record = result.images[0].record
        del record.stage_times[:]
        record.stage_times.extend(job.stage_times)
        return result

    def load(self) -> None:
        """Nothing is loaded."""

    def describe(self) -> model_pb2.Model:
        return model_pb2.Model(family="tiny", name="tiny", revision="1")

    def generate_images(self, request: imager_pb2.GenerateImagesRequest) -> Work | BatchWork:
        if request.preset == "batched":
            return BatchWork("batched", request, self.generate_batch, self.estimate_s)
        if request.preset == "deferred":
            return BatchWork(request.prompt, request, self.generate_deferred)
        return Work(lambda job: self.generate(request, job))


def tiny_service(family: TinyFamily, jobs: JobQueue) -> Service:
    return family_service(family, jobs, imager_pb2.DESCRIPTOR)


def request_for(
    prompt: str, request_id: str = "", priority: int = 0, preset: str = ""
) -> imager_pb2.GenerateImagesRequest:
    job = generation_pb2.JobOptions(request_id=request_id or f"id-{prompt}".replace(" ", "-"), priority=priority)  # type: ignore[arg-type]
    return imager_pb2.GenerateImagesRequest(job=job, prompt=prompt, preset=preset)


def image_of(result: imager_pb2.GenerateImagesResult) -> artifact_pb2.Artifact:
    return result.images[0].image


def start(stub: imager_pb2_grpc.ImagerServiceStub, prompt: str, **options: Any) -> "asyncio.Task[Any]":
    """Start a call that is not retried; options as `request_for`."""
    return asyncio.create_task(call_heavy(stub.GenerateImages, request_for(prompt, **options), retry=RetryPolicy({})))


async def until_state(jobs: JobQueue, prompt: str, state: str) -> None:
    """Wait until the job of a prompt is QUEUED, RUNNING or FINISHED."""
    request_id = request_for(prompt).job.request_id
    await eventually(lambda: job_pb2.JobState.Name(jobs.state_of(request_id)) == f"JOB_STATE_{state}")


async def until_reattached(count: int) -> None:
    """Wait until the calls that re-attached to a job of the tiny service are one more than a count."""
    await eventually(lambda: num_reattached() > count)


def num_reattached() -> float:
    return REGISTRY.get_sample_value("lumenmill_jobs_reattached_total", {"queue": "tiny"}) or 0.0
