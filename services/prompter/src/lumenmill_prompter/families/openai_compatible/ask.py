"""Asking for lists of items: validate, send the errors back, keep what is right; ask again for what is missing."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import jsonschema

from lumenmill_common.errors import FailedPreconditionError
from lumenmill_common.jobs import JobContext
from lumenmill_common.telemetry import get_logger
from lumenmill_prompter.families.openai_compatible.completion import Answer
from lumenmill_prompter.families.openai_compatible.endpoint import Endpoint, Message
from lumenmill_prompter.families.openai_compatible.json_object import find_object
from lumenmill_prompter.families.openai_compatible.schema import Schema, answer_schema
from lumenmill_prompter.families.openai_compatible.structure import AnswerError
from lumenmill_prompter.families.openai_compatible.usage import Usage

__all__ = ["Asker"]

_log = get_logger(__name__)

T = TypeVar("T")
# Consecutive rounds without a new item after which the request fails.
_MAX_ROUNDS_WITHOUT_NEW = 3
_MAX_LISTED_PROBLEMS = 12


class Asker:
    """Asks on behalf of one job."""

    def __init__(self, endpoint: Endpoint, job: JobContext, max_repairs: int, concurrency: int) -> None:
        self.usage = Usage()
        self._endpoint, self._job = endpoint, job
        self._max_repairs, self._concurrency = max_repairs, concurrency

    def items(
        self, system: str, task: str, item_schema: Schema, build: Callable[[Any], T], num: int, seed: int
    ) -> list[T]:
        """Return up to `num` items of one answer, built from JSON that conforms to the schema.

        Raises:
            FailedPreconditionError: the model refuses to answer, or no answer had a single usable item.
        """
        opening: list[Message] = [{"role": "system", "content": system}, {"role": "user", "content": task}]
        messages, best, problems = opening, list[T](), list[str]()
        for attempt in range(1 + self._max_repairs):
            answer = self._endpoint.chat(
                messages, answer_schema(item_schema), seed + attempt, self.usage, self._job.check_cancelled
            )
            items, problems = _parse(answer, item_schema, build)
            best = max(best, items, key=len)
            if len(best) >= num:
                break
            if not problems and best:
                break
            counts = {"num_usable": len(items), "num_problems": len(problems)}
            _log.info("answer is not valid; asking again", attempt=attempt + 1, **counts)
            messages = [
                *opening,
                {"role": "assistant", "content": answer.text or "(nothing)"},
                _complaint(problems, num),
            ]
        else:
            if not best and answer.refusal:
                raise FailedPreconditionError(f"the model at {self._endpoint.name} refuses: {answer.refusal[:300]}")
        if not best:
            hint = " (see LUMENMILL_OPENAI_MAX_COMPLETION_TOKENS)" if answer.truncated else ""
            raise FailedPreconditionError(
                f"the answers of the model at {self._endpoint.name} stay unusable: {'; '.join(problems)[:500]}{hint}"
            )
        return best[:num]

    def collect(
        self,
        num: int,
        batch_size: int,
        ask: Callable[[int, int, Sequence[T]], list[T]],
        admit: Callable[[T], bool],
    ) -> list[T]:
        """Return exactly `num` admitted items, requested in batches that run concurrently.

        Args:
            num: how many to collect.
            batch_size: items in one request.
            ask: called with the size and running number of a batch and what has been admitted so far.
            admit: returns whether an item is new.

        Raises:
            FailedPreconditionError: several rounds in a row brought nothing new.
        """
        admitted: list[T] = []
        num_batches, num_rounds_without_new = 0, 0
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="openai") as pool:
            while len(admitted) < num:
                missing = num - len(admitted)
                sizes = [min(batch_size, missing - start) for start in range(0, missing, batch_size)]
                sizes = sizes[: self._concurrency]
                known = tuple(admitted)
                futures = [pool.submit(ask, size, num_batches + turn, known) for turn, size in enumerate(sizes)]
                num_batches += len(sizes)
                before = len(admitted)
                for future in futures:
                    admitted += [item for item in future.result() if admit(item)]
                    self._job.progress("ask", min(len(admitted), num), num)
                num_rounds_without_new = num_rounds_without_new + 1 if len(admitted) == before else 0
                if num_rounds_without_new == _MAX_ROUNDS_WITHOUT_NEW:
                    raise FailedPreconditionError(
                        f"the model repeats itself: only {before} of {num} different items were written"
                    )
        return admitted[:num]


def _parse(answer: Answer, item_schema: Schema, build: Callable[[Any], T]) -> tuple[list[T], list[str]]:
    """Return the usable items and what is wrong with the others."""
    if answer.refusal:
        return [], ["you refused; the request is harmless"]
    short = [answer.shortfall] if answer.shortfall else []
    cut = ["the answer was cut off; write fewer items"] if answer.truncated else []
    document = find_object(answer.text, "items")
    if document is None:
        return [], short + cut or [_why_not_json(answer.text)]
    if not isinstance(document.get("items"), list):
        return [], short + cut or ['the answer must be an object with a list "items"']
    validator = jsonschema.Draft202012Validator(item_schema)
    items, problems = list[T](), cut
    for index, entry in enumerate(document["items"]):
        broken = jsonschema.exceptions.best_match(validator.iter_errors(entry))
        if broken is not None:
            problems.append(f"items[{index}]{broken.json_path.removeprefix('$')}: {broken.message[:200]}")
            continue
        try:
            items.append(build(entry))
        except AnswerError as wrong:
            problems.append(f"items[{index}]: {wrong}")
    if not document["items"]:
        problems.append("items is empty")
    return items, problems


def _why_not_json(text: str) -> str:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"not valid JSON: {error.msg} at character {error.pos}"
    except (ValueError, RecursionError):
        return "not valid JSON: too deep or a number too long"
    return "the answer must be one JSON object"


def _complaint(problems: Sequence[str], num: int) -> Message:
    listed = "\n".join(f"- {problem}" for problem in problems[:_MAX_LISTED_PROBLEMS])
    return {
        "role": "user",
        "content": f"Correct these errors and answer again with the whole corrected JSON, {num} items:\n{listed}",
    }
