"""What a captioner family is."""

from typing import Protocol

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import model_pb2
from lumenmill_common.jobs import JobContext


class Family(Protocol):
    """Describes pictures. `caption` and `compare_light` run in a worker thread and may block."""

    def describe(self) -> model_pb2.Model:
        """Return the truth about the model."""

    def load(self) -> None:
        """Prepare for work; raises LumenmillError when that is impossible."""

    def caption(self, request: captioner_pb2.CaptionRequest, job: JobContext) -> captioner_pb2.CaptionResult:
        """Describe one image or clip."""

    def compare_light(
        self, request: captioner_pb2.CompareLightRequest, job: JobContext
    ) -> captioner_pb2.CompareLightResult:
        """Say what changed in the light between two images."""
