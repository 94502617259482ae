"""Work that runs in a Job of Kubernetes: created from a template, found again by its name, followed to its end."""

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator, Mapping

from lumenmill_common.errors import AlreadyExistsError, CancelledError, FailedPreconditionError, NotFoundError
from lumenmill_orchestrator.fleet.api import ApiObject, KubernetesApi
from lumenmill_orchestrator.fleet.pod_status import find_condition, parse_status

__all__ = ["JobFailedError", "KubernetesJobs"]

_POLL_S = 1.0


class JobFailedError(FailedPreconditionError):
    """The Job has failed as often as its template allows; the message is the one of its last pod."""


class KubernetesJobs:
    """The Jobs of one orchestrator. They are owned by its StatefulSet, whose name is that of the pod without `-0`."""

    def __init__(self, api: KubernetesApi, namespace: str, pod_name: str) -> None:
        self._api, self._owner = api, pod_name.rpartition("-")[0]
        self._jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._owner_path = f"/apis/apps/v1/namespaces/{namespace}/statefulsets/{self._owner}"

    def name_of(self, kind: str, digest: str) -> str:
        """Return the name of a Job; the same work has the same name."""
        return f"{self._owner[:30]}-{kind}-{digest[:16]}"

    async def is_running(self, name: str) -> bool:
        """Return whether there is a Job of this name that has not ended."""
        job = await self._api.in_thread(self._get, name)
        return job is not None and not _has_ended(job)

    async def run(self, name: str, template: ApiObject, environment: Mapping[str, str]) -> AsyncIterator[str]:
        """Start a Job, or attach to the one that runs under this name, and follow it until it is complete.

        Yields every second what delays the Job's pod, in the words of the scheduler or the kubelet; empty when nothing
        does. A caller that stops following leaves the Job running. A Job that has ended is replaced. `environment` is
        added to every container of the template.

        Raises:
            JobFailedError: it has failed.
            CancelledError: it was deleted.
            LumenmillError: the API server refuses, or does not answer.
        """
        if not await self.is_running(name):
            await self._remove_ended(name)
            await self._api.in_thread(self._create, name, template, environment)
        while True:
            job = await self._api.in_thread(self._get, name)
            if job is None:
                raise CancelledError(f"the Job {name} was deleted")
            if find_condition(job.get("status", {}), "Failed").get("status") == "True":
                raise JobFailedError(await self._api.in_thread(self._failure, name, job))
            if _has_ended(job):
                return
            yield await self._api.in_thread(self._pod_problem, name)
            await asyncio.sleep(_POLL_S)

    def _get(self, name: str) -> ApiObject | None:
        try:
            return self._api.request("GET", f"{self._jobs}/{name}")
        except NotFoundError:
            return None

    async def _remove_ended(self, name: str) -> None:
        """Delete a Job that has ended, and wait until its name is free."""
        path = f"{self._jobs}/{name}"
        while (job := await self._api.in_thread(self._get, name)) is not None and _has_ended(job):
            if "deletionTimestamp" not in job["metadata"]:
                options = {"propagationPolicy": "Background"}
                await self._api.in_thread(self._api.request, "DELETE", path, options)
            await asyncio.sleep(0.1)

    def _create(self, name: str, template: ApiObject, environment: Mapping[str, str]) -> None:
        job = copy.deepcopy(template)
        metadata = job.setdefault("metadata", {})
        owner = self._api.request("GET", self._owner_path)
        metadata["name"] = name
        metadata["ownerReferences"] = [
            {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": self._owner, "uid": owner["metadata"]["uid"]}
        ]
        for container in job["spec"]["template"]["spec"]["containers"]:
            container.setdefault("env", []).extend({"name": key, "value": text} for key, text in environment.items())
        with contextlib.suppress(AlreadyExistsError):  # another replica got the same request at the same moment
            self._api.request("POST", self._jobs, job)

    def _pods_of(self, name: str) -> list[ApiObject]:
        """Return the pods of a Job, the newest last."""
        pods = self._api.list_objects(self._pods, dict, labelSelector=f"batch.kubernetes.io/job-name={name}")
        return sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))

    def _pod_problem(self, name: str) -> str:
        """Return what is wrong with the newest pod of a Job, in the words of the scheduler, the kubelet or the pod."""
        return next((parse_status(pod).problem for pod in reversed(self._pods_of(name))), "")

    def _failure(self, name: str, job: ApiObject) -> str:
        message = find_condition(job.get("status", {}), "Failed").get("message", "")
        return ": ".join(filter(None, [f"the Job {name} has failed", self._pod_problem(name) or message]))


def _has_ended(job: ApiObject) -> bool:
    status = job.get("status", {})
    return any(find_condition(status, kind).get("status") == "True" for kind in ("Complete", "Failed"))
