"""Marigold (Ke et al., CVPR 2024): intrinsic maps of pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from PIL import Image

from lumenmill.common.v1.intrinsics_pb2 import IntrinsicKind, IntrinsicMap
from lumenmill.common.v1.model_pb2 import Model
from lumenmill.relighter.v1.relighter_pb2 import DecomposeRequest, DecomposeResult
from lumenmill_common.errors import InvalidArgumentError, UnavailableError
from lumenmill_common.jobs import BatchWork, DeferredWork, JobContext
from lumenmill_media import read_rgb
from lumenmill_neural.host import ModelHost
from lumenmill_neural.intrinsic_maps import put_map
from lumenmill_neural.marigold import Array, Marigold
from lumenmill_neural.plan import Plan
from lumenmill_relighter.families.family import RelighterFamily
from lumenmill_relighter.families.sizes import sizes_of

__all__ = ["MarigoldMaps"]

_WARM_UP_PX = 64


@dataclass(frozen=True)
class _Task:
    request: DecomposeRequest
    plan: Plan
    kinds: list[int]
    picture: Image.Image


class MarigoldMaps(RelighterFamily):
    """The models of Marigold whose checkpoints exist."""

    def __init__(self, host: ModelHost) -> None:
        super().__init__(host)
        self._marigold = Marigold(host)

    def load(self) -> None:
        """See the base class."""
        self._marigold.load()
        plan = self.host.plan("").with_arguments(num_inference_steps=1)
        self._marigold.maps(plan, [Image.new("RGB", (_WARM_UP_PX, _WARM_UP_PX), "gray")], self._marigold.kinds, 0)

    def describe(self) -> Model:
        """See the base class."""
        return self.host.describe(intrinsic_kinds=self._marigold.kinds)

    def decompose(self, request: DecomposeRequest) -> BatchWork:
        """See the base class."""
        task = self._task(request)
        units = self._marigold.num_steps(task.plan, task.kinds)
        key = (task.plan.key, tuple(task.kinds), task.picture.size, request.seed)
        return BatchWork(key, task, self._run, self.host.throughput.estimate_s(task.plan.preset_name, units))

    def _task(self, request: DecomposeRequest) -> _Task:
        if not request.HasField("image"):
            raise InvalidArgumentError("image", "is missing; this model decomposes pictures")
        if not self._marigold.kinds:
            raise UnavailableError("the model is being loaded")
        missing = [kind for kind in request.kinds if kind not in self._marigold.kinds]
        if missing:
            raise InvalidArgumentError(
                "kinds", f"{_name(missing[0])} is none of {', '.join(map(_name, self._marigold.kinds))}"
            )
        plan = self.host.plan(request.preset)
        picture = read_rgb(self.host.store, request.image, "image", self.limits)
        size_px, _ = sizes_of(self.host.entry, request.width_px, request.height_px, picture.size)
        picture = picture if picture.size == size_px else picture.resize(size_px, Image.Resampling.LANCZOS)
        return _Task(request, plan, list(request.kinds) or self._marigold.kinds, picture)

    def _run(self, tasks: Sequence[_Task], jobs: Sequence[JobContext]) -> list[DeferredWork]:
        plan, kinds, pictures = tasks[0].plan, tasks[0].kinds, [task.picture for task in tasks]
        with self.host.device_work(plan.preset_name, len(tasks) * self._marigold.num_steps(plan, kinds)):
            maps = self._marigold.maps(plan, pictures, kinds, tasks[0].request.seed, jobs)
            executed = self.host.executed(plan.with_arguments(width=pictures[0].width, height=pictures[0].height))
        return [
            DeferredWork(partial(self._finish, task, executed, job, {kind: maps[kind][index] for kind in kinds}))
            for index, (task, job) in enumerate(zip(tasks, jobs, strict=True))
        ]

    def _finish(self, task: _Task, plan: Plan, job: JobContext, maps: dict[int, Array]) -> DecomposeResult:
        with job.stage("encode"):
            stored: list[IntrinsicMap] = [put_map(self.host.store, kind, maps[kind]) for kind in task.kinds]
        record = self.host.record(plan, job, task.request.seed, {})
        if task.request.image.HasField("licence"):
            record.licences.append(task.request.image.licence)
        return DecomposeResult(maps=stored, record=record)


def _name(kind: int) -> str:
    return IntrinsicKind.Name(IntrinsicKind.ValueType(kind))
