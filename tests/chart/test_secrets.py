"""Secrets that the chart creates: once, kept, and never overwritten by a rollback."""

import base64
import copy
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from lumenmill_common.caller import role_name
from lumenmill_common.caller_table import digest_of, parse_callers

from .fake_api import cluster_with
from .helm import Object, of_kind, render, render_on

_HOOKS = "pre-install,pre-upgrade"
_PREFIX = "mill-lumenmill-"
_CREATED = {"ca", "token", "minio", "postgres"} | {
    f"{owner}-tls" for owner in ("orchestrator", "client", "minio", "postgres", "grammar", "studio", "photometric")
}
Upgrade = Callable[..., dict[str, Object]]


@pytest.fixture
def secrets() -> dict[str, Object]:
    """Return those of an installed release, by their short names."""
    return copy.deepcopy(of_kind(render("embedded", database__kind="chart"), "Secret"))


@pytest.fixture
def upgrade(tmp_path: Path) -> Upgrade:
    """Return a function from the existing Secrets to those that an upgrade writes, by their short names."""

    def upgraded(existing: dict[str, Object], **overrides: Any) -> dict[str, Object]:
        with cluster_with({f"{_PREFIX}{name}": found for name, found in existing.items()}, tmp_path) as kubeconfig:
            return of_kind(render_on(kubeconfig, "embedded", **{"database__kind": "chart", **overrides}), "Secret")

    return upgraded


def _value(secret: Object, key: str) -> str:
    return base64.b64decode(secret["data"][key]).decode()


def test_they_are_not_part_of_the_release_and_not_rolled_back(
    secrets: dict[str, Object],
) -> None:
    assert secrets.keys() == _CREATED
    for name, secret in secrets.items():
        annotations = secret["metadata"]["annotations"]
        assert annotations["helm.sh/hook"] == _HOOKS, name
        # Helm deletes only what is rendered, and only missing or expired ones are rendered.
        assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation", name
        # Earlier releases had them in their manifest; an upgrade from one deletes what is no longer rendered.
        assert annotations["helm.sh/resource-policy"] == "keep", name


def test_an_upgrade_changes_no_existing_secret(secrets: dict[str, Object], upgrade: Upgrade) -> None:
    assert upgrade({}).keys() == _CREATED
    assert upgrade(secrets, logLevel="DEBUG") == {}


def test_a_secret_that_was_changed_manually_is_kept(secrets: dict[str, Object], upgrade: Upgrade) -> None:
    secrets["token"]["data"]["token"] = base64.b64encode(b"rotated").decode()
    secrets["minio"]["data"]["secret-key"] = base64.b64encode(b"rotated").decode()
    assert upgrade(secrets) == {}


def test_only_a_deleted_secret_is_created_again(secrets: dict[str, Object], upgrade: Upgrade) -> None:
    old = secrets.pop("token")
    created = upgrade(secrets)
    assert created.keys() == {"token"}
    assert created["token"]["data"] != old["data"]


def test_a_missing_key_is_added_and_the_others_are_kept(secrets: dict[str, Object], upgrade: Upgrade) -> None:
    password = _value(secrets["postgres"], "password")
    secrets["postgres"]["data"] = {"password": base64.b64encode(password.encode()).decode(), "url": "b2xk"}
    postgres = upgrade(secrets)["postgres"]
    assert _value(postgres, "password") == password
    assert _value(postgres, "url") == "old"
    assert f":{password}@" in _value(postgres, "url-tls")


def test_a_token_of_before_the_table_stays_valid(secrets: dict[str, Object], upgrade: Upgrade) -> None:
    secrets["token"]["data"] = {"token": base64.b64encode(b"of-before\n").decode()}
    token = upgrade(secrets)["token"]
    assert token["data"].keys() == {"token", "service-token", "callers"}
    assert _value(token, "token").strip() == "of-before"
    _assert_lets_in(token, operator="token", orchestrator="service-token")


def test_the_table_lets_the_tokens_of_the_chart_in(secrets: dict[str, Object]) -> None:
    _assert_lets_in(secrets["token"], operator="token", orchestrator="service-token")


def _assert_lets_in(secret: Object, **keys: str) -> None:
    table = parse_callers(_value(secret, "callers"), "callers")
    found = {caller.name: (digest, role_name(caller.role)) for digest, caller in table.items()}
    roles = {"operator": "admin", "orchestrator": "service"}
    assert found == {name: (digest_of(_value(secret, key).strip()), roles[name]) for name, key in keys.items()}


def test_a_table_without_a_token_that_the_chart_needs_is_refused(secrets: dict[str, Object], tmp_path: Path) -> None:
    del secrets["token"]["data"]["service-token"]
    existing = {f"{_PREFIX}{name}": found for name, found in secrets.items()}
    with (
        cluster_with(existing, tmp_path) as kubeconfig,
        pytest.raises(AssertionError, match="no token `service-token`"),
    ):
        render_on(kubeconfig, "embedded", database__kind="chart")


def test_a_certificate_is_renewed_when_needed_by_the_same_authority(
    secrets: dict[str, Object], upgrade: Upgrade
) -> None:
    authority = x509.load_pem_x509_certificate(_value(secrets["ca"], "tls.crt").encode())
    named = upgrade(secrets, tls__extraNames=["mill.example.com"])
    assert named.keys() == {"orchestrator-tls"}
    x509.load_pem_x509_certificate(_value(named["orchestrator-tls"], "tls.crt").encode()).verify_directly_issued_by(
        authority
    )
    all_certificates = {name for name in _CREATED if name.endswith("-tls")}
    assert upgrade(secrets, tls__generated__renewal="now").keys() == all_certificates

    annotations = secrets["studio-tls"]["metadata"]["annotations"]
    third_s = 365 * 86_400 / 3
    assert int(annotations["lumenmill.dev/renew-after"]) == pytest.approx(time.time() + 2 * third_s, abs=600)
    annotations["lumenmill.dev/renew-after"] = str(int(time.time()) - 1)
    assert upgrade(secrets).keys() == {"studio-tls"}

    del secrets["ca"]
    renewed = upgrade(secrets)
    assert renewed.keys() == {"ca", *all_certificates}
    assert all(renewed[name]["data"]["ca.crt"] == renewed["ca"]["data"]["tls.crt"] for name in all_certificates)


@pytest.mark.parametrize(("mode", "key"), [("generated", "url-tls"), ("none", "url-plain")])
def test_the_database_url_matches_the_tls_mode(mode: str, key: str) -> None:
    objects = render("embedded", database__kind="chart", tls__mode=mode)
    orchestrator = of_kind(objects, "StatefulSet")["orchestrator"]["spec"]["template"]["spec"]
    [config] = [volume for volume in orchestrator["volumes"] if volume["name"] == "config"]
    items = {
        item["path"]: (source["secret"]["name"], item["key"])
        for source in config["projected"]["sources"]
        for item in source.get("secret", {}).get("items", [])
    }
    assert items["database-url"] == ("mill-lumenmill-postgres", key)
    postgres = of_kind(objects, "Secret")["postgres"]
    assert {"password", "url-plain", "url-tls"} == postgres["data"].keys()
    assert ("sslmode=verify-full" in _value(postgres, key)) == (mode == "generated")
