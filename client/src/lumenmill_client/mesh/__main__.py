"""The supervisor process: `python -m lumenmill_client.mesh HOME OPTIONS_JSON`. Started by `lumenmill up`."""

import sys
from pathlib import Path

from lumenmill_client.mesh._home import Home
from lumenmill_client.mesh._services import MeshOptions
from lumenmill_client.mesh._supervisor import run_supervisor


def main() -> None:
    """Supervise the mesh of one home."""
    home, options = sys.argv[1:]
    run_supervisor(Home.at(Path(home)), MeshOptions.model_validate_json(options))


if __name__ == "__main__":
    main()
