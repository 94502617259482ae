"""Bad values by kind: out of bounds, malformed, or hostile."""

import math
from random import Random
from urllib.parse import quote

from google.protobuf import struct_pb2

__all__ = [
    "bad_bytes",
    "bad_enum",
    "bad_float",
    "bad_integer",
    "bad_json",
    "bad_recipe",
    "bad_string",
    "bad_uri",
]

_TEXTS = (
    "",
    " ",
    "\t\n\r",
    "\0",
    "a\0b",
    "\x1b[31m\x07\x08",
    "..",
    "../../../../etc/passwd",
    "/etc/passwd",
    "file:///etc/passwd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "C:\\Windows\\system32",
    "${params.x}",
    "${",
    "{0}%s%n%x",
    "'; DROP TABLE runs; --",
    "<script>alert(1)</script>",
    "\u202eesrever\u202c",
    "\ufeff\u200b",
    "🕯️" * 5,
    "ﷺ",
    "NaN",
    "-1",
    "1e999",
    "true",
    "null",
    "LTE=",
    "AAAA",
    "ZmZmZg==",
)
_FLOATS = (math.nan, math.inf, -math.inf, 0.0, -0.0, 1e-45, -1e-45, 1e-30, 1.0, -1.0, 1e30, -1e30, 3.4e38, -3.4e38)
_PAIRS = tuple(zip("abcdefgh", "bcdefghi", strict=True))
_DOCUMENTS = (
    "a",
    "[]",
    "{}",
    "- - - -",
    "lumenmill: 1\n\tname: tabs\n",
    "a: &a [*a]\n",
    "a: &a {b: *a}\n",
    "lumenmill: 1\nname: &n {<<: *n}\n",
    "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in _PAIRS),
    "[" * 300,
    "[" * 300 + "]" * 300,
    "{a: " * 300 + "1" + "}" * 300,
    "? {complex: key}\n: value\n",
    "? [1, 2]\n: value\n",
    "!!python/object/apply:os.system ['true']\n",
    "!!binary aGVsbG8=\n",
    "!!set {a, b}\n",
    "!!omap [a: 1]\n",
    "--- a\n--- b\n",
    "%YAML 9.9\n---\na: b\n",
    "a: 1\na: 2\n",
    "\ufeffa: b",
    "a: \x00b",
    "a: 'unclosed",
    "a: !unknown b",
    "x" * 200_000,
    "k: v\n" * 20_000,
    "".join(f"k{n}: v\n" for n in range(10_000)),
)
_SCRAPS = (
    "${",
    "}",
    "${item..x}",
    "${item[999999999999]}",
    "${item[-1]}",
    "${caption[each_index]}",
    "${params.unknown}",
    "${image.images[*][*]}",
    "null",
    "~",
    ".nan",
    ".inf",
    "-.inf",
    "1e400",
    "9" * 5000,
    "0x" + "f" * 400,
    "2020-01-01",
    "2020-01-01T00:00:00Z",
    "!!binary aGk=",
    "!!set {a, b}",
    "12:30:45",
    "yes",
    "0o17",
    "[]",
    "{}",
    "[[[[]]]]",
    "{? [1]: 2}",
    "&x 1",
    "*unknown",
    "<<",
    "|\n  block",
    '"\\ud800"',
    "'\\0'",
    "imager.Unknown",
    "unknown.GenerateImages",
    "caption",
    "-1",
    "18446744073709551616",
)


def bad_string(rng: Random, max_len: int) -> str:
    """Return a string that is odd, empty or too long."""
    kind = rng.random()
    if kind < 0.1:
        return rng.choice(["a", " ", "\n", "é", "🕯"]) * rng.choice([max_len, max_len + 1, max_len - 1])
    if kind < 0.12:
        return "a" * (1 << 20)
    return rng.choice(_TEXTS)


def bad_float(rng: Random, lowest: float, highest: float) -> float:
    """Return a float that is not finite, or at or just beyond a bound."""
    edges = (lowest, highest, math.nextafter(lowest, -math.inf), highest * 1.001 + 1e-3, lowest - 1e-3)
    return rng.choice(_FLOATS + edges)


def bad_integer(rng: Random, bits: int, unsigned: bool, lowest: int, highest: int) -> int:
    """Return an integer at or just beyond a bound of the contract or of its type."""
    smallest = 0 if unsigned else -(1 << (bits - 1))
    largest = (1 << bits) - 1 if unsigned else (1 << (bits - 1)) - 1
    chosen = rng.choice([smallest, largest, largest - 1, 1 << (bits - 2), 0, 1, -1, lowest - 1, highest, highest + 1])
    return min(max(chosen, smallest), largest)


def bad_enum(rng: Random) -> int:
    """Return a number without an enum value, or that of UNSPECIFIED."""
    return rng.choice([0, -1, 99, (1 << 31) - 1, -(1 << 31)])


def bad_bytes(rng: Random) -> bytes:
    """Return meaningless bytes."""
    return rng.choice([b"", b"\0", b"\xff" * 100, b"\x89PNG\r\n\x1a\n", b"a" * ((1 << 20) + 1), b"#?RADIANCE\n"])


def bad_json(rng: Random, depth: int = 0) -> struct_pb2.Value:
    """Return a value of a Struct: of a wrong type, not finite, without a kind, or nested."""
    number = rng.choice([*_FLOATS, 1e308, 16, 17.5, 2.0**63])
    plain = [
        struct_pb2.Value(),
        struct_pb2.Value(null_value=struct_pb2.NULL_VALUE),
        struct_pb2.Value(number_value=number),
        struct_pb2.Value(number_value=number),
        struct_pb2.Value(bool_value=True),
        struct_pb2.Value(string_value=bad_string(rng, 100)),
        _nested(1),
        _nested(40),
    ]
    if depth < 2:
        holder = struct_pb2.Value()
        name = rng.choice(["uri", "sha256", "inline_data", "\0", ""])
        holder.struct_value.fields[name].CopyFrom(bad_json(rng, depth + 1))
        plain += [holder, struct_pb2.Value(list_value={"values": [bad_json(rng, depth + 1)] * 2})]
    return rng.choice(plain)


def _nested(depth: int) -> struct_pb2.Value:
    value = struct_pb2.Value(string_value="deep")
    for _ in range(depth):
        value = struct_pb2.Value(list_value={"values": [value]})
    return value


def bad_recipe(rng: Random, recipe: str) -> str:
    """Return a document that is not a recipe, or a recipe with missing, repeated or wrong lines."""
    if rng.random() < 0.25:
        return rng.choice(_DOCUMENTS)
    lines = recipe.splitlines()
    for _ in range(rng.randint(1, 2)):
        at = rng.randrange(len(lines))
        kind = rng.randint(0, 5)
        if kind == 0:
            lines.pop(at)
        elif kind == 1:
            lines.insert(at, lines[rng.randrange(len(lines))])
        elif kind == 2:
            lines[at] = rng.choice([" ", "\t", "  - "]) + lines[at]
        elif kind == 3:
            lines[at] = lines[at].partition(":")[0] + ": " + rng.choice(_SCRAPS)
        else:
            place = rng.randrange(len(lines[at]) + 1)
            lines[at] = lines[at][:place] + rng.choice(_SCRAPS) + lines[at][place + rng.randint(0, 6) :]
    return "\n".join(lines) + "\n"


def bad_uri(rng: Random, uri: str) -> str:
    """Return a URI that is not one of an artifact in the store."""
    base, _, key = uri.partition("objects/")
    folder, _, name = key.partition("/")
    return rng.choice(
        [
            "",
            "/",
            "file:///",
            "file:///etc/passwd",
            "file:///proc/self/environ",
            "file://localhost/etc/passwd",
            "file:/etc/passwd",
            "http://127.0.0.1:1/picture.png",
            "https://example.invalid/picture.png",
            f"s3://other/objects/{key}",
            "s3://",
            "gopher://x",
            base,
            base.rstrip("/"),
            f"{base}objects",
            f"{base}objects/",
            f"{base}objects/{folder}",
            f"{base}incoming/{name}",
            f"{base}notes/{key}",
            f"{base}objects/../objects/{key}",
            f"{base}objects/{folder}/../{folder}/{name}",
            f"{base}objects//{key}",
            f"{base}objects/{folder}/./{name}",
            f"{base}../etc/passwd",
            base + quote("../../etc/passwd", safe=""),
            f"{base}%2e%2e/%2e%2e/etc/passwd",
            f"{base}..%c0%af..%c0%afetc/passwd",
            f"{base}objects/ff/{'f' * 64}.png",
            f"{base}objects/{folder}/{name.upper()}",
            f"{uri}\0.png",
            f"{uri}\n",
            f"{uri}?x=1",
            f"{uri}#x",
            f" {uri}",
            f"{uri}/",
            uri.replace("file://", "FILE://"),
            uri + "." * 3000,
            uri.rpartition(".")[0],
            f"{uri}.exe",
        ]
    )
