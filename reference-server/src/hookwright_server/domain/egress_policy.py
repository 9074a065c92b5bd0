"""Which addresses, ports and names the server may send to.

The verdict that counts is `EgressPolicy.judge`, given on the numeric address about to be
dialled; whatever it does not recognise is refused. `EgressPolicy.check_url` says early, when
an endpoint is saved, what is certain from the URL alone. Ranges: IANA special-purpose
registries for IPv4 and IPv6 (RFC 6890) and, in IPv6, everything outside 2000::/3.
"""

from __future__ import annotations

import ipaddress
import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Literal

from hookwright_server.domain.target_url import TargetUrl, UrlNotAllowed, parse_target_url

BlockReason = Literal["address_not_public", "address_invalid", "port_not_allowed"]
Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_IPV4_SPECIAL = (
    "0.0.0.0/8",  # this network
    "10.0.0.0/8",  # private
    "100.64.0.0/10",  # carrier-grade NAT; holds Alibaba's metadata service
    "127.0.0.0/8",  # loopback
    "168.63.129.16/32",  # Azure's wire server: public space, private service
    "169.254.0.0/16",  # link-local; holds most clouds' metadata services
    "172.16.0.0/12",  # private
    "192.0.0.0/24",  # IETF protocol assignments
    "192.0.2.0/24",  # documentation
    "192.31.196.0/24",  # AS112
    "192.52.193.0/24",  # AMT
    "192.88.99.0/24",  # 6to4 relays
    "192.168.0.0/16",  # private
    "192.175.48.0/24",  # AS112
    "198.18.0.0/15",  # benchmarks
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, broadcast
)
_IPV6_GLOBAL = IPv6Network("2000::/3")
_IPV6_SPECIAL = (
    IPv6Network("2001::/23"),  # protocol assignments: Teredo, benchmarks, ORCHID
    IPv6Network("2001:db8::/32"),  # documentation
    IPv6Network("2002::/16"),  # 6to4: carries an IPv4 address
    IPv6Network("3fff::/20"),  # documentation
)
# The upper half of an ISATAP interface identifier (RFC 5214): an IPv4 address follows.
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})

_LOW_PORTS = frozenset({80, 443})
# Ports from 1024 up behind which something other than a webhook receiver is customary.
SERVICE_PORTS = frozenset(
    {1080, 1433, 1434, 1521, 1723, 1883, 2049, 2181, 2375, 2376, 2379, 2380, 3128, 3260, 3268}
    | {3269, 3306, 3389, 4369, 5060, 5061, 5432, 5433, 5671, 5672, 5900, 5901, 5984, 5985, 5986}
    | {6000, 6379, 6380, 6443, 6660, 6667, 6697, 7199, 7474, 7687, 8125, 8500, 9042, 9092, 9200}
    | {9300, 10250, 10255, 11211, 15672, 25672, 26257, 26379, 27017, 27018, 27019, 28015, 61616}
)

_LOCAL_SUFFIXES = (".localhost", ".local", ".localdomain", ".internal", ".home.arpa")
_METADATA_NAMES = frozenset(
    {
        "metadata.google.internal",
        "metadata.goog",
        "instance-data.ec2.internal",
        "metadata.azure.internal",
        "metadata.azure.com",
    }
)
_NAT64_BITS = 96
_LOOPBACK = ("127.0.0.1", "::1")
_WITH_PORT = re.compile(r"(?P<network>[0-9.]+(?:/\d+)?|[^/]+/\d+|\[[^\]]+\]):(?P<port>\d{1,5})")
_IPV4_STARTS, _IPV4_NETWORKS = (
    [int(IPv4Network(text).network_address) for text in _IPV4_SPECIAL],
    [IPv4Network(text) for text in _IPV4_SPECIAL],
)


@dataclass(frozen=True, slots=True)
class AllowRule:
    """The operator lets `network` be reached on `port`, or on every port when it is None."""

    network: Network
    port: int | None = None

    def covers_port(self, port: int) -> bool:
        return self.port is None or self.port == port


# What the setting `allow_private_networks` stands for. Link-local stays shut.
PRIVATE_NETWORKS: tuple[AllowRule, ...] = tuple(
    AllowRule(ipaddress.ip_network(text))
    for text in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
        *("::1/128", "fc00::/7"),
    )
)


@dataclass(frozen=True, slots=True)
class Allowed:
    """The address may be dialled."""


@dataclass(frozen=True, slots=True)
class BlockedAddress:
    """The address must not be dialled. `rule` is the rule in words, never what listens there."""

    reason: BlockReason
    rule: str


_ALLOWED = Allowed()


def parse_allow_rule(text: str) -> AllowRule:
    """`CIDR[:port]`, such as 127.0.0.0/8, 10.1.2.3:8443, ::1/128 or [fd00::/8]:8080.

    Raises ValueError with a text that names the value, the rule and what to write.
    """
    match = _WITH_PORT.fullmatch(text)
    network_text, port_text = (match["network"], match["port"]) if match else (text, None)
    try:
        network = ipaddress.ip_network(network_text.strip("[]"))
    except ValueError as error:
        example = "write CIDR[:port], such as 10.1.0.0/16:8443 or [fd00::/8]:8443"
        raise ValueError(f"{text!r} is no allow-list entry ({error}); {example}") from None
    if port_text is None:
        return AllowRule(network)
    if not 1 <= int(port_text) <= 65535:
        raise ValueError(f"{text!r}: a port lies between 1 and 65535; correct or leave it out")
    return AllowRule(network, int(port_text))


def parse_nat64_prefix(text: str) -> IPv6Network:
    """An IPv6 network of 96 bits, such as 2a00:1098:2b::/96; ValueError for anything else."""
    try:
        prefix = IPv6Network(text)
    except ValueError as error:
        example = "write an IPv6 network such as 2a00:1098:2b::/96"
        raise ValueError(f"{text!r} is no NAT64 prefix ({error}); {example}") from None
    if prefix.prefixlen != _NAT64_BITS:
        raise ValueError(f"{text!r}: a NAT64 prefix has 96 bits; write it as …/96")
    return prefix


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """The operator's choice on top of the fixed rules.

    `nat64_prefixes` (/96 each) are the operator's own NAT64 networks: an address inside one is
    judged by the IPv4 address it carries.
    """

    allow: tuple[AllowRule, ...] = ()
    allow_http: bool = False
    nat64_prefixes: tuple[IPv6Network, ...] = ()

    def __post_init__(self) -> None:
        for prefix in self.nat64_prefixes:
            if prefix.prefixlen != _NAT64_BITS:
                raise ValueError(f"{str(prefix)!r}: a NAT64 prefix has 96 bits; write it as …/96")

    def vet(self, url: str) -> TargetUrl:
        """Parse `url` and check it; raises `UrlNotAllowed`. What saving an endpoint calls."""
        target = parse_target_url(url, allow_http=self.allow_http)
        self.check_url(target)
        return target

    def check_url(self, target: TargetUrl) -> None:
        """Raise `UrlNotAllowed` for what is refused whatever DNS will say."""
        if target.is_ip_literal:
            verdict = self.judge(target.host, target.port)
            if isinstance(verdict, BlockedAddress):
                raise UrlNotAllowed(verdict.reason, target.host_header, verdict.rule)
            return
        self._check_name(target)
        reachable = any(rule.covers_port(target.port) for rule in self.allow)
        if not (port_is_open(target.port) or reachable):
            raise UrlNotAllowed("port_not_allowed", str(target.port), _port_rule(target.port))

    def judge(self, address: str, port: int) -> Allowed | BlockedAddress:
        """The verdict on one numeric address, the one about to be dialled. Fails closed."""
        parsed, special = _classify(address)
        if parsed is None:
            return BlockedAddress("address_invalid", "not a plain numeric address")
        if self.allow and self._is_listed(parsed, port):
            return _ALLOWED
        if isinstance(parsed, IPv6Address):
            for prefix in self.nat64_prefixes:
                if parsed in prefix:
                    return self.judge(str(IPv4Address(int(parsed) & 0xFFFF_FFFF)), port)
        if special is not None:
            next_step = "use a public address, or have the operator allow-list it"
            return BlockedAddress("address_not_public", f"{special}; {next_step}")
        if not port_is_open(port):
            return BlockedAddress("port_not_allowed", _port_rule(port))
        return _ALLOWED

    def loopback_addresses(self, port: int) -> tuple[str, ...]:
        """What `localhost` means here: the loopback addresses that the operator allowed."""
        return tuple(
            address for address in _LOOPBACK if self._is_listed(ipaddress.ip_address(address), port)
        )

    def _is_listed(self, address: Address, port: int) -> bool:
        return any(rule.covers_port(port) and address in rule.network for rule in self.allow)

    def _check_name(self, target: TargetUrl) -> None:
        host = target.host
        if host in _METADATA_NAMES:
            rule = "names of cloud metadata services are never targets; use another host"
            raise UrlNotAllowed("host_metadata", host, rule)
        if host == "localhost":
            if not self.loopback_addresses(target.port):
                rule = "this machine is no target; use a public host, or allow-list 127.0.0.0/8"
                raise UrlNotAllowed("host_not_public", host, rule)
        elif host.endswith(".localhost") or (_is_local(host) and not self._has_private_networks()):
            rule = "names of local networks are no targets; use a public host name"
            raise UrlNotAllowed("host_not_public", host, rule)

    def _has_private_networks(self) -> bool:
        """Whether something beyond this machine is allow-listed, so that local names make sense."""
        return any(not rule.network.is_loopback for rule in self.allow)


def port_is_open(port: int) -> bool:
    """Whether `port` may be used without the operator's allow-list."""
    return port in _LOW_PORTS or (1024 <= port <= 65535 and port not in SERVICE_PORTS)


def _port_rule(port: int) -> str:
    return f"port {port} belongs to another service; use 80, 443, or one from 1024 up"


def _is_local(host: str) -> bool:
    return "." not in host or host.endswith(_LOCAL_SUFFIXES)


@lru_cache(maxsize=8192)
def _classify(address: str) -> tuple[Address | None, str | None]:
    """`address` parsed (None: no plain address) and the special range it lies in, if any."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None, None
    if isinstance(parsed, IPv4Address):
        return parsed, _special_ipv4(parsed)
    return (None, None) if parsed.scope_id is not None else (parsed, _special_ipv6(parsed))


def _special_ipv4(address: IPv4Address) -> str | None:
    at = bisect_right(_IPV4_STARTS, int(address)) - 1
    if address not in _IPV4_NETWORKS[at]:
        return None
    return f"{_IPV4_NETWORKS[at]} is no public network"


def _special_ipv6(address: IPv6Address) -> str | None:
    if address not in _IPV6_GLOBAL:
        return f"the address lies outside {_IPV6_GLOBAL}"
    for network in _IPV6_SPECIAL:
        if address in network:
            return f"{network} is no public network"
    if (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP:
        return "the address carries an IPv4 address (ISATAP)"
    return None
