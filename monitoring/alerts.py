"""The alert rules. Each alert has a runbook of its name in docs/runbooks."""

import re
from dataclasses import dataclass
from typing import Any

from monitoring.panels import Source

__all__ = ["ALERTS", "Alert", "rule_groups", "runbook_of"]

_BY = "namespace"
# Statuses that are not the caller's fault.
_BAD_OUTCOME = 'outcome!~"OK|NOT_FOUND|INVALID_ARGUMENT"'
_SAMPLES = "lumenmill_orchestrator_samples_total"
_CLIP = "lumenmill_orchestrator_clip_duration_seconds"
_STORE = "lumenmill_store_operation_duration_seconds"
_DATABASE = "lumenmill_orchestrator_database_duration_seconds"


@dataclass(frozen=True)
class Alert:
    """One rule. Severity `critical` stops production or soon will; `warning` makes it slow or expensive."""

    name: str
    expr: str
    duration: str
    """How long the expression must hold before the alert is raised, as Prometheus writes durations."""
    severity: str
    summary: str
    text: str
    source: Source = Source.MESH


def _rejected_share(window: str, offset: str = "") -> str:
    rates = [
        f"sum by ({_BY}) (rate({_SAMPLES}{{{verdict}}}[{window}]{offset}))"
        for verdict in ('verdict="rejected"', 'verdict=~"accepted|rejected"')
    ]
    return f"{rates[0]} / {rates[1]}"


def _clip_mean(window: str, offset: str = "") -> str:
    rates = [f"sum by ({_BY}, model, preset) (rate({_CLIP}_{part}[{window}]{offset}))" for part in ("sum", "count")]
    return f"{rates[0]} / {rates[1]}"


ALERTS = (
    Alert(
        "LumenmillOrchestratorDown",
        f"(count by ({_BY}) (last_over_time(lumenmill_orchestrator_runs[1h])) "
        f"unless count by ({_BY}) (lumenmill_orchestrator_runs)) or absent(lumenmill_orchestrator_runs)",
        "5m",
        "critical",
        "No orchestrator answers",
        "No run makes progress, and runs cannot be submitted, followed or exported. Finished work is safe; runs "
        "continue where they stopped once a replica is back.",
    ),
    Alert(
        "LumenmillModelWithoutPods",
        f"sum by ({_BY}, model) (lumenmill_orchestrator_calls_waiting) > 0 "
        f'unless max by ({_BY}, model) (lumenmill_orchestrator_endpoints{{state="ready"}}) > 0',
        "20m",
        "critical",
        "{{ $labels.model }} has work and no ready pod",
        "{{ $value }} calls have waited for {{ $labels.model }} for 20 minutes, longer than any model should take to "
        "load.",
    ),
    Alert(
        "LumenmillBacklogGrows",
        f"min_over_time(deriv(sum by ({_BY}, model) (lumenmill_orchestrator_backlog_seconds)[15m:1m])[1h:5m]) > 0 "
        f"and sum by ({_BY}, model) (lumenmill_orchestrator_backlog_seconds) > 3600",
        "10m",
        "warning",
        "The backlog of {{ $labels.model }} has grown for an hour",
        "More work arrives for {{ $labels.model }} than its pods complete, by {{ $value | humanize }} seconds of work "
        "per second.",
    ),
    Alert(
        "LumenmillErrorRate",
        f'sum by ({_BY}, model) (rate(lumenmill_orchestrator_steps_total{{verdict="failed"}}[15m])) / '
        f'sum by ({_BY}, model) (rate(lumenmill_orchestrator_steps_total{{verdict!="skipped"}}[15m])) > 0.05 and '
        f'sum by ({_BY}, model) (increase(lumenmill_orchestrator_steps_total{{verdict="failed"}}[15m])) > 3',
        "10m",
        "critical",
        "{{ $value | humanizePercentage }} of the executions of {{ $labels.model }} fail",
        "They have failed finally, after all retries.",
    ),
    Alert(
        "LumenmillOutOfMemory",
        f"sum by ({_BY}, model) (increase("
        'lumenmill_out_of_memory_total{action!~"without_overlap|smaller_batch"}[1h])) > 0 or '
        f"sum by ({_BY}, model) (increase(lumenmill_out_of_memory_total[1h])) > 20",
        "0m",
        "warning",
        "{{ $labels.model }} runs out of memory",
        "In the last hour weights were offloaded, jobs refused, or batches halved more than 20 times: jobs take longer "
        "or fail.",
    ),
    Alert(
        "LumenmillRejectionsJump",
        f"{_rejected_share('30m')} > 0.1 + 2 * ({_rejected_share('1d', ' offset 1h')}) and "
        f'sum by ({_BY}) (increase({_SAMPLES}{{verdict=~"accepted|rejected"}}[30m])) > 20',
        "15m",
        "warning",
        "{{ $value | humanizePercentage }} of the samples are rejected",
        "Gates reject more than twice the share of the day before.",
    ),
    Alert(
        "LumenmillStoreErrors",
        f"sum by ({_BY}, outcome) (rate({_STORE}_count{{{_BAD_OUTCOME}}}[10m])) > 0.02",
        "5m",
        "critical",
        "The artifact store fails: {{ $labels.outcome }}",
        "More than one operation a minute fails. Jobs whose results cannot be stored are computed again.",
    ),
    Alert(
        "LumenmillStoreFull",
        f"min by ({_BY}, kind) (lumenmill_store_free_bytes) < 10e9 or "
        f'sum by ({_BY}) (increase({_STORE}_count{{outcome="RESOURCE_EXHAUSTED"}}[10m])) > 0',
        "5m",
        "critical",
        "The artifact store is full, or nearly full",
        "Less than 10 GB are free, or the store has refused to write because it is full.",
    ),
    Alert(
        "LumenmillDatabaseSlow",
        f"histogram_quantile(0.95, sum by ({_BY}, le) (rate({_DATABASE}_bucket[10m]))) > 0.5",
        "15m",
        "warning",
        "The database takes {{ $value | humanizeDuration }} for a statement",
        "One statement in twenty takes longer than that. Each finished step of a run waits for the database.",
    ),
    Alert(
        "LumenmillDatabaseUnavailable",
        f"sum by ({_BY}) (increase(lumenmill_orchestrator_database_unavailable_total[5m])) > 3",
        "2m",
        "critical",
        "The database does not answer",
        "Every write is retried for a minute; then the run waits. Nothing is lost, and no run makes progress.",
    ),
    Alert(
        "LumenmillLoadsLong",
        f'max by ({_BY}, model) (lumenmill_model_load_duration_seconds{{model!=""}}) > 900 or '
        f'(max by ({_BY}, model) (min_over_time(lumenmill_model_load_duration_seconds{{model!=""}}[20m])) == 0 and '
        f'max by ({_BY}, model) (max_over_time(lumenmill_model_load_duration_seconds{{model!=""}}[20m])) == 0)',
        "5m",
        "warning",
        "{{ $labels.model }} takes long to load",
        "A pod took over 15 minutes to become ready, or has been loading for 20 minutes. Scaling from zero takes as "
        "long.",
    ),
    Alert(
        "LumenmillClipsSlow",
        f"{_clip_mean('2h')} > 1.5 * ({_clip_mean('7d', ' offset 2h')}) and "
        f"sum by ({_BY}, model, preset) (increase({_CLIP}_count[2h])) >= 3",
        "30m",
        "warning",
        "Clips of {{ $labels.model }} ({{ $labels.preset }}) take {{ $value | humanizeDuration }}",
        "That is over 1.5 times the mean of the week before.",
    ),
    Alert(
        "LumenmillCertificateEnds",
        f"min by ({_BY}, certificate) (lumenmill_certificate_expiry_timestamp_seconds) - time() < 7 * 86400",
        "10m",
        "critical",
        "A certificate expires in {{ $value | humanizeDuration }}",
        "After that services do not trust each other and every call fails. It is `{{ $labels.certificate }}` in the "
        "settings.",
    ),
    Alert(
        "LumenmillPodsPending",
        # The chart replaces these matchers by the namespace and the names of its own release.
        f'sum by ({_BY}, pod) (kube_pod_status_phase{{phase="Pending", pod=~".*lumenmill.*"}}) > 0',
        "30m",
        "warning",
        "{{ $labels.pod }} has been pending for half an hour",
        "No node has the resources it requests, or its image cannot be pulled.",
        Source.KUBE,
    ),
)


def runbook_of(alert: Alert) -> str:
    """Return the path of an alert's runbook in the repository."""
    words = re.findall(r"[A-Z][a-z]+", alert.name.removeprefix("Lumenmill"))
    return f"docs/runbooks/{'-'.join(words).lower()}.md"


def rule_groups() -> list[dict[str, Any]]:
    """Return the alerts in Prometheus' format of rule groups."""
    return [{"name": "lumenmill", "rules": [_rule(alert) for alert in ALERTS]}]


def _rule(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expr,
        "for": alert.duration,
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.summary,
            "description": alert.text,
            # A path, not a link: the chart adds `runbook_url` when its values state where the runbooks are published.
            "runbook": runbook_of(alert),
        },
    }
