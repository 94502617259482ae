"""A process that computes one part of each call of its leader's denoiser: `python -m lumenmill_neural.division.member`.

It is told what to do by lines of JSON on its standard input, and ends with it.
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
from lumenmill_neural.device import Device
from lumenmill_neural.division import calls
from lumenmill_neural.division.endings import Ending
from lumenmill_neural.division.group import join, share_tokens
from lumenmill_neural.host import ModelHost
from lumenmill_neural.placing import DENOISERS
from lumenmill_neural.settings import NeuralSettings
from lumenmill_neural.source import Checkpoint

_log = get_logger(__name__)

Tell = Callable[[], dict[str, Any]]
"""Waits for what the leader tells next."""


class _Member:
    """See `Role`."""

    def __init__(self, task: dict[str, Any], settings: NeuralSettings, tell: Tell, answers: TextIO) -> None:
        self._task, self._settings, self._tell, self._answers = task, settings, tell, answers

    def begin(self, pipeline_class: Any, folder: str, entry: ModelEntry, device: Device) -> None:
        self._device = device

    def divide(self, denoiser: Any) -> None:
        _answer(self._answers, "loaded")
        self._tell()
        join(Path(self._task["rendezvous"]), self._task["rank"], self._settings.gpus, self._device)
        share_tokens(denoiser, self._settings.gpus)

    def prepare(self, preset: str, adapters: Sequence[Adapter]) -> None:
        pass


def main() -> None:
    """Compute until the leader ends, whatever signals their terminal or system sends to both."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    try:
        _compute(_own_output())
    except BaseException as error:
        _log.error("this process of a GPU ends", exc_info=error)
        os._exit(Ending.of(error))  # a collective call that is under way would keep it


def _compute(answers: TextIO) -> NoReturn:
    tell = _messages(sys.stdin)
    task = tell()
    settings = NeuralSettings(**task["settings"])
    configure_logging(settings, settings.model)
    entry = ModelEntry.model_validate(task["entry"])
    member = _Member(task, settings, tell, answers)
    host = ModelHost(settings, open_store_from(settings), {settings.model: entry}, member)
    pipe = _load(host, task)
    while True:
        told = tell()
        if "call" in told:
            _call(told["call"], host, pipe)
        else:
            _answer(answers, _prepared(told, host, pipe))


def _load(host: ModelHost, task: dict[str, Any]) -> Any:
    """The pipeline with its denoiser, and what adapters may change; nothing else."""
    module, name = task["pipeline"]
    pipeline_class = getattr(importlib.import_module(module), name)
    folder = Path(task["folder"])
    parts = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    needed = {*DENOISERS, "scheduler", *getattr(pipeline_class, "_lora_loadable_modules", ())}
    absent = {part: None for part, value in parts.items() if isinstance(value, list) and part not in needed}
    return host.load_pipeline(pipeline_class, Checkpoint(folder, ""), **absent)


def _call(told: Any, host: ModelHost, pipe: Any) -> None:
    args, kwargs = calls.received(told, host.device)
    with torch.no_grad():
        pipe.transformer(*args, **kwargs)


def _prepared(told: dict[str, Any], host: ModelHost, pipe: Any) -> str:
    """`ready`, or in one line why not."""
    adapters = [Adapter.FromString(b64decode(one)) for one in told["adapters"]]
    try:
        host.prepare(pipe, host.plan(told["preset"]), adapters)
    except LumenmillError as error:
        return " ".join(error.message.split())
    return "ready"


def _messages(lines: TextIO) -> Tell:
    """The leader's messages. When it ends this process does, also in the middle of a call."""
    messages: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def read() -> None:
        for line in lines:
            messages.put(json.loads(line))
        os._exit(Ending.IN_ORDER)

    threading.Thread(target=read, daemon=True).start()
    return messages.get


def _answer(answers: TextIO, line: str) -> None:
    answers.write(f"{line}\n")
    answers.flush()


def _own_output() -> TextIO:
    """The standard output, which is for the leader; what libraries print goes to the standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


if __name__ == "__main__":
    main()
