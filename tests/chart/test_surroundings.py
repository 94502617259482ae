"""Values about the cluster: load balancers, databases, nodes, cert-manager."""

from .helm import of_kind, render


def test_the_service_passes_load_balancer_values_through() -> None:
    service = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "loadBalancerSourceRanges": ["10.0.0.0/8"]}
    objects = render("embedded", orchestrator__service=service)
    assert service.items() <= of_kind(objects, "Service")["orchestrator"]["spec"].items()


def test_the_authority_of_an_external_database_is_mounted() -> None:
    database = {"kind": "external", "secret": {"name": "database"}, "caSecret": {"name": "database-ca"}}
    orchestrator = of_kind(render("embedded", database=database), "StatefulSet")["orchestrator"]
    [config] = [volume for volume in orchestrator["spec"]["template"]["spec"]["volumes"] if volume["name"] == "config"]
    secrets = [source["secret"] for source in config["projected"]["sources"] if "secret" in source]
    paths = {item["path"]: secret["name"] for secret in secrets for item in secret["items"]}
    assert (paths["database-url"], paths["database-ca.crt"]) == ("database", "database-ca")


def test_scheduled_jobs_are_placed_like_the_orchestrator() -> None:
    placement = {"nodeSelector": {"pool": "cpu"}, "tolerations": [{"key": "pool", "operator": "Exists"}]}
    objects = render(
        "embedded", storeGc__enabled=True, **{f"orchestrator__{key}": value for key, value in placement.items()}
    )
    job = of_kind(objects, "CronJob")["store-gc"]["spec"]["jobTemplate"]["spec"]
    assert placement.items() <= job["template"]["spec"].items()
    assert job["activeDeadlineSeconds"] > 0
    assert placement.items() <= of_kind(objects, "Pod")["test"]["spec"].items()


def test_secrets_of_cert_manager_have_the_labels_of_the_release() -> None:
    certificates = of_kind(render("embedded", tls__mode="certManager"), "Certificate")
    assert "ca" in certificates and len(certificates) > 2
    for certificate in certificates.values():
        assert certificate["spec"]["secretTemplate"]["labels"]["app.kubernetes.io/instance"]
