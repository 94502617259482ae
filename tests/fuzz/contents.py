"""Files that are nearly right: bytes flipped, cut off or doubled, and values of JSON replaced."""

import json
from random import Random
from typing import Any

__all__ = ["spoilt_content"]

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


def spoilt_content(choices: Random, content: bytes) -> bytes:
    """The content with something wrong with it, now and then nothing."""
    if content[:1] == b"{" and choices.random() < 0.8:
        lines = content.splitlines()
        at = choices.randrange(len(lines))
        lines[at] = _spoilt_json(choices, lines[at])
        return b"\n".join(lines)
    kind = choices.randint(0, 6)
    if kind == 0:
        return content
    if kind == 1:
        return b""
    if kind == 2:
        return content[: choices.randrange(len(content))]
    if kind == 3:
        return content * 2
    changed = bytearray(content)
    # Headers come first; that is where a wrong byte does most.
    for _ in range(choices.choice([1, 1, 4])):
        end = len(changed) if kind == 4 else min(len(changed), 400)
        changed[choices.randrange(end)] = choices.choice([0, 1, 0x7F, 0x80, 0xFF, choices.randrange(256)])
    return bytes(changed)


def _spoilt_json(choices: Random, line: bytes) -> bytes:
    document = json.loads(line)
    places = list(_places(document))
    holder, key = choices.choice(places)
    kind = choices.randint(0, 9)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, dict):
        holder["unknown"] = holder[key]
    elif kind == 2:
        return line.replace(b":", b":" + b"[" * 3000, 1)
    else:
        holder[key] = choices.choice(_VALUES)
    return json.dumps(document).encode()


def _places(value: Any) -> list[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    found = [(value, key) for key in keys]
    for key in keys:
        found += _places(value[key])
    return found
