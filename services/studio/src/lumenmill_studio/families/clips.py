"""Render clips in which the camera or the light moves, with the ground truth of every frame."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from google.protobuf import json_format
from numpy.typing import NDArray

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.common.v1.light_pb2 import ArrivedMoment
from lumenmill.common.v1.scene_pb2 import SceneDescription, UnknownWords
from lumenmill.video.v1 import video_pb2
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.errors import FailedPreconditionError
from lumenmill_common.jobs import JobContext
from lumenmill_media import Encoding, apply_encoding, put_clip
from lumenmill_studio.families.arrivals import Arrivals
from lumenmill_studio.families.clip_lights import Backgrounds, ClipLights, backgrounds_of, moments_of
from lumenmill_studio.families.display import PICTURE, DisplayChoice
from lumenmill_studio.families.lighting import Lighting, LightReader
from lumenmill_studio.families.limits import fps_of, num_frames_of, size_of
from lumenmill_studio.families.obstruction import Obstruction
from lumenmill_studio.families.results import Origin, Recorder, put_display, record_display
from lumenmill_studio.families.stills import given_basis, parameters
from lumenmill_studio.light.basis import Image, Key
from lumenmill_studio.presets import Preset, preset_named
from lumenmill_studio.render import tonemap
from lumenmill_studio.render.camera import frame_poses, viewpoint_of
from lumenmill_studio.render.engine import Engine, unit_key
from lumenmill_studio.render.tonemap import DisplayTransform
from lumenmill_studio.render.view import View, view_of
from lumenmill_studio.scenes.built import built_scene, substitutions_of
from lumenmill_studio.scenes.compose import compose
from lumenmill_studio.scenes.stored import Scene, read_scene, store_scene

__all__ = ["Clips", "Frame", "rendered"]

_ENCODING = Encoding()


@dataclass(frozen=True)
class Frame:
    """One frame of a clip before it is rendered."""

    view: View
    lighting: Lighting


@dataclass(frozen=True)
class Clips:
    """Renders clips with one engine."""

    store: ArtifactStore
    engine: Engine
    lights: LightReader
    origin: Origin
    meshes: Mapping[str, Artifact]

    def generate(self, request: video_pb2.GenerateVideoRequest, job: JobContext) -> video_pb2.GenerateVideoResult:
        """Return the clip of GenerateVideo, its poster, scene and ground truth.

        Raises:
            InvalidArgumentError, FailedPreconditionError: the request cannot be rendered; names the field.
        """
        preset = preset_named(request.preset)
        video = preset.video
        size_px = size_of(request.width_px, request.height_px, (video.width_px, video.height_px))
        fps = fps_of(request.fps, video.fps, "fps")
        num_frames = num_frames_of(request.num_frames, request.duration_s, fps) or video.num_frames
        with job.stage("build"):
            scene = self._scene(request)
            frames = self._frames(request, scene, preset, size_px, num_frames, job)
            given = given_basis(self.store, request, scene)
            choice = DisplayChoice(request.display, PICTURE, request.image)
        with tempfile.TemporaryDirectory(prefix="lumenmill-clip-") as folder:
            shape = (num_frames, size_px[1], size_px[0], 3)
            linear = np.memmap(Path(folder) / "frames.f16", np.float16, "w+", shape=shape)
            with job.stage("render"):
                for index, picture in enumerate(rendered(self.engine, frames, job, given=given)):
                    linear[index] = picture
                arrived = self._arrived(frames, fps)
            with job.stage("encode"):
                transform = choice.transform(_metered(linear), [moment.light for moment in arrived])

                def shown(index: int) -> NDArray[np.uint8]:
                    return transform.pixels(linear[index].astype(np.float32))

                poster = shown(0)
                later = (shown(index) for index in range(1, num_frames))
                result = video_pb2.GenerateVideoResult(
                    video=put_clip(self.store, chain([poster], later), size_px, fps, _ENCODING),
                    poster=put_display(self.store, poster),
                    frames=self._put_truth(scene, preset, frames, transform),
                    scene=scene.artifact,
                    arrived_light=arrived,
                    built_scene=self._built(scene, frames),
                )
        record_display(result.poster, transform)
        applied = apply_encoding(_ENCODING, size_px)
        numbers = {
            **parameters(frames[0].view),
            "num_frames": num_frames,
            "fps": fps,
            "video_encoder": applied.encoder,
            "video_encoding": str(applied),
            **choice.parameters(transform),
        }
        camera = request.camera if request.HasField("camera") else None
        result.record.CopyFrom(
            Recorder(self.origin, self.lights.licence, job).record(
                preset.name, request.seed, numbers, scene.spec, [frame.lighting.light for frame in frames], camera
            )
        )
        if not request.HasField("scene"):
            result.record.substitutions.extend(substitutions_of(scene.spec))
        return result

    def _built(self, scene: Scene, frames: Sequence[Frame]) -> SceneDescription:
        """Return what the clip shows, as seen in some of its frames."""
        views = list(dict.fromkeys(frames[index].view for index in (0, len(frames) // 2, -1)))
        azimuth_deg = views[0].pose.azimuth_deg if len(views) == 1 else None
        return built_scene(scene.spec, (self.engine.buffers(view).instance for view in views), azimuth_deg)

    def _scene(self, request: video_pb2.GenerateVideoRequest) -> Scene:
        if request.HasField("scene"):
            return read_scene(self.store, request.scene)
        if request.HasField("scene_description") or request.prompt.strip():
            return store_scene(
                self.store,
                compose(
                    request.scene_description if request.HasField("scene_description") else SceneDescription(),
                    request.prompt,
                    request.seed,
                    self.meshes,
                    substitute=request.unknown_words == UnknownWords.UNKNOWN_WORDS_SUBSTITUTE,
                    scene_field="scene_description",
                ),
            )
        raise FailedPreconditionError(
            "studio films scenes: give the scene artifact, a scene_description or a prompt", "scene"
        )

    def _frames(
        self,
        request: video_pb2.GenerateVideoRequest,
        scene: Scene,
        preset: Preset,
        size_px: tuple[int, int],
        num_frames: int,
        job: JobContext,
    ) -> list[Frame]:
        poses = frame_poses(scene.spec.camera, request.camera if request.HasField("camera") else None, num_frames)
        moves = any(pose != poses[0] for pose in poses)

        def views_with(backgrounds: Backgrounds) -> list[View]:
            return [view_of(scene, pose, size_px, preset, moving=moves, backgrounds=backgrounds) for pose in poses]

        finder = ClipLights(self.lights, Obstruction(self.engine.visibility, self.lights))
        lightings = finder.of_frames(request, scene, views_with, preset.video.light_stop_frames, job)
        views = views_with(backgrounds_of(lightings))
        return [Frame(view, lighting) for view, lighting in zip(views, lightings, strict=True)]

    def _arrived(self, frames: Sequence[Frame], fps: float) -> list[ArrivedMoment]:
        """Return what arrived at some moments, each relative to the camera at that time."""
        arrivals = Arrivals(self.engine, self.lights)
        return [
            ArrivedMoment(time_s=index / fps, light=arrivals.in_frame(frames[index].view, frames[index].lighting))
            for index in moments_of(len(frames))
        ]

    def _put_truth(self, scene: Scene, preset: Preset, frames: list[Frame], transform: DisplayTransform) -> Artifact:
        lines = [
            json.dumps(_truth(scene, preset, index, len(frames), frame, transform), sort_keys=True)
            for index, frame in enumerate(frames)
        ]
        return self.store.put_bytes(("\n".join(lines) + "\n").encode(), "application/jsonl")


def rendered(
    engine: Engine,
    frames: Sequence[Frame],
    job: JobContext,
    *,
    shading: bool = False,
    given: Mapping[Key, Image] | None = None,
) -> Iterator[Image]:
    """Yield the linear picture (H, W, 3) of each frame: mixed if the camera stands still, else traced.

    ``given`` are the unit pictures that came with the request. Equal frames yield the same array.
    """
    still = all(frame.view == frames[0].view for frame in frames)
    in_hand: dict[Key, Image] = dict(given or {})
    before: tuple[Frame, Image] | None = None
    for index, frame in enumerate(frames):
        job.progress("render", index, len(frames))
        view, parts = frame.view, frame.lighting.parts
        if before is not None and (before[0].view, before[0].lighting.parts) == (view, parts):
            picture = before[1]
        elif still:
            picture = engine.light(view, parts, job.check_cancelled, in_hand, shading=shading)
            # Only these: the unit pictures of a whole clip would take too much memory.
            needed = {unit_key(view, part.unit, shading=shading) for part in parts} | set(given or {})
            in_hand = {key: in_hand[key] for key in needed}
        else:
            picture = engine.direct(view, parts, job.check_cancelled, shading=shading)
        before = frame, picture
        yield picture


def _metered(linear: NDArray[np.float16]) -> Image:
    """Return the pixels (H, W, 3) on which the one exposure of a clip is metered: those of some of its frames."""
    return np.concatenate([linear[index][::2, ::2].astype(np.float32) for index in moments_of(len(linear))])


def _truth(
    scene: Scene, preset: Preset, index: int, num_frames: int, frame: Frame, transform: DisplayTransform
) -> dict[str, object]:
    pose, (width, height) = frame.view.pose, frame.view.size_px
    focal_px = pose.focal_length_mm / 36 * width
    return {
        "frame": index,
        "time_fraction": index / max(num_frames - 1, 1),
        "scene_sha256": scene.sha256,
        "width_px": width,
        "height_px": height,
        "camera": {
            "viewpoint": json_format.MessageToDict(
                viewpoint_of(pose, scene.spec.camera), preserving_proto_field_name=True
            ),
            "pose": {
                "azimuth_deg": pose.azimuth_deg,
                "elevation_deg": pose.elevation_deg,
                "distance": pose.distance,
                "focal_length_mm": pose.focal_length_mm,
                "aim_y": pose.aim_y,
                "pan_deg": pose.pan_deg,
                "tilt_deg": pose.tilt_deg,
            },
            "world_from_camera": [[round(float(value), 7) for value in row] for row in pose.world_from_camera()],
            "intrinsics_px": {"fx": focal_px, "fy": focal_px, "cx": width / 2, "cy": height / 2},
        },
        "light": json_format.MessageToDict(frame.lighting.light, preserving_proto_field_name=True),
        "exposure_ev": transform.exposure_ev,
        "white_balance_gains": list(transform.gains or ()),
        "tone_map": tonemap.NAME,
        "render": {
            "preset": preset.name,
            "spp": frame.view.spp,
            "max_depth": frame.view.max_depth,
            "guide_spp": frame.view.guide_spp,
            "open_set": frame.view.open_set,
            "backgrounds": [list(entry) for entry in frame.view.backgrounds],
        },
    }
