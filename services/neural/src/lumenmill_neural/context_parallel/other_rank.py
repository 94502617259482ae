"""A rank above 0: computes its part of each denoiser call. `python -m lumenmill_neural.context_parallel.other_rank`.

Rank 0 sends messages, lines of JSON, to its standard input. The process ends when that closes.
"""

import importlib
import json
import os
import queue
import signal
import sys
import threading
from base64 import b64decode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TextIO

import torch

from lumenmill.common.v1.sampling_pb2 import Adapter
from lumenmill_common.artifacts import open_store_from
from lumenmill_common.errors import LumenmillError
from lumenmill_common.telemetry import configure_logging, get_logger
from lumenmill_neural.catalogue import ModelEntry
from lumenmill_neural.context_parallel import messages
from lumenmill_neural.context_parallel.exit_status import ExitStatus
from lumenmill_neural.context_parallel.process_group import enable_context_parallelism, join_process_group
from lumenmill_neural.device import Device
from lumenmill_neural.host import ModelHost
from lumenmill_neural.offload import DENOISERS
from lumenmill_neural.settings import NeuralSettings
from lumenmill_neural.source import Checkpoint

__all__ = ["NextMessage", "main"]

_log = get_logger(__name__)

NextMessage = Callable[[], dict[str, Any]]
"""Waits for the next message of rank 0."""


class _OtherRank:
    """The role of this process; see `Role`."""

    def __init__(
        self, task: dict[str, Any], settings: NeuralSettings, next_message: NextMessage, replies: TextIO
    ) -> None:
        self._task, self._settings, self._next_message, self._replies = task, settings, next_message, replies

    def begin_loading(self, pipeline_class: Any, folder: str, entry: ModelEntry, device: Device) -> None:
        self._device = device

    def parallelise(self, denoiser: Any) -> None:
        _reply(self._replies, "loaded")
        self._next_message()
        join_process_group(Path(self._task["rendezvous"]), self._task["rank"], self._settings.gpus, self._device)
        enable_context_parallelism(denoiser, self._settings.gpus)

    def prepare(self, preset: str, adapters: Sequence[Adapter]) -> None:
        pass


def main() -> None:
    """Compute until rank 0 ends. Ignore the signals that a terminal or supervisor sends to both processes."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    try:
        _compute(_own_stdout())
    except BaseException as error:
        _log.error("this rank ends", exc_info=error)
        os._exit(ExitStatus.of(error))  # a normal exit would wait for a collective call that is under way


def _compute(replies: TextIO) -> NoReturn:
    next_message = _read_messages(sys.stdin)
    task = next_message()
    settings = NeuralSettings(**task["settings"])
    configure_logging(settings, settings.model)
    entry = ModelEntry.model_validate(task["entry"])
    role = _OtherRank(task, settings, next_message, replies)
    host = ModelHost(settings, open_store_from(settings), {settings.model: entry}, role)
    pipe = _load(host, task)
    while True:
        message = next_message()
        if "call" in message:
            _call(message["call"], host, pipe)
        else:
            _reply(replies, _prepare(message, host, pipe))


def _load(host: ModelHost, task: dict[str, Any]) -> Any:
    """Load the pipeline with its denoiser and the parts that adapters change, and without all others."""
    module, name = task["pipeline"]
    pipeline_class = getattr(importlib.import_module(module), name)
    folder = Path(task["folder"])
    parts = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    needed = {*DENOISERS, "scheduler", *getattr(pipeline_class, "_lora_loadable_modules", ())}
    absent = {part: None for part, value in parts.items() if isinstance(value, list) and part not in needed}
    return host.load_pipeline(pipeline_class, Checkpoint(folder, ""), **absent)


def _call(encoded: Any, host: ModelHost, pipe: Any) -> None:
    args, kwargs = messages.decode(encoded, host.device)
    with torch.no_grad():
        pipe.transformer(*args, **kwargs)


def _prepare(message: dict[str, Any], host: ModelHost, pipe: Any) -> str:
    """Prepare the pipeline, and return `ready` or the error in one line."""
    adapters = [Adapter.FromString(b64decode(each)) for each in message["adapters"]]
    try:
        host.prepare(pipe, host.plan(message["preset"]), adapters)
    except LumenmillError as error:
        return " ".join(error.message.split())
    return "ready"


def _read_messages(lines: TextIO) -> NextMessage:
    """Read messages in a thread, so that this process ends with rank 0 even in the middle of a call."""
    received: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def read() -> None:
        for line in lines:
            received.put(json.loads(line))
        os._exit(ExitStatus.OK)

    threading.Thread(target=read, daemon=True).start()
    return received.get


def _reply(replies: TextIO, line: str) -> None:
    replies.write(f"{line}\n")
    replies.flush()


def _own_stdout() -> TextIO:
    """Return the standard output, which is for rank 0, and send what libraries print to the standard error."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return replies


if __name__ == "__main__":
    main()
