"""Requests to the API server of Kubernetes, answered as plain JSON.

The official client finds the server and authenticates; its model classes are not used. Measured on two cores, they take
1.3 s of CPU for the lists of 500 nodes and 2,000 pods, `json` and the parsing of objects.py 0.2 s.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar
from urllib.request import getproxies

import urllib3

from lumenmill_common.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    LumenmillError,
    NotFoundError,
    PermissionDeniedError,
    UnavailableError,
)
from lumenmill_common.loopback import is_loopback

__all__ = ["ApiObject", "KubernetesApi", "ListExpiredError"]

ApiObject = dict[str, Any]
"""One object of the API server, as its JSON."""

_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S = 3.0, 15.0
# A page is 1 to 2 MB of JSON; parsing it holds the interpreter's lock for about 10 ms.
_PAGE_SIZE = 250
_NUM_LIST_RESTARTS = 2
# A server that does not answer blocks a thread for half a minute; a separate pool keeps that from other work.
_NUM_THREADS = 8
ParametersT = ParamSpec("ParametersT")
ResultT = TypeVar("ResultT")


class ListExpiredError(UnavailableError):
    """The next page of a list has expired (410 Gone): the list must be read from its start."""


class KubernetesApi:
    """Requests to one API server. Synchronous and thread-safe: call it from worker threads, best by `in_thread`."""

    def __init__(self) -> None:
        """Use the service account inside of a pod, and KUBECONFIG elsewhere.

        Raises:
            FailedPreconditionError: there is neither.
        """
        # Importing the client takes most of a second, which orchestrators outside of Kubernetes need not spend.
        from kubernetes import config  # noqa: PLC0415
        from kubernetes.client import ApiClient, Configuration  # noqa: PLC0415

        configuration = Configuration()
        try:
            try:
                config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]  # the client is half typed
            except config.ConfigException:
                config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # so too
        except config.ConfigException as error:
            raise FailedPreconditionError(
                f"LUMENMILL_KUBERNETES_NAMESPACE is set, but there is neither a service account nor KUBECONFIG: {error}"
            ) from error
        if is_loopback(configuration.host) and configuration.proxy in getproxies().values():
            configuration.proxy = None  # of the environment, not the `proxy-url` of a kubeconfig
        configuration.retries = 1
        self._client = ApiClient(configuration)
        self._threads = ThreadPoolExecutor(_NUM_THREADS, thread_name_prefix="kubernetes")

    def close(self) -> None:
        """Close the connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()  # type: ignore[no-untyped-call]  # the client is half typed

    async def in_thread(
        self, function: Callable[ParametersT, ResultT], *args: ParametersT.args, **kwargs: ParametersT.kwargs
    ) -> ResultT:
        """Run a function that makes requests in one of the threads reserved for them, and return its result."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(function, *args, **kwargs))

    def list_objects(self, path: str, parse: Callable[[ApiObject], ResultT], **query: str) -> list[ResultT]:
        """Return the parsed objects of a list, read page by page; a list that expires meanwhile is read again.

        Raises:
            ListExpiredError: it expired each time.
            LumenmillError: see `request`.
        """
        for _ in range(_NUM_LIST_RESTARTS):
            with contextlib.suppress(ListExpiredError):
                return [parse(item) for item in self._items(path, query)]
        return [parse(item) for item in self._items(path, query)]

    def _items(self, path: str, query: dict[str, str]) -> Iterator[ApiObject]:
        """Yield the objects of one reading. No `resourceVersion`: with 0 the server ignores `limit`."""
        paging = {"limit": str(_PAGE_SIZE)}
        while True:
            page = json.loads(self._text("GET", path, query=query | paging))
            yield from page.get("items") or []
            token = page.get("metadata", {}).get("continue")
            if not token:
                return
            paging["continue"] = token

    def request(
        self, method: str, path: str, body: ApiObject | None = None, *, content_type: str = "application/json"
    ) -> ApiObject:
        """Return the object that the API server answers with.

        Raises:
            NotFoundError, PermissionDeniedError: as the API server answers.
            AlreadyExistsError: there is an object of this name.
            FailedPreconditionError: the object was changed meanwhile.
            InvalidArgumentError: the API server finds the body wrong.
            UnavailableError: it does not answer, or cannot now.
        """
        answer: ApiObject = json.loads(self._text(method, path, body, content_type=content_type))
        return answer

    def _text(
        self,
        method: str,
        path: str,
        body: ApiObject | None = None,
        *,
        query: dict[str, str] | None = None,
        content_type: str | None = None,
    ) -> str:
        headers = {"Accept": "application/json"} | ({"Content-Type": content_type} if content_type else {})
        serialized = self._client.param_serialize(
            method, path, query_params=list((query or {}).items()), header_params=headers, body=body,
            auth_settings=["BearerToken"],
        )  # fmt: skip
        try:
            response = self._client.call_api(*serialized, _request_timeout=(_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S))
            data = response.read()  # type: ignore[no-untyped-call]  # the client is half typed
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise UnavailableError(f"the API server of Kubernetes does not answer: {error}") from error
        if not 200 <= response.status <= 299:
            raise _error(response.status, data)
        return str(data, "utf-8")


def _error(status: int, data: bytes) -> LumenmillError:
    """Return the error that an answer of the API server stands for, with its own message."""
    reason, message = "", data[:500].decode(errors="replace")
    try:
        answer = json.loads(data)
        reason, message = answer.get("reason", ""), answer.get("message", message)
    except (ValueError, AttributeError):
        pass  # a proxy in between answers in HTML
    text = f"Kubernetes: {message}"
    if status == 404:
        return NotFoundError(text)
    if status in (401, 403):
        return PermissionDeniedError(text)
    if status == 409:
        return AlreadyExistsError(text) if reason == "AlreadyExists" else FailedPreconditionError(text)
    if status == 410:
        return ListExpiredError(text)
    if status in (400, 422):
        return InvalidArgumentError("manifest", text)
    return UnavailableError(text)
