"""One call of a model: its progress on the terminal, what Ctrl-C does to its job, and the files of its result."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.common.v1.generation_pb2 import GenerationRecord
from lumenmill.common.v1.light_pb2 import Light
from lumenmill_client._async_client import new_request_id
from lumenmill_client._client import Client
from lumenmill_client._events import ProgressEvent
from lumenmill_client.command._context import CommandContext
from lumenmill_client.command._light_option import parse_light
from lumenmill_client.command._output import notes, print_json, print_note, print_text
from lumenmill_common.artifacts import extension_of

__all__ = ["ModelCall", "model_call", "print_files", "print_substitutions"]


@dataclass(frozen=True)
class ModelCall:
    """What a command makes its call with: `options` are keyword arguments of the method of `Client`."""

    client: Client
    options: Mapping[str, Any]

    def light(self, sources: list[str] | None) -> Light | None:
        """Return the light of `--light` after uploading its files; errors as `parse_light`."""
        return parse_light(self.client, sources or [])

    def save(self, artifact: Artifact, stem: Path) -> Path:
        """Download an artifact to `stem` with the extension of its media type, and return the file."""
        return self.client.download(artifact, stem.with_name(stem.name + extension_of(artifact.media_type)))


@contextmanager
def model_call(command: CommandContext, doing: str, request_id: str, **options: Any) -> Iterator[ModelCall]:
    """Yield what a call of a model with these `options` needs, and show its progress while the block lasts.

    After Ctrl-C the command exits with 130 and says what becomes of the job, if the model has it already.
    """
    known_id = request_id or new_request_id()
    progress: _Progress | None = None
    try:
        with command.client() as client, notes.working(doing) as show_text:
            progress = _Progress(show_text)
            yield ModelCall(client, {**options, "request_id": known_id, "on_progress": progress})
    except KeyboardInterrupt:
        if progress is not None and progress.has_job:
            print_note(
                "interrupted. The job continues for the grace period of its service, 60 s by default, and is then "
                f"cancelled. The same command with --request-id {known_id} attaches to it"
            )
        raise


class _Progress:
    """Shows the events of a job: on a terminal in place, elsewhere one line for each stage."""

    def __init__(self, show_text: Callable[[str], None]) -> None:
        self._show_text, self._printed = show_text, ""
        self.has_job = False

    def __call__(self, event: ProgressEvent) -> None:
        self.has_job = True
        steps = f" {event.step}/{event.total}" if event.total else ""
        self._show_text(f"{event.stage}{steps}")
        if not notes.is_terminal and event.stage != self._printed:
            self._printed = event.stage
            print_note(f"{event.stage} …")


def print_substitutions(records: Iterable[GenerationRecord]) -> None:
    """Print on standard error what was drawn for words that cannot be drawn."""
    exchanged = {(each.requested, each.built) for record in records for each in record.substitutions}
    for requested, built in sorted(exchanged):
        print_note(f"drew {built or 'nothing'} for {requested}")


def print_files(files: list[Path], result: dict[str, object], as_json: bool) -> None:
    """Print the files that a command has written, as JSON with the whole result."""
    if as_json:
        print_json({"files": [str(file) for file in files], "result": result})
    else:
        for file in files:
            print_text(str(file))
