"""From settings to the orchestrator as a service of the kit."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial

import sqlalchemy as sa
from lumenmill.orchestrator.v1 import artifact_service_pb2_grpc, run_pb2_grpc
from lumenmill_common.artifacts import ArtifactStore, open_store_from
from lumenmill_common.errors import FailedPreconditionError
from lumenmill_common.service import Contract, Service

from lumenmill_orchestrator.collector import GarbageCollector
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
from lumenmill_orchestrator.mesh import CapacityProvider, Lanes, Mesh, NoCapacityProvider, Resolve, resolve
from lumenmill_orchestrator.servicers import ArtifactServicer, RunServicer
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
    as_unavailable_error,
    engine_url,
    make_engine,
    upgrade_schema,
)
from lumenmill_orchestrator.submission import Submission
from lumenmill_orchestrator.walk import RunEngine, StepExecutor, taking_over

__all__ = ["orchestrator_service"]


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
    lanes = Lanes(mesh, settings.prefetch, settings.patience_s)
    runs, samples, executions = RunStore(engine), SampleStore(engine), ExecutionStore(engine)
    writer = GroupWriter(engine)
    executor = StepExecutor(mesh, lanes, ResultReader(executions), settings.patience_s)
    walk = RunEngine(mesh, runs, executions, writer, executor, settings.num_active_batches)
    submission = Submission(mesh, runs, executions, store)
    exporters = _exporters(settings, cluster, engine, samples, store)
    fleet = Fleet(settings, engine, MeshView(mesh, lanes), cluster)
    draining = asyncio.Event()
    run_servicer = RunServicer(walk, submission, mesh, lanes, runs, samples, executions, exporters, fleet, draining)
    gauges = Gauges(engine, runs, walk, run_servicer.run)
    collector = GarbageCollector(engine, store)
    artifact_servicer = ArtifactServicer(store, collector, settings.max_upload_bytes)

    @contextlib.asynccontextmanager
    async def background() -> AsyncIterator[None]:
        await mesh.start()
        writer.start()
        # Beside everything else: runs can be looked at while the store is away.
        registering = asyncio.create_task(collector.ownership.keep_registered())
        telling = asyncio.create_task(gauges.keep_told())
        try:
            async with (
                fleet.working(),
                walk.walking(settings.database_url, settings.executor_id) as durable,
                taking_over(durable, LoadStore(engine), settings.executor_id, settings.take_over_s),
            ):
                yield
        finally:
            for task in (registering, telling):
                task.cancel()
            await asyncio.gather(registering, telling, return_exceptions=True)
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
        load=lambda: upgrade_schema(engine),
        background=[background],
        draining=draining,
        translate_error=as_unavailable_error,
    )


def _cluster(settings: OrchestratorSettings) -> ClusterReader | None:
    """The cluster that the mesh runs in; None where it runs in none."""
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
    """What writes datasets: this process, or Jobs."""
    if settings.export_job_template is None:
        return InProcessExports(samples, store, ExportStore(engine))
    if cluster is None:
        raise FailedPreconditionError(
            "LUMENMILL_EXPORT_JOB_TEMPLATE is set, and Jobs need LUMENMILL_KUBERNETES_NAMESPACE too"
        )
    jobs = KubernetesJobs(cluster.api, cluster.namespace, settings.executor_id)
    return ExportJobs(jobs, ExportJobStore(engine), settings.export_job_template)
