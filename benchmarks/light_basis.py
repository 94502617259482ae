"""What another light on a scene costs once its light basis is there, against tracing it, through studio's own RPC.

Run `python benchmarks/light_basis.py [PRESET] [REPEATS]`; prints JSON: median seconds of the stage `render`.
"""

import asyncio
import json
import statistics
import sys
import tempfile

from lumenmill.common.v1.light_pb2 import Light
from lumenmill.common.v1.scene_pb2 import SceneDescription, SceneKind
from lumenmill.imager.v1 import imager_pb2, imager_pb2_grpc
from lumenmill.relighter.v1 import relighter_pb2, relighter_pb2_grpc
from lumenmill_common.calls import call_heavy
from lumenmill_common.testing import running_service
from lumenmill_studio.service import studio_service
from lumenmill_studio.settings import StudioSettings


def _light(azimuth_deg: float, temperature_k: float, irradiance: float) -> Light:
    light = Light()
    area = light.sources.add().area
    area.azimuth_deg, area.elevation_deg, area.irradiance = azimuth_deg, 40, irradiance
    area.color.temperature_k = temperature_k
    return light


def _render_s(result: relighter_pb2.RelightResult) -> float:
    return sum(stage.duration_s for stage in result.variants[0].record.stage_times if stage.stage == "render")


async def _measure(preset: str, repeats: int) -> dict[str, float]:
    traced_s, mixed_s = [], []
    with tempfile.TemporaryDirectory() as folder:
        settings = StudioSettings(
            listen_address="127.0.0.1:0", metrics_address="", drain_s=0.0, store_url=f"file://{folder}/store"
        )
        async with running_service(studio_service(settings), settings) as channel:
            imager = imager_pb2_grpc.ImagerServiceStub(channel)
            relighter = relighter_pb2_grpc.RelighterServiceStub(channel)
            scene = SceneDescription(kind=SceneKind.SCENE_KIND_STILL_LIFE, seed=1)
            asked = imager_pb2.GenerateImagesRequest(scene=scene, preset=preset)
            asked.job.request_id = "scene"
            image = (await call_heavy(imager.GenerateImages, asked)).images[0]
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
    traced, mixed = statistics.median(traced_s), statistics.median(mixed_s)
    return {"traced_s": round(traced, 4), "mixed_s": round(mixed, 6), "ratio": round(traced / mixed, 1)}


def main() -> None:
    """Measures and prints."""
    preset = sys.argv[1] if len(sys.argv) > 1 else "balanced"
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    sys.stdout.write(json.dumps(asyncio.run(_measure(preset, repeats))) + "\n")


if __name__ == "__main__":
    main()
