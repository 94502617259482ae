"""How fast each model is, what it waits for, and what its device does."""

from monitoring.panels import Board, Kind, Panel, Query, Row, Source
from monitoring.promql import mean, quantile, rate
from monitoring.variables import EVERY_POD, THESE, WINDOW, chosen

__all__ = ["MODELS"]

_CLIP = "lumenmill_orchestrator_clip_duration_seconds"
_NODE = "lumenmill_orchestrator_step_duration_seconds"
_NEURAL_ONLY = "Models of torch only; those of the embedded mesh have no such metric."


def _with_orchestrator(expr: str) -> str:
    """Series by model with a name for the process that has none."""
    return f'label_replace({expr}, "model", "orchestrator", "model", "")'


_SPEED = Row(
    "Speed",
    [
        Panel(
            "Minutes per clip",
            "Minutes that a model worked on one clip: the mean, and below which half and 95 % of the clips lie. "
            "Quantiles are as fine as the histogram's buckets.",
            "m",
            [
                Query(f"{mean(_CLIP, THESE, 'model, preset', WINDOW)} / 60", "{{model}} {{preset}} mean"),
                Query(f"{quantile(0.5, _CLIP, THESE, 'model, preset', WINDOW)} / 60", "{{model}} {{preset}} p50"),
                Query(f"{quantile(0.95, _CLIP, THESE, 'model, preset', WINDOW)} / 60", "{{model}} {{preset}} p95"),
            ],
            empty="no clip was made",
            width=12,
            height=9,
        ),
        Panel(
            "Seconds per execution",
            "Mean seconds that a model worked on one execution of each call, waits not counted.",
            "s",
            [Query(mean(_NODE, THESE, "call, model", WINDOW), "{{model}} {{call}}")],
            is_log=True,
            width=12,
            height=9,
        ),
        Panel(
            "Clips per hour",
            "Clips that each model made, per hour, by preset.",
            "short",
            [Query(f"{rate(f'{_CLIP}_count', THESE, 'model, preset', WINDOW)} * 3600", "{{model}} {{preset}}")],
            Kind.STACK,
            empty="no clip was made",
        ),
        Panel(
            "Seconds by stage",
            "Mean seconds of each stage of a job: where to look when a model is slow.",
            "s",
            [Query(mean("lumenmill_job_stage_duration_seconds", THESE, "model, stage", WINDOW), "{{model}} {{stage}}")],
            is_log=True,
        ),
        Panel(
            "Share of time by stage",
            "How many stages of each kind are under way at once, over all pods: parts of what the workers do. Jobs of "
            "one batch count each.",
            "short",
            [
                Query(
                    rate("lumenmill_job_stage_duration_seconds_sum", THESE, "model, stage", WINDOW),
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
            "Seconds that a job waited at a pod for its worker: 95 % waited less. Long waits here and idle pods beside "
            "mean that work is not spread.",
            "s",
            [Query(quantile(0.95, "lumenmill_job_wait_seconds", THESE, "model", WINDOW), "{{model}} p95")],
        ),
        Panel(
            "Jobs queued and running",
            "Jobs at the pods of each model, now.",
            "short",
            [
                Query(f"sum by (model) (lumenmill_jobs_queued{{{THESE}}})", "{{model}} queued"),
                Query(f"sum by (model) (lumenmill_jobs_running{{{THESE}}})", "{{model}} running"),
            ],
        ),
        Panel(
            "Jobs in one batch",
            "Mean number of jobs that a worker did together. 1 where a model does one at a time, as all do on the CPU.",
            "short",
            [Query(mean("lumenmill_job_batch_size", THESE, "model", WINDOW), "{{model}}")],
        ),
        Panel(
            "Workers busy",
            "Jobs that ran at once per pod, averaged: below 100 % a worker stood idle, above it jobs shared a batch.",
            "percentunit",
            [Query(f"avg by (model) (avg_over_time(lumenmill_jobs_running{{{THESE}}}[{WINDOW}]))", "{{model}}")],
        ),
        Panel(
            "Jobs per minute by outcome",
            "Jobs that ended, per minute: ok, or the error they ended with.",
            "short",
            [
                Query(
                    f"{rate('lumenmill_job_duration_seconds_count', THESE, 'model, outcome', WINDOW)} * 60",
                    "{{model}} {{outcome}}",
                )
            ],
            Kind.STACK,
        ),
        Panel(
            "Time to load",
            "Seconds that the last start of each pod took until it was ready; the longest of each model. What scaling "
            "from zero waits for.",
            "s",
            [Query(f'max by (model) (lumenmill_model_load_duration_seconds{{{THESE}, model!=""}})', "{{model}}")],
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
            "Share of the time in which a call of the model was under way on its device, by the service's own clock. "
            f"What is missing to 100 % is a device that waits. {_NEURAL_ONLY}",
            "percentunit",
            [Query(f"avg by (model) (rate(lumenmill_device_busy_seconds_total{{{THESE}}}[{WINDOW}]))", "{{model}}")],
            empty="no neural model here",
            max_value=1,
        ),
        Panel(
            "Device memory",
            "Largest use by the last job, and what there is. On the CPU use is not measured and 0. " + _NEURAL_ONLY,
            "bytes",
            [
                Query(f"max by (model) (lumenmill_device_memory_peak_bytes{{{THESE}}})", "{{model}} peak"),
                Query(f"min by (model) (lumenmill_device_memory_bytes{{{THESE}}})", "{{model}} there is"),
            ],
            empty="no neural model here",
        ),
        Panel(
            "Out of memory, per hour",
            "Steps down the memory ladder per hour: smaller batches, weights placed elsewhere, refusals. 0 is healthy; "
            f"batches that shrink now and then are not dear, the others are. {_NEURAL_ONLY}",
            "short",
            [
                Query(
                    f"sum by (model, step) (increase(lumenmill_out_of_memory_total{{{THESE}}}[1h]))",
                    "{{model}} {{step}}",
                )
            ],
            empty="no neural model here",
        ),
        Panel(
            "Memory of the process",
            "Resident memory of each pod's process on the host; the largest of each model.",
            "bytes",
            [Query(_with_orchestrator(f"max by (model) (process_resident_memory_bytes{{{THESE}}})"), "{{model}}")],
        ),
        Panel(
            "CPU of the process",
            "Cores that the processes of each model keep busy, all pods together.",
            "short",
            [Query(_with_orchestrator(rate("process_cpu_seconds_total", THESE, "model")), "{{model}}")],
        ),
        Panel(
            "GPU engine and tensor cores",
            "Share of the time in which the GPU's engine was active at all, and its tensor cores were: the second "
            "tells how well the first is used.",
            "percentunit",
            [
                Query(
                    f"avg by (pod) (DCGM_FI_PROF_GR_ENGINE_ACTIVE{{{EVERY_POD}}})",
                    "{{pod}} engine",
                    Source.DCGM,
                ),
                Query(
                    f"avg by (pod) (DCGM_FI_PROF_PIPE_TENSOR_ACTIVE{{{EVERY_POD}}})",
                    "{{pod}} tensor cores",
                    Source.DCGM,
                ),
            ],
            empty="no GPU is exported",
            max_value=1,
        ),
        Panel(
            "GPU memory used",
            "Memory in use on each pod's GPUs.",
            "mbytes",
            [Query(f"sum by (pod) (DCGM_FI_DEV_FB_USED{{{EVERY_POD}}})", "{{pod}}", Source.DCGM)],
            empty="no GPU is exported",
        ),
        Panel(
            "GPU power",
            "Watts of each pod's GPUs.",
            "watt",
            [Query(f"sum by (pod) (DCGM_FI_DEV_POWER_USAGE{{{EVERY_POD}}})", "{{pod}}", Source.DCGM)],
            empty="no GPU is exported",
        ),
        Panel(
            "GPUs per pod",
            "GPUs that one pod of each model works with; 0 on the CPU.",
            "short",
            [Query(f'max by (model) (lumenmill_model_gpus{{{THESE}, model!=""}})', "{{model}}")],
            Kind.BARS,
        ),
    ],
)

MODELS = Board(
    "lumenmill-models",
    "Lumenmill / Models",
    "Speed, queues and devices of every model.",
    [_SPEED, _QUEUES, _DEVICES],
    chosen(has_window=True),
)
