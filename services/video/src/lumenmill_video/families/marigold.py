"""Marigold (Ke et al., CVPR 2024) on clips: maps of every frame alone, and how much they change between frames."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lumenmill.common.v1.artifact_pb2 import VideoFacts
from lumenmill.common.v1.intrinsics_pb2 import IntrinsicKind
from lumenmill.common.v1.model_pb2 import Model
from lumenmill.video.v1.video_pb2 import DecomposeVideoRequest, DecomposeVideoResult
from lumenmill_common.errors import InvalidArgumentError, UnavailableError
from lumenmill_common.jobs import BatchWork, DeferredWork, JobContext
from lumenmill_media import MapSink, iter_frames, probe_clip
from lumenmill_neural.host import ModelHost
from lumenmill_neural.intrinsic_maps import map_encoding
from lumenmill_neural.marigold import Array, Marigold, temporal_change
from lumenmill_neural.plan import Plan
from lumenmill_video.families.family import VideoFamily, add_licences
from lumenmill_video.settings import VideoSettings

__all__ = ["MarigoldClips"]

_WARM_UP_PX = 64
# Maps of a frame of 1280 × 720 take 55 MB: those of a clip do not fit into memory.
_CHUNK_FRAMES = 8
_MIN_SIDE_PX = 2

_Sinks = Mapping[int, MapSink]


@dataclass(frozen=True)
class _Task:
    request: DecomposeVideoRequest
    plan: Plan
    kinds: list[int]
    facts: VideoFacts


@dataclass
class _TemporalChange:
    """Mean of `temporal_change` over pairs of successive frames with static pixels, for each map."""

    values: dict[int, list[float]] = field(default_factory=dict)
    _previous_maps: dict[int, Array] = field(default_factory=dict)
    _previous_frame: Image.Image | None = None

    def add(self, maps: dict[int, Array], frames: Sequence[Image.Image]) -> None:
        """Add the next frames and their maps."""
        for index, frame in enumerate(frames):
            now = {kind: data[index] for kind, data in maps.items()}
            if self._previous_frame is not None:
                self._compare(now, frame)
            self._previous_maps, self._previous_frame = now, frame

    def _compare(self, now: dict[int, Array], frame: Image.Image) -> None:
        for kind, data in now.items():
            change = temporal_change(np.stack([self._previous_maps[kind], data]), [self._previous_frame, frame])
            if change is not None:
                self.values.setdefault(kind, []).append(change)

    def parameters(self) -> dict[str, float]:
        """Return the means for the record: `temporal_change_albedo`, and so on."""
        return {f"temporal_change_{_short_name(kind)}": float(np.mean(found)) for kind, found in self.values.items()}


class MarigoldClips(VideoFamily):
    """The models of Marigold whose checkpoints exist."""

    def __init__(self, host: ModelHost, settings: VideoSettings, continuing: Sequence[str] = ()) -> None:
        super().__init__(host, settings, continuing)
        self._marigold = Marigold(host)

    def load(self) -> None:
        """See the base class."""
        self._marigold.load()
        plan = self.host.plan("").with_arguments(num_inference_steps=1)
        self._marigold.maps(plan, [Image.new("RGB", (_WARM_UP_PX, _WARM_UP_PX), "gray")], self._marigold.kinds, 0)

    def describe(self) -> Model:
        """See the base class."""
        model = self.host.describe(intrinsic_kinds=self._marigold.kinds)
        model.limits.max_batch_size = 1  # a request is one clip
        return model

    def decompose_video(self, request: DecomposeVideoRequest) -> BatchWork:
        """See the base class; `scene` and `frames` are ignored."""
        task = self._task(request)
        units = self._num_units(task)
        return BatchWork(object(), task, self._run, self.host.throughput.estimate_s(task.plan.preset_name, units))

    def _task(self, request: DecomposeVideoRequest) -> _Task:
        if not request.HasField("video"):
            raise InvalidArgumentError("video", "this model decomposes clips; send one")
        known = self._marigold.kinds
        if not known:
            raise UnavailableError("the model is being loaded")
        for index, kind in enumerate(request.kinds):
            if kind not in known:
                raise InvalidArgumentError(f"kinds[{index}]", f"is none of {', '.join(map(_short_name, known))}")
        plan, entry = self.host.plan(request.preset), self.host.entry
        facts = probe_clip(self.host.store, request.video, "video", entry.max_num_frames, self.limits)
        sides = facts.width_px, facts.height_px
        if min(sides) < _MIN_SIDE_PX or max(sides) > entry.max_side_px:
            raise InvalidArgumentError(
                "video",
                f"has {facts.width_px}×{facts.height_px} pixels; sides of {_MIN_SIDE_PX} to {entry.max_side_px}",
            )
        return _Task(request, plan, list(request.kinds) or known, facts)

    def _num_units(self, task: _Task) -> float:
        """Return the number of denoiser calls; Marigold always works at one size."""
        return float(task.facts.num_frames * self._marigold.num_steps(task.plan, task.kinds))

    def _run(self, tasks: Sequence[_Task], jobs: Sequence[JobContext]) -> list[DeferredWork]:
        (task,), (job,) = tasks, jobs
        with ExitStack() as resources:
            folder = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="lumenmill-maps-")))
            size_px = task.facts.width_px, task.facts.height_px
            sinks = {kind: MapSink(folder, kind, size_px, map_encoding(kind)) for kind in task.kinds}
            changes = _TemporalChange()
            self.host.device.start_peak()
            with self.host.device_work(task.plan.preset_name, self._num_units(task)):
                self._compute(task, jobs, sinks, changes)
                executed = self.host.executed(task.plan)
            kept_resources = resources.pop_all()
        return [DeferredWork(partial(self._finish, task, executed, job, sinks, changes, kept_resources))]

    def _compute(self, task: _Task, jobs: Sequence[JobContext], sinks: _Sinks, changes: _TemporalChange) -> None:
        """Compute the maps in chunks of frames; a chunk is packed while the device computes the next one."""

        def pack(maps: dict[int, Array], frames: Sequence[Image.Image]) -> None:
            changes.add(maps, frames)
            for kind, data in maps.items():
                for data_hwc in data:
                    sinks[kind].add(data_hwc)

        chunks = [min(_CHUNK_FRAMES, task.facts.num_frames - first) for first in _chunk_starts(task.facts.num_frames)]
        steps = self._marigold.steps_for(task.plan, task.kinds, chunks, jobs)
        with ThreadPoolExecutor(1) as packer:
            packed: Future[None] | None = None
            for frames in _chunked(iter_frames(self.host.store, task.request.video, "video", self.limits)):
                maps = self._marigold.maps(task.plan, frames, task.kinds, task.request.seed, jobs, steps=steps)
                if packed is not None:
                    packed.result()
                packed = packer.submit(pack, maps, frames)
            if packed is not None:
                packed.result()

    def _finish(
        self,
        task: _Task,
        plan: Plan,
        job: JobContext,
        sinks: _Sinks,
        changes: _TemporalChange,
        resources: ExitStack,
    ) -> DecomposeVideoResult:
        facts = task.facts
        with resources, job.stage("encode"):
            maps = [sink.finish(self.host.store, facts.fps) for sink in sinks.values()]
        parameters: dict[str, Any] = {
            "width": facts.width_px,
            "height": facts.height_px,
            "num_frames": facts.num_frames,
            "fps": facts.fps,
            **changes.parameters(),
        }
        record = self.host.record(plan, job, task.request.seed, parameters)
        add_licences(record, [task.request.video])
        return DecomposeVideoResult(maps=maps, record=record)


def _chunk_starts(num_frames: int) -> range:
    return range(0, num_frames, _CHUNK_FRAMES)


def _chunked(frames: Iterator[Image.Image]) -> Iterator[list[Image.Image]]:
    while chunk := list(islice(frames, _CHUNK_FRAMES)):
        yield chunk


def _short_name(kind: int) -> str:
    return IntrinsicKind.Name(IntrinsicKind.ValueType(kind)).removeprefix("INTRINSIC_KIND_").lower()
