"""KEDA's external scaler: reports how much work each model has, on a port of its own.

KEDA cannot send a token, so this port does not ask for one. With TLS it asks for a client certificate instead.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
from keda import externalscaler_pb2 as pb
from keda import externalscaler_pb2_grpc

from lumenmill_common.errors import FailedPreconditionError, InvalidArgumentError, UnavailableError
from lumenmill_common.interceptors import CallInterceptor
from lumenmill_common.serve import CONNECTION_OPTIONS, server_credentials
from lumenmill_common.settings import SecuritySettings
from lumenmill_common.telemetry import get_logger
from lumenmill_orchestrator.fleet.demand import DEFAULT_TARGET_BACKLOG_S, Demand
from lumenmill_orchestrator.fleet.demand_reader import DemandReader

__all__ = ["ScalerServicer", "serving_scaler"]

_Context = grpc.aio.ServicerContext[Any, Any]
_METRIC = "lumenmill-backlog-seconds"
_POLL_S = 1.0
# KEDA drops an activation that it could not act on, such as the first one after a ScaledObject was created.
_REPEAT_INTERVAL_S = 10.0
_log = get_logger(__name__)


class ScalerServicer(externalscaler_pb2_grpc.ExternalScalerServicer):
    """Answers KEDA. `scalerMetadata` has the `model`, and optionally `targetBacklogS`, seconds of work for one pod."""

    def __init__(self, demands: DemandReader) -> None:
        self._demands = demands

    async def IsActive(self, request: pb.ScaledObjectRef, context: _Context) -> pb.IsActiveResponse:  # noqa: N802 - KEDA's name
        """Return whether the model needs any pod."""
        demand = await self._demand(request)
        return pb.IsActiveResponse(result=demand.is_active(time.time()))

    async def StreamIsActive(  # noqa: N802 - KEDA's name
        self, request: pb.ScaledObjectRef, context: _Context
    ) -> AsyncIterator[pb.IsActiveResponse]:
        """Stream the same at once and at every change: KEDA need not wait for its next poll to start the first pod."""
        last: bool | None = None
        sent_at_s = 0.0
        while True:
            is_active = (await self._demand(request)).is_active(time.time())
            if is_active != last or (is_active and time.monotonic() - sent_at_s > _REPEAT_INTERVAL_S):
                last, sent_at_s = is_active, time.monotonic()
                yield pb.IsActiveResponse(result=is_active)
            await asyncio.sleep(_POLL_S)

    async def GetMetricSpec(self, request: pb.ScaledObjectRef, context: _Context) -> pb.GetMetricSpecResponse:  # noqa: N802 - KEDA's name
        """Return the target: seconds of work for one pod.

        It never fails, whatever the metadata: KEDA only logs an error from here, and then requests nothing else. Wrong
        metadata is reported by GetMetrics, whose errors become events of the ScaledObject.
        """
        try:
            target_s = _target_backlog_s(request)
        except InvalidArgumentError:
            target_s = DEFAULT_TARGET_BACKLOG_S
        spec = pb.MetricSpec(metricName=_METRIC, targetSize=math.ceil(target_s), targetSizeFloat=target_s)
        return pb.GetMetricSpecResponse(metricSpecs=[spec])

    async def GetMetrics(self, request: pb.GetMetricsRequest, context: _Context) -> pb.GetMetricsResponse:  # noqa: N802 - KEDA's name
        """Return the seconds of work; the autoscaler divides them by the target."""
        backlog_s = (await self._demand(request.scaledObjectRef)).metric
        value = pb.MetricValue(metricName=_METRIC, metricValue=math.ceil(backlog_s), metricValueFloat=backlog_s)
        return pb.GetMetricsResponse(metricValues=[value])

    async def _demand(self, reference: pb.ScaledObjectRef) -> Demand:
        """Return the demand of the model that a ScaledObject names.

        Raises:
            InvalidArgumentError: its metadata is wrong. KEDA shows the text as an event of the ScaledObject.
        """
        model = reference.scalerMetadata.get("model", "")
        if model not in self._demands.registered_models() and model not in (
            known := await self._demands.known_models()
        ):
            available = ", ".join(f"`{name}`" for name in sorted(known)) or "none"
            problem = f"no model `{model}` here" if model else "names no model"
            raise InvalidArgumentError("metadata.model", f"{problem}; registered are: {available}")
        return await self._demands.read(model, _target_backlog_s(reference))


def _target_backlog_s(reference: pb.ScaledObjectRef) -> float:
    text = reference.scalerMetadata.get("targetBacklogS", str(DEFAULT_TARGET_BACKLOG_S))
    try:
        target_s = float(text)
    except ValueError:
        target_s = math.nan
    if not (math.isfinite(target_s) and target_s >= 1):
        raise InvalidArgumentError(
            "metadata.targetBacklogS", f"`{text}` is not a number of seconds of at least 1, such as `600`"
        )
    return target_s


@contextlib.asynccontextmanager
async def serving_scaler(address: str, servicer: ScalerServicer, security: SecuritySettings) -> AsyncIterator[int]:
    """Serve KEDA on `host:port` inside the block and yield the bound port.

    Raises:
        UnavailableError: the port cannot be bound.
        FailedPreconditionError: TLS is on, and no authority is configured to verify KEDA's certificate.
    """
    without_token = security.model_copy(update={"token_file": None, "callers_file": None})
    server = grpc.aio.server(interceptors=[CallInterceptor(without_token)], options=CONNECTION_OPTIONS)
    externalscaler_pb2_grpc.add_ExternalScalerServicer_to_server(servicer, server)
    try:
        credentials = _credentials(security)
        port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    except RuntimeError as error:
        raise UnavailableError(f"cannot listen on {address}: {error}") from error
    await server.start()
    _log.info("serving KEDA", port=port)
    try:
        yield port
    finally:
        await server.stop(None)


def _credentials(security: SecuritySettings) -> grpc.ServerCredentials | None:
    """Return the mesh's certificate with the authority that must have signed the caller's; None without TLS."""
    cert_file, key_file = security.tls_cert_file, security.tls_key_file
    if cert_file is None or key_file is None:
        return None
    ca_file = security.tls_client_ca_file or security.tls_ca_file
    if ca_file is None:
        raise FailedPreconditionError(
            "KEDA's port asks for a client certificate when TLS is on: set LUMENMILL_TLS_CLIENT_CA_FILE or "
            "LUMENMILL_TLS_CA_FILE, or empty LUMENMILL_SCALER_ADDRESS"
        )
    return server_credentials(key_file, cert_file, ca_file)
