"""The API server of Kubernetes as plain JSON: the official client finds it and shows who we are, no more.

Its model classes take seconds for thousands of pods. The text of a list is held whole, its objects are made one at a
time: as a tree they would take ten times the memory, and the interpreter's lock for as long as that takes to build.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

import urllib3
from kubernetes import config
from kubernetes.client import ApiClient, Configuration
from lumenmill_common.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    LumenmillError,
    NotFoundError,
    PermissionDeniedError,
    UnavailableError,
)

__all__ = ["ApiObject", "KubernetesApi"]

ApiObject = dict[str, Any]
"""One object as the API server writes it in JSON."""

_CONNECT_WITHIN_S, _ANSWER_WITHIN_S = 3.0, 15.0
_ITEMS = '"items":['
# A server that does not answer holds a thread for half a minute. These are its own, so that it holds nobody else's.
_NUM_THREADS = 8
ParametersT = ParamSpec("ParametersT")
ResultT = TypeVar("ResultT")


class KubernetesApi:
    """Requests to one API server. Synchronous and thread-safe: call it from worker threads, best from its own."""

    def __init__(self) -> None:
        """Inside of a pod its service account is used, elsewhere KUBECONFIG.

        Raises:
            FailedPreconditionError: there is neither.
        """
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
        """What a function returns that makes requests, run in one of the few threads that are for nothing else."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(function, *args, **kwargs))

    def items(self, path: str, **query: str) -> Iterator[ApiObject]:
        """The objects of a list, as the API server remembers them (resourceVersion=0): it does not ask etcd for that.

        Raises:
            LumenmillError: see `request`.
        """
        text = self._text("GET", path, None, {"resourceVersion": "0", **query}, None)
        yield from _items(text)

    def request(
        self, method: str, path: str, body: ApiObject | None = None, *, content_type: str = "application/json"
    ) -> ApiObject:
        """The object that the API server answers with.

        Raises:
            NotFoundError, PermissionDeniedError: so.
            AlreadyExistsError: an object of this name is there.
            FailedPreconditionError: somebody else has changed the object meanwhile.
            InvalidArgumentError: the API server finds the body wrong.
            UnavailableError: it does not answer, or not now.
        """
        answer: ApiObject = json.loads(self._text(method, path, body, {}, content_type))
        return answer

    def _text(
        self, method: str, path: str, body: ApiObject | None, query: dict[str, str], content_type: str | None
    ) -> str:
        headers = {"Accept": "application/json"} | ({"Content-Type": content_type} if content_type else {})
        serialized = self._client.param_serialize(
            method, path, query_params=list(query.items()), header_params=headers, body=body,
            auth_settings=["BearerToken"],
        )  # fmt: skip
        try:
            response = self._client.call_api(*serialized, _request_timeout=(_CONNECT_WITHIN_S, _ANSWER_WITHIN_S))
            data = response.read()  # type: ignore[no-untyped-call]  # the client is half typed
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise UnavailableError(f"the API server of Kubernetes does not answer: {error}") from error
        if not 200 <= response.status <= 299:
            raise _error(response.status, data)
        return str(data, "utf-8")


def _items(text: str) -> Iterator[ApiObject]:
    """The objects of a list in JSON, one by one. What stands before `items` holds no other list of that name."""
    decoder, place = json.JSONDecoder(), text.find(_ITEMS)
    if place < 0:
        return
    place += len(_ITEMS)
    while text[place] != "]":
        item, place = decoder.raw_decode(text, place)
        yield item
        place += text[place] == ","


def _error(status: int, data: bytes) -> LumenmillError:
    """The error that an answer of the API server stands for, in its own words."""
    reason, message = "", data[:500].decode(errors="replace")
    try:
        told = json.loads(data)
        reason, message = told.get("reason", ""), told.get("message", message)
    except (ValueError, AttributeError):
        pass  # a proxy in between speaks HTML
    text = f"Kubernetes: {message}"
    if status == 404:
        return NotFoundError(text)
    if status in (401, 403):
        return PermissionDeniedError(text)
    if status == 409:
        return AlreadyExistsError(text) if reason == "AlreadyExists" else FailedPreconditionError(text)
    if status in (400, 422):
        return InvalidArgumentError("manifest", text)
    return UnavailableError(text)
