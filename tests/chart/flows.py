"""The connections that the NetworkPolicies of a release allow, computed as the network of a cluster does."""

from dataclasses import dataclass, field
from itertools import product

from .helm import Object, pods

OUTSIDE = "outside"
"""The target of a connection to an address that is no pod's."""


@dataclass(frozen=True)
class Flow:
    """A connection: names of source and target, and the port."""

    source: str
    target: str
    port: int


@dataclass(frozen=True)
class End:
    """A kind of pod, of the release or not: its labels, and those of its namespace (None: the release's)."""

    name: str
    labels: dict[str, str] = field(hash=False)
    namespace: dict[str, str] | None = field(default=None, hash=False)


OTHER_PODS = [
    End("client", {"lumenmill.dev/client": "true"}),
    End("neighbour", {"app": "another"}),
    End("keda", {"app": "keda-operator"}, {"kubernetes.io/metadata.name": "keda"}),
    End("prometheus", {"app": "prometheus"}, {"kubernetes.io/metadata.name": "monitoring"}),
    End("dns", {"k8s-app": "kube-dns"}, {"kubernetes.io/metadata.name": "kube-system"}),
    End("stranger", {"lumenmill.dev/client": "true"}, {"kubernetes.io/metadata.name": "elsewhere"}),
]
PORTS = [22, 53, 80, 443, 5432, 6443, 9000, 9464, 50051, 50052, 50053]


def ends(objects: list[Object]) -> list[End]:
    """Return the release's kinds of pods, named by their component, model or job."""
    found = {}
    for _, pod in pods(objects):
        labels = pod["metadata"]["labels"]
        component = labels["app.kubernetes.io/component"]
        name = labels.get(f"lumenmill.dev/{component}", component)
        found[name] = End(name, labels)
    return list(found.values())


def flows(objects: list[Object]) -> set[Flow]:
    """Return every allowed connection: between two pods of the release, both must allow it."""
    policies = [found["spec"] for found in objects if found["kind"] == "NetworkPolicy"]
    own = ends(objects)
    found = set()
    for source, target in product([*own, *OTHER_PODS], [*own, *OTHER_PODS]):
        if source == target or not (source in own or target in own):
            continue
        for port in PORTS:
            leaves = source not in own or _allows(policies, source, "egress", "to", target, port)
            enters = target not in own or _allows(policies, target, "ingress", "from", source, port)
            if leaves and enters:
                found.add(Flow(source.name, target.name, port))
    for source, port in product(own, PORTS):
        if _allows(policies, source, "egress", "to", None, port):
            found.add(Flow(source.name, OUTSIDE, port))
    return found


def _allows(policies: list[Object], pod: End, direction: str, side: str, other: End | None, port: int) -> bool:
    mine = [policy for policy in policies if direction.capitalize() in policy["policyTypes"]]
    mine = [policy for policy in mine if _matches(policy["podSelector"], pod.labels)]
    assert mine, f"no policy selects {pod.name}"  # such a pod would accept everything
    return any(_rule_allows(rule, side, other, port) for policy in mine for rule in policy.get(direction, []))


def _rule_allows(rule: Object, side: str, other: End | None, port: int) -> bool:
    if "ports" in rule and port not in {entry["port"] for entry in rule["ports"]}:
        return False
    return side not in rule or any(_is_peer(peer, other) for peer in rule[side])


def _is_peer(peer: Object, other: End | None) -> bool:
    if "ipBlock" in peer or other is None:
        return "ipBlock" in peer and other is None
    if "namespaceSelector" in peer:
        in_namespace = other.namespace is not None and _matches(peer["namespaceSelector"], other.namespace)
    else:
        in_namespace = other.namespace is None
    return in_namespace and _matches(peer.get("podSelector", {}), other.labels)


def _matches(selector: Object, labels: dict[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels"}
    return selector.get("matchLabels", {}).items() <= labels.items()
