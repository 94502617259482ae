"""What every family that makes variants of a picture does in the same way: read, plan, batch, record."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import partial
from typing import Any

from lumenmill.common.v1.artifact_pb2 import Artifact, Licence
from lumenmill.common.v1.light_pb2 import Light, LightKind
from lumenmill.common.v1.model_pb2 import Model
from lumenmill.relighter.v1.relighter_pb2 import RelightRequest, RelightResult, RelightVariant
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.jobs import BatchWork, DeferredWork, JobContext
from lumenmill_media import put_png, read_rgb
from lumenmill_neural.memory import run_in_batches
from lumenmill_neural.plan import Plan
from lumenmill_neural.requests import checked_sampling, refuse
from lumenmill_neural.stages import Steps, timed_stages
from PIL import Image

from lumenmill_relighter.families.family import RelighterFamily
from lumenmill_relighter.families.sizes import Size, sizes_of
from lumenmill_relighter.light import Lighting, lighting_of

__all__ = ["EditingFamily", "Item"]

_WARM_UP_STEPS = 2


@dataclass(frozen=True)
class Item:
    """One variant to make of a picture, which has the size that the model works at."""

    prompt: str
    seed: int
    picture: Image.Image
    given: dict[str, Image.Image] = dataclass_field(default_factory=dict)
    """Further pictures that the family works from, by its own names."""


@dataclass(frozen=True)
class _Task:
    request: RelightRequest
    plan: Plan
    result_px: Size
    items: list[Item]


class EditingFamily(RelighterFamily):
    """A diffusers pipeline that makes variants of a picture. What a family adds: its class, how it says a light, and
    the arguments of its calls."""

    pipeline_class: Any
    takes_words_alone = True
    """Whether words are all that it takes of a light."""
    takes_environment = False
    takes_depth = False
    behind_transparency = "white"
    """Colour over which transparent parts of the picture lie."""
    guidance_argument = "guidance_scale"

    # For the service.

    def load(self) -> None:
        """See the base class."""
        self.pipe = self.host.load_pipeline(self.pipeline_class, set_up=self.set_up, **self.parts())
        side = 8 * self.host.entry.size_multiple_px if self.host.device.is_cpu else self.host.entry.max_side_px // 2
        side -= side % self.host.entry.size_multiple_px
        plan = self.host.plan("").with_arguments(width=side, height=side, num_inference_steps=_WARM_UP_STEPS)
        self.host.prepare(self.pipe, plan)
        item = Item("light", 0, Image.new("RGB", (side, side), "gray"))
        steps = Steps([], _WARM_UP_STEPS, self.host.device)
        self.host.warm_up(lambda: self.pictures(plan, self.completed([item]), steps))

    def describe(self) -> Model:
        """See the base class."""
        return self.host.describe(light_kinds=self.light_kinds())

    def relight(self, request: RelightRequest) -> BatchWork:
        """See the base class."""
        task = self._task(request)
        adapters = tuple(adapter.SerializeToString(deterministic=True) for adapter in request.adapters)
        estimate_s = self.host.throughput.estimate_s(task.plan.preset_name, _units(task.plan, len(task.items)))
        return BatchWork((task.plan.key, adapters), task, self._run, estimate_s)

    # For families.

    def parts(self) -> dict[str, Any]:
        """Parts that the pipeline is loaded with besides those of its checkpoint."""
        return {}

    def set_up(self, pipe: Any) -> None:
        """Changes the loaded pipeline before it is placed: its scheduler, say."""

    def light_kinds(self) -> list[LightKind.ValueType]:
        """Kinds of light that reach the model as what they are. Of the others it is told in words."""
        return [LightKind.LIGHT_KIND_TEXT]

    @abstractmethod
    def prompt(self, variant: RelightVariant, lighting: Lighting | None, field: str) -> str:
        """Words for the model.

        Raises:
            InvalidArgumentError: the variant lacks what the model needs; names the field.
        """

    def shared(self, request: RelightRequest, work_px: Size) -> dict[str, Image.Image]:
        """Further pictures that all variants of a request are made from. Errors as `prompt`."""
        return {}

    def given(
        self, variant: RelightVariant, lighting: Lighting | None, work_px: Size, field: str
    ) -> dict[str, Image.Image]:
        """Further pictures of one variant. Errors as `prompt`."""
        return {}

    def completed(self, items: list[Item], job: JobContext | None = None) -> list[Item]:
        """Items of one picture with what has to be worked out first, in the worker. No job: it is not told of."""
        return items

    @abstractmethod
    def arguments(self, plan: Plan, items: Sequence[Item]) -> dict[str, Any]:
        """Arguments of the pipeline's call, but for prompts, generators and what reports steps."""

    def num_steps(self, plan: Plan) -> int:
        """Steps that the pipeline really makes."""
        return int(plan.arguments["num_inference_steps"])

    def pictures(self, plan: Plan, items: Sequence[Item], steps: Steps) -> list[Image.Image]:
        """One call of the pipeline: a picture for each item, each from its own seed."""
        made = self.pipe(
            prompt=[item.prompt for item in items],
            generator=[self.host.device.generator(item.seed) for item in items],
            callback_on_step_end=steps,
            output_type="pil",
            **self.arguments(plan, items),
        )
        return list(made.images)

    # Reading a request.

    def _task(self, request: RelightRequest) -> _Task:
        if not request.HasField("image"):
            raise InvalidArgumentError("image", "is missing; this model makes variants of a picture")
        if not self.takes_depth:
            refuse(request, ("depth", "this model is not conditioned on depth; leave it out"))
        sampling = checked_sampling(request.sampling if request.HasField("sampling") else None)
        sampling[self.guidance_argument] = sampling.pop("guidance_scale")
        plan = self.host.plan(request.preset).with_arguments(**sampling)
        picture = read_rgb(self.host.store, request.image, "image", self.limits, over=self.behind_transparency)
        work_px, result_px = sizes_of(self.host.entry, request.width_px, request.height_px, picture.size)
        picture = picture.resize(work_px, Image.Resampling.LANCZOS) if picture.size != work_px else picture
        shared = self.shared(request, work_px)
        items = [self._item(request, index, picture, shared) for index in range(len(request.variants))]
        return _Task(request, plan.with_arguments(width=work_px[0], height=work_px[1]), result_px, items)

    def _item(self, request: RelightRequest, index: int, picture: Image.Image, shared: dict[str, Image.Image]) -> Item:
        variant, name = request.variants[index], f"variants[{index}]"
        if variant.camera.HasField("path"):
            raise InvalidArgumentError(f"{name}.camera.path", "a picture has no camera move; leave it out")
        if variant.HasField("camera") and not variant.edit_prompt.strip():
            raise InvalidArgumentError(
                f"{name}.camera", "this model knows only words; say the viewpoint in `edit_prompt`"
            )
        if variant.HasField("environment") and not self.takes_environment:
            raise InvalidArgumentError(f"{name}.environment", "this model takes none; say it in `edit_prompt`")
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
        return Item(prompt, request.seed, picture, shared | self.given(variant, lighting, picture.size, name))

    # The walk of a batch.

    def _run(self, tasks: Sequence[_Task], jobs: Sequence[JobContext]) -> list[DeferredWork]:
        plan, adapters = tasks[0].plan, tasks[0].request.adapters
        steps_each = self.num_steps(plan)
        num_items = sum(len(task.items) for task in tasks)
        steps = Steps(jobs, steps_each * -(-num_items // self.host.max_batch_size), self.host.device)
        self.host.prepare(self.pipe, plan, adapters)
        size = f"one picture of {plan.arguments['width']}×{plan.arguments['height']} pixels"
        with self.host.device_work(plan.preset_name, _units(plan, num_items)):
            items = [self.completed(task.items, job) for task, job in zip(tasks, jobs, strict=True)]
            flat = [item for of_task in items for item in of_task]
            with timed_stages(self.pipe, jobs, self.host.device):
                made = run_in_batches(
                    flat, self.host.max_batch_size, lambda batch: self.pictures(plan, batch, steps), self.host, size
                )
            ran = self.host.executed(plan)
        pictures = iter(made)
        return [
            DeferredWork(partial(self._finish, task, ran, job, [(item, next(pictures)) for item in of_task]))
            for task, job, of_task in zip(tasks, jobs, items, strict=True)
        ]

    def _finish(self, task: _Task, plan: Plan, job: JobContext, made: list[tuple[Item, Image.Image]]) -> RelightResult:
        """Encodes and stores, while the device is at work on the next batch."""
        with job.stage("encode"):
            images = [put_png(self.host.store, _of_size(picture, task.result_px)) for _, picture in made]
        result = RelightResult()
        for (item, _), image, variant in zip(made, images, task.request.variants, strict=True):
            record = self.host.record(plan, job, item.seed, {"prompt": item.prompt}, task.request.adapters)
            record.licences.extend(_terms(task.request, variant))
            if variant.HasField("light"):
                record.light.CopyFrom(variant.light)
            result.variants.add(image=image, record=record)
        return result


def _of_size(picture: Image.Image, size_px: Size) -> Image.Image:
    return picture if picture.size == size_px else picture.resize(size_px, Image.Resampling.LANCZOS)


def _units(plan: Plan, num_items: int) -> float:
    """Steps × megapixels."""
    pixels = plan.arguments["width"] * plan.arguments["height"]
    return float(plan.arguments["num_inference_steps"] * num_items * pixels / 1e6)


def _terms(request: RelightRequest, variant: RelightVariant) -> list[Licence]:
    """Terms of what came from outside, as whoever brought it stated them."""
    artifacts = [request.image, request.depth, variant.environment, *_assets_of(variant.light)]
    found: list[Licence] = []
    for artifact in artifacts:
        if artifact.HasField("licence") and artifact.licence not in found:
            found.append(artifact.licence)
    return found


def _assets_of(light: Light) -> list[Artifact]:
    maps = [source.environment_map.map for source in light.sources if source.HasField("environment_map")]
    return maps + [source.background.image for source in light.sources if source.HasField("background")]
