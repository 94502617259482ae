"""Calls between the services: how many, how fast, which fail, and what work waits for."""

from monitoring.panels import Board, Kind, Panel, Query, Row, Source
from monitoring.promql import quantile, rate
from monitoring.variables import EVERY_NAMESPACE, EVERY_POD, THERE, THESE, chosen

__all__ = ["MESH"]

_RPC = "lumenmill_rpc_duration_seconds"
# What answers at once; the others last as long as their job.
_HEAVY = ".*/(Generate|Relight|Decompose|Caption|CompareLight|Measure|Rewrite|Watch|Export|Collect|Upload|Download).*"
_LIGHT = f'{THERE}, method!~"{_HEAVY}"'
_BAD = 'code!~"OK|CANCELLED|NOT_FOUND|INVALID_ARGUMENT|ALREADY_EXISTS"'


def _by_name(expr: str) -> str:
    """Series by method with its short name: `ImagerService/GenerateImages`."""
    return f'label_replace({expr}, "method", "$1", "method", "/(?:.*[.])?(.+)")'


_CALLS = Row(
    "Calls",
    [
        Panel(
            "Calls per second",
            "RPCs that ended, per second, by method. Health checks and reflection are among them.",
            "reqps",
            [Query(_by_name(rate(f"{_RPC}_count", THERE, "method")), "{{method}}")],
            height=10,
        ),
        Panel(
            "Calls that failed, per second",
            "RPCs that ended with a status that is not the caller's own doing. A busy queue answers "
            "RESOURCE_EXHAUSTED, a pod that leaves UNAVAILABLE: both are tried again.",
            "reqps",
            [Query(_by_name(rate(f"{_RPC}_count", f"{THERE}, {_BAD}", "method, code")), "{{method}} {{code}}")],
            empty="no call failed",
            height=10,
        ),
        Panel(
            "Time of short calls",
            "95 % of the calls of each method that need no job were answered faster.",
            "s",
            [Query(_by_name(quantile(0.95, f"{_RPC}", _LIGHT, "method")), "{{method}}")],
            is_log=True,
            height=10,
        ),
        Panel(
            "Time of heavy calls",
            "95 % of the calls of each method that do work ended faster, waits included.",
            "s",
            [Query(_by_name(quantile(0.95, _RPC, f'{THERE}, method=~"{_HEAVY}"', "method")), "{{method}}")],
            is_log=True,
            height=10,
        ),
        Panel(
            "Attempts that failed, per minute",
            "Attempts of the orchestrator's calls that failed, per minute; most are tried again, and what fails for "
            "good stands on Production.",
            "short",
            [
                Query(
                    f"{rate('lumenmill_orchestrator_call_failures_total', THESE, 'model, code')} * 60",
                    "{{model}} {{code}}",
                )
            ],
            empty="no attempt failed",
            height=10,
        ),
        Panel(
            "Re-attached, per minute",
            "Calls that found their job again after a connection broke or a process was restarted, per minute: work "
            "that was not done twice. 0 while nothing breaks.",
            "short",
            [Query(f"{rate('lumenmill_jobs_reattached_total', THESE, 'model')} * 60", "{{model}}")],
            empty="nothing had to be found again",
            height=10,
        ),
    ],
)

_WORK = Row(
    "Work and who does it",
    [
        Panel(
            "Calls waiting",
            "Calls that wait in the orchestrator for a place at a model.",
            "short",
            [Query(f"sum by (model) (lumenmill_orchestrator_calls_waiting{{{THESE}}})", "{{model}}")],
        ),
        Panel(
            "Calls in flight",
            "Calls that each model was given.",
            "short",
            [Query(f"sum by (model) (lumenmill_orchestrator_calls_in_flight{{{THESE}}})", "{{model}}")],
        ),
        Panel(
            "Backlog",
            "Seconds of one worker that the waiting and running calls of each model take, over all replicas. What "
            "scaling goes by.",
            "s",
            [Query(f"sum by (model) (lumenmill_orchestrator_backlog_seconds{{{THESE}}})", "{{model}}")],
        ),
        Panel(
            "Backlog in GPU seconds",
            "The same × GPUs per pod, 1 where a pod has none.",
            "s",
            [Query(f"sum by (model) (lumenmill_orchestrator_gpu_backlog_seconds{{{THESE}}})", "{{model}}")],
        ),
        Panel(
            "Endpoints",
            "Addresses at which each model answers, ready and not.",
            "short",
            [
                Query(
                    f"max by (model, state) (lumenmill_orchestrator_endpoints{{{THESE}}})",
                    "{{model}} {{state}}",
                )
            ],
        ),
        Panel(
            "Models that are waited for",
            "Calls that wait for a model which has no ready endpoint. Healthy for minutes while a model is brought up "
            "from zero; empty otherwise.",
            "short",
            [
                Query(
                    f"sum by (model) (lumenmill_orchestrator_calls_waiting{{{THESE}}}) > 0 unless on (model) "
                    f'max by (model) (lumenmill_orchestrator_endpoints{{{THESE}, state="ready"}}) > 0',
                    "{{model}}",
                )
            ],
            empty="no model is waited for",
            thresholds=[("orange", 1)],
        ),
    ],
)

_CLUSTER = Row(
    "Cluster and certificates",
    [
        Panel(
            "Pods that are not running",
            "Pods that wait for a node or for their image, by phase.",
            "short",
            [
                Query(
                    f'sum by (pod, phase) (kube_pod_status_phase{{{EVERY_POD}, phase=~"Pending|Failed|Unknown"}}) > 0',
                    "{{pod}} {{phase}}",
                    Source.KUBE,
                )
            ],
            empty="none, or no kube-state-metrics",
        ),
        Panel(
            "Why containers wait",
            "The kubelet's words for containers that do not run yet.",
            "short",
            [
                Query(
                    f"sum by (pod, reason) (kube_pod_container_status_waiting_reason{{{EVERY_POD}}}) > 0",
                    "{{pod}} {{reason}}",
                    Source.KUBE,
                )
            ],
            empty="none, or no kube-state-metrics",
        ),
        Panel(
            "Restarts, per hour",
            "Containers that were started again in the last hour. 0 is healthy.",
            "short",
            [
                Query(
                    f"sum by (pod) (increase(kube_pod_container_status_restarts_total{{{EVERY_POD}}}[1h]))",
                    "{{pod}}",
                    Source.KUBE,
                )
            ],
            empty="no kube-state-metrics",
        ),
        Panel(
            "Replicas wanted and there",
            "Pods that each Deployment asks for, and those that are ready.",
            "short",
            [
                Query(
                    f"sum by (deployment) (kube_deployment_spec_replicas{{{EVERY_NAMESPACE}}})",
                    "{{deployment}} wanted",
                    Source.KUBE,
                ),
                Query(
                    f"sum by (deployment) (kube_deployment_status_replicas_ready{{{EVERY_NAMESPACE}}})",
                    "{{deployment}} ready",
                    Source.KUBE,
                ),
            ],
            empty="no kube-state-metrics",
        ),
        Panel(
            "Certificates end in",
            "Time until the first certificate of each kind ends. Nothing without TLS.",
            "s",
            [
                Query(
                    f"min by (certificate) (lumenmill_certificate_expiry_timestamp_seconds{{{THERE}}}) - time()",
                    "{{certificate}}",
                )
            ],
            Kind.BARS,
            thresholds=[("red", 0), ("orange", 7 * 86_400), ("green", 21 * 86_400)],
            empty="TLS is off",
        ),
        Panel(
            "Scraped processes",
            "Processes of the mesh that Prometheus reaches, by model.",
            "short",
            [
                Query(
                    f"label_replace(count by (model) (lumenmill_model_load_duration_seconds{{{THERE}}}), "
                    '"model", "orchestrator", "model", "")',
                    "{{model}}",
                )
            ],
            Kind.BARS,
        ),
    ],
)

MESH = Board(
    "lumenmill-mesh",
    "Lumenmill / Mesh",
    "Calls between the services, work that waits, and the pods that it waits for.",
    [_CALLS, _WORK, _CLUSTER],
    chosen(),
)
