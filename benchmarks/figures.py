"""What a benchmark says: figures with units and what they are held to, as a table or as JSON."""

import argparse
import dataclasses
import json
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

__all__ = ["Figure", "median_of", "show", "tell"]


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
        """What it is held to, for people; empty when it is for information only."""
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return f"≤ {self.at_most:g}" if self.at_most is not None else ""

    @property
    def met(self) -> bool | None:
        """Whether it is as it should be; None without a target."""
        if self.at_least is not None:
            return self.value >= self.at_least
        return self.value <= self.at_most if self.at_most is not None else None


def median_of(name: str, values: Sequence[float], unit: str, **target: float) -> Figure:
    """The median of several runs."""
    return Figure(name, statistics.median(values), unit, **target)


def tell(description: str, measure: Callable[[bool], list[Figure]]) -> None:
    """The main of every benchmark: measures, prints, and exits with 1 when a target was missed."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter repeats: to see that it runs")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    show(measure(arguments.quick), arguments.json)


def show(figures: Sequence[Figure], as_json: bool) -> NoReturn:
    """Prints figures, and exits with 1 when a target was missed."""
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
