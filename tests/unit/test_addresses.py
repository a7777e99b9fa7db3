"""The gate at submit: which addresses are taken, in which form, and why the others are not."""

from __future__ import annotations

import ipaddress
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from pipeline.core.addresses import MAX_ADDRESS_CHARS, Address, AddressPolicy, check_address
from pipeline.core.hosts import is_public_ip
from pipeline.refusals import UrlRefused
from tests.cpu import quickest_s

CORPORA = Path(__file__).parents[1] / "corpora"
PORTS = (80, 443, 8080, 8443)
STRICT = AddressPolicy.parse([], PORTS)


def verdict(url: str, policy: AddressPolicy = STRICT) -> Address | str:
    """Return the address, or the ``type`` of the refusal."""
    try:
        return check_address(url, policy)
    except UrlRefused as refusal:
        return refusal.type


def lines_of(corpus: str) -> list[dict[str, Any]]:
    """Read a corpus: one case a line."""
    return [json.loads(line) for line in (CORPORA / corpus).read_text(encoding="utf-8").splitlines()]


def name_of(line: dict[str, Any]) -> str:
    """Name a case by its number, or by its reason and address."""
    return line.get("id") or ascii(f"{line['why']}: {line['url'][:40]}")


@pytest.mark.parametrize("line", [each for each in lines_of("ssrf.jsonl") if each["stage"] == "submit"], ids=name_of)
def test_corpus(line: dict[str, Any]) -> None:
    """Every line of the corpus that is decided at submit gets its verdict and its code."""
    seen = verdict(line["url"])
    if line["expect"] == "accept":
        assert isinstance(seen, Address)
    elif line.get("any_4xx"):
        assert isinstance(seen, str)
    else:
        assert line["code"] == seen


@pytest.mark.parametrize("line", [each for each in lines_of("addresses.jsonl") if "code" in each], ids=name_of)
def test_refused(line: dict[str, Any]) -> None:
    """Each kind of unfit address is refused under its own code."""
    assert line["code"] == verdict(line["url"])


@pytest.mark.parametrize("line", [each for each in lines_of("addresses.jsonl") if "fetched" in each], ids=name_of)
def test_taken(line: dict[str, Any]) -> None:
    """A public address is taken, and only its host, port and unsafe characters are rewritten."""
    assert line["fetched"] == check_address(line["url"], STRICT).url


@pytest.mark.parametrize(
    "url",
    [
        "x" * (MAX_ADDRESS_CHARS + 1),
        "https://example.com/" + "a" * (MAX_ADDRESS_CHARS - 19),
        "https://example.com/#" + "a" * MAX_ADDRESS_CHARS,
        "https://example.com/" + "中" * 250,
    ],
    ids=["text", "path", "fragment", "percent-encoded"],
)
def test_too_long(url: str) -> None:
    """Over 2048 characters, as written or as it would be fetched, an address is refused as too long."""
    assert verdict(url) == "url_too_long"


def test_address_carries_host_and_port() -> None:
    """The host is canonical and without brackets, the port is the one to connect to."""
    seen = check_address("https://[2A00:0::1]/%7ea%e4", STRICT)
    assert Address(
        url="https://[2a00::1]/%7ea%e4", canonical="https://[2a00::1]/~a%E4", host="2a00::1", port=443
    ) == seen  # fmt: skip


def test_same_work_has_one_canonical_form() -> None:
    """Host case, default port, fragment and percent-encoding do not make another work."""
    same = [
        "https://Example.com:443/%e8%a7%86?q=%7E",
        "https://example.com./视?q=~#t=1",
        "HTTPS://EXAMPLE.COM/%E8%A7%86?q=~",
    ]
    assert {"https://example.com/%E8%A7%86?q=~"} == {check_address(url, STRICT).canonical for url in same}


def test_different_work_keeps_apart() -> None:
    """Scheme, port, path case, query order, an encoded slash and a final slash make another work."""
    different = [
        *("https://example.com/a", "http://example.com/a", "https://example.com:8443/a", "https://example.com/A"),
        *("https://example.com/a/", "https://example.com/a%2F", "https://example.com/a?", "https://example.com/a?b&c"),
        *("https://example.com/a?c&b", "https://www.example.com/a", "https://example.com/a%252F"),
    ]
    assert len(different) == len({check_address(url, STRICT).canonical for url in different})


ALLOWED = AddressPolicy.parse(
    [
        *("127.0.0.1:34567", "[::1]:34567", "nas.local:8096", "example.com:9000"),
        *("10.1.0.0/16", "192.168.1.5", "fd00::/8", "::2", "[::3]"),
        *("Jellyfin", "Büro.lan."),
    ],
    PORTS,
)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:34567/v.wav", None),
        ("http://127.0.0.1:34568/", "url_port"),
        ("http://127.0.0.1:8080/", "url_forbidden_address"),
        ("http://127.0.0.1/", "url_forbidden_address"),
        ("http://127.0.0.2:34567/", "url_port"),
        ("http://127.1:34567/", "url_forbidden_address"),
        ("http://localhost:34567/", "url_port"),
        ("http://[0::1]:34567/", None),
        ("http://[::ffff:127.0.0.1]:34567/", "url_port"),
        ("http://NAS.local.:8096/", None),
        ("http://nas.local/", "url_forbidden_host"),
        ("http://x.nas.local:8096/", "url_port"),
        ("http://10.1.255.1:8443/", None),
        ("http://10.2.0.1/", "url_forbidden_address"),
        ("http://10.1.0.1:22/", "url_port"),
        ("http://192.168.1.5/", None),
        ("http://192.168.1.6/", "url_forbidden_address"),
        ("http://[fd12::1]/", None),
        ("http://[::2]/", None),
        ("http://[::3]/", None),
        ("http://jellyfin:8080/", None),
        ("http://jellyfin:8096/", "url_port"),
        ("http://a.jellyfin.lan/", "url_forbidden_host"),
        ("http://büro.lan/", None),
        ("http://example.com:9000/", None),
        ("http://example.com/", None),
        ("http://user@jellyfin/", "url_credentials"),
    ],
)
def test_allow_hosts(url: str, expected: str | None) -> None:
    """An entry opens what it names: with a port that port alone, without one the usual ports."""
    seen = verdict(url, ALLOWED)
    assert expected == (None if isinstance(seen, Address) else seen)


def test_allow_ports() -> None:
    """The ports permitted are exactly those listed, the default ports of the schemes included."""
    policy = AddressPolicy.parse([], [443, 9000])
    assert verdict("http://example.com/", policy) == "url_port"
    assert isinstance(verdict("https://example.com/", policy), Address)
    assert isinstance(verdict("http://example.com:9000/", policy), Address)


@pytest.mark.parametrize(
    "entry",
    [
        *("", " nas", "a b", "*", "*.lan", ".lan", "http://nas/", "u@nas", "nas:", "nas:0x50", "nas:65536"),
        *("10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/8:80", "127.1", "0177.0.0.1", "[::1", "[::1]:", "[fe80::1%eth0]"),
    ],
)
def test_unreadable_entry_is_named(entry: str) -> None:
    """An entry of download.allow_hosts that cannot be read is named in the error."""
    with pytest.raises(ValueError, match="is neither") as caught:
        AddressPolicy.parse(["nas", entry], PORTS)
    assert repr(entry) in str(caught.value)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_impossible_port_is_named(port: int) -> None:
    """An entry of download.allow_ports outside 1 to 65535 is named in the error."""
    with pytest.raises(ValueError, match=f"^{port} is not a port"):
        AddressPolicy.parse([], [80, port])


@given(st.ip_addresses())
def test_nothing_is_public_that_python_calls_not_global(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """No address is public that the registries of IANA do not call global."""
    assert ip.is_global or not is_public_ip(ip)


@pytest.mark.parametrize(
    "text",
    ["64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1", "fec0::1", "ff0e::1", "224.0.0.1", "168.63.129.16"],
)
def test_tunnels_multicast_and_cloud_services_are_not_public(text: str) -> None:
    """What Python calls global but does not lead to one place on the public Internet is not public."""
    assert not is_public_ip(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "url",
    [
        "http://" + "a." * 50_000,
        "http://" + "0" * 100_000,
        "http://[" + ":" * 2000,
        "http://" + "ﷺ" * 250,
        "http://" + "ü." * 120 + "com",
        "http://" + "a\u0300\u0301" * 80,
        "http://example.com/" + "%" * 2000,
        " " * 50_000 + "x" + " " * 50_000,
        "http:" * 20_000,
    ],
    ids=lambda url: ascii(url[:12]),
)
def test_verdict_is_quick(url: str) -> None:
    """No text keeps the gate busy for 50 ms of processor time."""
    assert quickest_s(lambda: verdict(url)) < 0.05


INET_ATON_BASES = ("{:d}", "{:#x}", "{:#X}", "0{:o}", "000{:o}", "0x000{:x}")


@st.composite
def inet_aton_spellings(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a dotted IPv4 address and a text that the C library reads as the same address."""
    inside = st.sampled_from(["127.0.0.1", "169.254.169.254", "192.168.1.1", "0.0.0.0", "255.255.255.255"])
    ip = draw(inside.map(ipaddress.IPv4Address) | st.ip_addresses(v=4))
    heads = draw(st.integers(0, 3))
    parts = [*ip.packed[:heads], int.from_bytes(ip.packed[heads:], "big")]
    return str(ip), ".".join(draw(st.sampled_from(INET_ATON_BASES)).format(part) for part in parts)


@given(inet_aton_spellings())
def test_no_spelling_opens_an_address(drawn: tuple[str, str]) -> None:
    """Every spelling that libc reads is refused as the dotted address is; only a dotted one can pass."""
    dotted, spelled = drawn
    assert ipaddress.ip_address(dotted).packed == socket.inet_aton(spelled)
    expected = "url_forbidden_address"
    if spelled == dotted and is_public_ip(ipaddress.ip_address(dotted)):
        expected = f"http://{dotted}/"
    seen = verdict(f"http://{spelled}/")
    assert expected == (seen.url if isinstance(seen, Address) else seen)


@given(st.text("0178afxX.", min_size=1, max_size=20))
def test_numbers_that_libc_reads_are_judged_as_addresses(host: str) -> None:
    """A host that libc reads as an IPv4 address never passes as a name."""
    try:
        ip = ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return
    seen = verdict(f"http://{host}/")
    assert seen == "url_forbidden_address" or (isinstance(seen, Address) and seen.host == host == str(ip))


PIECES = [
    *(
        "http://",
        "https://",
        "example.com",
        "例え",
        "ü",
        "ß",
        "中",
        "a",
        "1",
        "xn--",
        "①",
        "127.0.0.1",
        "[::1]",
        "[2a00::1]",
    ),
    *(".", "。", ":", "80", "/", "?", "#", "@", "%", "%e4", "\\", "-", "_", " ", "\n", "\ufe0f", "\u00ad", "\ud800"),
]


@given(st.text() | st.builds("https://{}".format, st.text()) | st.lists(st.sampled_from(PIECES)).map("".join))
@example("http://例.1\ufe0f/")
@example("https://example.com/" + "中" * 200)
@example("https://①.例え.jp?%7e")
def test_any_text_is_judged(text: str) -> None:
    """Any text is taken or refused; what is taken is ASCII, and is taken again as it is."""
    seen = verdict(text)
    if isinstance(seen, Address):
        assert seen.url.isascii()
        assert seen == verdict(seen.url)
