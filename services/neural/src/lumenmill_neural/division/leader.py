"""The process that serves, and those that compute with it."""

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
from lumenmill_neural.device import Device, is_out_of_memory
from lumenmill_neural.divisible import GPUS_SETTING
from lumenmill_neural.division import calls
from lumenmill_neural.division.endings import Ending
from lumenmill_neural.division.group import join, share_tokens
from lumenmill_neural.division.member_process import MemberProcess
from lumenmill_neural.settings import NeuralSettings

__all__ = ["Leader"]

_RETRY_DELAY_S = 600.0
# For a refusal to reach its caller before the signal that ends the process does.
_TELL_S = 1.0
# Beyond the drain: whatever still waits on a device then waits for a member that is gone.
_HANG_S = 15.0
# For the status of a member whose connection broke.
_STATUS_S = 5.0
_LOST = "the model's GPUs have lost each other; it has to be started again"
_log = get_logger(__name__)


class Leader:
    """Makes every call of a denoiser together with its members. Belongs to the worker's thread.

    Whoever is missing in the middle of a call is waited for by all others, so that there is no going on without one.
    When a member is lost, this process ends at once. When memory was too small for a part of a call, here or there, the
    work that needed it is refused, and this process ends in good order. Whoever started it starts it again.
    """

    def __init__(self, settings: NeuralSettings) -> None:
        self._settings, self._size = settings, settings.gpus
        self._folder = tempfile.TemporaryDirectory(prefix="lumenmill-division-")
        self._num_beginnings = 0
        self._members: list[MemberProcess] = []
        self._is_over = False

    def begin(self, pipeline_class: Any, folder: str, entry: ModelEntry, device: Device) -> None:
        """Starts the members, which load the denoiser meanwhile; those of an earlier try are ended first.

        Raises:
            FailedPreconditionError: there are too few GPUs.
        """
        _check_device(device, self._settings)
        for member in self._members:
            member.end()
        self._device = device
        self._num_beginnings += 1
        task = {
            "pipeline": [pipeline_class.__module__, pipeline_class.__name__],
            "folder": folder,
            "entry": entry.model_dump(mode="json"),
            "rendezvous": str(self._rendezvous),
        }
        self._members = [MemberProcess(rank) for rank in range(1, self._size)]
        for member in self._members:
            place = {"device": "cpu" if device.is_cpu else f"cuda:{member.rank}", "presets_file": None}
            settings = self._settings.model_dump(mode="json") | place
            member.tell({**task, "rank": member.rank, "settings": settings})
        _log.info("dividing", model=self._settings.model, gpus=self._size)

    def divide(self, denoiser: Any) -> None:
        """See the protocol.

        Raises:
            FailedPreconditionError: a member could not load the model, or the denoiser cannot be divided.
            UnavailableError: what a member needed was away.
        """
        num_heads = denoiser.config.num_attention_heads
        if num_heads % self._size:
            raise FailedPreconditionError(
                f"has {num_heads} attention heads, which {self._size} GPUs cannot share evenly", GPUS_SETTING
            )
        for member in self._members:
            if not member.answer():
                raise self._failure(member)
        for member in self._members:
            threading.Thread(target=self._end_with, args=(member,), daemon=True).start()
        self._tell({"join": True})
        join(self._rendezvous, 0, self._size, self._device)
        share_tokens(denoiser, self._size)
        denoiser.forward = self._together(denoiser.forward)

    def prepare(self, preset: str, adapters: Sequence[Adapter]) -> None:
        """See the protocol.

        Raises:
            UnavailableError: a member could not do as this process did, or the division is over.
        """
        self._check()
        self._tell({"preset": preset, "adapters": [b64encode(one.SerializeToString()).decode() for one in adapters]})
        answers = [member.answer() for member in self._members]  # of all: an answer must not wait for the next question
        for member, answer in zip(self._members, answers, strict=True):
            if answer != "ready":
                raise UnavailableError(f"GPU {member.rank} could not be made ready: {answer or 'its process ended'}")

    @property
    def _rendezvous(self) -> Path:
        return Path(self._folder.name) / f"rendezvous-{self._num_beginnings}"

    def _together(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self._check()
            tensors: list[torch.Tensor] = []
            told = calls.described([args, kwargs], tensors)
            try:
                self._tell({"call": told})
                calls.send(tensors)
                return forward(*args, **kwargs)
            except Exception as error:
                if not is_out_of_memory(error) and not self._is_short_of_memory():
                    self._end_now(f"{type(error).__name__}: {error}")
                self._end_in_order()
                raise self._too_large() from error

        return call

    def _tell(self, message: dict[str, Any]) -> None:
        for member in self._members:
            member.tell(message)

    def _check(self) -> None:
        if self._is_over:
            raise UnavailableError(_LOST)

    def _failure(self, member: MemberProcess) -> Exception:
        """Why a member never came to the first call."""
        if member.status(_STATUS_S) == Ending.UNAVAILABLE:
            return UnavailableError(f"what GPU {member.rank} needs to load the model is away; the log says what")
        return FailedPreconditionError(
            f"the process of GPU {member.rank} ended while it loaded the model; the log says why", GPUS_SETTING
        )

    def _is_short_of_memory(self) -> bool:
        """Whether a member ended for that, which broke its connections."""
        return any(member.status(_STATUS_S) == Ending.OUT_OF_MEMORY for member in self._members)

    def _too_large(self) -> ResourceExhaustedError:
        return ResourceExhaustedError(
            f"a part of it does not fit into the {self._device.memory_gib:.1f} GiB of each of {self._size} GPUs; ask "
            "for half as many pixels or frames, or serve the model on more GPUs, or larger ones",
            retry_delay_s=_RETRY_DELAY_S,
        )

    # Endings. The members are in the middle of a call, and nobody can take them out of it.

    def _end_in_order(self) -> None:
        """Ends the members now, and this process by the signal that lets it finish what it has."""
        self._is_over = True
        _log.error("memory is too small for a part of a call; this process ends")
        for member in self._members:
            member.end()
        _after(_TELL_S, lambda: os.kill(os.getpid(), signal.SIGTERM))
        _after(_TELL_S + self._settings.drain_s + _HANG_S, lambda: self._end_now("it still waits for its GPUs"))

    def _end_now(self, reason: str) -> NoReturn:
        _log.error("a GPU of several is lost; this process ends", reason=reason)
        self._folder.cleanup()
        os._exit(1)

    def _end_with(self, member: MemberProcess) -> None:
        """Waits for a member's end, and ends this process, unless the call that it broke off can still tell why."""
        status = member.wait()
        if status == Ending.OUT_OF_MEMORY:
            threading.Event().wait(2 * _STATUS_S)
        if not self._is_over:
            self._end_now(f"the process of GPU {member.rank} ended with status {status}")


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
