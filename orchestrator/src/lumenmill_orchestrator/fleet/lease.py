"""Which replica of the orchestrator changes the cluster: the one that holds a Lease of Kubernetes."""

import time
from datetime import UTC, datetime

from lumenmill_common.errors import AlreadyExistsError, FailedPreconditionError, NotFoundError

from lumenmill_orchestrator.fleet.api import ApiObject, KubernetesApi

__all__ = ["Lease"]

_LASTS_S = 30


class Lease:
    """Held by one process at a time. Whoever has not renewed it for half a minute has lost it.

    It lies where the changes are made: a replica that cannot reach the API server can neither renew it nor change
    anything. How long ago it was renewed is measured here, since it was seen to change; clocks are not compared.
    """

    def __init__(self, api: KubernetesApi, namespace: str, name: str, holder: str) -> None:
        self._api, self._name, self._holder = api, name, holder
        self._all = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._seen: tuple[ApiObject, float] = ({}, 0.0)

    def hold(self) -> bool:
        """Take or renew it; whether it is ours. Synchronous: call it from a worker thread.

        Raises:
            LumenmillError: the API server does not answer, or refuses.
        """
        try:
            lease = self._api.request("GET", f"{self._all}/{self._name}")
        except NotFoundError:
            return self._create()
        spec = lease.get("spec", {})
        if spec != self._seen[0]:
            self._seen = (spec, time.monotonic())
        has_run_out = time.monotonic() - self._seen[1] > _LASTS_S
        if spec.get("holderIdentity") not in (self._holder, "", None) and not has_run_out:
            return False
        lease["spec"] = self._spec()
        try:
            self._api.request("PUT", f"{self._all}/{self._name}", lease)
        except FailedPreconditionError:  # somebody else was quicker
            return False
        return True

    def _create(self) -> bool:
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name},
            "spec": self._spec(),
        }
        try:
            self._api.request("POST", self._all, lease)
        except AlreadyExistsError:
            return False
        return True

    def _spec(self) -> ApiObject:
        return {
            "holderIdentity": self._holder,
            "leaseDurationSeconds": _LASTS_S,
            "renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
