"""A cluster with one installed mesh. The test modules run in the order of ORDER."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from kube import Namespace, forwarded, run
from mesh import RELEASE, Mesh, credentials, installed

ORDER = ["install", "flows", "kills", "upgrade", "scheduling", "keda", "uninstall"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # They install the chart and delete the pods of nodes, so that they run only where a cluster is given for that.
    needs_cluster = pytest.mark.skipif(
        not os.environ.get("KUBECONFIG"), reason="no cluster for tests in KUBECONFIG; tests/cluster/run.sh starts one"
    )
    for item in items:
        item.add_marker(needs_cluster)
    items.sort(key=lambda item: ORDER.index(item.path.stem.removeprefix("test_")))


@pytest.fixture(scope="session")
def namespace() -> Iterator[Namespace]:
    """Yield a namespace that enforces Pod Security `restricted`."""
    space = Namespace("lumenmill-test")
    run("kubectl", "create", "namespace", space.name)
    run("kubectl", "label", "namespace", space.name, "pod-security.kubernetes.io/enforce=restricted")
    yield space
    run("helm", "-n", space.name, "uninstall", RELEASE, check=False)  # deletes cluster-wide objects too
    run("kubectl", "delete", "namespace", space.name, "--timeout=120s", check=False)


@pytest.fixture(scope="session")
def mesh(namespace: Namespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """Install the release, and yield it with a client outside of the cluster."""
    installed(namespace)
    folder = tmp_path_factory.mktemp("client")
    with forwarded(namespace, f"service/{RELEASE}-orchestrator", 50051) as address:
        environment = os.environ | credentials(namespace, folder) | {"LUMENMILL_ADDRESS": address}
        yield Mesh(namespace, address, folder, environment)
