"""Calls whose result, duration and memory are checked."""

import itertools
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
from google.protobuf.message import Message

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.relighter.v1 import relighter_pb2
from lumenmill.video.v1 import video_pb2

from .call_results import CallResult, assert_allowed, make_call, violations_of
from .contracts import RPCS
from .corpus import Corpus, tiny
from .processes import Mesh

__all__ = ["CheckedCalls", "assert_lit", "assert_rejected", "with_id"]

_MAX_GROWTH_BYTES = 1 << 30
_MAX_DURATION_S = 45.0


@dataclass
class CheckedCalls:
    """Makes checked calls to a mesh with a corpus."""

    mesh: Mesh
    corpus: Corpus

    def call(self, service: str, name: str, *requests: Message) -> CallResult:
        """Make one call and check its result, duration and memory."""
        process = self.mesh.processes[service]
        process.reset_peak_memory()
        before, started_s = process.peak_memory_bytes(), time.monotonic()
        result = make_call(process, RPCS[name], requests, 2 * _MAX_DURATION_S)
        assert_allowed(RPCS[name], requests, result, process)
        assert time.monotonic() - started_s < _MAX_DURATION_S
        assert process.peak_memory_bytes() - before < _MAX_GROWTH_BYTES
        return result

    def put(self, content: bytes, media_type: str) -> Artifact:
        """Store a file."""
        return self.mesh.store.put_bytes(content, media_type)

    def caption(self, **subject: Any) -> CallResult:
        """Caption a subject, by default an intact image."""
        request = captioner_pb2.CaptionRequest(subject={"media": self.corpus.artifacts["image"]} | subject)
        return self.call("captioner", "CaptionerService.Caption", with_id(request))

    def relight(self, variant: dict[str, Any], **more: Any) -> CallResult:
        """Relight the scene of the corpus."""
        fields = {"scene": self.corpus.artifacts["scene"], "variants": [variant]} | tiny("id") | more
        return self.call("studio", "RelighterService.Relight", with_id(relighter_pb2.RelightRequest(**fields)))

    def clip(self, **more: Any) -> CallResult:
        """Generate a clip of the scene of the corpus."""
        fields = {"scene": self.corpus.artifacts["scene"], "num_frames": 2} | tiny("id") | more
        return self.call("studio", "VideoService.GenerateVideo", with_id(video_pb2.GenerateVideoRequest(**fields)))

    def pixels(self, artifact: Artifact) -> Any:
        """Return the pixels of an EXR artifact."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "image.exr"
            path.write_bytes(self.mesh.store.read_bytes(artifact))
            with OpenEXR.File(str(path)) as file:
                return np.array(next(iter(file.channels().values())).pixels, np.float32)


_NUM_CALLS = itertools.count()


def with_id(request: Any) -> Any:
    """Return the request with a new id."""
    request.job.request_id = f"named-{next(_NUM_CALLS)}"
    return request


def assert_rejected(result: CallResult, field: str) -> None:
    """Check that the result names this field as invalid."""
    assert result.code.name in ("INVALID_ARGUMENT", "OUT_OF_RANGE"), result
    assert violations_of(result)[0][0] == field, result.message


def assert_lit(calls: CheckedCalls, result: CallResult) -> None:
    """Check that the images have light and only finite pixels."""
    assert result.code.name == "OK", result.message
    made = [part.linear for part in getattr(result.responses[-1].result, "variants", [])]
    made += [part.linear for part in getattr(result.responses[-1].result, "images", [])]
    for artifact in made:
        pixels = calls.pixels(artifact)
        assert np.isfinite(pixels).all() and pixels.max() > 1e-4
    assert made
