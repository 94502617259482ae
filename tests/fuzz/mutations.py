"""Mutations of files: bytes changed, removed or repeated, and values of JSON replaced."""

import json
from random import Random
from typing import Any

__all__ = ["mutated_content"]

_VALUES: tuple[Any, ...] = (
    None,
    True,
    "",
    "x" * 1000,
    0,
    -1,
    1.5,
    1e308,
    1e-320,
    float("nan"),
    float("inf"),
    float("-inf"),
    2**63,
    2**64,
    10**400,
    [],
    {},
    [[]],
    {"a": {}},
    "\ud800",
    "../../etc/passwd",
    "file:///etc/passwd",
)


def mutated_content(rng: Random, content: bytes) -> bytes:
    """Return the content with one mutation, or unchanged."""
    if content[:1] == b"{" and rng.random() < 0.8:
        lines = content.splitlines()
        at = rng.randrange(len(lines))
        lines[at] = _mutated_json(rng, lines[at])
        return b"\n".join(lines)
    kind = rng.randint(0, 6)
    if kind == 0:
        return content
    if kind == 1:
        return b""
    if kind == 2:
        return content[: rng.randrange(len(content))]
    if kind == 3:
        return content * 2
    changed = bytearray(content)
    # Wrong bytes have most effect in headers.
    for _ in range(rng.choice([1, 1, 4])):
        end = len(changed) if kind == 4 else min(len(changed), 400)
        changed[rng.randrange(end)] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
    return bytes(changed)


def _mutated_json(rng: Random, line: bytes) -> bytes:
    document = json.loads(line)
    positions = list(_positions(document))
    holder, key = rng.choice(positions)
    kind = rng.randint(0, 9)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, dict):
        holder["unknown"] = holder[key]
    elif kind == 2:
        return line.replace(b":", b":" + b"[" * 3000, 1)
    else:
        holder[key] = rng.choice(_VALUES)
    return json.dumps(document).encode()


def _positions(value: Any) -> list[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    found = [(value, key) for key in keys]
    for key in keys:
        found += _positions(value[key])
    return found
