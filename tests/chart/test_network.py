"""NetworkPolicies allow exactly the connections that the README lists."""

from typing import Any

import pytest

from .flows import OUTSIDE, Flow, ends, flows
from .helm import of_kind, render

_EMBEDDED = ["grammar", "studio", "photometric"]


def _flows(*groups: tuple[list[str], list[str], list[int]]) -> set[Flow]:
    return {
        Flow(source, target, port)
        for sources, targets, ports in groups
        for source in sources
        for target in targets
        for port in ports
    }


_ALWAYS = _flows(
    (["client", "store-gc", "test"], ["orchestrator"], [50051]),
    (["prometheus"], ["orchestrator", *_EMBEDDED], [9464]),
    (["orchestrator"], _EMBEDDED, [50051]),
    (["orchestrator", *_EMBEDDED], ["minio"], [9000]),
    (["orchestrator", *_EMBEDDED, "minio", "store-gc", "test"], ["dns"], [53]),
)
# A rule without peers allows any address: the API server has no labels, so its ports are allowed everywhere.
_TO_API_SERVER = {
    Flow("orchestrator", target, port)
    for target in (OUTSIDE, "client", "neighbour", "keda", "prometheus", "dns", "stranger")
    for port in (443, 6443)
}


def test_the_embedded_mesh() -> None:
    assert flows(render("embedded")) == _ALWAYS | _TO_API_SERVER


def test_without_the_fleet_no_connection_leaves_the_mesh() -> None:
    assert flows(render("embedded", fleet__enabled=False)) == _ALWAYS


@pytest.mark.parametrize(
    ("overrides", "more"),
    [
        ({"scaling__by": "keda"}, _flows((["keda"], ["orchestrator"], [50053]))),
        (
            {"database__kind": "chart", "exports__asJobs": True},
            _flows(
                (["orchestrator", "export"], ["postgres"], [5432]),
                (["export"], ["minio"], [9000]),
                (["postgres", "export"], ["dns"], [53]),
            ),
        ),
        (
            {"networkPolicy__clients": [{"podSelector": {"matchLabels": {"app": "another"}}}]},
            _flows((["neighbour"], ["orchestrator"], [50051])),
        ),
    ],
)
def test_each_feature_adds_only_its_own_connections(overrides: dict[str, Any], more: set[Flow]) -> None:
    assert flows(render("embedded", **overrides)) == _ALWAYS | _TO_API_SERVER | more


def test_given_peers_replace_any_address() -> None:
    api_server = [{"ipBlock": {"cidr": "10.0.0.1/32"}}]
    found = flows(render("embedded", networkPolicy__apiServer__peers=api_server))
    assert found - _ALWAYS == _flows((["orchestrator"], [OUTSIDE], [443, 6443]))


def test_only_neural_models_reach_the_hub_and_never_air_gapped() -> None:
    s3 = [{"ipBlock": {"cidr": "192.0.2.1/32"}}]
    options = {"networkPolicy__s3__peers": s3, "store__endpoint": "s3.example.com:9000"}

    def to_hub(**overrides: Any) -> set[str]:
        found = flows(render("gpu", **options, **overrides))
        return {flow.source for flow in found if flow.target == OUTSIDE and flow.port == 443}

    neural = {"flux", "kontext", "marigold", "marigold-video", "qwen", "wan-t2v", "wan-i2v"}
    assert to_hub() - {"orchestrator"} == neural
    assert to_hub(offline=True) - {"orchestrator"} == set()


def test_the_hub_is_not_a_private_address() -> None:
    policy = of_kind(render("gpu"), "NetworkPolicy")["model-flux"]
    [rule] = policy["spec"]["egress"]
    assert "10.0.0.0/8" in rule["to"][0]["ipBlock"]["except"]


def test_only_its_prompter_reaches_an_llm() -> None:
    llm = {"name": "llm", "service": "prompter", "settings": {"family": "openai"}}
    to = [{"podSelector": {"matchLabels": {"app": "another"}}}]
    models = [llm | {"egress": [{"to": to, "ports": [{"port": 80, "protocol": "TCP"}]}]}]
    found = flows(render("embedded", models=[*models, {"name": "studio", "service": "studio"}]))
    assert {flow.source for flow in found if flow.target == "neighbour" and flow.port == 80} == {"llm"}


def test_every_kind_of_pod_has_a_policy() -> None:
    objects = render("embedded", database__kind="chart", exports__asJobs=True)
    names = {end.name for end in ends(objects)}
    assert names == {"orchestrator", *_EMBEDDED, "minio", "postgres", "store-gc", "test", "export"}
    assert flows(objects)


def test_policies_can_be_disabled() -> None:
    assert not of_kind(render("embedded", networkPolicy__enabled=False), "NetworkPolicy")


def test_dns_peers_and_ports_are_configurable() -> None:
    peers = [{"ipBlock": {"cidr": "169.254.20.10/32"}}]
    policy = of_kind(render("embedded", networkPolicy__dns=peers, networkPolicy__dnsPorts=[5353]), "NetworkPolicy")[
        "dns"
    ]
    [rule] = policy["spec"]["egress"]
    assert rule["to"] == peers
    assert {port["port"] for port in rule["ports"]} == {5353}
