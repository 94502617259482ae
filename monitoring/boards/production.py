"""What comes out, how far runs are, and what it costs."""

from monitoring.panels import Board, Kind, Panel, Query, Row
from monitoring.promql import per_accepted, rate
from monitoring.variables import PRICE, THERE, THESE, WINDOW, chosen

__all__ = ["PRODUCTION"]

_SAMPLES = "lumenmill_orchestrator_samples_total"
_NODES = "lumenmill_orchestrator_steps_total"
_COST = "lumenmill_orchestrator_sample_model_seconds_total"
_ACCEPTED, _NOT_ACCEPTED = 'verdict="accepted"', 'verdict!="accepted"'
_REJECTED = 'verdict="rejected"'
# GPUs of one pod of a model; of a model that is scaled to zero now, those that it had.
_GPUS = f"max by (namespace, model) (max_over_time(lumenmill_model_gpus{{{THESE}}}[{WINDOW}]))"


def _per_hour(metric: str, matchers: str, by: str) -> str:
    return f"{rate(metric, matchers, by, WINDOW)} * 3600"


def _gpu_seconds(by: str, extra: str = "") -> str:
    """GPU seconds per second behind samples."""
    matchers = f"{THESE}{extra}"
    return f"sum by ({by}) (rate({_COST}{{{matchers}}}[{WINDOW}]) * on (namespace, model) group_left () {_GPUS})"


def _money(gpu_seconds: str) -> str:
    return f"{gpu_seconds} / 3600 * {PRICE}"


_ALL_PER_HOUR = f"sum(rate({_SAMPLES}{{{THERE}}}[{WINDOW}]))"
_ACCEPTED_PER_S = f"sum(rate({_SAMPLES}{{{THERE}, {_ACCEPTED}}}[{WINDOW}]))"

_NOW = Row(
    "Now",
    [
        Panel(
            "Accepted per hour",
            "Samples of all kinds that every gate accepted, per hour.",
            "short",
            [Query(f"{_ACCEPTED_PER_S} * 3600", "accepted")],
            Kind.NUMBER,
            width=4,
            height=5,
            empty="no sample yet",
        ),
        Panel(
            "Share accepted",
            "Of the samples that ended, the share that was accepted. Those re-used from earlier runs count too.",
            "percentunit",
            [Query(f"{_ACCEPTED_PER_S} / ({_ALL_PER_HOUR} > 0)", "accepted")],
            Kind.NUMBER,
            width=4,
            height=5,
            thresholds=[("red", 0), ("orange", 0.5), ("green", 0.8)],
            empty="no sample ended",
            max_value=1,
        ),
        Panel(
            "Runs",
            "Runs that have not ended, by state. Every replica tells all of them, so that the largest is taken.",
            "short",
            [
                Query(
                    f"sum by (state) (max by (namespace, state) (lumenmill_orchestrator_runs{{{THERE}}}))", "{{state}}"
                )
            ],
            Kind.NUMBER,
            width=4,
            height=5,
        ),
        Panel(
            "All done in",
            "When the last of the runs that are walked now will probably be through, by the pace of each so far.",
            "s",
            [Query(f"max(lumenmill_orchestrator_run_remaining_seconds{{{THERE}}})", "longest")],
            Kind.NUMBER,
            width=4,
            height=5,
            empty="no run is measured",
            is_now=True,
        ),
        Panel(
            "Model time per accepted sample",
            "Seconds that all models together worked for one accepted sample, what was rejected on the way included.",
            "s",
            [Query(per_accepted(f"sum(rate({_COST}{{{THESE}}}[{WINDOW}]))", THERE, WINDOW), "seconds")],
            Kind.NUMBER,
            width=4,
            height=5,
            empty="no sample accepted",
        ),
        Panel(
            "GPU cost per accepted sample",
            "Seconds of models × their GPUs × the price above, in its currency, what was rejected included. 0 where no "
            "model has a GPU.",
            "currencyUSD",
            [Query(per_accepted(f"sum({_money(_gpu_seconds('model'))})", THERE, WINDOW), "cost")],
            Kind.NUMBER,
            width=4,
            height=5,
            empty="no sample accepted",
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
            [Query(_per_hour(_SAMPLES, THERE, "verdict"), "{{verdict}}")],
            Kind.STACK,
        ),
        Panel(
            "Accepted per hour by kind",
            "Images and clips that were accepted, per hour.",
            "short",
            [Query(_per_hour(_SAMPLES, f"{THERE}, {_ACCEPTED}", "kind"), "{{kind}}")],
            Kind.STACK,
        ),
        Panel(
            "Rejected per hour by reason",
            "Executions that a gate of the recipe rejected, per hour, by the gate's reason. Recipes without gates "
            "reject nothing.",
            "short",
            [Query(_per_hour(_NODES, f"{THESE}, {_REJECTED}", "reason"), "{{reason}}")],
            Kind.STACK,
            empty="nothing was rejected",
        ),
        Panel(
            "Executions per hour by call",
            "Node executions that were accepted, per hour, re-used ones included.",
            "short",
            [Query(_per_hour(_NODES, f"{THESE}, {_ACCEPTED}", "call"), "{{call}}")],
        ),
        Panel(
            "Failed per hour by call",
            "Executions that failed for good, per hour, with the gRPC status. None is usual.",
            "short",
            [Query(_per_hour(_NODES, f'{THESE}, verdict="failed"', "call, reason"), "{{call}} {{reason}}")],
            empty="nothing failed",
        ),
        Panel(
            "Share re-used",
            "Of the executions that ended, the share that an earlier one with the same content key answered.",
            "percentunit",
            [
                Query(
                    f"{rate('lumenmill_orchestrator_steps_reused_total', THESE, 'call', WINDOW)} / "
                    f"({rate(_NODES, THESE, 'call', WINDOW)} > 0)",
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
            [Query(f"max by (recipe, run) (lumenmill_orchestrator_run_progress_ratio{{{THERE}}})", "{{run}}")],
            Kind.BARS,
            empty="no run is walked",
            max_value=1,
        ),
        Panel(
            "Progress over time",
            "The same over time; a line that lies flat is a run that waits.",
            "percentunit",
            [Query(f"max by (recipe, run) (lumenmill_orchestrator_run_progress_ratio{{{THERE}}})", "{{run}}")],
            empty="no run is walked",
            max_value=1,
        ),
        Panel(
            "Time remaining",
            "Seconds until each run is through, by its own pace and today's workers. Absent until every node was "
            "measured.",
            "s",
            [Query(f"max by (recipe, run) (lumenmill_orchestrator_run_remaining_seconds{{{THERE}}})", "{{run}}")],
            empty="no run is measured yet",
        ),
    ],
)

_COSTS = Row(
    "Cost",
    [
        Panel(
            "Model time per accepted sample by model",
            "Seconds that each model worked for one accepted sample, rejected ones included.",
            "s",
            [Query(per_accepted(rate(_COST, THESE, "model", WINDOW), THERE, WINDOW), "{{model}}")],
            Kind.STACK,
            empty="no sample accepted",
        ),
        Panel(
            "Model time lost per accepted sample by reason",
            "Seconds behind samples that were not accepted, by reason, for each accepted one: what a gate costs.",
            "s",
            [
                Query(
                    per_accepted(rate(_COST, f"{THESE}, {_NOT_ACCEPTED}", "verdict, reason", WINDOW), THERE, WINDOW),
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
            [Query(per_accepted(_gpu_seconds("model"), THERE, WINDOW), "{{model}}")],
            Kind.STACK,
            empty="no sample accepted",
        ),
        Panel(
            "Money per accepted sample by model",
            "GPU hours × the price above, in its currency, for one accepted sample.",
            "currencyUSD",
            [Query(per_accepted(_money(_gpu_seconds("model")), THERE, WINDOW), "{{model}}")],
            Kind.BARS,
            empty="no sample accepted",
        ),
        Panel(
            "Money lost per hour by reason",
            "GPU hours × price behind samples that were not accepted, per hour.",
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
            "Models that work at once for samples that end so: 2 means two models all the time.",
            "short",
            [Query(rate(_COST, THESE, "verdict", WINDOW), "{{verdict}}")],
            Kind.STACK,
        ),
    ],
)

PRODUCTION = Board(
    "lumenmill-production",
    "Lumenmill / Production",
    "Samples, verdicts, runs, and what they cost.",
    [_NOW, _OUTCOMES, _RUNS, _COSTS],
    chosen(has_window=True, has_price=True),
)
