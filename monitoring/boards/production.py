"""Samples and verdicts, progress of runs, and cost."""

from monitoring.panels import Board, Kind, Panel, Query, Row
from monitoring.promql import per_accepted, rate
from monitoring.variables import IN_NAMESPACE, OF_MODEL, PRICE, WINDOW, template_variables

__all__ = ["PRODUCTION"]

_SAMPLES = "lumenmill_orchestrator_samples_total"
_NODES = "lumenmill_orchestrator_steps_total"
_COST = "lumenmill_orchestrator_sample_model_seconds_total"
_ACCEPTED, _NOT_ACCEPTED = 'verdict="accepted"', 'verdict!="accepted"'
_REJECTED = 'verdict="rejected"'
# GPUs of one pod of a model; the last known number for a model that is scaled to zero.
_GPUS = f"max by (namespace, model) (max_over_time(lumenmill_model_gpus{{{OF_MODEL}}}[{WINDOW}]))"


def _per_hour(metric: str, matchers: str, by: str) -> str:
    return f"{rate(metric, matchers, by, WINDOW)} * 3600"


def _gpu_seconds(by: str, extra: str = "") -> str:
    """Return the GPU seconds per second spent on samples."""
    matchers = f"{OF_MODEL}{extra}"
    return f"sum by ({by}) (rate({_COST}{{{matchers}}}[{WINDOW}]) * on (namespace, model) group_left () {_GPUS})"


def _money(gpu_seconds: str) -> str:
    return f"{gpu_seconds} / 3600 * {PRICE}"


_ALL_PER_HOUR = f"sum(rate({_SAMPLES}{{{IN_NAMESPACE}}}[{WINDOW}]))"
_ACCEPTED_PER_S = f"sum(rate({_SAMPLES}{{{IN_NAMESPACE}, {_ACCEPTED}}}[{WINDOW}]))"

_NOW = Row(
    "Now",
    [
        Panel(
            "Accepted per hour",
            "Samples of all kinds that passed every gate, per hour.",
            "short",
            [Query(f"{_ACCEPTED_PER_S} * 3600", "accepted")],
            Kind.NUMBER,
            width=4,
            height=5,
            empty="no sample yet",
        ),
        Panel(
            "Share accepted",
            "Accepted samples as a share of all finished samples, those re-used from earlier runs included.",
            "percentunit",
            [Query(f"{_ACCEPTED_PER_S} / ({_ALL_PER_HOUR} > 0)", "accepted")],
            Kind.NUMBER,
            width=4,
            height=5,
            thresholds=[("red", 0), ("orange", 0.5), ("green", 0.8)],
            empty="no finished sample",
            max_value=1,
        ),
        Panel(
            "Runs",
            "Runs that have not ended, by state. Every replica reports all runs, so the panel takes the largest.",
            "short",
            [
                Query(
                    f"sum by (state) (max by (namespace, state) (lumenmill_orchestrator_runs{{{IN_NAMESPACE}}}))",
                    "{{state}}",
                )
            ],
            Kind.NUMBER,
            width=4,
            height=5,
        ),
        Panel(
            "All done in",
            "Estimated time until the last active run ends, from the throughput of each run so far.",
            "s",
            [Query(f"max(lumenmill_orchestrator_run_remaining_seconds{{{IN_NAMESPACE}}})", "longest")],
            Kind.NUMBER,
            width=4,
            height=5,
            empty="no estimate",
            is_instant=True,
        ),
        Panel(
            "Model time per accepted sample",
            "Seconds of all models together per accepted sample, work on rejected samples included.",
            "s",
            [Query(per_accepted(f"sum(rate({_COST}{{{OF_MODEL}}}[{WINDOW}]))", IN_NAMESPACE, WINDOW), "seconds")],
            Kind.NUMBER,
            width=4,
            height=5,
            empty="no accepted sample",
        ),
        Panel(
            "GPU cost per accepted sample",
            "Model seconds × GPUs × the price above, in its currency, work on rejected samples included. 0 where no "
            "model has a GPU.",
            "currencyUSD",
            [Query(per_accepted(f"sum({_money(_gpu_seconds('model'))})", IN_NAMESPACE, WINDOW), "cost")],
            Kind.NUMBER,
            width=4,
            height=5,
            empty="no accepted sample",
        ),
    ],
)

_OUTCOMES = Row(
    "Samples and verdicts",
    [
        Panel(
            "Samples per hour by verdict",
            "Samples that ended, per hour.",
            "short",
            [Query(_per_hour(_SAMPLES, IN_NAMESPACE, "verdict"), "{{verdict}}")],
            Kind.STACK,
        ),
        Panel(
            "Accepted per hour by kind",
            "Images and clips that were accepted, per hour.",
            "short",
            [Query(_per_hour(_SAMPLES, f"{IN_NAMESPACE}, {_ACCEPTED}", "kind"), "{{kind}}")],
            Kind.STACK,
        ),
        Panel(
            "Rejected per hour by reason",
            "Executions that a gate of the recipe rejected, per hour, by the gate's reason. Recipes without gates "
            "reject nothing.",
            "short",
            [Query(_per_hour(_NODES, f"{OF_MODEL}, {_REJECTED}", "reason"), "{{reason}}")],
            Kind.STACK,
            empty="nothing was rejected",
        ),
        Panel(
            "Executions per hour by call",
            "Executions that were accepted, per hour, re-used ones included.",
            "short",
            [Query(_per_hour(_NODES, f"{OF_MODEL}, {_ACCEPTED}", "call"), "{{call}}")],
        ),
        Panel(
            "Failed per hour by call",
            "Executions that failed after all retries, per hour, with the gRPC status. 0 is healthy.",
            "short",
            [Query(_per_hour(_NODES, f'{OF_MODEL}, verdict="failed"', "call, reason"), "{{call}} {{reason}}")],
            empty="nothing failed",
        ),
        Panel(
            "Share re-used",
            "Executions that re-used the result of an earlier one with the same content key, as a share of all.",
            "percentunit",
            [
                Query(
                    f"{rate('lumenmill_orchestrator_steps_reused_total', OF_MODEL, 'call', WINDOW)} / "
                    f"({rate(_NODES, OF_MODEL, 'call', WINDOW)} > 0)",
                    "{{call}}",
                )
            ],
            empty="nothing was re-used",
            max_value=1,
        ),
    ],
)

_RUNS = Row(
    "Runs",
    [
        Panel(
            "Progress",
            "Share of each run's planned executions that have ended.",
            "percentunit",
            [Query(f"max by (recipe, run) (lumenmill_orchestrator_run_progress_ratio{{{IN_NAMESPACE}}})", "{{run}}")],
            Kind.BARS,
            empty="no active run",
            max_value=1,
        ),
        Panel(
            "Progress over time",
            "Progress of each run over time; a flat line is a run that waits.",
            "percentunit",
            [Query(f"max by (recipe, run) (lumenmill_orchestrator_run_progress_ratio{{{IN_NAMESPACE}}})", "{{run}}")],
            empty="no active run",
            max_value=1,
        ),
        Panel(
            "Time remaining",
            "Estimated seconds until each run ends, from its throughput and the present number of workers. Absent "
            "until every step was measured.",
            "s",
            [
                Query(
                    f"max by (recipe, run) (lumenmill_orchestrator_run_remaining_seconds{{{IN_NAMESPACE}}})", "{{run}}"
                )
            ],
            empty="no estimate yet",
        ),
    ],
)

_COSTS = Row(
    "Cost",
    [
        Panel(
            "Model time per accepted sample by model",
            "Seconds of each model per accepted sample, work on rejected samples included.",
            "s",
            [Query(per_accepted(rate(_COST, OF_MODEL, "model", WINDOW), IN_NAMESPACE, WINDOW), "{{model}}")],
            Kind.STACK,
            empty="no accepted sample",
        ),
        Panel(
            "Model time lost per accepted sample by reason",
            "Model seconds of samples that were not accepted, by reason, per accepted sample: the cost of a gate.",
            "s",
            [
                Query(
                    per_accepted(
                        rate(_COST, f"{OF_MODEL}, {_NOT_ACCEPTED}", "verdict, reason", WINDOW), IN_NAMESPACE, WINDOW
                    ),
                    "{{verdict}} {{reason}}",
                )
            ],
            Kind.STACK,
            empty="nothing was lost",
        ),
        Panel(
            "GPU seconds per accepted sample by model",
            "Model seconds × GPUs of one pod. Models on the CPU are 0.",
            "s",
            [Query(per_accepted(_gpu_seconds("model"), IN_NAMESPACE, WINDOW), "{{model}}")],
            Kind.STACK,
            empty="no accepted sample",
        ),
        Panel(
            "Money per accepted sample by model",
            "GPU hours × the price above, in its currency, per accepted sample.",
            "currencyUSD",
            [Query(per_accepted(_money(_gpu_seconds("model")), IN_NAMESPACE, WINDOW), "{{model}}")],
            Kind.BARS,
            empty="no accepted sample",
        ),
        Panel(
            "Money lost per hour by reason",
            "GPU hours × price spent on samples that were not accepted, per hour.",
            "currencyUSD",
            [
                Query(
                    f"{_gpu_seconds('verdict, reason', f', {_NOT_ACCEPTED}')} * {PRICE}",
                    "{{verdict}} {{reason}}",
                )
            ],
            Kind.BARS,
            empty="nothing was lost",
        ),
        Panel(
            "Model time by verdict",
            "Mean number of models that work at once on samples with each verdict: 2 means two models all the time.",
            "short",
            [Query(rate(_COST, OF_MODEL, "verdict", WINDOW), "{{verdict}}")],
            Kind.STACK,
        ),
    ],
)

PRODUCTION = Board(
    "lumenmill-production",
    "Lumenmill / Production",
    "Samples, verdicts, runs and their cost.",
    [_NOW, _OUTCOMES, _RUNS, _COSTS],
    template_variables(has_window=True, has_price=True),
)
