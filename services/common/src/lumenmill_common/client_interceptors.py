"""Adds token and trace context to every outgoing call. gRPC requires one class for each kind of call."""

from collections.abc import Callable
from typing import Any

import grpc

from lumenmill_common.settings import SecuritySettings
from lumenmill_common.telemetry import inject_trace_context

__all__ = ["client_interceptors"]


class _Metadata:
    def __init__(self, security: SecuritySettings) -> None:
        self._security = security

    def added_to(self, details: grpc.aio.ClientCallDetails) -> grpc.aio.ClientCallDetails:
        """Return the details of a call with token and trace context in its metadata."""
        metadata = grpc.aio.Metadata(*(details.metadata or ()), *inject_trace_context())
        token = self._security.token()
        if token is not None:
            metadata.add("authorization", f"Bearer {token.get_secret_value()}")
        return grpc.aio.ClientCallDetails(
            details.method, details.timeout, metadata, details.credentials, details.wait_for_ready
        )


class _UnaryUnary(_Metadata, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        return await continuation(self.added_to(details), request)


class _UnaryStream(_Metadata, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        return await continuation(self.added_to(details), request)


class _StreamUnary(_Metadata, grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(self, continuation: Callable[..., Any], details: Any, requests: Any) -> Any:
        return await continuation(self.added_to(details), requests)


def client_interceptors(security: SecuritySettings) -> list[grpc.aio.ClientInterceptor]:
    """Return the interceptors of a channel."""
    return [_UnaryUnary(security), _UnaryStream(security), _StreamUnary(security)]
