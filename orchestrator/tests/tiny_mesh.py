"""A tiny model with every contract of the mesh: instant, and counting its calls.

As a program it serves in a process of its own: see `python tiny_mesh.py --help`.
"""

import argparse
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import artifact_pb2, generation_pb2, intrinsics_pb2, light_pb2, model_pb2, scene_pb2
from lumenmill.imager.v1 import imager_pb2
from lumenmill.prompter.v1 import prompter_pb2
from lumenmill.relighter.v1 import relighter_pb2
from lumenmill.video.v1 import video_pb2
from lumenmill_common.artifacts import ArtifactStore, open_store
from lumenmill_common.errors import InternalError, InvalidArgumentError, UnavailableError
from lumenmill_common.families import family_service
from lumenmill_common.jobs import JobContext, JobQueue, Work
from lumenmill_common.serve import serve
from lumenmill_common.service import Service
from lumenmill_common.settings import ServiceSettings

_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63606060000000040001"
    "f61738550000000049454e44ae426082"
)


class TinyFamily:
    """Makes results from the request alone."""

    def __init__(self, store: ArtifactStore, *, step_s: float = 0.0, count_file: Path | None = None) -> None:
        self.store, self.step_s, self.revision = store, step_s, "1"
        self.num_done: Counter[str] = Counter()
        self.failures: dict[str, list[Exception]] = {}
        self.go_on = threading.Event()
        self.go_on.set()
        self.num_cancelled = 0
        self.failure_rate, self._random = 0.0, random.SystemRandom()
        self.persist_results_over_s = 1.0
        self.direction_error_deg: float | None = 5.0
        self.caption_result, self.compare_result = captioner_pb2.CaptionResult(), captioner_pb2.CompareLightResult()
        self.refusals: dict[int, str] = {}
        self.states_light, self.subjects = True, list[captioner_pb2.Subject]()
        self.arrived: light_pb2.ArrivedLight | None = None
        self._count_file, self._lock = count_file, threading.Lock()
        self.sets_to_give: int | None = None
        self.text_input, self.moves_cameras = model_pb2.TEXT_INPUT_UNSPECIFIED, False
        self.requests: deque[tuple[str, Any]] = deque(maxlen=256)

    def load(self) -> None:
        """Nothing is loaded."""

    def describe(self) -> model_pb2.Model:
        licence = artifact_pb2.Licence(subject="tiny", spdx_id="CC0-1.0", allows_commercial_use=True)
        presets = [model_pb2.Preset(name=name) for name in ("fast", "balanced", "quality")]
        return model_pb2.Model(
            family="tiny", name="tiny", revision=self.revision, licences=[licence], device="cpu", presets=presets,
            text_input=self.text_input, supports_camera_path=self.moves_cameras, supports_light_path=self.moves_cameras,
        )  # fmt: skip

    def work(self, call: str, request: Any, make: Callable[[Any], Message]) -> Work:
        self.requests.append((call, request))
        return Work(lambda job: self._run(call, request, make, job))

    def _run(self, call: str, request: Any, make: Callable[[Any], Message], job: JobContext) -> Message:
        try:
            while not self.go_on.wait(0.01):
                job.progress("wait", 1, 2)
            time.sleep(self.step_s)
            job.progress("make", 2, 2)
            self._fail_now_and_then()
        except Exception:
            self.num_cancelled += 1
            raise
        with self._lock:
            self.num_done[call] += 1
            if self._count_file is not None:
                with self._count_file.open("a") as file:
                    file.write(f"{time.time():.4f} {call} {request.job.request_id}\n")
        pending = self.failures.get(call)
        if pending:
            raise pending.pop(0)
        return make(request)

    def _fail_now_and_then(self) -> None:
        if self._random.random() < self.failure_rate:
            unavailable = UnavailableError("unavailable for a moment", retry_delay_s=0.05)
            raise self._random.choice([unavailable, InternalError("failed")])

    def picture(self, text: str) -> artifact_pb2.Artifact:
        facts = artifact_pb2.ImageFacts(
            width_px=1, height_px=1, num_channels=3, color_space=artifact_pb2.COLOR_SPACE_SRGB
        )
        return self.store.put_bytes(_PNG + text.encode(), "image/png", image=facts)

    def record(self, request: Any) -> generation_pb2.GenerationRecord:
        return generation_pb2.GenerationRecord(family="tiny", model="tiny", revision=self.revision, seed=request.seed)

    # RPCs.

    def generate_prompt_sets(self, request: Any) -> Work:
        return self.work("sets", request, self._sets)

    def write_motion_prompts(self, request: Any) -> Work:
        return self.work("motions", request, self._motions)

    def write_edit_prompts(self, request: Any) -> Work:
        return self.work("edits", request, self._edits)

    def generate_images(self, request: Any) -> Work:
        return self.work("image", request, self._images)

    def relight(self, request: Any) -> Work:
        return self.work("relight", request, self._relit)

    def decompose(self, request: Any) -> Work:
        return self.work("decompose", request, self._decomposed)

    def caption(self, request: Any) -> Work:
        return self.work("caption", request, self._caption)

    def compare_light(self, request: Any) -> Work:
        return self.work("compare", request, self._compared)

    def generate_video(self, request: Any) -> Work:
        return self.work("video", request, self._video)

    def decompose_video(self, request: Any) -> Work:
        return self.work("decompose_video", request, self._clip_maps)

    # What they make.

    def _sets(self, request: prompter_pb2.GeneratePromptSetsRequest) -> Message:
        brief, first = request.brief, request.brief.first_set_index
        count = brief.num_img_sets if self.sets_to_give is None else self.sets_to_give
        result = prompter_pb2.GeneratePromptSetsResult(record=self.record(request))
        for index in range(first, first + min(count, brief.num_img_sets)):
            relights = [
                relight_prompt(f"relight {number}", 40.0 * number - 80) for number in range(brief.num_relight_variants)
            ]
            motions = [prompter_pb2.MotionPrompt(text=f"move {number}") for number in range(brief.num_video_variants)]
            result.prompt_sets.add(
                id=f"set-{request.seed}-{index}",
                image_prompt=f"a kettle number {index} of seed {request.seed}",
                scene=scene_pb2.SceneDescription(description=f"a kettle number {index}", seed=index),
                light=light_from(10),
                relight_prompts=relights,
                motion_prompts=motions,
            )
        for index in range(first, first + brief.num_videos):
            result.video_prompts.add(
                id=f"video-{index}", text=f"a kettle boils, take {index}", light=light_from(20),
                motion=prompter_pb2.MotionPrompt(text="slowly"),
            )  # fmt: skip
        return result

    def _motions(self, request: prompter_pb2.WriteMotionPromptsRequest) -> Message:
        motions = [motion_prompt(number) for number in range(request.num_variants)]
        return prompter_pb2.WriteMotionPromptsResult(motion_prompts=motions)

    def _edits(self, request: prompter_pb2.WriteEditPromptsRequest) -> Message:
        prompts = [relight_prompt(f"edit {number}", 30.0 * number) for number in range(request.num_variants)]
        return prompter_pb2.WriteEditPromptsResult(relight_prompts=prompts)

    def _images(self, request: imager_pb2.GenerateImagesRequest) -> Message:
        if request.prompt == "refuse":
            raise InvalidArgumentError("prompt", "this word is refused; choose another")
        words = f"{request.prompt}/{request.seed}"
        scene = self.store.put_bytes(words.encode(), "application/vnd.lumenmill.scene+json")
        image = imager_pb2.GeneratedImage(
            image=self.picture(words), scene=scene, light=self._stated(request.light), record=self.record(request),
            built_scene=scene_pb2.SceneDescription(description="a kettle as built"),
        )  # fmt: skip
        return imager_pb2.GenerateImagesResult(images=[image])

    def _stated(self, light: light_pb2.Light) -> light_pb2.Light | None:
        return light if self.states_light else None

    def _relit(self, request: relighter_pb2.RelightRequest) -> Message:
        variants = [
            relighter_pb2.RelitImage(
                image=self.picture(f"{request.scene.sha256}/{variant.light.text}/{variant.edit_prompt}"),
                light=self._stated(variant.light), record=self.record(request), arrived_light=self.arrived,
                built_scene=scene_pb2.SceneDescription(description="a kettle as built"),
            )
            for variant in request.variants
        ]  # fmt: skip
        for number, refusal in self.refusals.items():
            light = request.variants[number].light
            variants[number].CopyFrom(relighter_pb2.RelitImage(light=light, refusal=refusal))
        return relighter_pb2.RelightResult(variants=variants)

    def _maps(self, name: str) -> list[intrinsics_pb2.IntrinsicMap]:
        kinds = (intrinsics_pb2.INTRINSIC_KIND_ALBEDO, intrinsics_pb2.INTRINSIC_KIND_DEPTH)
        return [
            intrinsics_pb2.IntrinsicMap(
                kind=kind, data=self.store.put_bytes(f"{name}/{kind}".encode(), "image/x-exr"), exact=True,
                preview=self.picture(f"{name}/{kind}"), preview_encoding="srgb",
            )
            for kind in kinds
        ]  # fmt: skip

    def _decomposed(self, request: relighter_pb2.DecomposeRequest) -> Message:
        return relighter_pb2.DecomposeResult(maps=self._maps(request.image.sha256 + request.scene.sha256))

    def _clip_maps(self, request: video_pb2.DecomposeVideoRequest) -> Message:
        return video_pb2.DecomposeVideoResult(maps=self._maps(request.video.sha256))

    def _caption(self, request: captioner_pb2.CaptionRequest) -> Message:
        self.subjects.append(request.subject)
        result = captioner_pb2.CaptionResult(text=f"caption of {request.subject.media.sha256[:8]}", light_text="light")
        result.measurement.attributes.azimuth_deg, result.measurement.attributes.elevation_deg = 12, 0
        if self.direction_error_deg is not None:
            result.error.direction_deg = self.direction_error_deg
        result.scores["sharpness"] = 0.5
        result.MergeFrom(self.caption_result)
        return result

    def _compared(self, request: captioner_pb2.CompareLightRequest) -> Message:
        result = captioner_pb2.CompareLightResult(instruction="Move the light.", text="The light has moved.")
        result.MergeFrom(self.compare_result)
        return result

    def _video(self, request: video_pb2.GenerateVideoRequest) -> Message:
        words = f"{request.prompt}{request.motion_prompt}{request.image.sha256}{request.seed}"
        clip = self.store.put_bytes(words.encode(), "video/mp4", video=artifact_pb2.VideoFacts(num_frames=2, fps=8))
        moments = [] if self.arrived is None else [light_pb2.ArrivedMoment(light=self.arrived)]
        return video_pb2.GenerateVideoResult(
            video=clip, poster=self.picture(words), record=self.record(request), arrived_light=moments
        )


def relight_prompt(text: str, azimuth_deg: float) -> prompter_pb2.RelightPrompt:
    light = light_from(azimuth_deg)
    return prompter_pb2.RelightPrompt(text=text, light=light, description=f"a kettle, lit by {light.text}")


def motion_prompt(number: int) -> prompter_pb2.MotionPrompt:
    keyframes = [light_pb2.LightKeyframe(time_fraction=at, light=light_from(90 * at)) for at in (0.0, 1.0)]
    path = light_pb2.LightPath(keyframes=keyframes, interpolation=light_pb2.LIGHT_INTERPOLATION_MOVE)
    motion = prompter_pb2.MotionPrompt(text=f"move {number}", light_path=path)
    motion.camera.path.orbit.sweep_deg = 20
    return motion


def light_from(azimuth_deg: float) -> light_pb2.Light:
    source = light_pb2.LightSource(directional=light_pb2.DirectionalLight(azimuth_deg=azimuth_deg, irradiance=3))
    attributes = light_pb2.LightAttributes(azimuth_deg=azimuth_deg, elevation_deg=30)
    return light_pb2.Light(text=f"light from {azimuth_deg:g}°", sources=[source], attributes=attributes)


def tiny_service(family: TinyFamily, num_workers: int = 1, max_queue_length: int = 64) -> Service:
    jobs = JobQueue(
        "tiny",
        num_workers=num_workers,
        max_queue_length=max_queue_length,
        grace_period_s=5.0,
        store=family.store,
        persist_results_over_s=family.persist_results_over_s,
    )
    files = captioner_pb2, imager_pb2, prompter_pb2, relighter_pb2, video_pb2
    return family_service(family, jobs, *(file.DESCRIPTOR for file in files))


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store_url")
    parser.add_argument("address_file", type=Path)
    parser.add_argument("count_file", type=Path, help="gets a line for each call that was done: time, call, request id")
    parser.add_argument("step_s", type=float, help="seconds of work in each call")
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--failure-rate", type=float, default=0.0, help="part of the calls that fail at random")
    parser.add_argument("--drain-s", type=float, default=0.0)
    parser.add_argument("--persist-results-over-s", type=float, default=1.0)
    given = parser.parse_args()
    tiny = TinyFamily(open_store(given.store_url), step_s=given.step_s, count_file=given.count_file)
    tiny.failure_rate, tiny.persist_results_over_s = given.failure_rate, given.persist_results_over_s
    settings = ServiceSettings(
        listen_address=given.listen, metrics_address="", address_file=given.address_file, drain_s=given.drain_s
    )
    serve(settings, lambda _: tiny_service(tiny, num_workers=4))


if __name__ == "__main__":
    _main()
