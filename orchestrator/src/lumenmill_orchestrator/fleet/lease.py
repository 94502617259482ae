"""Which replica of the orchestrator changes the cluster: the one that holds a Lease of Kubernetes."""

import time
from datetime import UTC, datetime

from lumenmill_common.errors import FailedPreconditionError

from lumenmill_orchestrator.fleet.api import ApiObject, KubernetesApi

__all__ = ["Lease"]

_LASTS_S = 30


class Lease:
    """Held by one process at a time. Whoever has not renewed it for half a minute has lost it.

    It lies where the changes are made: a replica that cannot reach the API server can neither renew it nor change
    anything. How long ago it was renewed is measured here, since it was seen to change; clocks are not compared.
    The chart makes it, held by nobody: it goes with the release, and a replica need not be allowed to create any.
    """

    def __init__(self, api: KubernetesApi, namespace: str, name: str, holder: str) -> None:
        self._api, self._holder = api, holder
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"
        self._seen: tuple[ApiObject, float] = ({}, 0.0)

    def hold(self) -> bool:
        """Take or renew it; whether it is ours. Synchronous: call it from a worker thread.

        Raises:
            LumenmillError: the API server does not answer, or refuses; NOT_FOUND where there is no such Lease.
        """
        lease = self._api.request("GET", self._path)
        spec = lease.get("spec", {})
        if spec != self._seen[0]:
            self._seen = (spec, time.monotonic())
        has_run_out = time.monotonic() - self._seen[1] > _LASTS_S
        if spec.get("holderIdentity") not in (self._holder, "", None) and not has_run_out:
            return False
        lease["spec"] = self._spec()
        try:
            self._api.request("PUT", self._path, lease)
        except FailedPreconditionError:  # somebody else was quicker
            return False
        return True

    def _spec(self) -> ApiObject:
        return {
            "holderIdentity": self._holder,
            "leaseDurationSeconds": _LASTS_S,
            "renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
