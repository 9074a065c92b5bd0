"""URLs that try to reach what must not be reached: one generator for each trick.

`forbidden()` yields (URL, what its host would resolve to). `public()` is the control list: URLs
that must pass. Any test that has a way to hand the server a URL can run the whole corpus.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Network

Case = tuple[str, str]

TARGETS = ("127.0.0.1", "169.254.169.254", "10.0.0.1", "192.168.1.1", "0.0.0.0")
IPV4_RANGES = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
    *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
    *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    *("168.63.129.16/32", "100.100.100.200/32", "169.254.170.2/32", "169.254.169.253/32"),
    *("255.255.255.255/32", "192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24"),
)
IPV6_RANGES = (
    *("::/128", "::1/128", "::ffff:0:0/96", "::/96", "::ffff:0:0:0/96", "64:ff9b::/96"),
    *("64:ff9b:1::/48", "100::/64", "2001::/32", "2001:2::/48", "2001:10::/28", "2001:20::/28"),
    *("2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10"),
    *("fec0::/10", "ff00::/8", "fd00:ec2::254/128", "fd20:ce::254/128", "2001:1::/32"),
    *("4000::/3", "8000::/1"),
)
LOCAL_NAMES = (
    *("localhost", "LOCALHOST", "localhost.", "a.localhost", "ip6-localhost", "ip6-loopback"),
    *("localhost.localdomain", "build-7", "redis", "db", "printer.local", "api.internal"),
    *("router.home.arpa", "metadata", "metadata.google.internal", "metadata.goog"),
    *("instance-data.ec2.internal", "instance-data", "metadata.azure.internal"),
    *("kubernetes.default.svc.cluster.local", "metadata.azure.com", "host.docker.internal"),
)
SERVICE_PORTS = (1, 7, 21, 22, 23, 25, 53, 110, 111, 139, 143, 389, 445, 465, 587, 873, 993, 1023)
HIGH_SERVICE_PORTS = (1433, 2375, 2379, 3306, 3389, 5432, 5672, 6379, 9200, 9300, 11211, 27017)


def forbidden() -> Iterator[Case]:
    """Every case: none may lead to a connection."""
    yield from ipv4_spellings()
    yield from unicode_tricks()
    yield from percent_encodings()
    yield from local_names()
    yield from ipv4_ranges()
    yield from ipv6_ranges()
    yield from url_syntax()
    yield from ports()


def ipv4_spellings() -> Iterator[Case]:
    """Dword, octal, hex, short, padded and otherwise odd spellings of an IPv4 address."""
    for target in TARGETS:
        value = int(IPv4Address(target))
        a, b, c, d = target.split(".")
        octal = [f"0{int(part):o}" for part in (a, b, c, d)]
        hexes = [f"0x{int(part):x}" for part in (a, b, c, d)]
        for host in (
            *(target, str(value), f"0x{value:x}", f"0X{value:08X}", f"0{value:o}", f"00{value:o}"),
            *(".".join(octal), ".".join(hexes), f"{hexes[0]}.{octal[1]}.{c}.{d}"),
            *(f"{a}.{int(b) << 16 | int(c) << 8 | int(d)}", f"{a}.{b}.{int(c) << 8 | int(d)}"),
            *(f"0x{int(a):02x}.{value & 0xFFFFFF}", f"{a.zfill(3)}.{b}.{c}.{d}"),
            *(f"{a}.{b}.{c}.{d.zfill(4)}", f"{target}.", f"{target}..", f".{target}"),
            *(f" {target}", f"{target} ", f"{target}\t", f"{a}.{b}\n.{c}.{d}", f"{target}\0"),
            *(f"{target}\0.example.com", f"{value + 2**32}", f"{a}.{b}.{c}.{int(d) + 256}"),
            *(f"{a}..{b}.{c}.{d}", f"+{a}.{b}.{c}.{d}", f"{target}x", f"{a}.{b}.{c}.{d}.0"),
        ):
            yield f"http://{host}/", target


def unicode_tricks() -> Iterator[Case]:
    """Digits, letters and dots that some parsers map to ASCII."""
    circled = dict(
        zip(
            "0123456789",
            "\u24ea\u2460\u2461\u2462\u2463\u2464\u2465\u2466\u2467\u2468",
            strict=True,
        )
    )
    zeros = {"full-width": 0xFF10, "arabic": 0x0660, "bold": 0x1D7CE, "mono": 0x1D7F6}
    for target in TARGETS:
        for zero in zeros.values():
            digits = {str(digit): chr(zero + digit) for digit in range(10)}
            yield f"http://{''.join(digits.get(at, at) for at in target)}/", target
        yield f"http://{''.join(circled.get(at, at) for at in target)}/", target
        for dot in "\u3002\uff0e\uff61\u2024\u00b7":
            yield f"http://{target.replace('.', dot)}/", target
        for hidden in "\u00ad\u200b\u200c\u200d\u2060\ufeff\u202e\u2066\u034f":
            yield f"http://{target[:2]}{hidden}{target[2:]}/", target
    for name in (
        "\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54",
        "\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3",
        "\U0001d425\U0001d428\U0001d41c\U0001d41a\U0001d425\U0001d421\U0001d428\U0001d42c\U0001d42d",
        "loca\u217chost",
        "loca\u00adlhost",
    ):
        yield f"http://{name}/", "127.0.0.1"
    for name in (
        "LOCALHO\u017fT",
        "xn--localhost-",
        "xn--127-0-0-1-",
        "\u2113ocalhost",
        "metadat\u0430.local",
    ):
        yield f"http://{name}/", "127.0.0.1"


def percent_encodings() -> Iterator[Case]:
    """Hosts that some clients decode before dialling."""
    for target in TARGETS:
        once = "".join(f"%{ord(letter):02x}" for letter in target)
        for host in (
            *(once, once.replace("%", "%25"), target.replace(".", "%2e"), f"{target}%00"),
            *(
                f"{target}%2f.example.com",
                f"{target}%5c.example.com",
                f"{target}%23",
                f"%20{target}",
            ),
            *(f"{target}%0d%0a", f"example.com%40{target}", f"%5b::ffff:{target}%5d"),
        ):
            yield f"http://{host}/", target


def local_names() -> Iterator[Case]:
    """Names of this machine, of local networks and of metadata services; wildcard DNS."""
    for name in LOCAL_NAMES:
        yield f"http://{name}/", "169.254.169.254" if "meta" in name else "127.0.0.1"
    for target in TARGETS:
        yield f"http://{target.replace('.', '-')}.wildcard.example/", target
        yield f"http://{target}.wildcard.example/", target


def ipv4_ranges() -> Iterator[Case]:
    """First, last and a middle address of every IPv4 range, as literals and behind a name."""
    for text in IPV4_RANGES:
        network = IPv4Network(text)
        for offset in sorted({0, network.num_addresses // 2, network.num_addresses - 1}):
            address = str(network[offset])
            yield f"http://{address}/", address
            yield "http://rebound.example.com/", address


def ipv6_ranges() -> Iterator[Case]:
    """Addresses of every IPv6 range, and every way to carry an IPv4 address in one."""
    addresses = [
        str(IPv6Network(text)[offset])
        for text in IPV6_RANGES
        for offset in sorted({0, 1 % IPv6Network(text).num_addresses, -1})
    ]
    for target in TARGETS:
        a, b, c, d = (int(part) for part in target.split("."))
        high, low = f"{a:02x}{b:02x}", f"{c:02x}{d:02x}"
        inverted = f"{0xFFFF ^ int(high, 16):x}:{0xFFFF ^ int(low, 16):x}"
        addresses += [
            *(f"::{target}", f"::ffff:{target}", f"::ffff:0:{target}", f"64:ff9b::{target}"),
            *(f"64:ff9b:1::{target}", f"2002:{high}:{low}::1", f"2001:0:{high}:{low}::{inverted}"),
            *(f"2001:0:4136:e378:8000:63bf:{inverted}", f"::5efe:{target}", f"fe80::5efe:{target}"),
            *(f"2606:4700::5efe:{target}", f"2606:4700::200:5efe:{target}"),
            *(f"0:0:0:0:0:ffff:{high}:{low}", f"::ffff:0:0:{high}:{low}"),
        ]
    for address in addresses:
        yield f"http://[{address}]/", address
        yield "http://rebound.example.com/", address
    for host in ("[fe80::1%25eth0]", "[fe80::1%eth0]", "[::1%25lo]", "[::ffff:127.1]", "[v1.::1]"):
        yield f"http://{host}/", "::1"


def url_syntax() -> Iterator[Case]:
    """Places where parsers disagree about what the host is."""
    for target in TARGETS:
        for text in (
            *(
                f"http://example.com@{target}/",
                f"http://{target}@example.com/",
                f"http://@{target}/",
            ),
            *(f"http://a@b@{target}/", f"http://example.com\\@{target}/", f"http:\\\\{target}\\"),
            *(f"http://example.com#@{target}/", f"http://{target}#@example.com/"),
            *(f"http://example.com\\{target}/", f"http:///{target}/", f"http:////{target}/"),
            *(f"http:{target}/", f"http:/{target}/", f"http:/\\{target}/", f"http:\\/{target}/"),
            *(
                f"//{target}/",
                f"///{target}/",
                f"{target}/",
                f"{target}:80/",
                f"\x01http://{target}/",
            ),
            *(
                f"\x00http://{target}/",
                f" http://{target}/",
                f"ht\ntp://{target}/",
                f"\thttp://{target}",
            ),
            *(f"http://[{target}]/", f"http://[::ffff:{target}/", f"http://::ffff:{target}/"),
            *(f"http://{target}:/", f"http://{target}:0/", f"http://{target}:99999/"),
            *(
                f"http://{target}:80:80/",
                f"HTTP://{target}/",
                f"hTTp://{target}",
                f"file://{target}/",
            ),
            *(
                f"ftp://{target}/",
                f"gopher://{target}/",
                f"dict://{target}/",
                f"jar:http://{target}/",
            ),
            *(
                f"http://{target};.example.com/",
                f"http://{target},example.com/",
                f"http://;{target}/",
            ),
            *(f"http://{target}&example.com/", f"http://{target}/" + "a" * 100_000, f"#{target}"),
            *(f"http://{target}?@example.com/", f"http://{target}|example.com/", f"ws://{target}/"),
            *(f"http://exam\tple.com@{target}/", f"http://{{{target}}}/", f"http://<{target}>/"),
        ):
            yield text, target


def ports() -> Iterator[Case]:
    """Ports of other services on public hosts."""
    for port in (*SERVICE_PORTS, *HIGH_SERVICE_PORTS):
        yield f"https://1.1.1.1:{port}/", "1.1.1.1"
        yield f"https://hooks.example.com:{port}/", "1.1.1.1"
        yield f"https://[2606:4700::1111]:{port}/", "2606:4700::1111"


def public() -> Iterator[Case]:
    """Targets as customers have them, and the public neighbours of every refused range."""
    for text in IPV4_RANGES[:13]:
        network = IPv4Network(text)
        for value in (int(network[0]) - 1, int(network[-1]) + 1):
            neighbour = IPv4Address(value % 2**32)
            if not any(neighbour in IPv4Network(other) for other in IPV4_RANGES):
                yield f"https://{neighbour}/hook", str(neighbour)
    addresses = (
        "1.1.1.1",
        "8.8.8.8",
        "93.184.216.34",
        "2606:4700::1111",
        "2a00:1450:4001:80b::200e",
    )
    domains = ("example.com", "bücher.example", "xn--bcher-kva.example", "co-op.example.co.uk")
    for number in range(1000):
        address = addresses[number % len(addresses)]
        domain = domains[number % len(domains)]
        port = ("", ":443", ":8443", ":8080", ":3000", f":{49152 + number}")[number % 6]
        yield f"https://hooks-{number}.{domain}{port}/in/{number}?token=a%20b&n={number}", address
    for address in addresses:
        yield f"https://[{address}]/" if ":" in address else f"https://{address}/", address
