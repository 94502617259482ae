"""The figures of a benchmark, with units and targets, printed as a table or as JSON."""

import argparse
import dataclasses
import json
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

__all__ = ["Figure", "median_of", "report", "run_benchmark"]


@dataclass(frozen=True)
class Figure:
    """One measured number."""

    name: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def target(self) -> str:
        """The target as text; empty without one."""
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return f"≤ {self.at_most:g}" if self.at_most is not None else ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a target."""
        if self.at_least is not None:
            return self.value >= self.at_least
        return self.value <= self.at_most if self.at_most is not None else None


def median_of(name: str, values: Sequence[float], unit: str, **target: float) -> Figure:
    """Return the median of several runs as a figure."""
    return Figure(name, statistics.median(values), unit, **target)


def run_benchmark(description: str, measure: Callable[[bool], list[Figure]]) -> None:
    """Parse the arguments of a benchmark, measure and print; exit with 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter repetitions: checks only that it runs")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    report(measure(arguments.quick), arguments.json)


def report(figures: Sequence[Figure], as_json: bool) -> NoReturn:
    """Print figures, and exit with 1 when a target is missed."""
    if as_json:
        rows = [{**dataclasses.asdict(figure), "target": figure.target, "met": figure.met} for figure in figures]
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    else:
        for figure in figures:
            verdict = {True: "met", False: "MISSED", None: ""}[figure.met]
            sys.stdout.write(
                f"{figure.name:<58} {figure.value:>12.4g} {figure.unit:<12} {figure.target:<9} {verdict}\n"
            )
    sys.exit(any(figure.met is False for figure in figures))
