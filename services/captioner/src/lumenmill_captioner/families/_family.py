"""What a captioner family is."""

from typing import Protocol

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import model_pb2
from lumenmill_common.jobs import BatchWork, Work


class Family(Protocol):
    """Describes pictures. Work runs in a worker thread and may block."""

    def describe(self) -> model_pb2.Model:
        """Return the truth about the model."""

    def load(self) -> None:
        """Prepare for work; raises LumenmillError when that is impossible."""

    def caption_work(self, request: captioner_pb2.CaptionRequest) -> Work | BatchWork:
        """Return the description of one image or clip as work.

        Raises:
            InvalidArgumentError: the family cannot do what it asks for; names the field.
        """

    def compare_light_work(self, request: captioner_pb2.CompareLightRequest) -> Work | BatchWork:
        """Return the comparison of the light in two images as work; errors as `caption_work`."""
