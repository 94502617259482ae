"""The table of values in the chart's README, generated from values.yaml and its comments.

`python -m tests.chart.values_table` writes it; a test fails when it is outdated.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from .helm import CHART

README = CHART / "README.md"
BEGIN, END = "<!-- values -->\n", "<!-- end of values -->\n"
_KEY = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z]\w*):(?P<rest>.*)")


def commented_keys() -> Iterator[tuple[str, str]]:
    """Yield every key of values.yaml as a path, with the comment above it (empty when there is none)."""
    path: list[tuple[int, str]] = []
    comment: list[str] = []
    for line in (CHART / "values.yaml").read_text().splitlines():
        if line.lstrip().startswith("#"):
            comment.append(line.strip().lstrip("#").strip())
            continue
        found = _KEY.fullmatch(line)
        if found:
            indent = len(found["indent"])
            path = [part for part in path if part[0] < indent] + [(indent, found["key"])]
            yield ".".join(key for _, key in path), " ".join(comment)
        comment = []


def leaves(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value that is not a group, by its path."""
    for key, value in values.items():
        if isinstance(value, dict) and value and not _is_free(f"{prefix}{key}"):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _is_free(path: str) -> bool:
    """Return whether the operator chooses the keys of a map."""
    return path.endswith(("resources", "rollingUpdate", "kedaNamespace", "labels", "annotations"))


def table() -> str:
    """Return the table as Markdown."""
    comments = dict(commented_keys())
    rows = ["| value | default | meaning |", "|---|---|---|"]
    for path, default in leaves(yaml.safe_load((CHART / "values.yaml").read_text())):
        if path.startswith("gpuModelDefaults.") and not comments[path]:
            meaning = f"as modelDefaults.{path.partition('.')[2]}, for models with GPUs"
        else:
            meaning = comments[path] or comments[path.rpartition(".")[0]]
        shown = "" if default == "" else f"`{json.dumps(default)}`"
        rows.append(f"| `{path}` | {shown} | {meaning.replace('|', chr(92) + '|')} |")
    return "\n".join(rows) + "\n"


def written(text: str) -> str:
    """Return the README with the current table."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return head + BEGIN + table() + END + tail


if __name__ == "__main__":
    README.write_text(written(README.read_text()))
