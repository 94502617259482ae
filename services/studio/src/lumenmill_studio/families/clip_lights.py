"""Find the light of every frame of a clip, with lamps in front of the walls; light that cannot arrive is refused."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lumenmill.common.v1.light_pb2 import LightPath
from lumenmill.video.v1 import video_pb2
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.jobs import JobContext
from lumenmill_studio.families.lighting import Lighting, LightReader
from lumenmill_studio.families.obstruction import Obstruction
from lumenmill_studio.light.motion import frame_lights
from lumenmill_studio.light.sources import is_dark
from lumenmill_studio.render.view import View
from lumenmill_studio.scenes.compose import field_of_light
from lumenmill_studio.scenes.stored import Scene

__all__ = ["Backgrounds", "ClipLights", "backgrounds_of", "moments_of"]

# Frames at which exposure is metered, whose arrived light is returned, and in which constant light must arrive.
_NUM_MOMENTS = 5

Backgrounds = tuple[tuple[str, float], ...]
ViewsWith = Callable[[Backgrounds], Sequence[View]]


@dataclass(frozen=True)
class ClipLights:
    """Finds the lights of clips."""

    lights: LightReader
    obstruction: Obstruction

    def of_frames(
        self,
        request: video_pb2.GenerateVideoRequest,
        scene: Scene,
        views_with: ViewsWith,
        stop_frames: int,
        job: JobContext,
    ) -> list[Lighting]:
        """Return the light of each frame; the scene's own one without one in the request.

        Args:
            request: of the clip.
            scene: what it shows.
            views_with: gives the views of the frames with some background pictures.
            stop_frames: as in :func:`frame_lights`.
            job: for which they are found.

        Raises:
            InvalidArgumentError: a light cannot be read, gives no light, or does not arrive: a constant one at any
                moment, a path's at its first keyframe that gives light; names the field.
        """
        if request.HasField("light_path"):
            if request.HasField("light"):
                raise InvalidArgumentError("light_path", "set `light` or `light_path`, not both")
            return self._of_path(request.light_path, views_with, stop_frames, job)
        light = request.light if request.HasField("light") else scene.spec.light()
        lighting = self.lights.read(light, "light")
        views = views_with(lighting.backgrounds)
        cleared = self.obstruction.cleared(views[0], lighting, job)
        moments = list(dict.fromkeys(views[index] for index in moments_of(len(views))))
        if request.HasField("light"):
            self.obstruction.check(moments, cleared.light, "light")
        elif not request.HasField("scene"):
            words_field = field_of_light(scene.spec, request.prompt, "scene_description")
            if words_field:
                self.obstruction.check(moments, cleared.light, words_field, is_of_words=True)
        return [cleared] * len(views)

    def _of_path(self, given: LightPath, views_with: ViewsWith, stop_frames: int, job: JobContext) -> list[Lighting]:
        path = LightPath()
        path.CopyFrom(given)
        lightings = []
        for index, keyframe in enumerate(path.keyframes):
            field = _field(index)
            keyframe.light.CopyFrom(self.lights.with_stored_assets(keyframe.light, field))
            lightings.append(self.lights.resolve(keyframe.light, field))
        lit = [index for index, each in enumerate(lightings) if not is_dark(each.light, each.parts)]
        if not lit:
            raise InvalidArgumentError("light_path.keyframes", "give no light at all, so that the clip were black")
        views = views_with(backgrounds_of(lightings))
        for keyframe in path.keyframes:
            keyframe.light.CopyFrom(self.obstruction.cleared_light(views[0], keyframe.light, job))
        lights = frame_lights(path, len(views), stop_frames)
        first = path.keyframes[lit[0]]
        seen_from = views[round(first.time_fraction * (len(views) - 1))]
        self.obstruction.check([seen_from], first.light, _field(lit[0]))
        return [self.lights.resolve(light, "light_path") for light in lights]


def backgrounds_of(lightings: Sequence[Lighting]) -> Backgrounds:
    """Return the background pictures of some lights."""
    return tuple(sorted({entry for lighting in lightings for entry in lighting.backgrounds}))


def moments_of(num_frames: int) -> list[int]:
    """Return some frames, evenly over a clip, the first and the last among them."""
    return sorted({round(index) for index in np.linspace(0, num_frames - 1, _NUM_MOMENTS).tolist()})


def _field(index: int) -> str:
    return f"light_path.keyframes[{index}].light"
