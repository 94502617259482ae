"""The base class of families that make variants of a picture: read, plan, batch, record."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from functools import partial
from typing import Any

from PIL import Image

from lumenmill.common.v1.artifact_pb2 import Artifact, Licence
from lumenmill.common.v1.light_pb2 import Light, LightKind
from lumenmill.common.v1.model_pb2 import Model, TextInput
from lumenmill.relighter.v1.relighter_pb2 import RelightRequest, RelightResult, RelightVariant
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.jobs import BatchWork, DeferredWork, JobContext
from lumenmill_common.work import Outcome
from lumenmill_media import put_png, read_rgb
from lumenmill_neural.memory import run_in_batches
from lumenmill_neural.plan import Plan
from lumenmill_neural.requests import checked_sampling, refuse
from lumenmill_neural.stages import Steps, timed_stages
from lumenmill_relighter.families.family import RelighterFamily
from lumenmill_relighter.families.prompts import TEXT_FIELDS
from lumenmill_relighter.families.sizes import Size, sizes_of
from lumenmill_relighter.light import Lighting, lighting_of

__all__ = ["EditingFamily", "VariantInputs"]

_WARM_UP_STEPS = 2


@dataclass(frozen=True)
class VariantInputs:
    """What one variant is made from."""

    prompt: str
    seed: int
    picture: Image.Image
    """The picture of the request, in the size that the model works at."""
    pictures: dict[str, Image.Image] = dataclass_field(default_factory=dict)
    """Further pictures, by the names of the family."""
    parameters: dict[str, str] = dataclass_field(default_factory=dict)
    """Parameters for the record, in addition to those of the plan."""


@dataclass(frozen=True)
class _Task:
    request: RelightRequest
    plan: Plan
    result_px: Size
    inputs: list[VariantInputs]


class EditingFamily(RelighterFamily):
    """A diffusers pipeline that makes variants of a picture.

    A subclass adds its pipeline class, the kind of its text, its words for a light, and its call arguments.
    """

    pipeline_class: Any
    takes_words_alone = True
    """Whether the model takes light as words only."""
    takes_environment = False
    takes_depth = False
    takes_matte = False
    guidance_argument = "guidance_scale"

    # As lumenmill_common.families.Family.

    def load(self) -> None:
        """See the base class."""
        self.pipe = self.host.load_pipeline(self.pipeline_class, set_up=self.set_up, **self.parts())
        side = 8 * self.host.entry.size_multiple_px if self.host.device.is_cpu else self.host.entry.max_side_px // 2
        side -= side % self.host.entry.size_multiple_px
        plan = self.host.plan("").with_arguments(width=side, height=side, num_inference_steps=_WARM_UP_STEPS)
        self.host.prepare(self.pipe, plan)
        inputs = VariantInputs("light", 0, Image.new("RGB", (side, side), "gray"))
        steps = Steps([], _WARM_UP_STEPS, self.host.device)
        self.host.warm_up(lambda: self.pictures(plan, self.prepared([inputs]), steps))

    def describe(self) -> Model:
        """See the base class."""
        return self.host.describe(light_kinds=self.light_kinds(), text_input=self.text_input)

    def relight(self, request: RelightRequest) -> BatchWork:
        """See the base class."""
        task = self._task(request)
        adapters = tuple(adapter.SerializeToString(deterministic=True) for adapter in request.adapters)
        estimate_s = self.host.throughput.estimate_s(task.plan.preset_name, _units(task.plan, len(task.inputs)))
        return BatchWork((task.plan.key, adapters), task, self._run, estimate_s)

    # For subclasses.

    def parts(self) -> dict[str, Any]:
        """Return the parts that the pipeline is loaded with besides those of its checkpoint."""
        return {}

    def set_up(self, pipe: Any) -> None:
        """Change the pipeline before its weights are moved to the device: its scheduler, for example."""

    def light_kinds(self) -> list[LightKind.ValueType]:
        """Return the kinds of light that reach the model other than as words."""
        return [LightKind.LIGHT_KIND_TEXT]

    @abstractmethod
    def prompt(self, variant: RelightVariant, lighting: Lighting | None, field: str) -> str:
        """Return the prompt of a variant.

        Raises:
            InvalidArgumentError: the variant lacks what the model needs; names the field.
        """

    def picture_of(self, request: RelightRequest) -> tuple[Image.Image, dict[str, str]]:
        """Return the picture of a request at its full size, and parameters for the record; errors as `prompt`."""
        return read_rgb(self.host.store, request.image, "image", self.limits), {}

    def resized(self, picture: Image.Image, work_px: Size, *, is_requested: bool) -> Image.Image:
        """Return a picture in the size that the model works at; that of the request, or one near its own."""
        return picture.resize(work_px, Image.Resampling.LANCZOS)

    def shared_pictures(self, request: RelightRequest, work_px: Size) -> dict[str, Image.Image]:
        """Return further pictures that all variants of a request are made from; errors as `prompt`."""
        return {}

    def variant_pictures(
        self, variant: RelightVariant, lighting: Lighting | None, work_px: Size, field: str
    ) -> dict[str, Image.Image]:
        """Return further pictures of one variant; errors as `prompt`."""
        return {}

    def prepared(self, inputs: list[VariantInputs], job: JobContext | None = None) -> list[VariantInputs]:
        """Return the inputs of one picture, with further pictures that the worker computes first.

        `job` is None in the first call, while the model is loaded. Raises InvalidArgumentError, which fails this job
        and no other of its batch.
        """
        return inputs

    @abstractmethod
    def arguments(self, plan: Plan, inputs: Sequence[VariantInputs]) -> dict[str, Any]:
        """Return the call arguments, except for prompts, generators and callbacks."""

    def num_steps(self, plan: Plan) -> int:
        """Return the number of steps that the pipeline makes."""
        return int(plan.arguments["num_inference_steps"])

    def pipeline_for(self, inputs: Sequence[VariantInputs]) -> Any:
        """Return the pipeline that makes the pictures of inputs."""
        return self.pipe

    def pictures(self, plan: Plan, inputs: Sequence[VariantInputs], steps: Steps) -> list[Image.Image]:
        """Call the pipeline once and return a picture for each of the inputs, each from its own seed."""
        made = self.pipeline_for(inputs)(
            prompt=[each.prompt for each in inputs],
            generator=[self.host.device.generator(each.seed) for each in inputs],
            callback_on_step_end=steps,
            output_type="pil",
            **self.arguments(plan, inputs),
        )
        return list(made.images)

    # Reading a request.

    def _task(self, request: RelightRequest) -> _Task:
        if not request.HasField("image"):
            raise InvalidArgumentError("image", "is missing; this model makes variants of a picture")
        refuse(request, ("display", "this model renders nothing that could be exposed; leave it out"))
        if not self.takes_depth:
            refuse(request, ("depth", "this model is not conditioned on depth; leave it out"))
        if not self.takes_matte:
            refuse(request, ("matte", "this model relights whole pictures; leave it out"))
        sampling = checked_sampling(request.sampling if request.HasField("sampling") else None)
        sampling[self.guidance_argument] = sampling.pop("guidance_scale")
        plan = self.host.plan(request.preset).with_arguments(**sampling)
        picture, parameters = self.picture_of(request)
        work_px, result_px = sizes_of(self.host.entry, request.width_px, request.height_px, picture.size)
        if picture.size != work_px:
            picture = self.resized(picture, work_px, is_requested=bool(request.width_px or request.height_px))
        shared = self.shared_pictures(request, work_px)
        inputs = [
            replace(self._inputs_of(request, index, picture, shared), parameters=parameters)
            for index in range(len(request.variants))
        ]
        return _Task(request, plan.with_arguments(width=work_px[0], height=work_px[1]), result_px, inputs)

    def _inputs_of(
        self, request: RelightRequest, index: int, picture: Image.Image, shared: dict[str, Image.Image]
    ) -> VariantInputs:
        variant, name = request.variants[index], f"variants[{index}]"
        self._check_camera(variant, f"{name}.camera")
        if variant.HasField("environment") and not self.takes_environment:
            problem = f"this model takes none; describe it in `{TEXT_FIELDS[self.text_input]}`"
            raise InvalidArgumentError(f"{name}.environment", problem)
        lighting = None
        if variant.HasField("light"):
            lighting = lighting_of(
                variant.light,
                self.host.store,
                f"{name}.light",
                self.limits.max_bytes,
                words_are_enough=self.takes_words_alone,
            )
        prompt = self.prompt(variant, lighting, name)
        return VariantInputs(
            prompt, request.seed, picture, shared | self.variant_pictures(variant, lighting, picture.size, name)
        )

    def _check_camera(self, variant: RelightVariant, field: str) -> None:
        """Accept a viewpoint only beside an instruction that has it in words; other models keep that of the picture."""
        if variant.camera.HasField("path"):
            raise InvalidArgumentError(f"{field}.path", "a picture has no camera move; leave it out")
        if not variant.HasField("camera"):
            return
        if self.text_input != TextInput.TEXT_INPUT_INSTRUCTION:
            raise InvalidArgumentError(field, "this model keeps the viewpoint of the picture; leave it out")
        if not variant.edit_prompt.strip():
            raise InvalidArgumentError(field, "this model takes only words; describe the viewpoint in `edit_prompt`")

    # Execution of a batch.

    def _run(self, tasks: Sequence[_Task], jobs: Sequence[JobContext]) -> list[Outcome]:
        plan, adapters = tasks[0].plan, tasks[0].request.adapters
        steps_each = self.num_steps(plan)
        num_variants = sum(len(task.inputs) for task in tasks)
        steps = Steps(jobs, steps_each * -(-num_variants // self.host.max_batch_size), self.host.device)
        self.host.prepare(self.pipe, plan, adapters)
        size = f"one picture of {plan.arguments['width']}×{plan.arguments['height']} pixels"
        # No units: mattes take the CPU as long for few steps as for many, and would spoil the measured throughput.
        with self.host.device_work(plan.preset_name, 0.0):
            prepared = [self._prepared(task, job) for task, job in zip(tasks, jobs, strict=True)]
        flat = [each for of_task in prepared if isinstance(of_task, list) for each in of_task]
        if not flat:
            return [each for each in prepared if isinstance(each, InvalidArgumentError)]
        with self.host.device_work(plan.preset_name, _units(plan, len(flat))):
            with timed_stages(self.pipe, jobs, self.host.device):
                made = run_in_batches(
                    flat, self.host.max_batch_size, lambda batch: self.pictures(plan, batch, steps), self.host, size
                )
            executed = self.host.executed(plan)
        pictures = iter(made)
        return [
            DeferredWork(partial(self._finish, task, executed, job, [(each, next(pictures)) for each in of_task]))
            if isinstance(of_task, list)
            else of_task
            for task, job, of_task in zip(tasks, jobs, prepared, strict=True)
        ]

    def _prepared(self, task: _Task, job: JobContext) -> list[VariantInputs] | InvalidArgumentError:
        try:
            return self.prepared(task.inputs, job)
        except InvalidArgumentError as error:
            return error

    def _finish(
        self, task: _Task, plan: Plan, job: JobContext, made: list[tuple[VariantInputs, Image.Image]]
    ) -> RelightResult:
        """Encode and store the pictures, while the device computes the next batch."""
        with job.stage("encode"):
            images = [put_png(self.host.store, _of_size(picture, task.result_px)) for _, picture in made]
        result = RelightResult()
        for (each, _), image, variant in zip(made, images, task.request.variants, strict=True):
            parameters = {"prompt": each.prompt, **each.parameters}
            record = self.host.record(plan, job, each.seed, parameters, task.request.adapters)
            record.licences.extend(_terms(task.request, variant))
            if variant.HasField("light"):
                record.light.CopyFrom(variant.light)
            result.variants.add(image=image, record=record)
        return result


def _of_size(picture: Image.Image, size_px: Size) -> Image.Image:
    return picture if picture.size == size_px else picture.resize(size_px, Image.Resampling.LANCZOS)


def _units(plan: Plan, num_variants: int) -> float:
    """Return steps × megapixels."""
    pixels = plan.arguments["width"] * plan.arguments["height"]
    return float(plan.arguments["num_inference_steps"] * num_variants * pixels / 1e6)


def _terms(request: RelightRequest, variant: RelightVariant) -> list[Licence]:
    """Return the licences that the request states for its artifacts."""
    artifacts = [request.image, request.depth, request.matte, variant.environment, *_assets_of(variant.light)]
    found: list[Licence] = []
    for artifact in artifacts:
        if artifact.HasField("licence") and artifact.licence not in found:
            found.append(artifact.licence)
    return found


def _assets_of(light: Light) -> list[Artifact]:
    maps = [source.environment_map.map for source in light.sources if source.HasField("environment_map")]
    return maps + [source.background.image for source in light.sources if source.HasField("background")]
