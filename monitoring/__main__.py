"""Writes the dashboards and alerts into the chart, which can read only what lies in it."""

import sys
from pathlib import Path

from monitoring.output import files

__all__ = ["main"]


def main(target: Path) -> None:
    """Writes every file below a folder."""
    for name, text in files().items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "helm" / "lumenmill" / "files")
