"""Runs every benchmark and writes benchmarks/results.json and docs/performance.md. Takes 12 minutes.

Figures of neural services are kept where these are not installed (`make neural`).
"""

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_BENCHMARKS = ("execution", "mesh", "studio", "light_basis", "decoding", "grammar", "neural_services")
_OF_NEURAL_SERVICES = {"neural_services"}
_HERE = Path(__file__).parent
_RESULTS = _HERE / "results.json"
_PAGE = _HERE.parent / "docs" / "performance.md"
_HEAD = """# Performance

`make benchmarks` measures every figure and writes this page. Each figure is the median of several runs; alternatives
are compared in alternating runs on one machine within minutes. `benchmarks/<name>.py` defines what is measured and
runs by itself: `python benchmarks/execution.py [--quick] [--json]`.

"""


def _run(name: str, quick: bool) -> list[dict[str, Any]]:
    command = [sys.executable, str(_HERE / f"{name}.py"), "--json", *(["--quick"] if quick else [])]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    if not done.stdout.strip().startswith("["):
        raise SystemExit(f"benchmark {name} failed:\n{done.stderr[-2000:]}")
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def _machine() -> str:
    cpu = platform.processor() or "unknown CPU"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores ({cpu}), {memory_gib:.0f} GiB, no GPU, Python {platform.python_version()}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _section(name: str, rows: list[dict[str, Any]]) -> str:
    module = (_HERE / f"{name}.py").read_text().split('"""')[1].strip().replace("\n", " ")
    lines = [f"## `benchmarks/{name}.py`", "", " ".join(module.split()), "", "| | | target |", "|---|---:|---|"]
    for row in rows:
        missed = " **missed**" if row["met"] is False else ""
        lines.append(f"| {row['name']} | {_number(row['value'])} {row['unit']} | {row['target']}{missed} |")
    return "\n".join([*lines, ""])


def _installed_benchmarks() -> list[str]:
    has_neural = importlib.util.find_spec("lumenmill_neural") is not None
    return [name for name in _BENCHMARKS if has_neural or name not in _OF_NEURAL_SERVICES]


def main() -> None:
    """Run the benchmarks and write their figures; with `--quick`, only check that they run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only check that every benchmark runs; write nothing")
    parser.add_argument(
        "names", nargs="*", help=f"only these of {', '.join(_BENCHMARKS)}; keep the figures of the others"
    )
    options = parser.parse_args()
    names, quick = options.names or _installed_benchmarks(), options.quick
    if unknown := set(names) - set(_BENCHMARKS):
        parser.error(f"unknown benchmarks: {', '.join(sorted(unknown))}")
    earlier = json.loads(_RESULTS.read_text())["results"] if _RESULTS.exists() else {}
    results: dict[str, list[dict[str, Any]]] = {name: earlier[name] for name in _BENCHMARKS if name in earlier}
    for number, name in enumerate(names, 1):
        started_s = time.monotonic()
        sys.stderr.write(f"[{number}/{len(names)}] {name} … ")
        sys.stderr.flush()
        results[name] = _run(name, quick)
        sys.stderr.write(f"{time.monotonic() - started_s:.0f} s\n")
    if quick:
        return
    _RESULTS.write_text(json.dumps({"machine": _machine(), "results": results}, indent=1) + "\n")
    sections = "\n".join(_section(name, results[name]) for name in _BENCHMARKS if name in results)
    _PAGE.write_text(f"{_HEAD}Machine: {_machine()}.\n\n{sections}")


if __name__ == "__main__":
    main()
