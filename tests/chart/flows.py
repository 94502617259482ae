"""Which connections the NetworkPolicies of a release let through, worked out as a cluster's network would."""

from dataclasses import dataclass, field
from itertools import product

from .helm import Object, pods

OUTSIDE = "outside"
"""The end of a connection to an address and not to a pod."""


@dataclass(frozen=True)
class Flow:
    """A connection: names of both ends, and the port."""

    source: str
    target: str
    port: int


@dataclass(frozen=True)
class End:
    """A kind of pod, or a place beyond the release: its labels, and those of its namespace (None: the release's)."""

    name: str
    labels: dict[str, str] = field(hash=False)
    namespace: dict[str, str] | None = field(default=None, hash=False)


STRANGERS = [
    End("client", {"lumenmill.dev/client": "true"}),
    End("neighbour", {"app": "another"}),
    End("keda", {"app": "keda-operator"}, {"kubernetes.io/metadata.name": "keda"}),
    End("prometheus", {"app": "prometheus"}, {"kubernetes.io/metadata.name": "monitoring"}),
    End("dns", {"k8s-app": "kube-dns"}, {"kubernetes.io/metadata.name": "kube-system"}),
    End("stranger", {"lumenmill.dev/client": "true"}, {"kubernetes.io/metadata.name": "elsewhere"}),
]
PORTS = [22, 53, 80, 443, 5432, 6443, 9000, 9464, 50051, 50052, 50053]


def ends(objects: list[Object]) -> list[End]:
    """The release's kinds of pods: their component, or their model's or job's name."""
    found = {}
    for _, pod in pods(objects):
        labels = pod["metadata"]["labels"]
        component = labels["app.kubernetes.io/component"]
        name = labels.get(f"lumenmill.dev/{component}", component)
        found[name] = End(name, labels)
    return list(found.values())


def flows(objects: list[Object]) -> set[Flow]:
    """Every connection that is let through: both ends agree where both are pods of the release."""
    policies = [found["spec"] for found in objects if found["kind"] == "NetworkPolicy"]
    own = ends(objects)
    found = set()
    for source, target in product([*own, *STRANGERS], [*own, *STRANGERS]):
        if source == target or not (source in own or target in own):
            continue
        for port in PORTS:
            leaves = source not in own or _lets(policies, source, "egress", "to", target, port)
            enters = target not in own or _lets(policies, target, "ingress", "from", source, port)
            if leaves and enters:
                found.add(Flow(source.name, target.name, port))
    for source, port in product(own, PORTS):
        if _lets(policies, source, "egress", "to", None, port):
            found.add(Flow(source.name, OUTSIDE, port))
    return found


def _lets(policies: list[Object], pod: End, way: str, side: str, other: End | None, port: int) -> bool:
    mine = [policy for policy in policies if way.capitalize() in policy["policyTypes"]]
    mine = [policy for policy in mine if _matches(policy["podSelector"], pod.labels)]
    assert mine, f"no policy holds {pod.name}"  # a pod that none selects would be open
    return any(_rule_lets(rule, side, other, port) for policy in mine for rule in policy.get(way, []))


def _rule_lets(rule: Object, side: str, other: End | None, port: int) -> bool:
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
