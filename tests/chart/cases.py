"""Deployments of the mesh for which all rules of test_manifests.py are checked."""

from typing import Any

from .helm import Object, render

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "embedded": ("embedded", {}),
    "gpu": ("gpu", {}),
    "postgres": ("embedded", {"database__kind": "chart", "orchestrator__replicas": 3, "exports__asJobs": True}),
    "keda": (
        "embedded",
        {"scaling__by": "keda", "models": [{"name": "studio", "service": "studio", "maxReplicas": 3}]},
    ),
    "fixed replicas": ("gpu", {"scaling__by": "none"}),
    "plain": ("embedded", {"tls__mode": "none", "token__enabled": False, "networkPolicy__enabled": False}),
    "cert-manager": ("embedded", {"tls__mode": "certManager"}),
    "existing secrets": (
        "gpu",
        {"tls__mode": "existing", "tls__existing__secretName": "mesh", "token__secret__name": "mesh-token"},
    ),
    "dra": ("gpu", {"gpu__mode": "dra"}),
    "shared cache": ("gpu", {"gpuModelDefaults__cache": {"kind": "pvc", "size": "500Gi", "storageClassName": "nfs"}}),
    "air-gapped": ("gpu", {"offline": True, "store__caSecret__name": "site-ca"}),
    "no kubernetes": ("embedded", {"fleet__enabled": False, "fleet__readNodes": False}),
    "language model": (
        "embedded",
        {
            "models": [
                {
                    "name": "llm",
                    "service": "prompter",
                    "settings": {"family": "openai", "openai_model": "m"},
                    "secretFiles": [{"setting": "openai_api_key_file", "name": "llm", "key": "api-key"}],
                    "egress": [{"ports": [{"port": 443, "protocol": "TCP"}]}],
                }
            ]
        },
    ),
}


def objects_of(case: str) -> list[Object]:
    """Return the rendered objects of one case."""
    values, overrides = CASES[case]
    return render(values, **overrides)
