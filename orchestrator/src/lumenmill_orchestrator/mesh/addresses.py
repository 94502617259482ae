"""Addresses of models: their syntax, and the lookup of names."""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

__all__ = ["Resolve", "Target", "parse_addresses", "resolve"]

_DNS, _IPV4 = "dns:///", "ipv4:"
_HOST_AND_PORT = re.compile(r"^[\d.]+:\d+$")
_NO_SUCH_NAME = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME), socket.EAI_ADDRFAMILY})

Resolve = Callable[[str, int], Awaitable[list[str] | None]]
"""From a name and a port to its addresses (`10.0.3.7:50051`), or None when they cannot be looked up now."""


@dataclass(frozen=True)
class Target:
    """Where a model is called: one process at `host:port`, several at `ipv4:address:port,address:port`, or as many as
    there are behind the name of `dns:///host:port`."""

    address: str
    host: str = ""
    """The name to look up; empty for given processes."""
    port: int = 0

    @property
    def given(self) -> list[str]:
        """The addresses of the given processes; none for a name."""
        return [] if self.host else [each for each in self.address.removeprefix(_IPV4).split(",") if each]

    @staticmethod
    def of(address: str) -> "Target":
        """Return the target of an address.

        Raises:
            ValueError: a name without a port, or one of several addresses is none.
        """
        if address.startswith(_IPV4) and not all(_HOST_AND_PORT.match(each) for each in Target(address).given):
            raise ValueError(f"`{address}` must be ipv4:ADDRESS:PORT,ADDRESS:PORT")
        if not address.startswith(_DNS):
            return Target(address)
        host, _, port = address.removeprefix(_DNS).rpartition(":")
        if not host or not port.isdigit():
            raise ValueError(f"`{address}` must be dns:///NAME:PORT")
        return Target(address, host.strip("[]"), int(port))


async def resolve(host: str, port: int) -> list[str] | None:
    """Return the addresses of a name, by the system's resolver. A name that does not exist has none: no pod is ready.

    All are of one family; otherwise a pod with an address in each would count twice.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return [] if error.errno in _NO_SUCH_NAME else None
    addresses: dict[int, list[str]] = {socket.AF_INET: [], socket.AF_INET6: []}
    for family, _, _, _, (ip, *_) in found:
        if family in addresses:
            addresses[family].append(f"[{ip}]:{port}" if family == socket.AF_INET6 else f"{ip}:{port}")
    return list(dict.fromkeys(addresses[socket.AF_INET] or addresses[socket.AF_INET6]))


def parse_addresses(text: str) -> dict[str, str]:
    """Return names and addresses from JSON or YAML.

    Raises:
        ValueError: it is not a mapping of names to addresses, or one of them is none.
    """
    try:
        loaded = YAML(typ="safe").load(text)
    except YAMLError as error:
        raise ValueError(f"not YAML: {error}") from None
    if not isinstance(loaded, dict) or not all(isinstance(address, str) for address in loaded.values()):
        raise ValueError("must be a mapping from names of models to addresses")
    return {str(name): Target.of(address).address for name, address in loaded.items()}
