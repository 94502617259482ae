"""What the chart is told of the cluster around it: load balancers, databases, nodes, cert-manager."""

from .helm import of_kind, render


def test_callers_of_a_load_balancer_are_known_by_their_addresses() -> None:
    service = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "loadBalancerSourceRanges": ["10.0.0.0/8"]}
    objects = render("embedded", orchestrator__service=service)
    assert service.items() <= of_kind(objects, "Service")["orchestrator"]["spec"].items()


def test_an_external_database_is_known_by_its_authority() -> None:
    database = {"kind": "external", "secret": {"name": "database"}, "caSecret": {"name": "database-ca"}}
    orchestrator = of_kind(render("embedded", database=database), "StatefulSet")["orchestrator"]
    [config] = [volume for volume in orchestrator["spec"]["template"]["spec"]["volumes"] if volume["name"] == "config"]
    secrets = [source["secret"] for source in config["projected"]["sources"] if "secret" in source]
    paths = {item["path"]: secret["name"] for secret in secrets for item in secret["items"]}
    assert (paths["database-url"], paths["database-ca.crt"]) == ("database", "database-ca")


def test_what_is_run_now_and_then_goes_where_the_orchestrator_goes() -> None:
    placed = {"nodeSelector": {"pool": "cpu"}, "tolerations": [{"key": "pool", "operator": "Exists"}]}
    objects = render(
        "embedded", storeGc__enabled=True, **{f"orchestrator__{key}": value for key, value in placed.items()}
    )
    job = of_kind(objects, "CronJob")["store-gc"]["spec"]["jobTemplate"]["spec"]
    assert placed.items() <= job["template"]["spec"].items()
    assert job["activeDeadlineSeconds"] > 0
    assert placed.items() <= of_kind(objects, "Pod")["test"]["spec"].items()


def test_keys_that_cert_manager_writes_belong_to_the_release() -> None:
    certificates = of_kind(render("embedded", tls__mode="certManager"), "Certificate")
    assert "ca" in certificates and len(certificates) > 2
    for certificate in certificates.values():
        assert certificate["spec"]["secretTemplate"]["labels"]["app.kubernetes.io/instance"]
