"""Cost of another light on a scene, mixed from the scene's light basis or traced, through studio's own RPC.

Durations are those of the stage `render`, in which the light is traced or mixed.
"""

import asyncio
import tempfile

from figures import Figure, median_of, run_benchmark

from lumenmill.common.v1.light_pb2 import Light
from lumenmill.common.v1.scene_pb2 import SceneDescription, SceneKind
from lumenmill.imager.v1 import imager_pb2, imager_pb2_grpc
from lumenmill.relighter.v1 import relighter_pb2, relighter_pb2_grpc
from lumenmill_common.calls import call_heavy
from lumenmill_common.testing import running_service
from lumenmill_studio.__main__ import studio_service
from lumenmill_studio.settings import StudioSettings


def _light(azimuth_deg: float, temperature_k: float, irradiance: float) -> Light:
    light = Light()
    area = light.sources.add().area
    area.azimuth_deg, area.elevation_deg, area.irradiance = azimuth_deg, 40, irradiance
    area.color.temperature_k = temperature_k
    return light


def _render_s(result: relighter_pb2.RelightResult) -> float:
    return sum(stage.duration_s for stage in result.variants[0].record.stage_times if stage.stage == "render")


async def _measure(preset: str, repeats: int) -> list[Figure]:
    traced_s, mixed_s = [], []
    with tempfile.TemporaryDirectory() as folder:
        settings = StudioSettings(
            listen_address="127.0.0.1:0", metrics_address="", drain_s=0.0, store_url=f"file://{folder}/store"
        )
        async with running_service(studio_service(settings), settings) as channel:
            imager = imager_pb2_grpc.ImagerServiceStub(channel)
            relighter = relighter_pb2_grpc.RelighterServiceStub(channel)
            scene = SceneDescription(kind=SceneKind.SCENE_KIND_STILL_LIFE, seed=1)
            scene_request = imager_pb2.GenerateImagesRequest(scene=scene, preset=preset)
            scene_request.job.request_id = "scene"
            image = (await call_heavy(imager.GenerateImages, scene_request)).images[0]
            for number in range(repeats):
                request = relighter_pb2.RelightRequest(scene=image.scene, preset=preset)
                request.variants.add(light=_light(-60 + 10 * number, 5000, 4))
                request.job.request_id = f"traced-{number}"
                first = await call_heavy(relighter.Relight, request)
                traced_s.append(_render_s(first))
                request.variants[0].light.CopyFrom(_light(-60 + 10 * number, 2700, 2))
                request.light_basis.CopyFrom(first.light_basis)
                request.job.request_id = f"mixed-{number}"
                mixed_s.append(_render_s(await call_heavy(relighter.Relight, request)))
    ratios = [traced / mixed for traced, mixed in zip(traced_s, mixed_s, strict=True)]
    return [
        median_of(f"another light at `{preset}`, traced", traced_s, "s"),
        median_of(f"another light at `{preset}`, mixed from the basis", [1e3 * seconds for seconds in mixed_s], "ms"),
        median_of(f"traced against mixed at `{preset}`", ratios, "ratio", at_least=100),
    ]


def measure(quick: bool) -> list[Figure]:
    """Measure at preset `fast`, and at `balanced` unless quick."""
    figures = asyncio.run(_measure("fast", 3))
    return figures if quick else figures + asyncio.run(_measure("balanced", 3))


if __name__ == "__main__":
    run_benchmark(__doc__, measure)
