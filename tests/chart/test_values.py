"""Values: right ones render, wrong ones are refused by name, and the README lists them all."""

import json
from pathlib import Path

import pytest
import yaml

from .helm import CHART, KUBE_VERSION, VALUES, helm, notes, refusal, render
from .values_table import README, commented_keys, leaves, written

_MODEL = {"name": "flux", "service": "imager", "model": "FLUX.1-dev", "gpus": 1}
_STUDIO = {"name": "studio", "service": "studio"}
_QWEN = {"name": "qwen", "service": "captioner-neural", "model": "Qwen2.5-VL-7B", "gpus": 1}


@pytest.mark.parametrize("name", VALUES)
def test_every_values_file_passes_the_strict_lint(name: str) -> None:
    done = helm("lint", "--strict", "--kube-version", KUBE_VERSION, str(CHART), "--values", str(VALUES[name]))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout


@pytest.mark.parametrize("name", VALUES)
def test_a_registry_may_be_appended_to_every_values_file(name: str, tmp_path: Path) -> None:
    file = tmp_path / "mill.yaml"
    file.write_text(VALUES[name].read_text() + "image: {registry: registry.example.com/mill}\n")
    done = helm("template", "mill", str(CHART), "--kube-version", KUBE_VERSION, "--values", str(file))
    assert done.returncode == 0, done.stderr
    own_images = [line for line in done.stdout.splitlines() if "image: " in line and "/lumenmill-" in line]
    assert own_images and all("image: registry.example.com/mill/lumenmill-" in line for line in own_images)


def test_the_exports_of_the_notes_are_absolute_paths(tmp_path: Path) -> None:
    text = notes(tmp_path / "chart", "embedded")
    files = {part for line in text.splitlines() if "export" in line for part in line.split() if "_FILE=" in part}
    assert files == {
        'LUMENMILL_TLS_CA_FILE="$PWD/ca.crt"',
        'LUMENMILL_TLS_CERT_FILE="$PWD/tls.crt"',
        'LUMENMILL_TLS_KEY_FILE="$PWD/tls.key"',
        'LUMENMILL_TOKEN_FILE="$PWD/token"',
    }


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"modells": []}, "'modells' not allowed"),
        ({"image__registri": "x"}, "at '/image': additional properties 'registri' not allowed"),
        ({"orchestrator__replica": 2}, "at '/orchestrator': additional properties 'replica' not allowed"),
        ({"models": [_MODEL | {"gpu": 1}]}, "at '/models/0': additional properties 'gpu' not allowed"),
        ({"models": [_MODEL | {"cache": {"kid": "pvc"}}]}, "at '/models/0/cache': additional properties 'kid' not"),
        (
            {"models": [{"service": "studio"}]},
            'models: an entry has no name, by which recipes call it: {"service":"studio"}',
        ),
        ({"models": [{"name": "flux"}]}, "models: flux: service: must be one of captioner, captioner-neural, imager"),
        ({"models": [_MODEL | {"service": "painter"}]}, "models: flux: service: must be one of captioner"),
        (
            {"models": [_MODEL | {"settings": {"compyle": True}}]},
            "models: flux: settings.compyle: imager reads none of this",
        ),
        (
            {"models": [_MODEL | {"settings": {"A.1": True}}]},
            "models: flux: settings.A.1: imager reads none of this name",
        ),
        (
            {"models": [_MODEL | {"secretFiles": [{"setting": "openai_api_key_file", "name": "llm", "key": "key"}]}]},
            "models: flux: settings.openai_api_key_file: imager reads none of this name",
        ),
        ({"modelDefaults__settings": {"compyle": True}}, "settings.compyle: no service reads one of this name"),
        ({"gpuModelDefaults__settings": {"compyle": True}}, "settings.compyle: no service reads one of this name"),
        ({"models": [_MODEL | {"name": "FLUX.1"}]}, "at '/models/0/name'"),
        ({"modelDefaults__name": "all"}, "modelDefaults.name: belongs to one entry"),
        ({"gpuModelDefaults__model": "SDXL"}, "gpuModelDefaults.model: belongs to one entry"),
        ({"tls__mode": "manual"}, "at '/tls/mode'"),
        ({"scaling__by": "builtin"}, "at '/scaling/by': value must be one of 'none', 'keda'"),
        ({"networkPolicy__dns": []}, "at '/networkPolicy/dns': minItems"),
    ],
)
def test_misspelt_values_are_named(overrides: dict[str, object], message: str) -> None:
    assert message in refusal(**overrides)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"orchestrator__replicas": 2}, "orchestrator.replicas: SQLite is a file of one replica"),
        ({"exports__asJobs": True}, "exports.asJobs: Jobs share the orchestrator's database"),
        ({"scaling__by": "keda", "fleet__enabled": False}, "scaling.by: keda needs fleet.enabled"),
        ({"store__url": "file:///data"}, "store.url: must be s3://bucket"),
        ({"models": []}, "models: name at least one"),
        ({"minio__enabled": False}, "store.endpoint: host:port of the S3 server, or set minio.enabled"),
        ({"database__kind": "external"}, "database.secret.name: name the Secret"),
        ({"tls__mode": "existing"}, "tls.existing.secretName: name the Secret"),
        ({"models": [_MODEL, _MODEL]}, "models: flux is there twice"),
        ({"models": [_MODEL | {"name": "orchestrator"}]}, "models: orchestrator is the name of a part of the mesh"),
        ({"models": [_MODEL | {"gpus": 0, "gpuType": "NVIDIA-L4"}]}, "models: flux has a gpuType and no gpus"),
        (
            {"scaling__by": "keda", "models": [_MODEL | {"minReplicas": 3, "maxReplicas": 2}]},
            "models: flux has minReplicas above maxReplicas",
        ),
        ({"models": [_MODEL | {"minReplicas": 3, "maxReplicas": 2}]}, "models: flux has minReplicas above maxReplicas"),
        ({"models": [_MODEL | {"minReplicas": 3}]}, "models: flux has minReplicas and no maxReplicas"),
        ({"models": [{"name": "flux", "service": "imager"}]}, "models: flux: model: name what imager shall load"),
        ({"models": [_STUDIO | {"model": "SDXL"}]}, "models: studio: model: studio loads none; leave it out"),
        ({"models": [_QWEN]}, "models: qwen: settings.family: must be vision_language"),
        (
            {"models": [_MODEL | {"gpus": 0, "fetch": {"tokenSecret": {"name": "hub"}}}]},
            "models: flux: fetch.tokenSecret: nothing is fetched; set fetch.enabled",
        ),
        (
            {"models": [_MODEL | {"cache": {"existingClaim": "weights"}}]},
            "models: flux: cache.existingClaim: is read only with cache.kind: pvc",
        ),
        (
            {"models": [_MODEL | {"cache": {"kind": "pvc", "path": "/weights"}}]},
            "models: flux: cache.path: is read only with cache.kind: hostPath",
        ),
        (
            {"models": [_MODEL | {"cache": {"storageClassName": "fast"}}]},
            "models: flux: cache.storageClassName: is read only with cache.kind: pvc",
        ),
        ({"models": [_MODEL | {"cache": {"kind": "hostPath"}}]}, "models: flux: cache.path: name the folder"),
        ({"models": [_MODEL | {"settings": {"drain_s": 3}}]}, "models: flux: settings.drain_s is set by the chart"),
        ({"models": [_MODEL | {"settings": {"gpus": 2}}]}, "models: flux: settings.gpus is set by the chart"),
        (
            {"models": [_STUDIO | {"fetch": {"enabled": True}}]},
            "models: studio has nothing to fetch",
        ),
        ({"fullnameOverride": "a" * 40, "models": [_MODEL | {"name": "b" * 20}]}, "is too long"),
    ],
)
def test_contradicting_values_are_refused_with_a_remedy(overrides: dict[str, object], message: str) -> None:
    assert message in refusal(**overrides)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"store__endpoint": "s3.example.com"},
            "store.endpoint: is s3.example.com, which is read only with minio.enabled: false",
        ),
        ({"store__secret__name": "s3"}, "store.secret.name: is s3, which is read only with minio.enabled: false"),
        (
            {"store__caSecret__name": "site-ca"},
            "store.caSecret.name: is site-ca, which is read only with minio.enabled",
        ),
        (
            {"database__secret__name": "db"},
            "database.secret.name: is db, which is read only with database.kind: external",
        ),
        (
            {"database__caSecret__name": "db-ca"},
            "database.caSecret.name: is db-ca, which is read only with database.kind: external",
        ),
        (
            {"orchestrator__service__externalTrafficPolicy": "Local"},
            "orchestrator.service.externalTrafficPolicy: is Local, which is read only with orchestrator.service.type",
        ),
        (
            {"orchestrator__service__loadBalancerSourceRanges": ["10.0.0.0/8"]},
            "loadBalancerSourceRanges: is 10.0.0.0/8, which is read only with orchestrator.service.type: LoadBalancer",
        ),
        (
            {"tls__mode": "none", "tls__mutual": False, "tls__extraNames": ["mill"]},
            "tls.extraNames: is mill, which is read only with tls.mode: generated or certManager",
        ),
        (
            {"tls__existing__secretName": "mesh"},
            "tls.existing.secretName: is mesh, which is read only with tls.mode: existing",
        ),
        (
            {"tls__certManager__issuerRef__name": "site"},
            "tls.certManager.issuerRef.name: is site, which is read only with tls.mode: certManager",
        ),
        (
            {"token__enabled": False, "token__secret__name": "mine"},
            "token.secret.name: is mine, which is read only with token.enabled: true; set that, or leave",
        ),
    ],
)
def test_values_that_would_be_ignored_are_refused(overrides: dict[str, object], message: str) -> None:
    assert message in refusal(**overrides)


def test_default_settings_may_be_settings_of_some_services() -> None:
    defaults = {"modelDefaults__settings": {"log_format": "console"}, "gpuModelDefaults__settings": {"compile": True}}
    assert render("gpu", **defaults)
    assert render("gpu", modelDefaults__settings={"compile": True})


def test_the_notes_name_models_that_are_not_scaled(tmp_path: Path) -> None:
    text = "Not scaled, since scaling.by is none: flux, kontext, marigold, marigold-video, qwen, wan-t2v, wan-i2v."
    assert text in notes(tmp_path / "none", "gpu", scaling__by="none")
    assert "Not scaled" not in notes(tmp_path / "keda", "gpu")
    assert "Not scaled" not in notes(tmp_path / "fixed", "embedded")
    assert "No model is scaled by KEDA: none has maxReplicas" in notes(
        tmp_path / "idle", "embedded", scaling__by="keda"
    )


def test_the_schema_has_exactly_the_values_of_the_chart() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())

    def resolved(node: dict[str, object]) -> dict[str, object]:
        while "$ref" in node:
            node = schema["definitions"][str(node["$ref"]).rpartition("/")[2]]
        return resolved(node["allOf"][0]) if "allOf" in node else node  # type: ignore[index]  # a list, by the schema's form

    def paths(node: dict[str, object], prefix: str = "") -> set[str]:
        found = set()
        for key, child in resolved(node).get("properties", {}).items():  # type: ignore[attr-defined]  # a map, likewise
            below = paths(child, f"{prefix}{key}.")
            found |= below or {f"{prefix}{key}"}
        return found

    groups = {"resources", "rollingUpdate"}
    named = {path for path in paths(schema) if not groups & set(path.split(".")[:-1])}
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    free = {path for path, _ in leaves(values) if path.rpartition(".")[2] in groups}
    documented = {path for path, _ in leaves(values)} - free
    # Of `gpuModelDefaults` and `models` any key of modelDefaults may be given; `global` is Helm's own.
    own = {path for path in named if not path.startswith(("gpuModelDefaults.", "models.", "global"))}
    own -= {f"modelDefaults.{key}" for key in ("name", "service", "model")}
    own -= {path for path in own if path.startswith("tls.certManager.issuerRef.")}
    assert own == {path for path in documented if not path.startswith("gpuModelDefaults.")} - {
        "tls.certManager.issuerRef"
    }


def test_every_value_has_a_comment() -> None:
    comments = dict(commented_keys())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    bare = [path for path, _ in leaves(values) if not comments[path] and not comments[path.rpartition(".")[0]]]
    assert [path for path in bare if not path.startswith("gpuModelDefaults.")] == []


def test_the_table_of_the_readme_is_current() -> None:
    text = README.read_text()
    assert text == written(text), "run `python -m tests.chart.values_table`"


def test_a_release_called_lumenmill_does_not_repeat_the_name() -> None:
    done = helm(
        "template", "lumenmill", str(CHART), "--kube-version", KUBE_VERSION, "--values", str(VALUES["embedded"])
    )
    names = {found["metadata"]["name"] for found in yaml.safe_load_all(done.stdout) if found}
    assert {"lumenmill-orchestrator", "lumenmill-studio", "lumenmill-client-tls"} <= names
