"""The objects of an entry of `models`."""

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from .helm import NAMESPACE, Object, containers, environment, of_kind, render, render_file

_WAN = {"name": "wan", "service": "video", "model": "Wan2.1-I2V-14B-480P", "gpus": 2, "gpuType": "NVIDIA-H100"}


def _deployment(model: dict[str, Any], **overrides: Any) -> Object:
    return of_kind(render("embedded", models=[model], **overrides), "Deployment")[model["name"]]


def _pod(model: dict[str, Any], **overrides: Any) -> Object:
    return _deployment(model, **overrides)["spec"]["template"]["spec"]


def test_each_model_gets_a_deployment_a_service_and_an_entry_that_the_orchestrator_reads() -> None:
    objects = render("gpu")
    models = yaml.safe_load(of_kind(objects, "ConfigMap")["orchestrator"]["data"]["models.yaml"])
    deployments, services = of_kind(objects, "Deployment"), of_kind(objects, "Service")
    assert models.keys() == deployments.keys()
    for name, address in models.items():
        service = services[name]
        assert address == f"dns:///{service['metadata']['name']}.{NAMESPACE}.svc:50051"
        assert service["spec"]["clusterIP"] == "None"
        assert service["spec"]["publishNotReadyAddresses"]  # a draining pod still has jobs of callers
        labels = deployments[name]["spec"]["template"]["metadata"]["labels"]
        assert service["spec"]["selector"].items() <= labels.items()
        assert labels["lumenmill.dev/model"] == deployments[name]["metadata"]["labels"]["lumenmill.dev/model"] == name


def test_own_values_override_those_for_gpus_and_those_override_the_defaults() -> None:
    grace = "terminationGracePeriodSeconds"
    assert _pod({"name": "a", "service": "studio"}, modelDefaults__drainS=10)[grace] == 70
    assert _pod(_WAN)[grace] == 2100  # a clip of half an hour can finish
    assert _pod(_WAN | {"drainS": 0})[grace] == 60
    off = _deployment(_WAN | {"fetch": {"enabled": False}}, offline=True)
    assert "initContainers" not in off["spec"]["template"]["spec"]


def test_the_process_drains_within_the_grace_period() -> None:
    spec = _pod(_WAN)
    drain_s = int(environment(spec["containers"][0])["LUMENMILL_DRAIN_S"])
    assert 0 < drain_s <= spec["terminationGracePeriodSeconds"] - 30
    assert "lifecycle" not in spec["containers"][0]


def test_uploads_fit_into_tmp() -> None:
    orchestrator = of_kind(render("embedded", orchestrator__tmpSizeMi=100), "StatefulSet")["orchestrator"]
    spec = orchestrator["spec"]["template"]["spec"]
    assert {"name": "tmp", "emptyDir": {"sizeLimit": "100Mi"}} in spec["volumes"]
    assert environment(spec["containers"][0])["LUMENMILL_MAX_UPLOAD_BYTES"] == str(80 << 20)


def test_starting_may_take_startup_timeout() -> None:
    spec = _deployment(_WAN | {"startupTimeoutS": 1801})["spec"]
    probe = spec["template"]["spec"]["containers"][0]["startupProbe"]
    assert 1801 <= probe["periodSeconds"] * probe["failureThreshold"] <= 1806
    assert spec["progressDeadlineSeconds"] > 1801


def _fetch(folder: Path, fetcher: str, startup_timeout_s: int) -> subprocess.Popen[str]:
    """Start the command of the fetching container as a process; the script `fetcher` replaces Python."""
    python = folder / "python"
    python.write_text(f"#!/bin/sh\n{fetcher}\n")
    python.chmod(0o755)
    [container] = _pod(_WAN | {"startupTimeoutS": startup_timeout_s})["initContainers"]
    return subprocess.Popen(
        container["command"],
        env={"PATH": f"{folder}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_fetching_has_a_timeout_and_reports_it(tmp_path: Path) -> None:
    process = _fetch(tmp_path, "exec sleep 60", startup_timeout_s=1)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 124
    assert errors.strip() == "the weights were not fetched within 1 s (startupTimeoutS): is the hub slow or away?"
    spec = _deployment(_WAN | {"startupTimeoutS": 1801})["spec"]
    assert spec["progressDeadlineSeconds"] > 2 * 1801


@pytest.mark.parametrize("code", [0, 1])
def test_fetching_has_the_exit_code_of_the_fetcher(tmp_path: Path, code: int) -> None:
    process = _fetch(tmp_path, f"echo $*; exit {code}", startup_timeout_s=60)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == code
    assert output.strip() == "-m lumenmill_neural.fetch lumenmill_video"


def test_a_pod_that_is_deleted_while_it_fetches_ends_at_once(tmp_path: Path) -> None:
    process = _fetch(tmp_path, "echo begun; exec sleep 60", startup_timeout_s=60)
    assert process.stdout and process.stdout.readline() == "begun\n"
    process.terminate()
    assert process.wait(timeout=20) != 0
    with contextlib.suppress(ProcessLookupError):  # the rest of the group, as when a container's first process ends
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=20)


def test_liveness_checks_the_process_and_not_the_model() -> None:
    container = _pod(_WAN)["containers"][0]
    assert container["livenessProbe"]["grpc"]["service"] == "liveness"
    assert "service" not in container["readinessProbe"]["grpc"]


def test_the_number_of_gpus_is_set_for_several_gpus_only() -> None:
    assert environment(_pod(_WAN)["containers"][0])["LUMENMILL_GPUS"] == "2"
    assert "LUMENMILL_GPUS" not in environment(_pod(_WAN | {"gpus": 1})["containers"][0])


def test_a_scaled_model_has_no_replicas_that_an_upgrade_would_set() -> None:
    models = [_WAN | {"minReplicas": 1, "maxReplicas": 6, "replicas": 2}]
    objects = render("embedded", scaling__by="keda", models=models)
    deployment = of_kind(objects, "Deployment")["wan"]
    assert "replicas" not in deployment["spec"]
    assert deployment["metadata"]["annotations"] == {
        "lumenmill.dev/scaling": "keda",
        "lumenmill.dev/gpus": "2",
        "lumenmill.dev/gpu-type": "NVIDIA-H100",
        "lumenmill.dev/min-replicas": "1",
        "lumenmill.dev/max-replicas": "6",
        "lumenmill.dev/target-backlog-s": "600",
    }
    assert of_kind(objects, "ScaledObject").keys() == {"wan"}


def test_without_keda_a_model_has_its_fixed_replicas() -> None:
    for overrides in ({}, {"scaling__by": "keda"}):
        fixed = _deployment(_WAN | {"replicas": 2} | ({"maxReplicas": 6} if not overrides else {}), **overrides)
        assert fixed["spec"]["replicas"] == 2
        annotations = fixed["metadata"]["annotations"]
        assert annotations["lumenmill.dev/scaling"] == "none"
        assert not {"lumenmill.dev/min-replicas", "lumenmill.dev/max-replicas"} & annotations.keys()


def test_keda_polls_the_scaler_by_tls_and_may_remove_the_last_pod() -> None:
    objects = render("embedded", scaling__by="keda", models=[_WAN | {"maxReplicas": 6, "targetBacklogS": 1800}])
    spec = of_kind(objects, "ScaledObject")["wan"]["spec"]
    assert spec["scaleTargetRef"]["name"] == of_kind(objects, "Deployment")["wan"]["metadata"]["name"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (0, 6)
    behaviour = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behaviour["scaleDown"]["stabilizationWindowSeconds"] == 300
    [trigger] = spec["triggers"]
    assert trigger["type"] == "external-push"
    scaler = of_kind(objects, "Service")["scaler"]
    assert trigger["metadata"] == {
        "scalerAddress": f"{scaler['metadata']['name']}.{NAMESPACE}.svc:50053",
        "model": "wan",
        "targetBacklogS": "1800",
    }
    [authentication] = of_kind(objects, "TriggerAuthentication").values()
    assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]
    parameters = {entry["parameter"] for entry in authentication["spec"]["secretTargetRef"]}
    assert parameters == {"caCert", "tlsClientCert", "tlsClientKey"}


def test_the_scaler_is_served_only_to_keda() -> None:
    for by in ("none", "keda"):
        objects = render("embedded", scaling__by=by)
        [container] = of_kind(objects, "StatefulSet")["orchestrator"]["spec"]["template"]["spec"]["containers"]
        variables = environment(container)
        assert ("LUMENMILL_SCALER_ADDRESS" in variables) == ("scaler" in of_kind(objects, "Service")) == (by == "keda")


def test_gpus_by_the_device_plugin() -> None:
    spec = _pod(_WAN | {"nodeSelector": {"zone": "a"}, "tolerations": [{"key": "spot", "operator": "Exists"}]})
    [container] = spec["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 2
    assert spec["nodeSelector"] == {"nvidia.com/gpu.product": "NVIDIA-H100", "zone": "a"}
    assert [toleration["key"] for toleration in spec["tolerations"]] == ["nvidia.com/gpu", "spot"]
    assert "nvidia.com/gpu" not in spec["initContainers"][0]["resources"]["limits"]
    amd = _pod(_WAN | {"gpuType": ""}, gpu__resourceName="amd.com/gpu")
    assert amd["containers"][0]["resources"]["limits"]["amd.com/gpu"] == 2
    assert "nodeSelector" not in amd


def test_gpus_by_dynamic_allocation() -> None:
    objects = render("embedded", gpu__mode="dra", models=[_WAN, _WAN | {"name": "any", "gpuType": ""}])
    spec = of_kind(objects, "Deployment")["wan"]["spec"]["template"]["spec"]
    [claim] = spec["resourceClaims"]
    [container] = spec["containers"]
    assert container["resources"]["claims"] == [{"name": claim["name"]}]
    assert "nvidia.com/gpu" not in container["resources"]["limits"]
    assert "nodeSelector" not in spec
    templates = of_kind(objects, "ResourceClaimTemplate")
    typed, untyped = sorted(templates.values(), key=lambda template: "any" in template["metadata"]["name"])
    assert claim["resourceClaimTemplateName"] == typed["metadata"]["name"]
    [request] = typed["spec"]["spec"]["devices"]["requests"]
    assert request["exactly"]["count"] == 2
    expression = request["exactly"]["selectors"][0]["cel"]["expression"]
    assert expression == 'device.attributes["gpu.nvidia.com"].productName == "NVIDIA-H100"'
    assert "selectors" not in untyped["spec"]["spec"]["devices"]["requests"][0]["exactly"]


@pytest.mark.parametrize("change", [{"gpus": 4}, {"gpuType": "NVIDIA-H200"}])
def test_another_claim_is_another_template_since_templates_are_immutable(change: dict[str, Any]) -> None:
    def claimed(model: dict[str, Any]) -> str:
        objects = render("embedded", gpu__mode="dra", models=[model])
        [name] = of_kind(objects, "ResourceClaimTemplate")
        return name

    assert claimed(_WAN) == claimed(_WAN | {"drainS": 60}) != claimed(_WAN | change)


@pytest.mark.parametrize("mode", ["devicePlugin", "dra"])
def test_the_orchestrator_knows_the_gpus_by_any_name_and_mode(mode: str) -> None:
    models = [_WAN, _WAN | {"name": "any", "gpuType": ""}, {"name": "studio", "service": "studio"}]
    objects = render("embedded", models=models, gpu__mode=mode, gpu__resourceName="amd.com/gpu", gpu__typeLabel="amd")
    annotated = {
        name: [found["metadata"]["annotations"][f"lumenmill.dev/{key}"] for key in ("gpus", "gpu-type")]
        for name, found in of_kind(objects, "Deployment").items()
    }
    assert annotated == {"wan": ["2", "NVIDIA-H100"], "any": ["2", ""], "studio": ["0", ""]}
    [container] = of_kind(objects, "StatefulSet")["orchestrator"]["spec"]["template"]["spec"]["containers"]
    assert environment(container)["LUMENMILL_GPU_RESOURCE"] == "amd.com/gpu"
    assert environment(container)["LUMENMILL_GPU_TYPE_LABEL"] == "amd"


@pytest.mark.parametrize(
    ("cache", "volume"),
    [
        ({"kind": "emptyDir", "size": "7Gi"}, {"emptyDir": {"sizeLimit": "7Gi"}}),
        ({"kind": "pvc", "size": "7Gi"}, {"persistentVolumeClaim": {"claimName": "mill-lumenmill-wan-cache"}}),
        ({"kind": "pvc", "existingClaim": "weights"}, {"persistentVolumeClaim": {"claimName": "weights"}}),
        (
            {"kind": "hostPath", "path": "/weights"},
            {"hostPath": {"path": "/weights", "type": "DirectoryOrCreate"}},
        ),
    ],
)
def test_caches(cache: dict[str, Any], volume: dict[str, Any]) -> None:
    objects = render("embedded", models=[_WAN | {"cache": cache}])
    spec = of_kind(objects, "Deployment")["wan"]["spec"]["template"]["spec"]
    assert {"name": "cache", **volume} in spec["volumes"]
    for container in spec["containers"] + spec["initContainers"]:
        assert {"name": "cache", "mountPath": "/var/cache/lumenmill"} in container["volumeMounts"]
        assert environment(container)["LUMENMILL_CACHE_DIR"].startswith("/var/cache/lumenmill/")
    found = of_kind(objects, "PersistentVolumeClaim")
    claims = {name: claim for name, claim in found.items() if name.endswith("-cache")}
    is_created = cache["kind"] == "pvc" and "existingClaim" not in cache
    assert claims.keys() == ({"wan-cache"} if is_created else set())
    assert all(claim["spec"]["resources"]["requests"]["storage"] == "7Gi" for claim in claims.values())


def test_only_the_fetching_container_uses_the_hub_and_its_token() -> None:
    spec = _pod(_WAN | {"fetch": {"tokenSecret": {"name": "hub"}}})
    [fetch], [serve] = spec["initContainers"], spec["containers"]
    assert fetch["image"] == serve["image"]
    assert environment(fetch)["LUMENMILL_MODEL"] == environment(serve)["LUMENMILL_MODEL"] == _WAN["model"]
    assert environment(fetch)["LUMENMILL_OFFLINE"] == "false"
    assert environment(serve)["LUMENMILL_OFFLINE"] == "true"
    assert [entry["name"] for entry in fetch["env"] if "valueFrom" in entry] == ["HF_TOKEN"]
    assert all("valueFrom" not in entry for entry in serve["env"])


def test_the_fetching_container_has_the_volumes_and_variables_of_the_model() -> None:
    folder = {"name": "weights", "mountPath": "/models"}
    of_model = {"volumes": [{"name": "weights", "emptyDir": {}}], "volumeMounts": [folder], "envFromSecrets": ["proxy"]}
    spec = _pod(_WAN | of_model)
    for container in (spec["initContainers"][0], spec["containers"][0]):
        assert folder in container["volumeMounts"]
        assert container["envFrom"] == [{"secretRef": {"name": "proxy"}}]


def test_a_model_may_override_the_gpus_of_the_defaults() -> None:
    spec = _pod({"name": "studio", "service": "studio", "gpus": 0}, modelDefaults__gpus=1)
    assert "initContainers" not in spec
    assert "nvidia.com/gpu" not in spec["containers"][0]["resources"]["limits"]


def test_air_gapped_pods_never_use_the_hub() -> None:
    spec = _pod(_WAN, offline=True)
    assert {environment(container)["LUMENMILL_OFFLINE"] for container in containers({"spec": spec})} == {"true"}


def test_the_authority_of_the_store_does_not_replace_public_ones() -> None:
    llm = {"name": "llm", "service": "prompter", "settings": {"family": "openai"}}
    for model in (llm, _WAN):
        for container in containers({"spec": _pod(model)}):
            variables = environment(container)
            assert variables["LUMENMILL_S3_CA_FILE"] == "/etc/lumenmill/tls/ca.crt"
            assert "SSL_CERT_FILE" not in variables


_GIVEN: list[tuple[Any, str]] = [
    (True, "true"),
    (False, "false"),
    (0, "0"),
    (40, "40"),
    (100_000_000, "100000000"),
    (1_000_000, "1000000"),
    (-2_000_000, "-2000000"),
    (9_007_199_254_740_991, "9007199254740991"),
    (0.25, "0.25"),
    (0.0000001, "1e-7"),
    ("/models/flux", "/models/flux"),
    ("100000000", "100000000"),
    ("0x10", "0x10"),
    ("1e10", "1e10"),
    ("true", "true"),
    ('a "b" \\ c', 'a "b" \\ c'),
    ("", ""),
    ([1_000_000, 0.5, "x", True], '[1000000,0.5,"x",true]'),
    ({"depth": "/models/depth", "pixels": 100_000_000}, '{"depth":"/models/depth","pixels":100000000}'),
]
"""Values of a setting, and the text that the service reads."""


def test_settings_become_variables_as_on_one_machine(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    # The chart checks only the name.
    models = [
        _WAN | {"name": f"wan-{number}", "settings": {"checkpoint": given}} for number, (given, _) in enumerate(_GIVEN)
    ]
    file.write_text(json.dumps({"models": models}))
    deployments = of_kind(render_file(file), "Deployment")
    for number, (_, text) in enumerate(_GIVEN):
        [container] = deployments[f"wan-{number}"]["spec"]["template"]["spec"]["containers"]
        assert environment(container)["LUMENMILL_CHECKPOINT"] == text


def test_settings_on_the_command_line_are_integers_too() -> None:
    variables = environment(_pod(_WAN | {"settings": {"max_media_pixels": 100_000_000}})["containers"][0])
    assert variables["LUMENMILL_MAX_MEDIA_PIXELS"] == "100000000"


def test_large_numbers_stay_integers() -> None:
    toleration = {"key": "away", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 2_000_000}
    spec = _pod(_WAN | {"tolerations": [toleration], "drainS": 2_000_000})
    assert toleration in spec["tolerations"]
    assert type(spec["tolerations"][-1]["tolerationSeconds"]) is int
    assert spec["terminationGracePeriodSeconds"] == 2_000_060
    assert environment(spec["containers"][0])["LUMENMILL_DRAIN_S"] == "2000000"


def test_the_neural_captioner_has_its_own_image() -> None:
    qwen = {"name": "qwen", "service": "captioner-neural", "model": "Qwen2.5-VL-7B", "gpus": 1}
    qwen |= {"settings": {"family": "vision_language"}}
    spec = _pod(qwen, image__registry="registry.example.com/mill/", image__tag="2.0.0")
    assert spec["containers"][0]["image"] == "registry.example.com/mill/lumenmill-captioner-neural:2.0.0"
    assert "python -m lumenmill_neural.fetch lumenmill_captioner)" in spec["initContainers"][0]["command"][-1]


def test_shared_memory_and_topology_spread() -> None:
    spread = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    deployment = _deployment(_WAN | {"shmSizeMi": 100, "topologySpreadConstraints": [spread]})
    spec = deployment["spec"]["template"]["spec"]
    assert {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "100Mi"}} in spec["volumes"]
    [constraint] = spec["topologySpreadConstraints"]
    assert constraint["labelSelector"] == deployment["spec"]["selector"]


def test_pods_without_a_priority_class_get_one_of_the_chart() -> None:
    objects = render("embedded", priorityClasses__create=True, modelDefaults__priorityClassName="")
    classes = of_kind(objects, "PriorityClass")
    assert {found["metadata"]["name"]: found["value"] for found in classes.values()} == {
        "lab-mill-lumenmill-core-100000": 100_000,
        "lab-mill-lumenmill-model-10000": 10_000,
    }
    studio = of_kind(objects, "Deployment")["studio"]["spec"]["template"]["spec"]
    assert studio["priorityClassName"] == "lab-mill-lumenmill-model-10000"
    named = _pod(_WAN | {"priorityClassName": "urgent"}, priorityClasses__create=True)
    assert named["priorityClassName"] == "urgent"
    assert "priorityClassName" not in _pod(_WAN)


def test_another_priority_is_another_class_since_values_are_immutable() -> None:
    objects = render("embedded", priorityClasses__create=True, priorityClasses__core=2_000_000)
    classes = {found["metadata"]["name"]: found["value"] for found in of_kind(objects, "PriorityClass").values()}
    assert classes["lab-mill-lumenmill-core-2000000"] == 2_000_000
    orchestrator = of_kind(objects, "StatefulSet")["orchestrator"]["spec"]["template"]["spec"]
    assert orchestrator["priorityClassName"] == "lab-mill-lumenmill-core-2000000"


def test_names_of_models_never_collide_with_other_objects() -> None:
    names = ["dns", "models", "default-deny", "job-export", "job-test", "model-dns", "nodes", "export"]
    models = [_WAN | {"name": name, "maxReplicas": 2, "cache": {"kind": "pvc"}} for name in names]
    objects = render(
        "embedded", models=models, scaling__by="keda", database__kind="chart", exports__asJobs=True, gpu__mode="dra"
    )
    names_of_objects = [(found["kind"], found["metadata"]["name"]) for found in objects]
    assert sorted(set(names_of_objects)) == sorted(names_of_objects)
    policies = of_kind(objects, "NetworkPolicy")
    assert {f"model-{name}" for name in names} < policies.keys()
