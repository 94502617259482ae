"""Calls that are watched: how they are answered, how long they take, how much memory."""

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

from .answers import Answer, ask, assert_right, violations_of
from .contracts import RPCS
from .processes import Mesh
from .stock import Stock, tiny

__all__ = ["House", "assert_refused", "assert_shows_something", "with_id"]

_MAX_GROWTH_BYTES = 1 << 30
_MAX_DURATION_S = 45.0


@dataclass
class House:
    """The mesh, its stock, and calls that are watched."""

    mesh: Mesh
    stock: Stock

    def call(self, service: str, name: str, *requests: Message) -> Answer:
        """Makes one call; it must be answered rightly, in time, and without much memory."""
        process = self.mesh.processes[service]
        process.reset_peak_memory()
        before, started_s = process.peak_memory_bytes(), time.monotonic()
        answer = ask(process, RPCS[name], requests, 2 * _MAX_DURATION_S)
        assert_right(RPCS[name], requests, answer, process)
        assert time.monotonic() - started_s < _MAX_DURATION_S
        assert process.peak_memory_bytes() - before < _MAX_GROWTH_BYTES
        return answer

    def put(self, content: bytes, media_type: str) -> Artifact:
        """A file in the store."""
        return self.mesh.store.put_bytes(content, media_type)

    def caption(self, **subject: Any) -> Answer:
        """A caption of a subject, by default of a sound picture."""
        request = captioner_pb2.CaptionRequest(subject={"media": self.stock.artifacts["image"]} | subject)
        return self.call("captioner", "CaptionerService.Caption", with_id(request))

    def relight(self, variant: dict[str, Any], **more: Any) -> Answer:
        """One variant of the stock's scene."""
        fields = {"scene": self.stock.artifacts["scene"], "variants": [variant]} | tiny("id") | more
        return self.call("studio", "RelighterService.Relight", with_id(relighter_pb2.RelightRequest(**fields)))

    def film(self, **more: Any) -> Answer:
        """A clip of the stock's scene."""
        fields = {"scene": self.stock.artifacts["scene"], "num_frames": 2} | tiny("id") | more
        return self.call("studio", "VideoService.GenerateVideo", with_id(video_pb2.GenerateVideoRequest(**fields)))

    def pixels(self, artifact: Artifact) -> Any:
        """Pixels of an EXR artifact."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "image.exr"
            path.write_bytes(self.mesh.store.read_bytes(artifact))
            with OpenEXR.File(str(path)) as file:
                return np.array(next(iter(file.channels().values())).pixels, np.float32)


_NUM_CALLS = itertools.count()


def with_id(request: Any) -> Any:
    """The request under an id of its own."""
    request.job.request_id = f"named-{next(_NUM_CALLS)}"
    return request


def assert_refused(answer: Answer, field: str) -> None:
    """The answer says that this field is wrong."""
    assert answer.code.name in ("INVALID_ARGUMENT", "OUT_OF_RANGE"), answer
    assert violations_of(answer)[0][0] == field, answer.message


def assert_shows_something(house: House, answer: Answer) -> None:
    """The picture has light in it, and nothing that is no number."""
    assert answer.code.name == "OK", answer.message
    made = [part.linear for part in getattr(answer.responses[-1].result, "variants", [])]
    made += [part.linear for part in getattr(answer.responses[-1].result, "images", [])]
    for artifact in made:
        pixels = house.pixels(artifact)
        assert np.isfinite(pixels).all() and pixels.max() > 1e-4
    assert made
