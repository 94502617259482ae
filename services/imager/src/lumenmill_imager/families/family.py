"""The base class of all families of the imager: plan, batch, record."""

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from PIL import Image

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.common.v1.light_pb2 import LightKind
from lumenmill.common.v1.model_pb2 import Model, TextInput
from lumenmill.imager.v1 import imager_pb2
from lumenmill_common.artifacts import digest_of
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.jobs import BatchWork, DeferredWork, JobContext
from lumenmill_media import put_png
from lumenmill_neural.host import ModelHost
from lumenmill_neural.memory import run_in_batches
from lumenmill_neural.plan import Plan
from lumenmill_neural.requests import checked_sampling, checked_size, refuse, seeds_from
from lumenmill_neural.stages import Steps, timed_stages

__all__ = ["ImageInputs", "ImagerFamily"]

_Request = imager_pb2.GenerateImagesRequest
_WARM_UP_STEPS = 2


@dataclass(frozen=True)
class ImageInputs:
    """What one image is made from."""

    prompt: str
    negative_prompt: str
    seed: int


class ImagerFamily(ABC):
    """A diffusers pipeline behind the imager contract. A subclass adds its pipeline class and its call arguments."""

    pipeline_class: Any
    text_input: TextInput.ValueType = TextInput.TEXT_INPUT_DESCRIPTION
    """Kind of text that the model was trained on."""
    has_negative_prompt = True
    """Whether the pipeline takes a negative prompt."""

    def __init__(self, host: ModelHost) -> None:
        self.host = host

    # As lumenmill_common.families.Family.

    def load(self) -> None:
        """Load the pipeline and make a first picture, which compiles and tunes the model."""
        self.pipe = self.host.load_pipeline(self.pipeline_class, set_up=self.set_up, **self.parts())
        plan = self.host.plan("")
        if self.host.device.is_cpu:
            side = 8 * self.host.entry.size_multiple_px
            plan = plan.with_arguments(width=side, height=side)
        self.host.prepare(self.pipe, plan)
        plan = plan.with_arguments(num_inference_steps=_WARM_UP_STEPS)
        steps = Steps([], _WARM_UP_STEPS, self.host.device)
        self.host.warm_up(lambda: self.pictures(plan, [ImageInputs("light", "", 0)], steps))

    def describe(self) -> Model:
        """Return the model for GetModel."""
        return self.host.describe(light_kinds=[LightKind.LIGHT_KIND_TEXT], text_input=self.text_input)

    def generate_images(self, request: _Request) -> BatchWork:
        """Return the images of a request as work.

        Raises:
            InvalidArgumentError: the model cannot do what the request asks for; names the field.
        """
        plan = self.plan(request)
        shared = [*request.adapters, *self.conditions(request).values()]
        units = plan.arguments["num_inference_steps"] * (request.num_images or 1) * _megapixels(plan)
        return BatchWork(
            key=(plan.key, tuple(message.SerializeToString(deterministic=True) for message in shared)),
            payload=request,
            run_batch=self._run,
            estimate_s=self.host.throughput.estimate_s(plan.preset_name, units),
        )

    # For subclasses.

    def parts(self) -> dict[str, Any]:
        """Return the parts that the pipeline is loaded with besides those of its checkpoint."""
        return {}

    def set_up(self, pipe: Any) -> None:  # noqa: B027 - most families change nothing
        """Change the pipeline before its weights are moved to the device: its scheduler, for example."""

    def conditions(self, request: _Request) -> dict[str, Artifact]:
        """Return the pictures of a request that condition the call, by the name of their field.

        Requests of one batch have the same ones; the record names them.
        """
        return {}

    def plan(self, request: _Request) -> Plan:
        """Return all arguments in effect; errors as `generate_images`."""
        if not request.prompt.strip():
            raise InvalidArgumentError("prompt", "this model makes images from words; describe what to show")
        refuse(request, *self.refused())
        if request.light.sources and not request.light.text:
            raise InvalidArgumentError("light.text", "this model takes light as words only; describe it")
        plan = self.host.plan(request.preset)
        default_px = plan.arguments["width"], plan.arguments["height"]
        width, height = checked_size(self.host.entry, request.width_px, request.height_px, default_px)
        sampling = checked_sampling(
            request.sampling if request.HasField("sampling") else None,
            has_guidance=self.host.entry.options.get("has_guidance", True),
        )
        return plan.with_arguments(width=width, height=height, **sampling)

    def refused(self) -> list[tuple[str, str]]:
        """Return the fields that the model does not take, and what to do instead."""
        return [
            ("camera", "this model takes no viewpoint; describe it in the prompt"),
            ("identity_image", "this model does not preserve an identity; leave it out"),
            ("control_image", "this model is not conditioned on structure; leave it out"),
            ("display", "this model renders nothing that could be exposed; leave it out"),
        ]

    def arguments(self, plan: Plan, request: _Request) -> dict[str, Any]:
        """Return the call arguments, except for prompts, generators and callbacks. Called in the worker.

        Raises:
            InvalidArgumentError: a picture of the request cannot be read; names the field.
        """
        return dict(plan.arguments)

    def pictures(
        self, plan: Plan, inputs: Sequence[ImageInputs], steps: Steps, arguments: dict[str, Any] | None = None
    ) -> list[Image.Image]:
        """Call the pipeline once and return a picture for each of the inputs, each from its own seed."""
        call = arguments if arguments is not None else self.arguments(plan, _Request(prompt="light"))
        if self.has_negative_prompt:
            call = call | {"negative_prompt": [each.negative_prompt for each in inputs]}
        output = self.pipe(
            prompt=[each.prompt for each in inputs],
            generator=[self.host.device.generator(each.seed) for each in inputs],
            callback_on_step_end=steps,
            output_type="pil",
            **call,
        )
        return list(output.images)

    # Execution of a batch.

    def _run(self, requests: Sequence[_Request], jobs: Sequence[JobContext]) -> list[DeferredWork]:
        plan, first = self.plan(requests[0]), requests[0]
        inputs = [_inputs_of(request) for request in requests]
        flat = [each for of_request in inputs for each in of_request]
        num_steps = plan.arguments["num_inference_steps"] * -(-len(flat) // self.host.max_batch_size)
        steps = Steps(jobs, num_steps, self.host.device)
        self.host.prepare(self.pipe, plan, first.adapters)
        arguments = self.arguments(plan, first)
        size = f"one image of {plan.arguments['width']}×{plan.arguments['height']} pixels"
        units = plan.arguments["num_inference_steps"] * len(flat) * _megapixels(plan)
        with self.host.device_work(plan.preset_name, units), timed_stages(self.pipe, jobs, self.host.device):
            pictures = run_in_batches(
                flat,
                self.host.max_batch_size,
                lambda batch: self.pictures(plan, batch, steps, arguments),
                self.host,
                size,
            )
            executed = self.host.executed(plan)
        made = iter(pictures)
        return [
            DeferredWork(partial(self._finish, request, executed, job, [(each, next(made)) for each in of_request]))
            for request, job, of_request in zip(requests, jobs, inputs, strict=True)
        ]

    def _finish(
        self, request: _Request, plan: Plan, job: JobContext, made: list[tuple[ImageInputs, Image.Image]]
    ) -> imager_pb2.GenerateImagesResult:
        """Encode and store the pictures, while the device computes the next batch."""
        with job.stage("encode"):
            images = [put_png(self.host.store, picture) for _, picture in made]
        conditions = self.conditions(request)
        digests = {name: digest_of(artifact) for name, artifact in conditions.items()}
        result = imager_pb2.GenerateImagesResult()
        for (inputs, _), image in zip(made, images, strict=True):
            record = self.host.record(plan, job, inputs.seed, digests, request.adapters)
            record.licences.extend(each.licence for each in conditions.values() if each.HasField("licence"))
            if request.HasField("light"):
                record.light.CopyFrom(request.light)
            result.images.add(image=image, record=record)
        return result


def _inputs_of(request: _Request) -> list[ImageInputs]:
    prompt = request.prompt
    if request.light.text and request.light.text.lower() not in prompt.lower():
        prompt = f"{prompt.rstrip(' .')}, {request.light.text}"
    seeds = seeds_from(request.seed, request.num_images or 1)
    return [ImageInputs(prompt, request.negative_prompt, seed) for seed in seeds]


def _megapixels(plan: Plan) -> float:
    return float(plan.arguments["width"] * plan.arguments["height"] / 1e6)
