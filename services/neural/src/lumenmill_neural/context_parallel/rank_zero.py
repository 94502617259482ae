"""Rank 0: the process that serves requests, and starts the processes of the other ranks."""

import os
import signal
import tempfile
import threading
from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch

from lumenmill.common.v1.sampling_pb2 import Adapter
from lumenmill_common.errors import FailedPreconditionError, ResourceExhaustedError, UnavailableError
from lumenmill_common.telemetry import get_logger
from lumenmill_neural.catalogue import ModelEntry
from lumenmill_neural.context_parallel import messages
from lumenmill_neural.context_parallel.entry import GPUS_SETTING
from lumenmill_neural.context_parallel.exit_status import ExitStatus
from lumenmill_neural.context_parallel.process_group import enable_context_parallelism, join_process_group
from lumenmill_neural.context_parallel.rank_process import RankProcess
from lumenmill_neural.device import Device, is_out_of_memory
from lumenmill_neural.settings import NeuralSettings

__all__ = ["RankZero"]

_RETRY_DELAY_S = 600.0
# Lets a refusal reach its caller before the signal that ends the process.
_REPLY_S = 1.0
# After the drain period: what still waits for the device then waits for a rank that has ended.
_HANG_S = 15.0
# How long to wait for the exit status of a rank whose connection broke.
_EXIT_STATUS_S = 5.0
_LOST = "the GPUs of this model have lost their connection; the service must be restarted"
_log = get_logger(__name__)


class RankZero:
    """Make every call of a denoiser together with the other ranks. Used by the worker's thread only.

    A collective call cannot finish without all ranks, so that no rank can be replaced. When a rank is lost, this
    process ends at once. When a rank runs out of memory, the request is refused and this process drains and ends. Its
    supervisor restarts it.
    """

    def __init__(self, settings: NeuralSettings) -> None:
        self._settings, self._num_ranks = settings, settings.gpus
        self._folder = tempfile.TemporaryDirectory(prefix="lumenmill-ranks-")
        self._num_loads = 0
        self._others: list[RankProcess] = []
        self._is_over = False

    def begin_loading(self, pipeline_class: Any, folder: str, entry: ModelEntry, device: Device) -> None:
        """Start the other ranks, which load the denoiser at the same time. Kill those of an earlier attempt first.

        Raises:
            FailedPreconditionError: there are too few GPUs.
        """
        _check_device(device, self._settings)
        for other in self._others:
            other.kill()
        self._device = device
        self._num_loads += 1
        task = {
            "pipeline": [pipeline_class.__module__, pipeline_class.__name__],
            "folder": folder,
            "entry": entry.model_dump(mode="json"),
            "rendezvous": str(self._rendezvous),
        }
        self._others = [RankProcess(rank) for rank in range(1, self._num_ranks)]
        for other in self._others:
            own = {"device": "cpu" if device.is_cpu else f"cuda:{other.rank}", "presets_file": None}
            settings = self._settings.model_dump(mode="json") | own
            other.send({**task, "rank": other.rank, "settings": settings})
        _log.info("context parallelism", model=self._settings.model, gpus=self._num_ranks)

    def parallelise(self, denoiser: Any) -> None:
        """See `Role.parallelise`.

        Raises:
            FailedPreconditionError: a rank could not load the model, or the denoiser cannot be parallelised.
            UnavailableError: a dependency of a rank was unavailable.
        """
        num_heads = denoiser.config.num_attention_heads
        if num_heads % self._num_ranks:
            raise FailedPreconditionError(
                f"has {num_heads} attention heads, which {self._num_ranks} GPUs cannot share evenly", GPUS_SETTING
            )
        for other in self._others:
            if not other.reply():
                raise self._loading_error(other)
        for other in self._others:
            threading.Thread(target=self._end_with, args=(other,), daemon=True).start()
        self._send({"join": True})
        join_process_group(self._rendezvous, 0, self._num_ranks, self._device)
        enable_context_parallelism(denoiser, self._num_ranks)
        denoiser.forward = self._parallel(denoiser.forward)

    def prepare(self, preset: str, adapters: Sequence[Adapter]) -> None:
        """See `Role.prepare`.

        Raises:
            UnavailableError: another rank failed to prepare, or ranks were lost.
        """
        self._check_connected()
        self._send({"preset": preset, "adapters": [b64encode(each.SerializeToString()).decode() for each in adapters]})
        replies = [other.reply() for other in self._others]  # read all: none may remain for the next message
        for other, reply in zip(self._others, replies, strict=True):
            if reply != "ready":
                raise UnavailableError(f"GPU {other.rank} could not be made ready: {reply or 'its process ended'}")

    @property
    def _rendezvous(self) -> Path:
        return Path(self._folder.name) / f"rendezvous-{self._num_loads}"

    def _parallel(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self._check_connected()
            tensors: list[torch.Tensor] = []
            encoded = messages.encode([args, kwargs], tensors)
            try:
                self._send({"call": encoded})
                messages.broadcast(tensors)
                return forward(*args, **kwargs)
            except Exception as error:
                if not is_out_of_memory(error) and not self._is_other_out_of_memory():
                    self._end_now(f"{type(error).__name__}: {error}")
                self._drain_and_end()
                raise self._too_large() from error

        return call

    def _send(self, message: dict[str, Any]) -> None:
        for other in self._others:
            other.send(message)

    def _check_connected(self) -> None:
        if self._is_over:
            raise UnavailableError(_LOST)

    def _loading_error(self, other: RankProcess) -> Exception:
        if other.exit_status(_EXIT_STATUS_S) == ExitStatus.UNAVAILABLE:
            return UnavailableError(
                f"GPU {other.rank} could not load the model: a dependency is unavailable, see the log"
            )
        return FailedPreconditionError(
            f"the process of GPU {other.rank} ended while it loaded the model; the log says why", GPUS_SETTING
        )

    def _is_other_out_of_memory(self) -> bool:
        """Whether another rank ended because it ran out of memory, which broke the connections."""
        return any(other.exit_status(_EXIT_STATUS_S) == ExitStatus.OUT_OF_MEMORY for other in self._others)

    def _too_large(self) -> ResourceExhaustedError:
        return ResourceExhaustedError(
            f"a part of it does not fit into the {self._device.memory_gib:.1f} GiB of each of {self._num_ranks} GPUs; "
            "ask for half as many pixels or frames, or serve the model on more GPUs, or larger ones",
            retry_delay_s=_RETRY_DELAY_S,
        )

    # Ending. The other ranks are inside a collective call, which cannot be cancelled.

    def _drain_and_end(self) -> None:
        """Kill the other ranks, then end this process by the signal that lets it finish its replies."""
        self._is_over = True
        _log.error("a rank ran out of memory; this process ends")
        for other in self._others:
            other.kill()
        _after(_REPLY_S, lambda: os.kill(os.getpid(), signal.SIGTERM))
        _after(_REPLY_S + self._settings.drain_s + _HANG_S, lambda: self._end_now("it still waits for its GPUs"))

    def _end_now(self, reason: str) -> NoReturn:
        _log.error("a rank is lost; this process ends", reason=reason)
        self._folder.cleanup()
        os._exit(1)

    def _end_with(self, other: RankProcess) -> None:
        """Wait until a rank ends, then end this process. After out of memory, first let the call that failed reply."""
        status = other.wait()
        if status == ExitStatus.OUT_OF_MEMORY:
            threading.Event().wait(2 * _EXIT_STATUS_S)
        if not self._is_over:
            self._end_now(f"the process of GPU {other.rank} ended with status {status}")


def _check_device(device: Device, settings: NeuralSettings) -> None:
    if device.is_cpu:
        if settings.device != "cpu":
            raise FailedPreconditionError(
                "torch sees no GPU; the processes share the CPU where LUMENMILL_DEVICE=cpu", GPUS_SETTING
            )
        return
    if device.torch_device.index:
        raise FailedPreconditionError(
            "several GPUs are counted from the first; choose them by CUDA_VISIBLE_DEVICES", "LUMENMILL_DEVICE"
        )
    if torch.cuda.device_count() < device.count:
        raise FailedPreconditionError(f"torch sees {torch.cuda.device_count()} GPUs", GPUS_SETTING)


def _after(delay_s: float, act: Callable[[], None]) -> None:
    timer = threading.Timer(delay_s, act)
    timer.daemon = True
    timer.start()
