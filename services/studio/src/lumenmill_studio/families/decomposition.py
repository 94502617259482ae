"""Decompose pictures and clips into intrinsic maps."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np

from lumenmill.relighter.v1 import relighter_pb2
from lumenmill.video.v1 import video_pb2
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.errors import FailedPreconditionError, InvalidArgumentError
from lumenmill_common.jobs import JobContext
from lumenmill_media import MapSink, as_half, read_map
from lumenmill_studio.families import intrinsics
from lumenmill_studio.families.clips import Frame, rendered
from lumenmill_studio.families.frame_truth import FrameTruth, read_truths
from lumenmill_studio.families.lighting import LightReader
from lumenmill_studio.families.limits import fps_of, recorded_exposure_ev, size_of
from lumenmill_studio.families.obstruction import Obstruction
from lumenmill_studio.families.results import Origin, Recorder
from lumenmill_studio.families.stills import parameters, refuse_path, render
from lumenmill_studio.light.basis import Image
from lumenmill_studio.presets import preset_named
from lumenmill_studio.render import tonemap
from lumenmill_studio.render.camera import pose_of
from lumenmill_studio.render.engine import Engine
from lumenmill_studio.render.view import View, view_of
from lumenmill_studio.scenes.stored import Scene, read_scene

__all__ = ["Decomposition"]

_FPS_UNKNOWN = 12.0


@dataclass(frozen=True)
class Decomposition:
    """Renders the intrinsic maps of pictures and clips with one engine."""

    store: ArtifactStore
    engine: Engine
    lights: LightReader
    origin: Origin

    def decompose(self, request: relighter_pb2.DecomposeRequest, job: JobContext) -> relighter_pb2.DecomposeResult:
        """Return the maps of Decompose: of one picture, under the scene's default light unless another is given."""
        with job.stage("build"):
            scene = read_scene(self.store, request.scene if request.HasField("scene") else None)
            preset = preset_named(request.preset)
            camera = request.camera if request.HasField("camera") else None
            refuse_path(camera, "camera")
            facts, exposure_ev = request.image.image, recorded_exposure_ev(request.image)
            default_px = (
                (facts.width_px, facts.height_px)
                if facts.width_px and facts.height_px
                else (preset.width_px, preset.height_px)
            )
            size_px = size_of(request.width_px, request.height_px, default_px)
            lighting = self.lights.read(request.light if request.HasField("light") else scene.spec.light(), "light")
            pose = pose_of(scene.spec.camera, camera.viewpoint if camera and camera.HasField("viewpoint") else None)
            view = view_of(
                scene, pose, size_px, preset, open_set=request.has_environment, backgrounds=lighting.backgrounds
            )
            # A lamp is where it stood when the picture was rendered; one that was moved then is not moved again.
            lighting = Obstruction(self.engine.visibility, self.lights).cleared(view, lighting, job)
            linear = self._given_linear(request, size_px) if request.HasField("linear") else None
        kinds = list(request.kinds) or list(intrinsics.ALL_KINDS)
        shading = None
        with job.stage("render"):
            buffers = self.engine.buffers(view)
            if intrinsics.LIT_KINDS.intersection(kinds):
                if linear is None:
                    linear = as_half(render(self.engine, view, lighting, job, {}))
                shading = render(self.engine, view, lighting, job, {}, shading=True)
        with job.stage("encode"):
            if exposure_ev is None:
                exposure_ev = tonemap.auto_exposure_ev(linear) if linear is not None else 0.0
            maps = intrinsics.maps_of(kinds, buffers, linear, shading)
            found = [intrinsics.put_map(self.store, kind, maps[kind], exposure_ev) for kind in kinds]
        record = Recorder(self.origin, self.lights.licence, job).record(
            preset.name, request.seed, parameters(view), scene.spec, [lighting.light], camera
        )
        return relighter_pb2.DecomposeResult(maps=found, record=record)

    def _given_linear(self, request: relighter_pb2.DecomposeRequest, size_px: tuple[int, int]) -> Image:
        """Return the picture of a request; errors as `read_map`, and for another size or what is no radiance."""
        linear = read_map(self.store, request.linear, "linear")
        width, height = size_px
        if linear.shape != (height, width, 3):
            given = f"{linear.shape[1]}×{linear.shape[0]} pixels of {linear.shape[2]} channels"
            raise InvalidArgumentError("linear", f"has {given}; must have {width}×{height} of 3")
        if not np.isfinite(linear).all():
            raise InvalidArgumentError("linear", "has values that are not finite; send linear radiance")
        return linear

    def decompose_video(
        self, request: video_pb2.DecomposeVideoRequest, job: JobContext
    ) -> video_pb2.DecomposeVideoResult:
        """Return the maps of DecomposeVideo: of a clip that studio rendered, from its scene and ground truth."""
        with job.stage("build"):
            scene = read_scene(self.store, request.scene if request.HasField("scene") else None)
            if not request.HasField("frames"):
                raise FailedPreconditionError("studio needs the `frames` that came with the clip", "frames")
            fps = fps_of(request.video.video.fps, _FPS_UNKNOWN, "video.video.fps")
            truths = read_truths(self.store, request.frames, scene.sha256)
            frames = [self._frame(truth, scene) for truth in truths]
        kinds = list(request.kinds) or list(intrinsics.ALL_KINDS)
        with tempfile.TemporaryDirectory(prefix="lumenmill-maps-") as folder:
            size_px, exposure_ev = frames[0].view.size_px, truths[0].exposure_ev
            sinks: dict[int, MapSink] = {
                kind: MapSink(Path(folder), kind, size_px, intrinsics.map_encoding(kind, exposure_ev)) for kind in kinds
            }
            with job.stage("render"):
                self._write(frames, sinks, job)
            with job.stage("encode"):
                maps = [sinks[kind].finish(self.store, fps) for kind in kinds]
        record = Recorder(self.origin, self.lights.licence, job).record(
            truths[0].render.preset,
            request.seed,
            {**parameters(frames[0].view), "num_frames": len(frames)},
            scene.spec,
            [frame.lighting.light for frame in frames],
            None,
        )
        return video_pb2.DecomposeVideoResult(maps=maps, record=record)

    def _frame(self, truth: FrameTruth, scene: Scene) -> Frame:
        size_px = size_of(truth.width_px, truth.height_px, (0, 0), "frames")
        how = truth.render
        view = View(scene, truth.pose, size_px, how.spp, how.max_depth, how.guide_spp, how.open_set, how.backgrounds)
        try:
            return Frame(view, self.lights.read(truth.bounded_light(), "light", may_be_dark=True))
        except InvalidArgumentError as error:
            raise InvalidArgumentError("frames", f"has a light that cannot be rendered: {error}") from error

    def _write(self, frames: Sequence[Frame], sinks: Mapping[int, MapSink], job: JobContext) -> None:
        lit = bool(intrinsics.LIT_KINDS.intersection(sinks))
        pictures = rendered(self.engine, frames, job) if lit else repeat(None, len(frames))
        shadings = rendered(self.engine, frames, job, shading=True) if lit else repeat(None, len(frames))
        inputs: tuple[object, ...] = ()
        maps: dict[int, Image] = {}
        for index, (frame, linear, shading) in enumerate(zip(frames, pictures, shadings, strict=True)):
            job.progress("render", index, len(frames))
            buffers = self.engine.buffers(frame.view)
            if not inputs or any(new is not old for new, old in zip((buffers, linear, shading), inputs, strict=True)):
                maps = intrinsics.maps_of(list(sinks), buffers, None if linear is None else as_half(linear), shading)
            inputs = buffers, linear, shading
            for kind, data in maps.items():
                sinks[kind].add(data)
