"""The corpus of the fuzz tests: artifacts of all kinds, runs and samples, made by the services."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lumenmill.common.v1 import artifact_pb2, intrinsics_pb2, light_pb2, scene_pb2
from lumenmill.imager.v1 import imager_pb2, imager_pb2_grpc
from lumenmill.orchestrator.v1 import run_pb2, run_pb2_grpc
from lumenmill.relighter.v1 import relighter_pb2, relighter_pb2_grpc
from lumenmill.video.v1 import video_pb2, video_pb2_grpc

from .processes import Mesh

__all__ = ["RECIPE", "Corpus", "key_light", "make_corpus", "radiance_map", "tiny"]

RECIPE = """\
lumenmill: 1
name: tiny
parameters:
  prompts: {type: "list[string]", default: [a copper kettle]}
  width: {type: int, default: 16, min: 16, max: 64}
source: {items: "${params.prompts}"}
steps:
  image:
    call: imager.GenerateImages
    model: studio
    with: {prompt: "${item}", preset: fast, width_px: "${params.width}", height_px: 16, seed: 3}
  caption:
    call: captioner.Caption
    model: photometric
    with: {subject: {media: "${image.images[0].image}", requested_light: "${image.images[0].light}"}}
    gates:
      - {reason: overexposed, reject_when: {value: "${result.measurement.clipped_highlights_fraction}", above: 0.9}}
samples:
  image:
    kind: image
    group: ${image.images[0].scene}
    media: {image: "${image.images[0].image}", linear: "${image.images[0].linear}"}
    caption: ${caption.text}
    requested_light: ${image.images[0].light}
"""


@dataclass
class Corpus:
    """Artifacts by role with their bytes, and ids of runs and samples."""

    artifacts: dict[str, artifact_pb2.Artifact] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    run_ids: list[str] = field(default_factory=list)
    sample_ids: list[str] = field(default_factory=list)

    def add(self, role: str, artifact: artifact_pb2.Artifact, content: bytes) -> None:
        """Add an artifact."""
        self.artifacts[role], self.contents[role] = artifact, content


def tiny(request_id: str) -> dict[str, Any]:
    """Return fields of a request for a very cheap image."""
    return {"job": {"request_id": request_id}, "preset": "fast", "width_px": 32, "height_px": 24}


def key_light(irradiance: float = 3.0) -> light_pb2.Light:
    """Return a light from the left."""
    area = light_pb2.AreaLight(azimuth_deg=-45, elevation_deg=35, irradiance=irradiance)
    return light_pb2.Light(sources=[light_pb2.LightSource(area=area)])


def radiance_map(rgbe: bytes = b"\x80\x80\x80\x81", width: int = 32, height: int = 16) -> bytes:
    """Return a Radiance file of one colour."""
    return b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y %d +X %d\n" % (height, width) + rgbe * (width * height)


def result_of(responses: Iterator[Any]) -> Any:
    """Return the result of a call that runs a job."""
    return [response for response in responses if response.WhichOneof("event") == "result"][-1].result


def make_corpus(mesh: Mesh) -> Corpus:
    """Make one artifact of each kind and a run; takes a few seconds."""
    corpus = Corpus()
    _make_pictures(mesh, corpus)
    others = {
        "map": (radiance_map(), "image/vnd.radiance"),
        "mesh": (b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "model/obj"),
        "text": (b"not a picture\n", "text/plain"),
    }
    for role, (content, media_type) in others.items():
        corpus.add(role, mesh.store.put_bytes(content, media_type), content)
    _make_run(mesh, corpus)
    return corpus


def _make_pictures(mesh: Mesh, corpus: Corpus) -> None:
    channel = mesh.processes["studio"].channel
    scene = scene_pb2.SceneDescription(subjects=["jug"], place="on an oak table", seed=3)
    imager = imager_pb2_grpc.ImagerServiceStub(channel)
    relighter, video = relighter_pb2_grpc.RelighterServiceStub(channel), video_pb2_grpc.VideoServiceStub(channel)
    image = result_of(imager.GenerateImages(imager_pb2.GenerateImagesRequest(scene=scene, **tiny("image")))).images[0]
    relit = result_of(
        relighter.Relight(
            relighter_pb2.RelightRequest(scene=image.scene, variants=[{"light": key_light()}], **tiny("relit"))
        )
    )
    kinds = [intrinsics_pb2.INTRINSIC_KIND_ALBEDO, intrinsics_pb2.INTRINSIC_KIND_NORMALS]
    maps = result_of(
        relighter.Decompose(relighter_pb2.DecomposeRequest(scene=image.scene, kinds=kinds, **tiny("maps")))
    ).maps
    clip = result_of(
        video.GenerateVideo(video_pb2.GenerateVideoRequest(scene=image.scene, num_frames=2, fps=12, **tiny("clip")))
    )
    made = {
        "image": image.image,
        "linear": image.linear,
        "scene": image.scene,
        "light_basis": relit.light_basis,
        "albedo": maps[0].data,
        "normals": maps[1].data,
        "video": clip.video,
        "frames": clip.frames,
    }
    for role, artifact in made.items():
        corpus.add(role, artifact, mesh.store.read_bytes(artifact))


def _make_run(mesh: Mesh, corpus: Corpus) -> None:
    runs = run_pb2_grpc.RunServiceStub(mesh.processes["orchestrator"].channel)
    runs.SubmitRun(run_pb2.SubmitRunRequest(recipe=RECIPE, run_id="corpus"))
    last = list(runs.WatchRun(run_pb2.WatchRunRequest(run_id="corpus"), timeout=60))[-1].run
    assert last.num_samples_accepted == 1, last
    corpus.run_ids = ["corpus"]
    corpus.sample_ids = [sample.id for sample in runs.ListSamples(run_pb2.ListSamplesRequest(run_id="corpus")).samples]
