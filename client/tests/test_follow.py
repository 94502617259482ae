"""The progress of a run on the terminal."""

from collections.abc import Iterator
from typing import Any

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_client.command import _follow as screen
from lumenmill_client.command._text_console import TextConsole


class _Mesh:
    """A client whose run changes as the test says."""

    def __init__(self, *states: run_pb2.Run) -> None:
        self._states = states

    def watch(self, run_id: str, **_: Any) -> Iterator[run_pb2.Run]:
        yield from self._states


def _run(num_items: int, num_done: int, state: run_pb2.RunState.ValueType = run_pb2.RUN_STATE_RUNNING) -> run_pb2.Run:
    run = run_pb2.Run(id="r1", state=state, num_items=num_items, num_items_done=num_done)
    run.steps.add(name="image", model="[/nope]", num_total=30, num_accepted=3 * num_done)
    if state != run_pb2.RUN_STATE_RUNNING:
        run.end_time.FromSeconds(1)
    return run


def _shown(run: run_pb2.Run) -> str:
    console = TextConsole(width=120)
    with console.capture() as captured:
        console.print(screen._screen(run))
    return captured.get()


def test_progress_does_not_shrink() -> None:
    changes = [_run(10, 1), _run(9, 2), _run(9, 9, run_pb2.RUN_STATE_COMPLETED)]
    first, second, last = screen._watched(_Mesh(*changes), "r1")  # type: ignore[arg-type]  # a mesh of the test
    assert "items 1/10" in _shown(first) and "3/30" in _shown(first)
    assert "items 2/10" in _shown(second) and "running  6/30 steps" in screen._line(second)
    assert "items 9 " in _shown(last) and "[/nope]" in _shown(last)
    assert screen._line(last) == "completed  27 steps (3 fewer than planned)"


def test_a_cancelled_run_shows_what_was_left() -> None:
    assert screen._line(_run(10, 4, run_pb2.RUN_STATE_CANCELLED)) == "cancelled  12/30 steps"
