"""Work that is done in a Job of Kubernetes: made from a template, found again by its name, followed to its end."""

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator, Mapping

from lumenmill_common.errors import AlreadyExistsError, CancelledError, InternalError, NotFoundError

from lumenmill_orchestrator.fleet.api import ApiObject, KubernetesApi
from lumenmill_orchestrator.fleet.pod_state import condition_of, stated

__all__ = ["JobFailedError", "KubernetesJobs"]

_LOOK_EVERY_S = 1.0


class JobFailedError(InternalError):
    """The Job has failed as often as its template lets it; the message is what its last pod said."""


class KubernetesJobs:
    """The Jobs of one orchestrator. They end with its StatefulSet, whose name the pod's own (`mill-0`) begins with."""

    def __init__(self, api: KubernetesApi, namespace: str, pod_name: str) -> None:
        self._api, self._owner = api, pod_name.rpartition("-")[0]
        self._jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._owner_path = f"/apis/apps/v1/namespaces/{namespace}/statefulsets/{self._owner}"

    def name_of(self, what: str, digest: str) -> str:
        """The name of the Job that does `what`; the same work has the same name."""
        return f"{self._owner[:30]}-{what}-{digest[:16]}"

    async def is_running(self, name: str) -> bool:
        """Whether a Job of this name is there and has not ended."""
        job = await self._api.in_thread(self._get, name)
        return job is not None and not _has_ended(job)

    async def run(self, name: str, template: ApiObject, environment: Mapping[str, str]) -> AsyncIterator[str]:
        """Start a Job, or attach to the one that runs under this name, and follow it until it is complete.

        Every second it tells what holds the Job's pod up, in the words of the scheduler or the kubelet: empty when
        nothing does. Whoever stops following leaves the Job alone. One that has ended is replaced. `environment` is
        added to every container of the template.

        Raises:
            JobFailedError: it has failed.
            CancelledError: somebody has deleted it.
            LumenmillError: the API server refuses, or does not answer.
        """
        if not await self.is_running(name):
            await self._replace(name)
            await self._api.in_thread(self._create, name, template, environment)
        while True:
            job = await self._api.in_thread(self._get, name)
            if job is None:
                raise CancelledError(f"the Job {name} was deleted")
            if stated(job.get("status", {}), "Failed").get("status") == "True":
                raise JobFailedError(await self._api.in_thread(self._failure, name, job))
            if _has_ended(job):
                return
            yield await self._api.in_thread(self._hold_up, name)
            await asyncio.sleep(_LOOK_EVERY_S)

    def _get(self, name: str) -> ApiObject | None:
        try:
            return self._api.request("GET", f"{self._jobs}/{name}")
        except NotFoundError:
            return None

    async def _replace(self, name: str) -> None:
        """Take away one that has ended; its name is free when it has gone."""
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
        with contextlib.suppress(AlreadyExistsError):  # another replica was asked for the same at the same moment
            self._api.request("POST", self._jobs, job)

    def _pods_of(self, name: str) -> list[ApiObject]:
        """The pods of a Job, the newest last."""
        pods = self._api.items(self._pods, labelSelector=f"batch.kubernetes.io/job-name={name}")
        return sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))

    def _hold_up(self, name: str) -> str:
        """What is wrong with the newest pod of a Job, in the words of the scheduler, the kubelet or itself."""
        return next((condition_of(pod).problem for pod in reversed(self._pods_of(name))), "")

    def _failure(self, name: str, job: ApiObject) -> str:
        told = stated(job.get("status", {}), "Failed").get("message", "")
        return ": ".join(filter(None, [f"the Job {name} has failed", self._hold_up(name) or told]))


def _has_ended(job: ApiObject) -> bool:
    status = job.get("status", {})
    return any(stated(status, kind).get("status") == "True" for kind in ("Complete", "Failed"))
