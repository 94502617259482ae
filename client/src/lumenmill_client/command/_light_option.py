"""Light on the command line: `KIND:FIELD=VALUE,…`, with the names of light.proto."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from lumenmill.common.v1.light_pb2 import Light, LightSource
from lumenmill_client._client import Client
from lumenmill_client.command._output import to_dict
from lumenmill_client.command._paths import num_parts_of_path
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.json_misfits import json_misfit

__all__ = ["LIGHT_HELP", "parse_light"]

_KINDS = ("area", "directional", "sun_sky", "environment_map", "spherical_harmonics", "background")
# In the contract an absent irradiance is 0, no light; on the command line it has a default.
_DEFAULTS = {"area": {"irradiance": 4.0}, "directional": {"irradiance": 4.0}}
_COLORED = ("area", "directional")
_FILE_FIELDS = {"environment_map": "map", "background": "image"}

LIGHT_HELP = (
    "A source as KIND:FIELD=VALUE,… with the fields of light.proto; may be given several times, sources add up. "
    "The default irradiance is 4. "
    "Examples: area:azimuth_deg=-60,elevation_deg=35,irradiance=4,temperature_k=3200 | "
    "sun_sky:sun_azimuth_deg=90,sun_elevation_deg=10 | environment_map:map=alley.hdr,rotation_deg=90"
)


def parse_light(client: Client, sources: list[str]) -> Light | None:
    """Return the light with these sources, or None without any. Named files are uploaded.

    Raises:
        InvalidArgumentError: a kind, field or value is unknown; the message lists the known ones.
    """
    if not sources:
        return None
    return Light(sources=[_parse_source(client, source) for source in sources])


def _parse_source(client: Client, text: str) -> LightSource:
    kind, _, fields = text.partition(":")
    if kind not in _KINDS:
        raise InvalidArgumentError("--light", f"{kind!r} is not one of: {', '.join(_KINDS)}")
    content: dict[str, Any] = dict(_DEFAULTS.get(kind, {}))
    for field in _fields(kind, fields):
        name, separator, value = field.partition("=")
        if not separator:
            raise InvalidArgumentError("--light", f"{field!r} is not FIELD=VALUE")
        content |= _field(client, kind, name, value)
    try:
        return json_format.ParseDict({kind: content}, LightSource())
    except (json_format.ParseError, ValueError):
        known = [*getattr(LightSource(), kind).DESCRIPTOR.fields_by_name]
        if content.keys() <= set(known):
            misfit = json_misfit({kind: content}, LightSource.DESCRIPTOR)
            raise InvalidArgumentError("--light", misfit) from None
        names = ", ".join([*known, *(["temperature_k"] if kind in _COLORED else [])])
        raise InvalidArgumentError("--light", f"{fields!r} does not fit; fields of {kind}: {names}") from None


def _fields(kind: str, text: str) -> Iterator[str]:
    """Yield the `FIELD=VALUE` of a source; the name of a file may contain commas."""
    parts = text.split(",")
    while parts:
        name, separator, value = parts[0].partition("=")
        is_file = bool(separator) and _FILE_FIELDS.get(kind) == name
        length = num_parts_of_path([value, *parts[1:]], ",") if is_file else 1
        field = ",".join(parts[:length])
        del parts[:length]
        if field:
            yield field


def _field(client: Client, kind: str, name: str, value: str) -> dict[str, Any]:
    if name == "temperature_k" and kind in _COLORED:
        return {"color": {"temperature_k": value}}
    if _FILE_FIELDS.get(kind) == name:
        return {name: to_dict(client.upload(Path(value)))}
    if name == "coefficients":
        return {name: value.split()}
    return {name: value}
