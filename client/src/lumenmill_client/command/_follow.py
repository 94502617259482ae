"""Shows a run on the terminal: progress of each step, current work, rate and remaining time."""

import time
from collections.abc import Iterator

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_client._client import Client
from lumenmill_client._runs import OUTAGE_TIMEOUT_S
from lumenmill_client.command._enum_names import enum_name
from lumenmill_client.command._output import notes, print_note
from lumenmill_common.errors import UnavailableError

__all__ = ["follow"]

# Without a terminal a line is printed at most this often.
_LINE_INTERVAL_S = 10.0


def follow(client: Client, run_id: str) -> run_pb2.Run:
    """Show a run on standard error until it has ended, and return it. After Ctrl-C the command exits, and the run
    continues.

    Raises:
        UnavailableError: the mesh was unavailable for too long; the message names the command to follow the run again.
    """
    try:
        return _live(client, run_id) if notes.is_terminal else _lines(client, run_id)
    except KeyboardInterrupt:
        print_note(f"detached; the run continues. Follow it again with: lumenmill watch {run_id}")
        raise
    except UnavailableError as error:
        again = f"run {run_id} continues; follow it again with `lumenmill watch {run_id}`"
        raise UnavailableError(f"{error.message}; {again}", error.retry_delay_s) from error


def _report_lost(_: UnavailableError) -> None:
    message = f"the mesh does not answer; the run continues. Trying again for {OUTAGE_TIMEOUT_S / 60:.0f} minutes"
    print_note(message, "yellow")


def _live(client: Client, run_id: str) -> run_pb2.Run:
    run = run_pb2.Run(id=run_id)
    with Live(_screen(run), console=notes, refresh_per_second=8) as live:
        for run in _watched(client, run_id):
            live.update(_screen(run))
    return run


def _watched(client: Client, run_id: str) -> Iterator[run_pb2.Run]:
    """Yield the run now and at every change. Its number of items falls only at its end, though sources may yield fewer
    than were planned at any time: progress does not shrink."""
    num_items = 0
    for run in client.watch(run_id, on_lost=_report_lost):
        num_items = max(num_items, run.num_items)
        if not run.HasField("end_time"):
            run.num_items = num_items
        yield run


def _screen(run: run_pb2.Run) -> Group:
    """Return the table, and below it the models that the run waits for and the items that failed."""
    return Group(_table(run), *(notes.render_str(remark, style="yellow") for remark in _remarks(run)))


def _lines(client: Client, run_id: str) -> run_pb2.Run:
    run, printed, printed_at_s = run_pb2.Run(id=run_id), "", 0.0
    for run in _watched(client, run_id):
        if time.monotonic() - printed_at_s >= _LINE_INTERVAL_S:
            printed, printed_at_s = _line(run), time.monotonic()
            print_note(printed)
    if _line(run) != printed:
        print_note(_line(run))
    return run


def _line(run: run_pb2.Run) -> str:
    """Return state, progress, remaining time and current work in one line."""
    num_done, num_total = sum(map(_num_done, run.steps)), sum(step.num_total for step in run.steps)
    num_fewer = num_total - num_done if run.state == run_pb2.RUN_STATE_COMPLETED else 0
    fewer = f" ({num_fewer} fewer than planned)" if num_fewer else ""
    parts = [
        enum_name(run_pb2.RunState, run.state),
        f"{_fraction(run, num_done, num_total)} steps{fewer}",
        _time_left(run),
    ]
    parts += [f"{step.name} ({_now(step)})" for step in run.steps if step.num_running]
    parts += _remarks(run)
    return "  ".join(filter(None, parts))


def _table(run: run_pb2.Run) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
    state, items = enum_name(run_pb2.RunState, run.state), _fraction(run, run.num_items_done, run.num_items)
    table.title = f"{run.id}  {state}  items {items}  {_time_left(run)}"
    for column in ("step", "model", "", "done", "reused", "not accepted", "s each", "now"):
        table.add_column(column)
    for step in run.steps:
        num_done = _num_done(step)
        num_expected = num_done if run.state == run_pb2.RUN_STATE_COMPLETED else step.num_total
        num_computed = num_done - step.num_reused
        table.add_row(
            step.name,
            step.model,
            ProgressBar(total=max(num_expected, 1), completed=num_done, width=24),
            _fraction(run, num_done, step.num_total),
            str(step.num_reused or ""),
            str(step.num_rejected + step.num_failed + step.num_skipped or ""),
            f"{step.duration_s / num_computed:.1f}" if num_computed > 0 else "",
            _now(step),
        )
    return table


def _fraction(run: run_pb2.Run, num_done: int, num_total: int) -> str:
    """Return how many are done, of how many while more may come."""
    return f"{num_done}" if run.state == run_pb2.RUN_STATE_COMPLETED else f"{num_done}/{num_total}"


def _remarks(run: run_pb2.Run) -> list[str]:
    """Return the models that the run waits for, and how many of its items failed."""
    failed = [f"{run.num_items_failed} items failed: {run.item_error}"] if run.num_items_failed else []
    return [*(_wait(wait) for wait in run.waits), *failed]


def _wait(wait: run_pb2.ModelWait) -> str:
    """Return the name of a model without a serving pod, for how long, and the reason."""
    waited_s = max(int(time.time() - wait.since_time.ToSeconds()), 0)
    return f"waits for {wait.model} ({waited_s // 60}:{waited_s % 60:02d}): {wait.reason}"


def _num_done(step: run_pb2.StepCounts) -> int:
    return int(step.num_accepted + step.num_rejected + step.num_failed + step.num_skipped)


def _now(step: run_pb2.StepCounts) -> str:
    if not step.num_running:
        return ""
    if not step.HasField("progress"):
        return f"{step.num_running} running"
    steps = f" {step.progress.step}/{step.progress.total}" if step.progress.total else ""
    return f"{step.num_running} running: {step.progress.stage}{steps}"


def _time_left(run: run_pb2.Run) -> str:
    if not run.HasField("estimated_remaining"):
        return ""
    left_s = run.estimated_remaining.ToSeconds()
    return f"about {left_s // 60}:{left_s % 60:02d} left"
