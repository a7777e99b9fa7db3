"""The gate that every address of a request passes before anything is stored.

Only the text is judged, nothing is looked up: what a name resolves to is judged when it is connected to.
The checks stand in this order, and the first that fails names the refusal:

1. at most 2048 characters, ``http://`` or ``https://``, then a host;
2. no space, backslash, control or invisible character, no user name;
3. a host and a port that every URL parser would read alike;
4. a port among ``download.allow_ports``, a public address or a name that is not special.

``download.allow_hosts`` softens the fourth only. An entry without a port (CIDR, address, host name) lifts the
rule of private and special hosts, not the rule of ports; an entry with a port lifts both, for that port alone.
Names are compared whole: allowing ``nas.local`` does not allow ``x.nas.local``.
"""

from __future__ import annotations

import ipaddress
import re
import string
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING
from urllib.parse import quote

from pipeline.core.hosts import MAX_PORT, Host, is_public_ip, is_special_name, split_authority
from pipeline.refusals import (
    UrlCredentials,
    UrlForbiddenAddress,
    UrlForbiddenHost,
    UrlMalformed,
    UrlPort,
    UrlRefused,
    UrlScheme,
    UrlTooLong,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_ADDRESS_CHARS = 2048

_DEFAULT_PORTS = {"http": 80, "https": 443}

# ASCII: without it, IGNORECASE reads the long s of "httpſ" as an s.
_ADDRESS = re.compile(r"(https?)://([^/?#]+)([^#]*)", re.IGNORECASE | re.ASCII)
_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})")

_UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")  # RFC 3986 section 2.3
_KEPT = "%/?:@!$&'()*+,;=[]"  # what stands for itself in a path or query, or is in use there as if it did


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What ``download.allow_hosts`` and ``download.allow_ports`` permit."""

    ports: frozenset[int]
    """Ports that any permitted host may be asked on."""
    networks: tuple[IPv4Network | IPv6Network, ...]
    """Addresses permitted although they are not public, on one of ``ports``."""
    endpoints: frozenset[tuple[str, int]]
    """Host as in ``Address.host``, and port: permitted whatever both are."""
    hosts: frozenset[str]
    """Names permitted although they are special, on one of ``ports``."""

    @classmethod
    def parse(cls, allow_hosts: Sequence[str], allow_ports: Sequence[int]) -> AddressPolicy:
        """Read the two settings.

        Args:
            allow_hosts: each a CIDR, an address, a host name, ``address:port``, ``[IPv6]:port`` or ``name:port``.
            allow_ports: each from 1 to 65535.

        Raises:
            ValueError: it names the entry that cannot be read.
        """
        for port in allow_ports:
            if not 1 <= port <= MAX_PORT:
                raise ValueError(f"{port!r} is not a port from 1 to {MAX_PORT}")
        entries = [_read_entry(entry) for entry in allow_hosts]
        return cls(
            ports=frozenset(allow_ports),
            networks=tuple(entry for entry in entries if isinstance(entry, IPv4Network | IPv6Network)),
            endpoints=frozenset(entry for entry in entries if isinstance(entry, tuple)),
            hosts=frozenset(entry for entry in entries if isinstance(entry, str)),
        )


def _read_entry(entry: str) -> IPv4Network | IPv6Network | tuple[str, int] | str:
    try:
        return ipaddress.ip_network(entry)
    except ValueError:
        pass  # no bare address and no CIDR
    try:
        host, port = split_authority(entry)
    except UrlRefused:
        raise ValueError(
            f"{entry!r} is neither a CIDR (192.168.0.0/16: no bits set after the prefix), nor an address "
            "or host name, with or without :port",
        ) from None
    if port is not None:
        return str(host), port
    return host if isinstance(host, str) else ipaddress.ip_network(host)


@dataclass(frozen=True, slots=True)
class Address:
    """An address that passed the gate."""

    url: str
    """What may be fetched: printable ASCII, no fragment, canonical host, no default port."""
    canonical: str
    """Equal for the same work: ``url`` with percent-encoding normalized (RFC 3986 section 6.2.2)."""
    host: str
    """Lower-case A-labels without a final dot, or a canonical IP address without brackets."""
    port: int
    """The port to connect to, named in the address or not."""


def check_address(url: str, policy: AddressPolicy) -> Address:
    """Decide whether an address that came with a request may be fetched.

    Args:
        url: as the caller wrote it; spaces around it do not count.
        policy: what the configuration permits beyond public hosts on usual ports.

    Raises:
        UrlRefused: one of its subclasses, with what was seen.
    """
    text = url.strip(" ")
    if len(text) > MAX_ADDRESS_CHARS:
        raise UrlTooLong(str(len(text)))
    scheme, authority, path = _split_address(text)
    host, named_port = split_authority(authority)
    port = _DEFAULT_PORTS[scheme] if named_port is None else named_port
    _admit(host, port, policy)
    return _compose(scheme, host, port, path)


def _split_address(text: str) -> tuple[str, str, str]:
    """Cut into scheme, authority, and path with query; the fragment is dropped."""
    parts = _ADDRESS.match(text)
    if parts is None:
        raise UrlScheme
    # urlsplit would silently remove some of these, and parsers differ on the rest.
    unfit = next((character for character in text if character in " \\" or not character.isprintable()), None)
    if unfit is not None:
        raise UrlMalformed(f"U+{ord(unfit):04X}")
    scheme, authority, path = parts.groups()
    if "@" in authority:
        raise UrlCredentials
    if "@" in text[parts.start(2) :].partition("/")[0]:
        # http://a?@b and http://a#@b: to us the host is a, to some parsers it is b.
        raise UrlMalformed("@")
    return scheme.lower(), authority, path


def _admit(host: Host, port: int, policy: AddressPolicy) -> None:
    if (str(host), port) in policy.endpoints:
        return
    if port not in policy.ports:
        raise UrlPort(str(port))
    if isinstance(host, str):
        if host not in policy.hosts and is_special_name(host):
            raise UrlForbiddenHost(host)
    elif not is_public_ip(host) and not any(host in network for network in policy.networks):
        raise UrlForbiddenAddress(str(host))


def _compose(scheme: str, host: Host, port: int, path: str) -> Address:
    netloc = f"[{host}]" if isinstance(host, IPv6Address) else str(host)
    if port != _DEFAULT_PORTS[scheme]:
        netloc = f"{netloc}:{port}"
    rooted = path if path.startswith("/") else f"/{path}"
    url = f"{scheme}://{netloc}{quote(rooted, safe=_KEPT)}"
    if len(url) > MAX_ADDRESS_CHARS:
        raise UrlTooLong(str(len(url)))
    return Address(url=url, canonical=_PERCENT.sub(_normalize_octet, url), host=str(host), port=port)


def _normalize_octet(encoded: re.Match[str]) -> str:
    character = chr(int(encoded[1], 16))
    return character if character in _UNRESERVED else encoded[0].upper()
