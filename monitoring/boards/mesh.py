"""Calls between the services: rates, durations, failures; waiting work and missing pods."""

from monitoring.panels import Board, Kind, Panel, Query, Row, Source
from monitoring.promql import quantile, rate
from monitoring.variables import IN_NAMESPACE, KUBE_NAMESPACE, KUBE_POD, OF_MODEL, template_variables

__all__ = ["MESH"]

_RPC = "lumenmill_rpc_duration_seconds"
# Methods that last as long as their job; the others answer at once.
_HEAVY = ".*/(Generate|Relight|Decompose|Caption|CompareLight|Measure|Rewrite|Watch|Export|Collect|Upload|Download).*"
_LIGHT = f'{IN_NAMESPACE}, method!~"{_HEAVY}"'
_BAD = 'code!~"OK|CANCELLED|NOT_FOUND|INVALID_ARGUMENT|ALREADY_EXISTS"'


def _by_name(expr: str) -> str:
    """Return the series with short names of methods: `ImagerService/GenerateImages`."""
    return f'label_replace({expr}, "method", "$1", "method", "/(?:.*[.])?(.+)")'


_CALLS = Row(
    "Calls",
    [
        Panel(
            "Calls per second",
            "RPCs that ended, per second, by method. Health checks and reflection are included.",
            "reqps",
            [Query(_by_name(rate(f"{_RPC}_count", IN_NAMESPACE, "method")), "{{method}}")],
            height=10,
        ),
        Panel(
            "Calls that failed, per second",
            "RPCs that ended with a status that is not the caller's fault. A full queue answers RESOURCE_EXHAUSTED, a "
            "pod that shuts down UNAVAILABLE: both are retried.",
            "reqps",
            [Query(_by_name(rate(f"{_RPC}_count", f"{IN_NAMESPACE}, {_BAD}", "method, code")), "{{method}} {{code}}")],
            empty="no call failed",
            height=10,
        ),
        Panel(
            "Duration of short calls",
            "95th percentile of the duration of the methods that start no job.",
            "s",
            [Query(_by_name(quantile(0.95, f"{_RPC}", _LIGHT, "method")), "{{method}}")],
            is_log=True,
            height=10,
        ),
        Panel(
            "Duration of heavy calls",
            "95th percentile of the duration of the methods that start jobs, time in queues included.",
            "s",
            [Query(_by_name(quantile(0.95, _RPC, f'{IN_NAMESPACE}, method=~"{_HEAVY}"', "method")), "{{method}}")],
            is_log=True,
            height=10,
        ),
        Panel(
            "Failed attempts, per minute",
            "Attempts of the orchestrator's calls that failed, per minute. Most are retried; the dashboard Production "
            "shows the executions that failed finally.",
            "short",
            [
                Query(
                    f"{rate('lumenmill_orchestrator_call_failures_total', OF_MODEL, 'model, code')} * 60",
                    "{{model}} {{code}}",
                )
            ],
            empty="no attempt failed",
            height=10,
        ),
        Panel(
            "Re-attached, per minute",
            "Calls that re-attached to their job after a connection broke or a process was restarted, per minute: work "
            "that was not repeated. 0 while nothing breaks.",
            "short",
            [Query(f"{rate('lumenmill_jobs_reattached_total', OF_MODEL, 'model')} * 60", "{{model}}")],
            empty="no call re-attached",
            height=10,
        ),
    ],
)

_WORK = Row(
    "Work and endpoints",
    [
        Panel(
            "Calls waiting",
            "Calls that wait in the orchestrator for a slot at a model.",
            "short",
            [Query(f"sum by (model) (lumenmill_orchestrator_calls_waiting{{{OF_MODEL}}})", "{{model}}")],
        ),
        Panel(
            "Calls in flight",
            "Calls that were sent to each model and have not ended.",
            "short",
            [Query(f"sum by (model) (lumenmill_orchestrator_calls_in_flight{{{OF_MODEL}}})", "{{model}}")],
        ),
        Panel(
            "Backlog",
            "Seconds that one worker needs for the waiting and running calls of each model, over all replicas. KEDA "
            "scales by it.",
            "s",
            [Query(f"sum by (model) (lumenmill_orchestrator_backlog_seconds{{{OF_MODEL}}})", "{{model}}")],
        ),
        Panel(
            "Backlog in GPU seconds",
            "The backlog times the GPUs per pod, 1 where a pod has none.",
            "s",
            [Query(f"sum by (model) (lumenmill_orchestrator_gpu_backlog_seconds{{{OF_MODEL}}})", "{{model}}")],
        ),
        Panel(
            "Endpoints",
            "Addresses of each model, ready and not ready.",
            "short",
            [
                Query(
                    f"max by (model, state) (lumenmill_orchestrator_endpoints{{{OF_MODEL}}})",
                    "{{model}} {{state}}",
                )
            ],
        ),
        Panel(
            "Models without a ready endpoint",
            "Calls that wait for a model without a ready endpoint. Expected for minutes while a model scales up from "
            "zero; empty otherwise.",
            "short",
            [
                Query(
                    f"sum by (model) (lumenmill_orchestrator_calls_waiting{{{OF_MODEL}}}) > 0 unless on (model) "
                    f'max by (model) (lumenmill_orchestrator_endpoints{{{OF_MODEL}, state="ready"}}) > 0',
                    "{{model}}",
                )
            ],
            empty="every model that has work has an endpoint",
            thresholds=[("orange", 1)],
        ),
    ],
)

_CLUSTER = Row(
    "Cluster and certificates",
    [
        Panel(
            "Pods that are not running",
            "Pods that are pending, failed or unknown, by phase.",
            "short",
            [
                Query(
                    f'sum by (pod, phase) (kube_pod_status_phase{{{KUBE_POD}, phase=~"Pending|Failed|Unknown"}}) > 0',
                    "{{pod}} {{phase}}",
                    Source.KUBE,
                )
            ],
            empty="none, or no kube-state-metrics",
        ),
        Panel(
            "Why containers wait",
            "The reasons that the kubelet gives for containers that do not run yet.",
            "short",
            [
                Query(
                    f"sum by (pod, reason) (kube_pod_container_status_waiting_reason{{{KUBE_POD}}}) > 0",
                    "{{pod}} {{reason}}",
                    Source.KUBE,
                )
            ],
            empty="none, or no kube-state-metrics",
        ),
        Panel(
            "Restarts, per hour",
            "Containers that were restarted in the last hour. 0 is healthy.",
            "short",
            [
                Query(
                    f"sum by (pod) (increase(kube_pod_container_status_restarts_total{{{KUBE_POD}}}[1h]))",
                    "{{pod}}",
                    Source.KUBE,
                )
            ],
            empty="no kube-state-metrics",
        ),
        Panel(
            "Replicas requested and ready",
            "Replicas that each Deployment requests, and those that are ready.",
            "short",
            [
                Query(
                    f"sum by (deployment) (kube_deployment_spec_replicas{{{KUBE_NAMESPACE}}})",
                    "{{deployment}} requested",
                    Source.KUBE,
                ),
                Query(
                    f"sum by (deployment) (kube_deployment_status_replicas_ready{{{KUBE_NAMESPACE}}})",
                    "{{deployment}} ready",
                    Source.KUBE,
                ),
            ],
            empty="no kube-state-metrics",
        ),
        Panel(
            "Certificates expire in",
            "Time until the first certificate of each kind expires. Empty without TLS.",
            "s",
            [
                Query(
                    f"min by (certificate) (lumenmill_certificate_expiry_timestamp_seconds{{{IN_NAMESPACE}}}) - time()",
                    "{{certificate}}",
                )
            ],
            Kind.BARS,
            thresholds=[("red", 0), ("orange", 7 * 86_400), ("green", 21 * 86_400)],
            empty="TLS is off",
        ),
        Panel(
            "Scraped processes",
            "Processes of the mesh that Prometheus scrapes, by model.",
            "short",
            [
                Query(
                    f"label_replace(count by (model) (lumenmill_model_load_duration_seconds{{{IN_NAMESPACE}}}), "
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
    "Calls between the services, waiting work, endpoints and pods.",
    [_CALLS, _WORK, _CLUSTER],
    template_variables(),
)
