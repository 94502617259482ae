"""Write the dashboards and alerts into the chart: Helm can read only files inside a chart."""

import sys
from pathlib import Path

from monitoring.output import chart_files

__all__ = ["main"]


def main(target: Path) -> None:
    """Write every file below a folder."""
    for name, text in chart_files().items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "helm" / "lumenmill" / "files")
