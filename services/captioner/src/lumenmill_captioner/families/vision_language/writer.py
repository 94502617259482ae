"""Text from the model, token by token."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from lumenmill_common.jobs import JobContext
from lumenmill_neural.device import Device
from lumenmill_neural.host import ModelHost
from lumenmill_neural.transformers_model import ImageTextModel, Turn

__all__ = ["Writer", "Written"]

_ENCODE, _GENERATE = "encode_image", "generate"


@dataclass(frozen=True)
class Written:
    """An answer and its number of tokens."""

    text: str
    num_tokens: int


class Writer:
    """The model and its greedy decoding: temperature 0, so that the same question has the same answer."""

    def __init__(self, host: ModelHost, logits_processors: Sequence[LogitsProcessor] = ()) -> None:
        """Take `logits_processors` that are applied to every token after those of the checkpoint."""
        self._host, self._processors = host, LogitsProcessorList(logits_processors)

    def load(self) -> None:
        """Load the model; errors as `ModelHost.load_pipeline`."""
        self.pipe: ImageTextModel = self._host.load_pipeline(ImageTextModel)

    def write(
        self, turns: Sequence[Turn], max_new_tokens: int, image_arguments: Mapping[str, Any], jobs: Sequence[JobContext]
    ) -> Written:
        """Return the next turn of a conversation.

        Raises:
            CancelledError: at the next token after all jobs were cancelled.
        """
        tokens = _Tokens(jobs, max_new_tokens, self._host.device)
        try:
            inputs = self.pipe.inputs(turns, image_arguments, self._host.device.torch_device)
            made = self.pipe.model.generate(
                **inputs,
                do_sample=False,
                num_beams=1,
                max_new_tokens=max_new_tokens,
                logits_processor=self._processors,
                stopping_criteria=StoppingCriteriaList([tokens]),
            )
        finally:
            tokens.add_stage_time()
        new = made[0, inputs["input_ids"].shape[1] :]
        return Written(self.pipe.text(new), len(new))


class _Tokens(StoppingCriteria):  # type: ignore[misc]
    """Reports progress and raises cancellation after every token; it never stops generation otherwise.

    Until the first token, the pictures are encoded and the question is read.
    """

    def __init__(self, jobs: Sequence[JobContext], max_new_tokens: int, device: Device) -> None:
        self._jobs, self._max_new_tokens, self._device = jobs, max_new_tokens, device
        self._stage, self._since_s, self._num_tokens = _ENCODE, time.monotonic(), 0
        self._report_progress()

    def __call__(self, input_ids: torch.Tensor, scores: object, **others: object) -> torch.Tensor:
        if self._stage == _ENCODE:
            self.add_stage_time()
            self._stage = _GENERATE
        self._num_tokens += 1
        self._report_progress()
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)

    def add_stage_time(self) -> None:
        """Add the seconds of the current stage to the jobs."""
        self._device.synchronize()
        now_s = time.monotonic()
        for job in self._jobs:
            job.add_stage_time(self._stage, now_s - self._since_s)
        self._since_s = now_s

    def _report_progress(self) -> None:
        for job in self._jobs:
            job.progress(self._stage, self._num_tokens, self._max_new_tokens if self._stage == _GENERATE else 0)
