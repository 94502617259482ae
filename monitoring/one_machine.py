"""Prometheus on one machine, for a mesh that `lumenmill up` has started.

`python -m monitoring.one_machine --home .lumenmill` writes a configuration of Prometheus, and keeps its list of the
mesh's processes current until it is stopped: a restarted process has another port.
"""

import argparse
import contextlib
import json
import time
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from monitoring.output import chart_files

__all__ = ["main", "write_configuration", "write_targets"]

_ORCHESTRATOR = "orchestrator"
_UPDATE_EVERY_S = 2.0


def write_configuration(folder: Path, scrape_interval: str = "15s") -> Path:
    """Write `prometheus.yml` and `alerts.yaml` into a folder, and return the path of the first.

    Prometheus reads its targets from `targets.json` in the same folder.
    """
    (folder / "alerts.yaml").write_text(chart_files()["alerts.yaml"])
    configuration = {
        "global": {"scrape_interval": scrape_interval, "evaluation_interval": scrape_interval},
        "rule_files": [str(folder / "alerts.yaml")],
        "scrape_configs": [
            {
                "job_name": "lumenmill",
                "file_sd_configs": [{"files": [str(folder / "targets.json")], "refresh_interval": "5s"}],
            }
        ],
    }
    path = folder / "prometheus.yml"
    with path.open("w") as file:
        YAML().dump(configuration, file)
    return path


def write_targets(home: Path, folder: Path) -> None:
    """Write the present processes of a mesh to `targets.json`, atomically.

    The label `instance` is the name of the process, so that it stays the same when the port changes. Models have a
    label `model`.
    """
    mesh = home / "run" / "mesh.json"
    services: list[dict[str, Any]] = json.loads(mesh.read_text())["services"] if mesh.is_file() else []
    targets = [
        {"targets": [service["metrics"]], "labels": _labels(service["name"])}
        for service in services
        if service["metrics"]
    ]
    incoming = folder / "targets.incoming"
    incoming.write_text(json.dumps(targets))
    incoming.replace(folder / "targets.json")


def _labels(name: str) -> dict[str, str]:
    labels = {"namespace": "local", "instance": name}
    return labels if name == _ORCHESTRATOR else {**labels, "model": name}


def main() -> None:
    """Write the configuration, print the command that uses it, and update the targets until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(".lumenmill"), help="State folder of the mesh.")
    parser.add_argument("--to", type=Path, default=Path(".lumenmill/prometheus"), help="Folder to write into.")
    arguments = parser.parse_args()
    folder = arguments.to.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    print(f"prometheus --config.file={write_configuration(folder)} --storage.tsdb.path={folder / 'data'}")  # noqa: T201
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            write_targets(arguments.home, folder)
            time.sleep(_UPDATE_EVERY_S)


if __name__ == "__main__":
    main()
