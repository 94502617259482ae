"""Speed, queues and devices of every model."""

from monitoring.panels import Board, Kind, Panel, Query, Row, Source
from monitoring.promql import mean, quantile, rate
from monitoring.variables import KUBE_POD, OF_MODEL, WINDOW, template_variables

__all__ = ["MODELS"]

_CLIP = "lumenmill_orchestrator_clip_duration_seconds"
_NODE = "lumenmill_orchestrator_step_duration_seconds"
_NEURAL_ONLY = "Neural models only; the services of the embedded mesh have no such metric."


def _with_orchestrator(expr: str) -> str:
    """Return the series by model, with `orchestrator` for the process that has no model."""
    return f'label_replace({expr}, "model", "orchestrator", "model", "")'


_SPEED = Row(
    "Speed",
    [
        Panel(
            "Minutes per clip",
            "Minutes that a model worked on one clip: mean, median and 95th percentile. Percentiles are as fine as the "
            "histogram's buckets.",
            "m",
            [
                Query(f"{mean(_CLIP, OF_MODEL, 'model, preset', WINDOW)} / 60", "{{model}} {{preset}} mean"),
                Query(f"{quantile(0.5, _CLIP, OF_MODEL, 'model, preset', WINDOW)} / 60", "{{model}} {{preset}} p50"),
                Query(f"{quantile(0.95, _CLIP, OF_MODEL, 'model, preset', WINDOW)} / 60", "{{model}} {{preset}} p95"),
            ],
            empty="no clip was generated",
            width=12,
            height=9,
        ),
        Panel(
            "Seconds per execution",
            "Mean seconds that a model worked on one execution of each call, without time in queues.",
            "s",
            [Query(mean(_NODE, OF_MODEL, "call, model", WINDOW), "{{model}} {{call}}")],
            is_log=True,
            width=12,
            height=9,
        ),
        Panel(
            "Clips per hour",
            "Clips that each model generated, per hour, by preset.",
            "short",
            [Query(f"{rate(f'{_CLIP}_count', OF_MODEL, 'model, preset', WINDOW)} * 3600", "{{model}} {{preset}}")],
            Kind.STACK,
            empty="no clip was generated",
        ),
        Panel(
            "Seconds by stage",
            "Mean seconds of each stage of a job: shows which stage makes a model slow.",
            "s",
            [
                Query(
                    mean("lumenmill_job_stage_duration_seconds", OF_MODEL, "model, stage", WINDOW),
                    "{{model}} {{stage}}",
                )
            ],
            is_log=True,
        ),
        Panel(
            "Concurrent stages",
            "Mean number of stages of each kind that run at once, over all pods. Each job of a batch counts.",
            "short",
            [
                Query(
                    rate("lumenmill_job_stage_duration_seconds_sum", OF_MODEL, "model, stage", WINDOW),
                    "{{model}} {{stage}}",
                )
            ],
            Kind.STACK,
        ),
    ],
)

_QUEUES = Row(
    "Queues",
    [
        Panel(
            "Wait in the queue",
            "95th percentile of the seconds that a job waited at a pod for a worker. Long waits while other pods are "
            "idle mean that work is not balanced.",
            "s",
            [Query(quantile(0.95, "lumenmill_job_wait_seconds", OF_MODEL, "model", WINDOW), "{{model}} p95")],
        ),
        Panel(
            "Jobs queued and running",
            "Jobs at the pods of each model, now.",
            "short",
            [
                Query(f"sum by (model) (lumenmill_jobs_queued{{{OF_MODEL}}})", "{{model}} queued"),
                Query(f"sum by (model) (lumenmill_jobs_running{{{OF_MODEL}}})", "{{model}} running"),
            ],
        ),
        Panel(
            "Jobs in one batch",
            "Mean number of jobs that a worker computed as one batch. 1 for models without batching, as on the CPU.",
            "short",
            [Query(mean("lumenmill_job_batch_size", OF_MODEL, "model", WINDOW), "{{model}}")],
        ),
        Panel(
            "Workers busy",
            "Mean number of jobs that ran at once per pod: below 100 % a worker was idle at times, above it jobs were "
            "batched.",
            "percentunit",
            [Query(f"avg by (model) (avg_over_time(lumenmill_jobs_running{{{OF_MODEL}}}[{WINDOW}]))", "{{model}}")],
        ),
        Panel(
            "Jobs per minute by outcome",
            "Jobs that ended, per minute: `ok`, or the name of the error.",
            "short",
            [
                Query(
                    f"{rate('lumenmill_job_duration_seconds_count', OF_MODEL, 'model, outcome', WINDOW)} * 60",
                    "{{model}} {{outcome}}",
                )
            ],
            Kind.STACK,
        ),
        Panel(
            "Time to load",
            "Seconds from the last start of each pod until it was ready; the longest of each model. Scaling from zero "
            "takes as long.",
            "s",
            [Query(f'max by (model) (lumenmill_model_load_duration_seconds{{{OF_MODEL}, model!=""}})', "{{model}}")],
            Kind.BARS,
            thresholds=[("orange", 300), ("red", 900)],
        ),
    ],
)

_DEVICES = Row(
    "Devices",
    [
        Panel(
            "Device busy",
            "Share of the time in which a call of the model ran on its device, by the service's own clock. Below 100 % "
            f"the device waited. {_NEURAL_ONLY}",
            "percentunit",
            [Query(f"avg by (model) (rate(lumenmill_device_busy_seconds_total{{{OF_MODEL}}}[{WINDOW}]))", "{{model}}")],
            empty="no neural model",
            max_value=1,
        ),
        Panel(
            "Device memory",
            "Peak memory of the last job, and the memory available. On the CPU the peak is not measured and 0. "
            + _NEURAL_ONLY,
            "bytes",
            [
                Query(f"max by (model) (lumenmill_device_memory_peak_bytes{{{OF_MODEL}}})", "{{model}} peak"),
                Query(f"min by (model) (lumenmill_device_memory_bytes{{{OF_MODEL}}})", "{{model}} available"),
            ],
            empty="no neural model",
        ),
        Panel(
            "Out of memory, per hour",
            "Responses to too little memory per hour: smaller batches, offloaded weights, refused jobs. 0 is healthy; "
            f"an occasional smaller batch costs little, the others much. {_NEURAL_ONLY}",
            "short",
            [
                Query(
                    f"sum by (model, action) (increase(lumenmill_out_of_memory_total{{{OF_MODEL}}}[1h]))",
                    "{{model}} {{action}}",
                )
            ],
            empty="no neural model",
        ),
        Panel(
            "Memory of the process",
            "Resident memory of each pod's process on the host; the largest of each model.",
            "bytes",
            [Query(_with_orchestrator(f"max by (model) (process_resident_memory_bytes{{{OF_MODEL}}})"), "{{model}}")],
        ),
        Panel(
            "CPU of the process",
            "CPU cores that the processes of each model use, all pods together.",
            "short",
            [Query(_with_orchestrator(rate("process_cpu_seconds_total", OF_MODEL, "model")), "{{model}}")],
        ),
        Panel(
            "GPU engine and tensor cores",
            "Share of the time in which the GPU's engine was active, and in which its tensor cores were: the second "
            "shows how well the first is used.",
            "percentunit",
            [
                Query(
                    f"avg by (pod) (DCGM_FI_PROF_GR_ENGINE_ACTIVE{{{KUBE_POD}}})",
                    "{{pod}} engine",
                    Source.DCGM,
                ),
                Query(
                    f"avg by (pod) (DCGM_FI_PROF_PIPE_TENSOR_ACTIVE{{{KUBE_POD}}})",
                    "{{pod}} tensor cores",
                    Source.DCGM,
                ),
            ],
            empty="no GPU metrics",
            max_value=1,
        ),
        Panel(
            "GPU memory used",
            "Memory in use on each pod's GPUs.",
            "mbytes",
            [Query(f"sum by (pod) (DCGM_FI_DEV_FB_USED{{{KUBE_POD}}})", "{{pod}}", Source.DCGM)],
            empty="no GPU metrics",
        ),
        Panel(
            "GPU power",
            "Watts of each pod's GPUs.",
            "watt",
            [Query(f"sum by (pod) (DCGM_FI_DEV_POWER_USAGE{{{KUBE_POD}}})", "{{pod}}", Source.DCGM)],
            empty="no GPU metrics",
        ),
        Panel(
            "GPUs per pod",
            "GPUs that one pod of each model uses; 0 on the CPU.",
            "short",
            [Query(f'max by (model) (lumenmill_model_gpus{{{OF_MODEL}, model!=""}})', "{{model}}")],
            Kind.BARS,
        ),
    ],
)

MODELS = Board(
    "lumenmill-models",
    "Lumenmill / Models",
    "Speed, queues and devices of every model.",
    [_SPEED, _QUEUES, _DEVICES],
    template_variables(has_window=True),
)
