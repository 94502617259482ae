"""Shows a run on the terminal: progress of each step, current work, rate and remaining time."""

import time

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_client._client import Client
from lumenmill_client._runs import OUTAGE_TIMEOUT_S
from lumenmill_client.command._output import notes
from lumenmill_common.errors import UnavailableError

__all__ = ["follow", "state_name"]

# Without a terminal a line is printed at most this often.
_LINE_INTERVAL_S = 10.0


def state_name(state: run_pb2.RunState.ValueType) -> str:
    """Return the name of a state, such as `running` or `completed`."""
    return run_pb2.RunState.Name(state).removeprefix("RUN_STATE_").lower()


def follow(client: Client, run_id: str) -> run_pb2.Run:
    """Show a run on standard error until it has ended, and return it.

    Raises:
        UnavailableError: the mesh was unavailable for too long; the message names the command to follow the run again.
    """
    try:
        return _live(client, run_id) if notes.is_terminal else _lines(client, run_id)
    except UnavailableError as error:
        again = f"run {run_id} continues; follow it again with `lumenmill watch {run_id}`"
        raise UnavailableError(f"{error.message}; {again}", error.retry_delay_s) from error


def _report_lost(_: UnavailableError) -> None:
    message = f"the mesh does not answer; the run continues. Trying again for {OUTAGE_TIMEOUT_S / 60:.0f} minutes"
    notes.print(message, style="yellow", soft_wrap=True)


def _live(client: Client, run_id: str) -> run_pb2.Run:
    run = run_pb2.Run(id=run_id)
    with Live(_screen(run), console=notes, refresh_per_second=8) as live:
        for run in client.watch(run_id, on_lost=_report_lost):
            live.update(_screen(run))
    return run


def _screen(run: run_pb2.Run) -> Group:
    """Return the table, and below it the models that the run waits for and the items that failed."""
    return Group(_table(run), *(Text(remark, style="yellow") for remark in _remarks(run)))


def _lines(client: Client, run_id: str) -> run_pb2.Run:
    run, printed, printed_at_s = run_pb2.Run(id=run_id), "", 0.0
    for run in client.watch(run_id, on_lost=_report_lost):
        if time.monotonic() - printed_at_s >= _LINE_INTERVAL_S:
            printed, printed_at_s = _line(run), time.monotonic()
            notes.print(printed, soft_wrap=True)
    if _line(run) != printed:
        notes.print(_line(run), soft_wrap=True)
    return run


def _line(run: run_pb2.Run) -> str:
    """Return state, progress, remaining time and current work in one line."""
    num_done, num_total = sum(map(_num_done, run.steps)), sum(step.num_total for step in run.steps)
    parts = [state_name(run.state), f"{num_done}/{num_total} steps", _time_left(run)]
    parts += [f"{step.name} ({_now(step)})" for step in run.steps if step.num_running]
    parts += _remarks(run)
    return "  ".join(filter(None, parts))


def _table(run: run_pb2.Run) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
    table.title = f"{run.id}  {state_name(run.state)}  items {run.num_items_done}/{run.num_items}  {_time_left(run)}"
    for column in ("step", "model", "", "done", "reused", "not accepted", "s each", "now"):
        table.add_column(column)
    for step in run.steps:
        num_done = _num_done(step)
        num_computed = num_done - step.num_reused
        table.add_row(
            step.name,
            step.model,
            ProgressBar(total=max(step.num_total, 1), completed=num_done, width=24),
            f"{num_done}/{step.num_total}",
            str(step.num_reused or ""),
            str(step.num_rejected + step.num_failed + step.num_skipped or ""),
            f"{step.duration_s / num_computed:.1f}" if num_computed > 0 else "",
            _now(step),
        )
    return table


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
