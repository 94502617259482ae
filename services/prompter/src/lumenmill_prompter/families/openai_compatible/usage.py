"""Tokens of one job, and what they cost."""

import threading
from dataclasses import dataclass, field

from lumenmill.prompter.v1 import prompter_pb2
from lumenmill_prompter.settings import PrompterSettings

__all__ = ["Usage"]


@dataclass
class Usage:
    """Tokens of one job, added up from several threads."""

    num_prompt_tokens: int = 0
    num_completion_tokens: int = 0
    num_requests: int = 0
    is_complete: bool = True
    """Whether every answer said how many tokens it took."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, num_prompt_tokens: int | None, num_completion_tokens: int | None) -> None:
        """Add the tokens of one answer; None where it does not name them."""
        with self._lock:
            self.num_prompt_tokens += num_prompt_tokens or 0
            self.num_completion_tokens += num_completion_tokens or 0
            self.is_complete &= num_prompt_tokens is not None and num_completion_tokens is not None

    def count_request(self) -> None:
        """Add one request, answered or not."""
        with self._lock:
            self.num_requests += 1

    def proto(self, settings: PrompterSettings) -> prompter_pb2.TokenUsage:
        """Return the usage, with its cost when both prices are set and all tokens are known."""
        reported = prompter_pb2.TokenUsage(
            num_prompt_tokens=self.num_prompt_tokens,
            num_completion_tokens=self.num_completion_tokens,
            num_requests=self.num_requests,
        )
        sent_price = settings.openai_usd_per_million_prompt_tokens
        received_price = settings.openai_usd_per_million_completion_tokens
        if sent_price is not None and received_price is not None and self.is_complete:
            sent, received = self.num_prompt_tokens * sent_price, self.num_completion_tokens * received_price
            reported.cost_usd = (sent + received) / 1e6
        return reported
