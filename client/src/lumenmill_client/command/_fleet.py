"""`fleet`: the pods, GPUs and work of the mesh."""

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Literal

import typer
from google.protobuf.duration_pb2 import Duration
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from lumenmill.orchestrator.v1 import fleet_pb2
from lumenmill_client._client import Client
from lumenmill_client.command._context import AsJson
from lumenmill_client.command._enum_names import enum_name
from lumenmill_client.command._fleet_advice import advice_on
from lumenmill_client.command._output import print_message, results

__all__ = ["register"]

_WATCH_INTERVAL_S = 2.0
_MAX_IN_SECONDS_S, _MAX_IN_MINUTES_S = 90.0, 2 * 3600.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(fleet)


def fleet(
    context: typer.Context,
    model: Annotated[str, typer.Option("--model", "-m", help="Only this model and its pods.")] = "",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Repeat every two seconds, until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the models with their pods, GPUs and work, and how the GPUs could be used better.

    Example: lumenmill fleet --watch
    """
    with context.obj.client() as client:
        fleets = _fleets(client, fleet_pb2.GetFleetRequest(model=model), for_ever=watch)
        if as_json:
            for found in fleets:
                print_message(found)
                sys.stdout.flush()  # a reader of a pipe needs each answer when it comes
        elif watch and results.is_terminal:
            with Live(console=results, auto_refresh=False, vertical_overflow="visible") as live:
                for found in fleets:
                    live.update(Group(*_sections(found)), refresh=True)
        else:
            for number, found in enumerate(fleets):
                results.print(Group(*([Text()] if number else []), *_sections(found)))


def _fleets(
    client: Client, request: fleet_pb2.GetFleetRequest, *, for_ever: bool
) -> Iterator[fleet_pb2.GetFleetResponse]:
    yield client.fleet(request)
    while for_ever:
        time.sleep(_WATCH_INTERVAL_S)
        yield client.fleet(request)


def _sections(fleet: fleet_pb2.GetFleetResponse) -> Iterator[RenderableType]:
    yield _models_table(fleet.models)
    problems = [model for model in fleet.models if model.problem]
    if problems:
        yield Text()
        yield _table("model", "what is wrong", rows=((model.name, model.problem) for model in problems))
    if fleet.node_types:
        yield Text()
        yield _node_types_table(fleet)
    if fleet.pods:
        yield Text()
        yield _pods_table(fleet)
    if advice := advice_on(fleet):
        yield Text()
        yield _table("advice", rows=((sentence,) for sentence in advice))


def _table(*columns: str, numbers: Sequence[str] = (), rows: Iterable[Sequence[str]] = ()) -> Table:
    """Return a table whose first column, which names the subject of the row, is never folded."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        justify: Literal["left", "right"] = "right" if column in numbers else "left"
        table.add_column(column, overflow="fold", justify=justify, no_wrap=number == 0 and len(columns) > 1)
    for row in rows:
        table.add_row(*row)
    return table


def _models_table(models: Iterable[fleet_pb2.FleetModel]) -> Table:
    table = _table("model", "pods", "on the way", "GPUs", "calls", "work", "loads in", numbers=("calls", "work"))
    for model in models:
        bounds = f" ({model.min_replicas}–{model.max_replicas})" if model.HasField("max_replicas") else ""
        on_the_way = [(model.num_starting, "starting"), (model.num_pending, "pending")]
        table.add_row(
            model.name,
            f"{model.num_ready} of {model.num_desired}{bounds}",
            ", ".join(f"{number} {what}" for number, what in on_the_way if number),
            _gpus(model),
            str(model.num_calls_waiting + model.num_calls_in_flight or ""),
            _work(model),
            _duration(_seconds(model.load_time)) if model.HasField("load_time") else "",
        )
    return table


def _node_types_table(fleet: fleet_pb2.GetFleetResponse) -> Table:
    table = _table("GPUs", "nodes", "held", "free", "models", numbers=("held", "free"))
    for node_type in fleet.node_types:
        num_unusable = node_type.num_nodes - node_type.num_usable_nodes
        table.add_row(
            node_type.gpu_type or "none",
            f"{node_type.num_nodes}" + (f" ({num_unusable} take no pods)" if num_unusable else ""),
            str(node_type.num_gpus_held) if node_type.num_gpus else "",
            str(max(node_type.num_gpus - node_type.num_gpus_held, 0)) if node_type.num_gpus else "",
            ", ".join(node_type.models),
        )
    return table


def _pods_table(fleet: fleet_pb2.GetFleetResponse) -> Table:
    table = _table("pod", "node", "state", "does")
    for pod in fleet.pods:
        state = enum_name(fleet_pb2.FleetPodState, pod.state)
        restarts = f", {pod.num_restarts} restarts" if pod.num_restarts else ""
        table.add_row(pod.name, pod.node, f"{state}{restarts}", pod.problem or _does(pod))
    return table


def _does(pod: fleet_pb2.FleetPod) -> str:
    more = pod.num_calls - len(pod.doing)
    times = [f"{number} × {what}" if number > 1 else what for what, number in Counter(pod.doing).items()]
    return ", ".join([*times, *([f"and {more} more"] if more > 0 else [])])


def _gpus(model: fleet_pb2.FleetModel) -> str:
    """Return the GPUs of one pod, without the name of the maker."""
    gpu_type = model.gpu_type.removeprefix("NVIDIA-")
    return f"{model.num_gpus_per_pod} {gpu_type}".strip() if model.num_gpus_per_pod else ""


def _work(model: fleet_pb2.FleetModel) -> str:
    """Return the backlog, in GPU time where the model has GPUs."""
    if not model.backlog_s:
        return ""
    return _duration(model.backlog_s, "GPU-" if model.num_gpus_per_pod else "")


def _duration(duration_s: float, prefix: str = "") -> str:
    if duration_s < _MAX_IN_SECONDS_S:
        return f"{duration_s:.0f} {prefix}s"
    if duration_s < _MAX_IN_MINUTES_S:
        return f"{duration_s / 60:.0f} {prefix}min"
    return f"{duration_s / 3600:.1f} {prefix}h"


def _seconds(duration: Duration) -> float:
    return duration.ToMilliseconds() / 1000
