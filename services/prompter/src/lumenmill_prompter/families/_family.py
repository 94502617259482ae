"""What a prompter family is."""

from typing import Protocol

from lumenmill.common.v1 import model_pb2
from lumenmill.prompter.v1 import prompter_pb2
from lumenmill_common.jobs import JobContext


class Family(Protocol):
    """Writes prompts. Every method but `describe` runs in a worker thread and may block."""

    def describe(self) -> model_pb2.Model:
        """Return the truth about the model."""

    def load(self) -> None:
        """Prepare for work; raises LumenmillError when that is impossible."""

    def generate_prompt_sets(
        self, request: prompter_pb2.GeneratePromptSetsRequest, job: JobContext
    ) -> prompter_pb2.GeneratePromptSetsResult:
        """Write prompt sets from a brief."""

    def write_edit_prompts(
        self, request: prompter_pb2.WriteEditPromptsRequest, job: JobContext
    ) -> prompter_pb2.WriteEditPromptsResult:
        """Write relight and edit instructions."""

    def write_motion_prompts(
        self, request: prompter_pb2.WriteMotionPromptsRequest, job: JobContext
    ) -> prompter_pb2.WriteMotionPromptsResult:
        """Write motion prompts."""

    def rewrite_prompts(
        self, request: prompter_pb2.RewritePromptsRequest, job: JobContext
    ) -> prompter_pb2.RewritePromptsResult:
        """Rewrite prompts one for one."""
