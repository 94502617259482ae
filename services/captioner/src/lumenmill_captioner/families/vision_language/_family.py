"""The `vision_language` family as the service sees it."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import generation_pb2, model_pb2
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.jobs import BatchWork, JobContext, Work
from lumenmill_media import Limits
from lumenmill_neural.host import ModelHost
from lumenmill_neural.memory import run_in_batches
from lumenmill_neural.plan import Plan
from lumenmill_neural.transformers_model import Turn
from PIL import Image
from transformers import LogitsProcessor

from lumenmill_captioner.families.photometric import PhotometricFamily, is_clip
from lumenmill_captioner.words import capitalised, caption_text, scene_phrase

from ._aesthetic import Aesthetics, some_of
from ._agreement import agreement_scores, agreements
from ._answer import Answer, ClipAnswer, Said, read_answer
from ._pictures import read_frames, read_still
from ._prompt import PROMPT_REVISION, objection, question
from ._writer import Writer, Written

_NUM_AESTHETIC_FRAMES = 4
_WARM_UP_SIDE_PX = 64


@dataclass(frozen=True)
class _Seen:
    """What the model makes of a subject: what it said, in how many answers, and the scores of its pictures."""

    said: Said
    answers: tuple[Written, ...]
    scores: dict[str, float]


class VisionLanguageFamily:
    """A model that sees and writes says what is shown; its word on light stands where measurement does not object."""

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
        model.limits.Clear()  # media of any size are read
        return model

    def load(self) -> None:
        """Load the model and write a word, which shows that it runs.

        Raises:
            LumenmillError: the store cannot be used, or a checkpoint is missing, damaged or of another kind.
        """
        self._photometric.load()
        self._writer.load()
        self._aesthetics.load()
        picture = Image.new("RGB", (_WARM_UP_SIDE_PX, _WARM_UP_SIDE_PX))
        self._writer.write([Turn("user", "light", [picture])], 1, {}, [])

    def caption(self, request: captioner_pb2.CaptionRequest) -> BatchWork:
        """Return a request as work for the queue. Requests are worked on one by one: in a batch, what they are padded
        with would change the last bits of their numbers, and so now and then a word.

        Raises:
            InvalidArgumentError: there is no such preset.
        """
        plan = self._host.plan(request.preset)
        return BatchWork(
            key=object(),
            payload=request,
            run_batch=lambda requests, jobs: [self._described(requests[0], jobs[0])],
            estimate_s=self._host.throughput.estimate_s(_way(plan, request), 1.0),
        )

    def compare_light(self, request: captioner_pb2.CompareLightRequest) -> Work:
        """Return the comparison as the photometric family makes it: measured, by the same words."""
        return self._photometric.compare_light(request)

    def _described(self, request: captioner_pb2.CaptionRequest, job: JobContext) -> captioner_pb2.CaptionResult:
        """Describe one image or clip.

        Raises:
            InvalidArgumentError: a part of the subject is broken.
            ResourceExhaustedError: it does not fit into the device's memory in any way.
            CancelledError: the job was cancelled.
        """
        plan = self._host.plan(request.preset)
        with self._host.device_work(_way(plan, request), 1.0):
            result = self._photometric.measured_caption(request, job)
            with job.stage("read"):
                pictures = self._pictures(request.subject, plan, job)
            self._host.prepare(self._writer.pipe, plan)
            size = f"a question on {len(pictures)} picture(s) of {pictures[0].width}×{pictures[0].height} pixels"
            (seen,) = run_in_batches(
                [request], 1, lambda _: [self._seen(request, pictures, plan, job)], self._host, size
            )
            ran = self._host.executed(plan)
        agreed = agreements(seen.said, result)
        _tell(result, seen.said, agreed, request.subject)
        result.scores.update(agreement_scores(agreed) | seen.scores)
        result.scores["answer_kept_fraction"] = seen.said.kept_fraction
        result.record.CopyFrom(self._record(ran, request, job, seen, result.record))
        return result

    def _pictures(self, subject: captioner_pb2.Subject, plan: Plan, job: JobContext) -> list[Image.Image]:
        if not is_clip(subject.media):
            return [read_still(self._store, subject, self._limits)]
        return read_frames(self._store, subject, plan.arguments["num_frames"], job, self._limits)

    def _seen(
        self, request: captioner_pb2.CaptionRequest, pictures: list[Image.Image], plan: Plan, job: JobContext
    ) -> _Seen:
        """Ask the model, and once more where its answer does not fit."""
        clip = is_clip(request.subject.media)
        answer_class = ClipAnswer if clip else Answer
        image_arguments = plan.arguments["frame_processor" if clip else "image_processor"]
        asked = question(request, scene_phrase(request.subject.scene), len(pictures) if clip else 0, answer_class)
        turns = [Turn("user", asked, pictures)]
        answers = [self._writer.write(turns, plan.arguments["max_new_tokens"], image_arguments, [job])]
        said = read_answer(answers[0].text, answer_class)
        if said.problems:
            turns += [Turn("assistant", answers[0].text), Turn("user", objection(list(said.problems)))]
            answers.append(self._writer.write(turns, plan.arguments["max_new_tokens"], image_arguments, [job]))
            said = max(said, read_answer(answers[1].text, answer_class), key=lambda one: one.kept_fraction)
        with job.stage("score"):
            scores = self._aesthetics.scores(some_of(pictures, _NUM_AESTHETIC_FRAMES))
        return _Seen(said, tuple(answers), scores)

    def _record(
        self,
        plan: Plan,
        request: captioner_pb2.CaptionRequest,
        job: JobContext,
        seen: _Seen,
        measured: generation_pb2.GenerationRecord,
    ) -> generation_pb2.GenerationRecord:
        facts: dict[str, Any] = {
            "num_tokens": sum(answer.num_tokens for answer in seen.answers),
            "light_sources": ", ".join(seen.said.light.get("sources", [])),
        }
        record = self._host.record(plan, job, request.seed, dict(measured.parameters) | facts)
        record.parameters.update({"answers": [answer.text for answer in seen.answers]})
        record.revision = self._revision
        record.licences.extend([*measured.licences, *self._aesthetics.licences()])
        return record


def _tell(
    result: captioner_pb2.CaptionResult, said: Said, agreed: dict[str, bool], subject: captioner_pb2.Subject
) -> None:
    """Put the model's words into a measured caption: its content, and its light where nothing contradicts it.

    Light that is known is told as it is known, whatever the model sees.
    """
    is_known = subject.HasField("requested_light") or bool(subject.requested_light_path.keyframes)
    described = said.light.get("description", "")
    measured_light = result.light_text
    if described and not is_known and all(agreed.values()):
        result.light_text = _sentence(described)
    content = _sentence(said.caption) if said.caption else result.text.removesuffix(measured_light).strip()
    result.text = caption_text(content, result.light_text)


def _sentence(text: str) -> str:
    return capitalised(text if text.endswith((".", "!", "?")) else f"{text}.")


def _way(plan: Plan, request: captioner_pb2.CaptionRequest) -> tuple[str, bool]:
    """Requests of one way take about as long."""
    return plan.preset_name, is_clip(request.subject.media)
