"""From settings to the service of the orchestrator."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial

import sqlalchemy as sa

from lumenmill.orchestrator.v1 import artifact_service_pb2_grpc, run_pb2_grpc
from lumenmill_common.artifacts import ArtifactStore, check_usable, open_store_from
from lumenmill_common.errors import FailedPreconditionError, UnavailableError
from lumenmill_common.service import Contract, Service
from lumenmill_common.telemetry import get_logger
from lumenmill_orchestrator.collector import GarbageCollector
from lumenmill_orchestrator.execution import (
    ActiveRuns,
    DurableEngine,
    RunStateFollower,
    StepExecutor,
    Workflows,
    reassigning,
)
from lumenmill_orchestrator.exporters import InProcessExports
from lumenmill_orchestrator.fleet import (
    ClusterCapacity,
    ClusterReader,
    ExportJobs,
    Fleet,
    GpuNames,
    KubernetesApi,
    KubernetesJobs,
    MeshView,
)
from lumenmill_orchestrator.gauges import Gauges
from lumenmill_orchestrator.mesh import CapacityProvider, Mesh, ModelQueues, NoCapacityProvider, Resolve, resolve
from lumenmill_orchestrator.servicers import ArtifactServicer, MisdirectedCalls, RunServicer, UploadQuota
from lumenmill_orchestrator.settings import OrchestratorSettings
from lumenmill_orchestrator.storage import (
    ExecutionStore,
    ExportJobStore,
    ExportStore,
    GroupWriter,
    LoadStore,
    ModelStore,
    ResultReader,
    RunStore,
    SampleStore,
    engine_url,
    error_for_callers,
    make_engine,
    upgrade_schema,
)
from lumenmill_orchestrator.submission import Submission

__all__ = ["orchestrator_service"]

_log = get_logger(__name__)


def orchestrator_service(
    settings: OrchestratorSettings, *, resolve: Resolve = resolve, capacity: CapacityProvider | None = None
) -> Service:
    """Everything that the orchestrator serves, wired together.

    `resolve` looks names of models up; `capacity` reports pods that are being started, where no cluster does.

    Raises:
        InvalidArgumentError: the settings of the store are wrong.
        PermissionDeniedError: the folder of the store may not be written.
        FailedPreconditionError: a cluster is named, and there is no way to it; or none is, and exports need one.
    """
    store = open_store_from(settings)
    engine = make_engine(engine_url(settings.database_url))
    cluster = _cluster(settings)
    capacity = capacity or (ClusterCapacity(cluster) if cluster else NoCapacityProvider())
    mesh = Mesh(settings.models, settings, ModelStore(engine), capacity, resolve)
    queues = ModelQueues(mesh, settings.prefetch, settings.retry_timeout_s)
    runs, samples, executions = RunStore(engine), SampleStore(engine), ExecutionStore(engine)
    writer = GroupWriter(engine)
    executor = StepExecutor(mesh, queues, ResultReader(executions), settings.retry_timeout_s)
    durable = DurableEngine(settings.database_url, settings.executor_id)
    active = ActiveRuns(mesh, queues, runs, executions)
    workflows = Workflows(durable, active, runs, executions, writer, executor, settings.num_active_batches)
    follower = RunStateFollower(workflows, active, runs)
    submission = Submission(mesh, runs, executions, store)
    exporters = _exporters(settings, cluster, engine, samples, store)
    fleet = Fleet(settings, engine, MeshView(mesh, queues), cluster)
    draining = asyncio.Event()
    run_servicer = RunServicer(
        workflows, active, submission, mesh, queues, runs, samples, executions, exporters, fleet, draining
    )
    gauges = Gauges(engine, runs, active, run_servicer.run)
    collector = GarbageCollector(engine, store)
    artifact_servicer = ArtifactServicer(
        store, collector, UploadQuota(settings.max_upload_bytes, settings.max_upload_bytes_per_caller)
    )

    @contextlib.asynccontextmanager
    async def background() -> AsyncIterator[None]:
        await mesh.start()
        writer.start()
        # In the background: runs can be read while the store is unavailable.
        registering = asyncio.create_task(collector.ownership.keep_registered())
        reporting = asyncio.create_task(gauges.report_forever())
        try:
            async with (
                fleet.working(),
                workflows.executing(),
                follower.following(),
                reassigning(durable, LoadStore(engine), settings.executor_id, settings.reassign_after_s),
            ):
                yield
        finally:
            for task in (registering, reporting):
                task.cancel()
            await asyncio.gather(registering, reporting, return_exceptions=True)
            submission.close()
            writer.stop()
            await mesh.stop()
            if cluster:
                cluster.api.close()
            engine.dispose()

    return Service(
        name="orchestrator",
        contracts=[
            Contract(
                "lumenmill.orchestrator.v1.RunService",
                partial(run_pb2_grpc.add_RunServiceServicer_to_server, run_servicer),
            ),
            Contract(
                "lumenmill.orchestrator.v1.ArtifactService",
                partial(artifact_service_pb2_grpc.add_ArtifactServiceServicer_to_server, artifact_servicer),
            ),
        ],
        other_calls=MisdirectedCalls(mesh),
        load=lambda: _load(engine, store),
        background=[background],
        draining=draining,
        translate_error=error_for_callers,
    )


def _load(engine: sa.Engine, store: ArtifactStore) -> None:
    """Upgrade the schema, and check the store: runs can be read while it does not answer, but not where it never will.

    Raises:
        UnavailableError: the database does not answer.
        FailedPreconditionError, InvalidArgumentError, PermissionDeniedError: a setting of the store is wrong.
    """
    upgrade_schema(engine)
    try:
        check_usable(store)
    except UnavailableError as error:
        _log.warning("the store cannot be used yet", reason=error.message)


def _cluster(settings: OrchestratorSettings) -> ClusterReader | None:
    """Return the cluster that the mesh runs in; None outside of Kubernetes."""
    if not settings.kubernetes_namespace:
        return None
    gpus = GpuNames(settings.gpu_resource, settings.gpu_type_label)
    return ClusterReader(KubernetesApi(), settings.kubernetes_namespace, settings.kubernetes_release, gpus)


def _exporters(
    settings: OrchestratorSettings,
    cluster: ClusterReader | None,
    engine: sa.Engine,
    samples: SampleStore,
    store: ArtifactStore,
) -> InProcessExports | ExportJobs:
    """Return what writes datasets: this process, or Jobs."""
    if settings.export_job_template is None:
        return InProcessExports(samples, store, ExportStore(engine))
    if cluster is None:
        raise FailedPreconditionError(
            "LUMENMILL_EXPORT_JOB_TEMPLATE is set, and Jobs need LUMENMILL_KUBERNETES_NAMESPACE too"
        )
    jobs = KubernetesJobs(cluster.api, cluster.namespace, settings.executor_id)
    return ExportJobs(jobs, ExportJobStore(engine), settings.export_job_template)
