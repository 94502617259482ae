"""NetworkPolicies against the connections of a working mesh."""

import threading

from chart.flows import OUTSIDE, PORTS, Flow, flows
from chart.helm import render
from kube import Namespace
from mesh import RELEASE, Mesh

# Connections that every run needs. tests/chart checks that the policies do not allow more than documented.
NEEDED = {
    Flow("orchestrator", "grammar", 50051),
    Flow("orchestrator", "studio", 50051),
    Flow("orchestrator", "photometric", 50051),
    Flow("orchestrator", "postgres", 5432),
    Flow("orchestrator", "minio", 9000),
    Flow("orchestrator", OUTSIDE, 443),
    Flow("studio", "minio", 9000),
    Flow("photometric", "minio", 9000),
}
_READ = "import pathlib; print(pathlib.Path('/proc/net/tcp').read_text() + pathlib.Path('/proc/net/tcp6').read_text())"
_ESTABLISHED = "01"


def test_every_observed_connection_is_allowed_by_the_policies(mesh: Mesh, namespace: Namespace) -> None:
    seen: set[Flow] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            seen.update(_connections(namespace))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        mesh.submit(
            "recipes/light-groups.yaml", "watched", num_img_sets=2, num_relight_variants=1, preset="fast", seed=5
        )
        mesh.wait("watched")
    finally:
        stop.set()
        watcher.join()
    allowed = flows(render("embedded", database__kind="chart", exports__asJobs=True))  # as in values-test.yaml
    assert seen <= allowed, f"not allowed: {seen - allowed}"
    assert seen >= NEEDED, f"not seen: {NEEDED - seen}"


def _connections(namespace: Namespace) -> set[Flow]:
    pods = [pod for pod in namespace.pods(f"app.kubernetes.io/instance={RELEASE}") if pod["status"].get("podIP")]
    at = {pod["status"]["podIP"]: _name(pod["metadata"]["labels"]) for pod in pods}
    for service in namespace.get("services")["items"]:
        if (address := service["spec"].get("clusterIP", "None")) != "None":
            at[address] = _name({**service["metadata"]["labels"], **service["spec"].get("selector", {})})
    found = set()
    for pod in pods:
        source = at[pod["status"]["podIP"]]
        if source in {"minio", "postgres"}:  # they open no connections; those of the others are observed
            continue
        sockets = namespace.kubectl("exec", pod["metadata"]["name"], "--", "python", "-c", _READ, check=False)
        for address, port in _remotes(sockets):
            target = at.get(address, OUTSIDE)
            if port in PORTS and target != source and not address.startswith("127."):
                found.add(Flow(source, target, port))
    return found


def _name(labels: dict[str, str]) -> str:
    component = labels["app.kubernetes.io/component"]
    return labels.get(f"lumenmill.dev/{component}", component)


def _remotes(table: str) -> list[tuple[str, int]]:
    """Return the remote addresses and ports in the socket tables of Linux."""
    found = []
    for line in table.splitlines():
        fields = line.split()
        if len(fields) < 4 or ":" not in fields[2] or fields[3] != _ESTABLISHED:
            continue
        address, port = fields[2].split(":")
        octets = bytes.fromhex(address[-8:])[::-1]  # the last word of an IPv6 address that holds an IPv4 one
        found.append((".".join(str(octet) for octet in octets), int(port, 16)))
    return found
