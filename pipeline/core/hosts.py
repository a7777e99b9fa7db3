"""Hosts: how one is written, and whether it is a place on the public Internet."""

from __future__ import annotations

import re
import unicodedata
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import idna

from pipeline.refusals import UrlForbiddenAddress, UrlMalformed

Host = IPv4Address | IPv6Address | str
"""An address, or a name in lower-case A-labels without a final dot."""

MAX_PORT = 65535

_MAX_NAME_CHARS = 253  # RFC 1035: 255 bytes on the wire
_IPV4_PARTS = 4
_MAX_OCTET = 255

_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::(.*))?", re.DOTALL)
_PORT = re.compile(r"0|[1-9][0-9]{0,4}")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"0x(?P<hex>[0-9a-f]*)|(?P<octal>0[0-7]*)|(?P<decimal>[1-9][0-9]*)")

# Not ``is_global``: it calls the wire server of Azure and, in IPv6, several tunnels to the inside public.
_INSIDE_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier NAT; also Alibaba Cloud's metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's wire server
        "169.254.0.0/16",  # link local, metadata of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # IETF assignments; also Oracle Cloud's metadata
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
# All of the public IPv6 Internet lies in here. What is outside needs no list of its own: loopback, mapped and
# translated IPv4, unique local, link local, site local, multicast.
_PUBLIC_V6 = IPv6Network("2000::/3")
_INSIDE_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # IETF assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: any IPv4 address in disguise
        "3fff::/20",  # documentation
    )
)

# Last labels that no public name has: RFC 6761, 6762 appendix G, 7686, 8375, 9476, ICANN's reserved and indefinitely
# deferred ones, and what routers, containers and clusters call their inside.
_SPECIAL_LABELS = frozenset(
    "localhost local localdomain localdomain4 localdomain6 localnet test example invalid onion alt arpa "  # noqa: SIM905 - a list would fill a screen
    "internal intranet intra private priv corp home homenet lan mail workgroup router gateway dhcp "
    "svc cluster default consul docker i2p".split()
)
# Public in form; they answer with a link-local address.
_SPECIAL_NAMES = frozenset({"metadata.tencentyun.com", "metadata.goog"})


def split_authority(authority: str) -> tuple[Host, int | None]:
    """Read ``host`` or ``host:port``, an IPv6 address in brackets, as it stands in an address after ``//``.

    Raises:
        UrlMalformed: it is not written so that every URL parser would read it alike.
        UrlForbiddenAddress: it is an IPv4 address in disguise, or an IPv6 address with a zone.
    """
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None:
        raise UrlMalformed(authority)
    host, port = parts.groups()
    if port is not None and not (_PORT.fullmatch(port) and int(port) <= MAX_PORT):
        raise UrlMalformed(authority)
    return _read_host(host), None if port is None else int(port)


def _read_host(host: str) -> Host:
    if host.startswith("["):
        return _read_ipv6(host)
    if len(host) > _MAX_NAME_CHARS:
        raise UrlMalformed(f"{host[:20]}…")
    name = _to_ascii(host)
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]) or labels[-1].isdigit():
        return _read_ipv4(host, name)
    if not host.isascii() and not any(label.startswith("xn--") for label in labels):
        raise UrlMalformed(f"{host} = {name}")
    if len(name) > _MAX_NAME_CHARS or not all(_LABEL.fullmatch(label) for label in labels):
        raise UrlMalformed(host)
    return name


def _read_ipv6(literal: str) -> IPv6Address:
    address, percent, _ = literal[1:-1].partition("%")
    try:
        ip = IPv6Address(address)
    except ValueError:
        raise UrlMalformed(literal) from None
    if percent:  # a zone names one of this machine's own links
        raise UrlForbiddenAddress(literal)
    return ip


def _to_ascii(host: str) -> str:
    """Write a host in the characters of DNS: lower case, A-labels, no final dot.

    What reads as ASCII to a lenient parser (full-width and circled characters, digits of any script) becomes that.
    """
    if host.isascii():
        return host.lower().removesuffix(".")
    folded = unicodedata.normalize("NFKC", host).replace("。", ".")
    folded = "".join(str(unicodedata.decimal(each)) if each.isdecimal() else each for each in folded)
    if folded.isascii():
        return folded.lower().removesuffix(".")
    try:
        return idna.encode(host, uts46=True).decode().removesuffix(".")
    except UnicodeError:
        raise UrlMalformed(host) from None


def _read_ipv4(spelled: str, name: str) -> IPv4Address:
    """Read numbers as the C library does; only the dotted form is taken.

    Libraries disagree on all other forms (010.0.0.1 is 8.0.0.1 or 10.0.0.1), and no honest link has them.

    Args:
        spelled: the host as it was written.
        name: its ASCII form.
    """
    numbers = [_read_number(part) for part in name.split(".")]
    *heads, tail = numbers
    if len(numbers) > _IPV4_PARTS or any(head > _MAX_OCTET for head in heads) or tail >> 8 * (_IPV4_PARTS - len(heads)):
        raise UrlMalformed(spelled)
    ip = IPv4Address(sum(head << 8 * (3 - place) for place, head in enumerate(heads)) + tail)
    if spelled.removesuffix(".") != str(ip):
        raise UrlForbiddenAddress(f"{spelled} = {ip}")
    return ip


def _read_number(part: str) -> int:
    digits = _NUMBER.fullmatch(part)
    if digits is None:
        raise UrlMalformed(part)
    if digits["hex"] is not None:
        return int(digits["hex"] or "0", 16)
    return int(part, 8 if digits["octal"] else 10)


def is_public_ip(ip: IPv4Address | IPv6Address) -> bool:
    """Tell whether an address is a place on the public Internet.

    Tunnels and translations of IPv4 into IPv6 are never public, whatever they lead to.
    """
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _INSIDE_V4)
    return ip in _PUBLIC_V6 and not any(ip in network for network in _INSIDE_V6)


def is_special_name(name: str) -> bool:
    """Tell whether a name is for local or special use; a name of one label always is."""
    last_label = name.rpartition(".")[2]
    return "." not in name or last_label in _SPECIAL_LABELS or name in _SPECIAL_NAMES
