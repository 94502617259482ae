"""The base class of families that make clips: check, plan, batch, encode, record."""

import statistics
import time
from abc import abstractmethod
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.common.v1.light_pb2 import LightKind
from lumenmill.common.v1.model_pb2 import Model, TextInput
from lumenmill.video.v1.video_pb2 import GenerateVideoRequest, GenerateVideoResult
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.jobs import BatchWork, DeferredWork, JobContext
from lumenmill_common.requests import refuse
from lumenmill_media import apply_encoding, put_clip, put_png, read_rgb
from lumenmill_neural.memory import run_in_batches
from lumenmill_neural.plan import Plan
from lumenmill_neural.requests import checked_num_frames, checked_sampling
from lumenmill_neural.stages import DECODE, Steps, timed_stages
from lumenmill_video.families.clip import Clip, Frames, Media, OnStep, PendingFrames, Pixels, SourceShape
from lumenmill_video.families.encoding import encoding_of
from lumenmill_video.families.family import VideoFamily, add_licences
from lumenmill_video.families.refusals import MEDIA_REFUSALS, WORD_REFUSALS, is_set
from lumenmill_video.families.segments import frame_file, num_frames_of, segments_of
from lumenmill_video.families.shape import size_of
from lumenmill_video.families.words import check_words, prompt_of

__all__ = ["ClipFamily"]

ResultT = TypeVar("ResultT")
_WARM_UP_STEPS = 2


class ClipFamily(VideoFamily):
    """A diffusers pipeline behind GenerateVideo. A subclass adds its pipeline class, media and call arguments."""

    pipeline_class: Any
    takes: frozenset[str] = frozenset()
    """Fields of the request for media that it takes."""
    needs: tuple[str, ...]
    """Fields of which at least one must be set, the usual one first."""
    needs_text: str
    """What to do if none is set."""
    text_input = TextInput.TEXT_INPUT_DESCRIPTION
    frame_step = 1
    """Clips have one frame more than a multiple of this number."""
    min_num_frames = 1
    own_arguments: frozenset[str] = frozenset({"fps"})
    """Arguments of presets that are not passed to the pipeline."""

    # As lumenmill_common.families.Family.

    def load(self) -> None:
        """See the base class."""
        self.pipe = self.host.load_pipeline(self.pipeline_class, **self.parts())
        clip = Clip(GenerateVideoRequest(), self._warm_up_plan(), "light")
        self.host.prepare(self.pipe, clip.plan)
        steps = Steps([], _WARM_UP_STEPS, self.host.device)
        self.host.warm_up(lambda: self.frames(self.for_offload(clip.plan), [clip], [self.blank_media(clip)], steps))

    def describe(self) -> Model:
        """See the base class."""
        light_kinds = [LightKind.LIGHT_KIND_TEXT] if self.takes_words else []
        model = self.host.describe(light_kinds=light_kinds, text_input=self.text_input)
        model.limits.max_batch_size = 1  # a request is one clip
        model.continues_clips = self.continues(self.host.entry)
        for shown in model.presets:
            shown.parameters.update(self.with_derived(self.plan_of(shown.name)).arguments)
        return model

    def generate_video(self, request: GenerateVideoRequest) -> BatchWork:
        """See the base class."""
        self.check_fields(request)
        plan = self.plan(request, self.source_shape(request))
        segments = segments_of(plan.arguments["num_frames"], self.host.entry.max_num_frames, self.frame_step)
        is_continued = len(segments) > 1
        adapters = tuple(adapter.SerializeToString(deterministic=True) for adapter in request.adapters)
        return BatchWork(
            # A clip of several segments is made alone: the frames that they start with differ.
            key=(plan.key, adapters, object() if is_continued else self.condition_key(request)),
            payload=Clip(request, plan, prompt_of(request), segments if is_continued else ()),
            run_batch=self._run,
            estimate_s=self._estimate_s(plan),
        )

    @property
    def takes_words(self) -> bool:
        """Whether it takes a prompt and other words."""
        return self.text_input != TextInput.TEXT_INPUT_NONE

    # For subclasses.

    def parts(self) -> dict[str, Any]:
        """Return the parts that the pipeline is loaded with besides those of its checkpoint."""
        return {}

    def blank_media(self, clip: Clip) -> Media:
        """Return media for the warm-up clip."""
        return {}

    def source_shape(self, request: GenerateVideoRequest) -> SourceShape:
        """Read the shape of the media of a request. Raises InvalidArgumentError, naming the field of a wrong one."""
        return SourceShape()

    def media(self, clip: Clip) -> Media:
        """Read the media of a clip; errors as `source_shape`."""
        return {}

    def continued(self, media: Media, last_frame: Image.Image) -> Media:
        """Return the media of the segment that starts with the last frame of the one before."""
        return media | {"image": last_frame}

    def condition_key(self, request: GenerateVideoRequest) -> Hashable:
        """Return a key that is equal for requests whose media can be used in one call."""
        return None

    def plan_of(self, preset_name: str) -> Plan:
        """Return the plan of a preset. Raises InvalidArgumentError if there is none."""
        return self.host.plan(preset_name)

    def with_derived(self, plan: Plan) -> Plan:
        """Return the plan with arguments that are derived from the others."""
        return plan

    def for_offload(self, plan: Plan) -> Plan:
        """Return the plan for the current offload policy, which may have less memory than usual."""
        return plan

    @abstractmethod
    def conditions(self, clips: Sequence[Clip], media: Sequence[Media]) -> dict[str, Any]:
        """Return what the clips of one call are made from, as arguments of the pipeline."""

    def forward_flops(self, plan: Plan) -> float | None:
        """Return the floating-point operations of one step of one clip; None if they are not known."""
        return None

    def frames(self, plan: Plan, clips: Sequence[Clip], media: Sequence[Media], on_step: OnStep) -> list[PendingFrames]:
        """Call the pipeline once and return the frames (F, H, W, 3), 0 to 1, of each clip, each from its own seed."""
        return [*self.decoded_frames(plan, clips, media, on_step)]

    def decoded_frames(
        self, plan: Plan, clips: Sequence[Clip], media: Sequence[Media], on_step: OnStep
    ) -> list[Frames]:
        """Return what `frames` returns, decoded in the same call."""
        return list(self.call(plan, clips, media, on_step, output_type="np"))

    def call(
        self, plan: Plan, clips: Sequence[Clip], media: Sequence[Media], on_step: OnStep, *, output_type: str
    ) -> Any:
        """Return what the pipeline returns for clips."""
        made = self.pipeline(media)(
            **self.conditions(clips, media),
            generator=self.generators(clips),
            callback_on_step_end=on_step,
            output_type=output_type,
            **self.pipeline_arguments(plan),
        )
        return made.frames

    def pipeline(self, media: Sequence[Media]) -> Any:
        """Return the pipeline for media; a model may have several, of the same parts."""
        return self.pipe

    def generators(self, clips: Sequence[Clip]) -> Any:
        """Return random generators, one for each clip with its seed."""
        return [self.host.device.generator(clip.seed) for clip in clips]

    def pipeline_arguments(self, plan: Plan) -> dict[str, Any]:
        """Return the arguments of the plan that the pipeline takes."""
        return {
            name: value
            for name, value in plan.arguments.items()
            if name not in self.own_arguments and name != "negative_prompt"
        }

    def picture(self, artifact: Artifact, field: str) -> Image.Image:
        """Read a picture of a request; errors as `read_rgb`."""
        return read_rgb(self.host.store, artifact, field, self.limits)

    # Checks.

    def check_fields(self, request: GenerateVideoRequest) -> None:
        """Refuse what the model does not take. Raises InvalidArgumentError."""
        refuse(request, *((field, why) for field, why in MEDIA_REFUSALS.items() if field not in self.takes))
        if self.takes_words:
            check_words(request)
        else:
            refuse(request, *WORD_REFUSALS.items())
        if request.adapters and not hasattr(self.pipeline_class, "load_lora_weights"):
            raise InvalidArgumentError("adapters", "this model takes none; leave it empty")
        if not any(is_set(request, field) for field in self.needs):
            raise InvalidArgumentError(self.needs[0], self.needs_text)
        self.requested_num_frames(request)  # refuses a duration before any media are read

    def plan(self, request: GenerateVideoRequest, shape: SourceShape) -> Plan:
        """Return all arguments in effect; errors as `generate_video`."""
        plan, entry = self.plan_of(request.preset), self.host.entry
        preset_px = plan.arguments["width"], plan.arguments["height"]
        width, height = size_of(entry, (request.width_px, request.height_px), preset_px, shape.size_px)
        plan = plan.with_arguments(
            width=width,
            height=height,
            num_frames=self._num_frames(request, shape.num_frames or plan.arguments["num_frames"]),
            fps=request.fps or None,
            negative_prompt=request.negative_prompt or None,
            **self.sampling(request),
        )
        return self.with_derived(plan)

    def requested_num_frames(self, request: GenerateVideoRequest) -> int:
        """Return the number of frames that a request asks for, by number or duration; 0 if the preset decides.

        Raises:
            InvalidArgumentError: the model makes no clip of the duration; names ``duration_s``, the shortest or the
                longest one, and the models that continue clips.
        """
        if not request.duration_s:
            return request.num_frames
        fps, most = self._fps(request), self.host.entry.max_num_frames
        num_frames = num_frames_of(request.duration_s, fps, self.frame_step, self.min_num_frames)
        is_longer = num_frames > most or request.duration_s * fps > most + 0.5
        if is_longer and not self.continues(self.host.entry):
            longest = f"{most / fps:.3g}: this model makes {most} frames, and cannot continue a clip"
            others = f"; {', '.join(self.continuing)} can" if self.continuing else ""
            raise InvalidArgumentError("duration_s", f"is {request.duration_s:g}; at most {longest}{others}")
        return num_frames

    def _fps(self, request: GenerateVideoRequest) -> float:
        return request.fps or float(self.plan_of(request.preset).arguments["fps"])

    def _num_frames(self, request: GenerateVideoRequest, default: int) -> int:
        entry, requested = self.host.entry, self.requested_num_frames(request)
        if request.duration_s:
            return requested
        num_frames = checked_num_frames(entry, requested, default, self.frame_step)
        if num_frames < self.min_num_frames:
            raise InvalidArgumentError("num_frames", f"is {num_frames}; at least {self.min_num_frames}")
        return num_frames

    def sampling(self, request: GenerateVideoRequest) -> dict[str, Any]:
        """Return the arguments that the sampling of the request sets."""
        return dict(checked_sampling(request.sampling if request.HasField("sampling") else None))

    def _warm_up_plan(self) -> Plan:
        plan = self.plan_of("")
        if self.host.device.is_cpu:
            side = 2 * self.host.entry.size_multiple_px
            num_frames = max(self.min_num_frames, 1 + self.frame_step)
            plan = plan.with_arguments(width=side, height=side, num_frames=num_frames)
        return self.with_derived(plan.with_arguments(num_inference_steps=_WARM_UP_STEPS))

    # Execution of a batch.

    def _run(self, clips: Sequence[Clip], jobs: Sequence[JobContext]) -> list[DeferredWork]:
        plan = clips[0].plan
        media = [self._media(clip, job) for clip, job in zip(clips, jobs, strict=True)]
        self.host.prepare(self.pipe, plan, clips[0].request.adapters)
        num_batches = -(-len(clips) // self.max_batch_size)
        num_calls = len(clips[0].segments) or num_batches
        steps = Steps(jobs, plan.arguments["num_inference_steps"] * num_calls, self.host.device)
        with (
            self.host.device_work(_throughput_key(plan), _num_units(plan) * len(clips)),
            timed_stages(self.pipe, jobs, self.host.device),
        ):
            made: Sequence[PendingFrames | Pixels]
            if clips[0].segments:
                made = [self._segments(clips[0], media[0], steps)]
            else:
                made = self._made(self.frames, clips, media, steps)
            executed = self.host.executed(self.for_offload(plan))
        speed = self._speed(next(iter(clips[0].each_segment()), clips[0]).plan, steps, -(-len(clips) // num_batches))
        return [
            DeferredWork(partial(self._finish, clip, executed, job, frames, speed))
            for clip, job, frames in zip(clips, jobs, made, strict=True)
        ]

    def _made(
        self,
        make: Callable[[Plan, Sequence[Clip], Sequence[Media], OnStep], Sequence[ResultT]],
        clips: Sequence[Clip],
        media: Sequence[Media],
        steps: OnStep,
    ) -> list[ResultT]:
        """Return what `make` makes of clips of one plan, in as many calls of the pipeline as fit into memory."""
        plan = clips[0].plan
        return run_in_batches(
            list(zip(clips, media, strict=True)),
            self.max_batch_size,
            lambda batch: make(self.for_offload(plan), *_unzipped(batch), steps),
            self.host,
            _size_text(plan),
        )

    def _segments(self, clip: Clip, media: Media, steps: OnStep) -> Pixels:
        """Return the frames of a clip of several segments, each made from the last frame of the one before."""
        pixels, start = frame_file(clip.plan.arguments["num_frames"], clip.size_px), 0
        for segment in clip.each_segment():
            (frames,) = self._made(self.decoded_frames, [segment], [media], steps)
            is_later = int(start > 0)  # its first frame is there already
            pixels[start + is_later : start + len(frames)] = _pixels_of(frames[is_later:])
            start += len(frames) - 1
            media = self.continued(media, Image.fromarray(pixels[start]))
        return pixels

    def _media(self, clip: Clip, job: JobContext) -> Media:
        request = clip.request
        if not (request.HasField("image") or request.HasField("control_clip") or request.reference_images):
            return {}
        with job.stage("read"):
            return self.media(clip)

    def _speed(self, plan: Plan, steps: Steps, clips_at_once: int) -> dict[str, float]:
        """Return the seconds of a step and the achieved TFLOP/s, for the record; nothing for a single step."""
        durations_s = steps.durations_s()
        if not durations_s:
            return {}
        step_s = statistics.median(durations_s)
        flops = self.forward_flops(plan)
        known = {"denoise_tflop_per_s": flops * clips_at_once / step_s / 1e12} if flops and step_s else {}
        return {"step_duration_s": step_s, **known}

    def _finish(
        self, clip: Clip, plan: Plan, job: JobContext, made: PendingFrames | Pixels, speed: dict[str, float]
    ) -> GenerateVideoResult:
        """Decode, encode and store the clip, while the device computes the next one."""
        store, request = self.host.store, clip.request
        frames = self._decoded(made, plan, job) if callable(made) else made
        encoding = encoding_of(plan.preset_name, self.settings.video_encoding, clip.size_px)
        with job.stage("encode"):
            pixels = _pixels_of(frames)
            video = put_clip(store, pixels, clip.size_px, plan.arguments["fps"], encoding)
            poster = put_png(store, Image.fromarray(pixels[0]))
        applied = apply_encoding(encoding, clip.size_px)
        facts = {"video_encoder": applied.encoder, "video_encoding": str(applied), **speed}
        if clip.segments:
            facts |= {"num_segments": len(clip.segments), "segment_num_frames": list(clip.segments)}
        if self.takes_words:
            facts["prompt"] = clip.prompt
        record = self.host.record(plan, job, request.seed, facts, request.adapters)
        media = (request.image, request.last_image, request.control_clip, request.control_mask)
        add_licences(record, (*media, *request.reference_images))
        if request.HasField("light"):
            record.light.CopyFrom(request.light)
        return GenerateVideoResult(video=video, poster=poster, record=record)

    def _decoded(self, decode: Callable[[], Frames], plan: Plan, job: JobContext) -> Frames:
        started_s = time.monotonic()
        with job.stage(DECODE):
            frames = decode()
        self.host.throughput.add(DECODE, _num_pixels(plan), time.monotonic() - started_s)
        return frames

    def _estimate_s(self, plan: Plan) -> float | None:
        """Return the estimated seconds of the worker, and of decoding if that is deferred."""
        estimate_s = self.host.throughput.estimate_s(_throughput_key(plan), _num_units(plan))
        decode_s = self.host.throughput.estimate_s(DECODE, _num_pixels(plan))
        return None if estimate_s is None else estimate_s + (decode_s or 0.0)


def _pixels_of(frames: Frames | Pixels) -> Pixels:
    """Return frames in 8 bits."""
    return frames.astype(np.uint8, copy=False) if frames.dtype == np.uint8 else (frames * 255).round().astype(np.uint8)


def _unzipped(batch: Sequence[tuple[Clip, Media]]) -> tuple[list[Clip], list[Media]]:
    return [clip for clip, _ in batch], [media for _, media in batch]


def _throughput_key(plan: Plan) -> Hashable:
    return plan.preset_name, plan.arguments.get("guidance_scale", 2.0) > 1.0


def _num_units(plan: Plan) -> float:
    """Return steps × pixels of all frames."""
    return float(plan.arguments["num_inference_steps"] * _num_pixels(plan))


def _num_pixels(plan: Plan) -> float:
    arguments = plan.arguments
    return float(arguments["width"] * arguments["height"] * arguments["num_frames"])


def _size_text(plan: Plan) -> str:
    arguments = plan.arguments
    return f"one clip of {arguments['num_frames']} frames of {arguments['width']}×{arguments['height']} pixels"
