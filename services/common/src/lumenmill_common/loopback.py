"""Addresses of this machine, which no proxy of the environment can reach."""

import ipaddress
import os
import re
from urllib.parse import urlsplit

__all__ = ["exempt_from_proxies", "is_loopback"]

# Some libraries read only one of them, and those that read both differ in which counts.
_NO_PROXY = ("no_proxy", "NO_PROXY")
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")

_TARGET = re.compile(r"(?:(?:dns|passthrough):(?://[^/]*/)?|ipv[46]:)?(?P<address>.*)")


def is_loopback(address: str) -> bool:
    """Return whether an address is this machine: a URL, `host:port`, or a target of gRPC such as `dns:///host:port`."""
    if "://" in address and not address.startswith(("dns:", "passthrough:")):
        return _is_loopback_host(urlsplit(address).hostname or "")
    found = _TARGET.fullmatch(address)
    return found is not None and all(_is_loopback_host(_host(each)) for each in found["address"].split(","))


def exempt_from_proxies(*urls: str) -> None:
    """Have every HTTP client of this process and its children reach this machine without a proxy.

    Clients of libraries follow the variables of the environment, and read them when they are created. Besides the usual
    names, the hosts of those `urls` that are this machine are exempt.
    """
    hosts = [*_THIS_MACHINE, *(urlsplit(url).hostname or "" for url in urls if is_loopback(url))]
    stated = [host.strip() for name in _NO_PROXY for host in os.environ.get(name, "").split(",") if host.strip()]
    if "*" in stated:
        return
    for name in _NO_PROXY:
        os.environ[name] = ",".join(dict.fromkeys([*stated, *hosts]))


def _host(address: str) -> str:
    """Return the host of `host`, `host:port`, `[::1]:port` or `::1`."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def _is_loopback_host(host: str) -> bool:
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        number = ipaddress.ip_address(name)
    except ValueError:
        return False
    number = getattr(number, "ipv4_mapped", None) or number
    return number.is_loopback or number.is_unspecified
