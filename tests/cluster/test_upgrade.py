"""Upgrade and rollback during a run."""

import pytest
from kube import CHART, Namespace
from mesh import NEXT_TAG, RELEASE, TAG, Mesh, all_ready, helm_values

RECIPE = "recipes/light-groups.yaml"


@pytest.mark.skipif(not NEXT_TAG, reason="no second version: set LUMENMILL_TEST_NEXT_TAG")
@pytest.mark.parametrize("direction", ["upgrade", "rollback"])
def test_a_run_continues_through_a_change_of_version_without_failed_samples(
    mesh: Mesh, namespace: Namespace, direction: str
) -> None:
    run_id, wanted = f"through-{direction}", NEXT_TAG if direction == "upgrade" else TAG
    seed = 41 if direction == "upgrade" else 42
    mesh.submit(RECIPE, run_id, num_img_sets=5, num_relight_variants=2, preset="fast", seed=seed)
    if direction == "upgrade":
        namespace.helm("upgrade", RELEASE, str(CHART), *helm_values(NEXT_TAG))
    else:
        namespace.helm("rollback", RELEASE)
    ended = mesh.wait(run_id, timeout_s=420)
    all_ready(namespace)
    assert ended["state"] == "completed"
    assert sum(int(step.get("num_failed", 0)) for step in ended["steps"]) == 0, ended["steps"]
    assert int(ended["num_samples_accepted"]) + int(ended.get("num_samples_rejected", 0)) == 15
    images = {
        container["image"]
        for pod in namespace.pods("app.kubernetes.io/component in (model, orchestrator)")
        for container in pod["spec"]["containers"]
        if "lumenmill-" in container["image"]
    }
    assert {image.rpartition(":")[2] for image in images} == {wanted}
