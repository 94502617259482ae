"""The `vision_language` family: one method for each RPC."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from PIL import Image
from transformers import LogitsProcessor

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import generation_pb2, model_pb2
from lumenmill_captioner.families.photometric import PhotometricFamily, arrived_light, contradictions_of, is_clip
from lumenmill_captioner.families.vision_language.aesthetics import Aesthetics, some_of
from lumenmill_captioner.families.vision_language.agreement import agreement_scores, agreements
from lumenmill_captioner.families.vision_language.answer import Answer, ClipAnswer, ParsedAnswer, read_answer
from lumenmill_captioner.families.vision_language.pictures import read_frames, read_still
from lumenmill_captioner.families.vision_language.prompt import PROMPT_REVISION, question, retry_question
from lumenmill_captioner.families.vision_language.writer import Writer, Written
from lumenmill_captioner.words import caption_text, scene_phrase
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.jobs import BatchWork, JobContext, Work
from lumenmill_light.english import capitalised
from lumenmill_media import Limits
from lumenmill_neural.host import ModelHost
from lumenmill_neural.memory import run_in_batches
from lumenmill_neural.plan import Plan
from lumenmill_neural.transformers_model import Turn

__all__ = ["VisionLanguageFamily"]

_NUM_AESTHETIC_FRAMES = 4
_WARM_UP_SIDE_PX = 64


@dataclass(frozen=True)
class _Output:
    """What the models return for a subject: the parsed answer, all answers as written, and scores of the pictures."""

    parsed: ParsedAnswer
    answers: tuple[Written, ...]
    scores: dict[str, float]


class VisionLanguageFamily:
    """A model that sees and writes describes the subject; its text on light is used unless measurement differs."""

    def __init__(
        self,
        host: ModelHost,
        photometric: PhotometricFamily,
        limits: Limits,
        aesthetics: Aesthetics,
        logits_processors: Sequence[LogitsProcessor] = (),
    ) -> None:
        """`photometric` measures the same subjects; `limits` are those on media; for `logits_processors` see Writer."""
        self._host, self._photometric, self._limits, self._aesthetics = host, photometric, limits, aesthetics
        self._store: ArtifactStore = host.store
        self._writer = Writer(host, logits_processors)

    @property
    def _revision(self) -> str:
        measured = self._photometric.describe().revision
        read_by = f"transformers{version('transformers')}"
        parts = [self._host.revision, read_by, f"photometric{measured}", f"prompt{PROMPT_REVISION}"]
        return "+".join([*parts, *([self._aesthetics.revision] if self._aesthetics.revision else [])])

    def describe(self) -> model_pb2.Model:
        """Return the model.

        Raises:
            UnavailableError: it is not loaded yet.
        """
        model = self._host.describe()
        model.revision = self._revision
        model.licences.extend([*self._photometric.describe().licences, *self._aesthetics.licences()])
        model.limits.Clear()  # media of any size are accepted
        return model

    def load(self) -> None:
        """Load the model and write one token, which shows that it runs.

        Raises:
            LumenmillError: the store cannot be used, or a checkpoint is missing, damaged or of another kind.
        """
        self._photometric.load()
        self._writer.load()
        self._aesthetics.load()
        picture = Image.new("RGB", (_WARM_UP_SIDE_PX, _WARM_UP_SIDE_PX))
        self._writer.write([Turn("user", "light", [picture])], 1, {}, [])

    def caption(self, request: captioner_pb2.CaptionRequest) -> BatchWork:
        """Return a request as work for the queue.

        Requests are computed one by one: padding in a batch would change the last bits of their numbers, and thereby an
        occasional word.

        Raises:
            InvalidArgumentError: there is no such preset.
        """
        plan = self._host.plan(request.preset)
        return BatchWork(
            key=object(),
            payload=request,
            run_batch=lambda requests, jobs: [self._described(requests[0], jobs[0])],
            estimate_s=self._host.throughput.estimate_s(_throughput_key(plan, request), 1.0),
        )

    def compare_light(self, request: captioner_pb2.CompareLightRequest) -> Work:
        """Return the comparison of the photometric family."""
        return self._photometric.compare_light(request)

    def _described(self, request: captioner_pb2.CaptionRequest, job: JobContext) -> captioner_pb2.CaptionResult:
        """Describe one image or clip.

        Raises:
            InvalidArgumentError: a part of the subject is broken.
            ResourceExhaustedError: it does not fit into the device's memory under any offload policy.
            CancelledError: the job was cancelled.
        """
        plan = self._host.plan(request.preset)
        with self._host.device_work(_throughput_key(plan, request), 1.0):
            result = self._photometric.measured_caption(request, job)
            with job.stage("read"):
                pictures = self._pictures(request.subject, plan)
            known_light = result.light_text if arrived_light(request.subject) is not None else ""
            self._host.prepare(self._writer.pipe, plan)
            size = f"a question on {len(pictures)} picture(s) of {pictures[0].width}×{pictures[0].height} pixels"
            (output,) = run_in_batches(
                [request], 1, lambda _: [self._output(request, known_light, pictures, plan, job)], self._host, size
            )
            executed = self._host.executed(plan)
        agreed = agreements(output.parsed, result)
        _insert_answer(result, output.parsed, agreed, request.subject)
        result.scores.update(agreement_scores(agreed) | output.scores)
        result.scores["answer_kept_fraction"] = output.parsed.kept_fraction
        result.record.CopyFrom(self._record(executed, request, job, output, result.record))
        return result

    def _pictures(self, subject: captioner_pb2.Subject, plan: Plan) -> list[Image.Image]:
        if not is_clip(subject.media):
            return [read_still(self._store, subject, self._limits)]
        return read_frames(self._store, subject, plan.arguments["num_frames"], self._limits)

    def _output(
        self,
        request: captioner_pb2.CaptionRequest,
        known_light: str,
        pictures: list[Image.Image],
        plan: Plan,
        job: JobContext,
    ) -> _Output:
        """Ask the model, and once more where its answer does not fit the schema."""
        clip = is_clip(request.subject.media)
        answer_class = ClipAnswer if clip else Answer
        image_arguments = plan.arguments["frame_processor" if clip else "image_processor"]
        content = scene_phrase(request.subject.built_scene)
        prompt = question(request, content, known_light, len(pictures) if clip else 0, answer_class)
        turns = [Turn("user", prompt, pictures)]
        answers = [self._writer.write(turns, plan.arguments["max_new_tokens"], image_arguments, [job])]
        parsed = read_answer(answers[0].text, answer_class)
        if parsed.problems:
            turns += [Turn("assistant", answers[0].text), Turn("user", retry_question(list(parsed.problems)))]
            answers.append(self._writer.write(turns, plan.arguments["max_new_tokens"], image_arguments, [job]))
            parsed = max(parsed, read_answer(answers[1].text, answer_class), key=lambda one: one.kept_fraction)
        with job.stage("score"):
            scores = self._aesthetics.scores(some_of(pictures, _NUM_AESTHETIC_FRAMES))
        return _Output(parsed, tuple(answers), scores)

    def _record(
        self,
        plan: Plan,
        request: captioner_pb2.CaptionRequest,
        job: JobContext,
        output: _Output,
        measured: generation_pb2.GenerationRecord,
    ) -> generation_pb2.GenerationRecord:
        facts: dict[str, Any] = {
            "num_tokens": sum(answer.num_tokens for answer in output.answers),
            "light_sources": ", ".join(output.parsed.light.get("sources", [])),
        }
        record = self._host.record(plan, job, request.seed, dict(measured.parameters) | facts)
        record.parameters.update({"answers": [answer.text for answer in output.answers]})
        record.revision = self._revision
        record.licences.extend([*measured.licences, *self._aesthetics.licences()])
        return record


def _insert_answer(
    result: captioner_pb2.CaptionResult, parsed: ParsedAnswer, agreed: dict[str, bool], subject: captioner_pb2.Subject
) -> None:
    """Put the model's text into a measured caption: its content, and its light where that is true.

    Where the light that arrived is known, the text must not contradict it; else measurement must agree.
    """
    described = parsed.light.get("description", "")
    measured_light = result.light_text
    if described and _is_true(described, agreed, subject):
        result.light_text = _sentence(described)
    content = _sentence(parsed.caption) if parsed.caption else result.text.removesuffix(measured_light).strip()
    result.text = caption_text(content, result.light_text)
    result.contradictions[:] = contradictions_of(result.light_text, subject)


def _is_true(described: str, agreed: dict[str, bool], subject: captioner_pb2.Subject) -> bool:
    if arrived_light(subject) is not None:
        return not contradictions_of(described, subject)
    return all(agreed.values())


def _sentence(text: str) -> str:
    return capitalised(text if text.endswith((".", "!", "?")) else f"{text}.")


def _throughput_key(plan: Plan, request: captioner_pb2.CaptionRequest) -> tuple[str, bool]:
    """Return a key; requests of one key take about the same time."""
    return plan.preset_name, is_clip(request.subject.media)
