from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import bypass_corpus as corpus
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookwright_server.domain.egress_policy import (
    PRIVATE_NETWORKS,
    SERVICE_PORTS,
    Allowed,
    AllowRule,
    BlockedAddress,
    EgressPolicy,
    parse_allow_rule,
    port_is_open,
)
from hookwright_server.domain.target_url import UrlNotAllowed

STRICT = EgressPolicy(allow_http=True)


def _passes(policy: EgressPolicy, url: str, address: str) -> bool:
    """Whether an attempt to `url`, resolving to `address`, would be dialled."""
    try:
        target = policy.vet(url)
    except UrlNotAllowed:
        return False
    dialled = target.host if target.is_ip_literal else address
    return isinstance(policy.judge(dialled, target.port), Allowed)


def _distinct(cases: Iterator[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted(set(cases))


def test_the_bypass_corpus_reaches_nothing() -> None:
    """No spelling, encoding, name, range, syntax or port of the corpus may be dialled."""
    cases = _distinct(corpus.forbidden())

    assert len(cases) > 700
    assert [] == [case for case in cases if _passes(STRICT, *case)]


def test_public_targets_are_never_refused() -> None:
    """The control list passes completely: the policy has no false alarms."""
    cases = _distinct(corpus.public())

    assert len(cases) > 1000
    assert [] == [case for case in cases if not _passes(EgressPolicy(), *case)]


@given(st.ip_addresses(v=4))
def test_no_ipv4_address_is_allowed_that_python_calls_special(address: IPv4Address) -> None:
    """Another table of special addresses agrees that what we allow is public."""
    allowed = isinstance(STRICT.judge(str(address), 443), Allowed)

    assert not allowed or (address.is_global and not address.is_multicast)


@given(st.ip_addresses(v=6) | st.ip_addresses(v=6, network="2000::/3"))
def test_no_ipv6_address_is_allowed_that_python_calls_special(address: IPv6Address) -> None:
    """Allowed IPv6 addresses are global unicast and carry no IPv4 address."""
    allowed = isinstance(STRICT.judge(str(address), 443), Allowed)
    carried = address.ipv4_mapped or address.sixtofour or address.teredo

    assert not allowed or (address.is_global and not address.is_multicast and not carried)


@pytest.mark.parametrize(
    "address", ["", "example.com", "1.2.3", "8.8.8.08", "fe80::1%eth0", "8.8.8.8 "]
)
def test_what_is_no_plain_address_is_refused(address: str) -> None:
    """The judge fails closed on anything but a numeric address."""
    assert BlockedAddress("address_invalid", "not a plain numeric address") == STRICT.judge(
        address, 443
    )


def test_a_refusal_names_the_range_and_the_next_step() -> None:
    """The person who reads the refusal learns what to do."""
    with pytest.raises(UrlNotAllowed) as refused:
        STRICT.vet("http://10.1.2.3:8080/")

    assert "address_not_public" == refused.value.reason
    expected = (
        "'10.1.2.3:8080': 10.0.0.0/8 is no public network; "
        "use a public address, or have the operator allow-list it"
    )
    assert expected == str(refused.value)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("127.0.0.0/8", ("127.0.0.0/8", None)),
        ("127.0.0.1", ("127.0.0.1/32", None)),
        ("127.0.0.1:8080", ("127.0.0.1/32", 8080)),
        ("10.0.0.0/8:8080", ("10.0.0.0/8", 8080)),
        ("::1/128", ("::1/128", None)),
        ("::1", ("::1/128", None)),
        ("::1/128:80", ("::1/128", 80)),
        ("[::1]:80", ("::1/128", 80)),
        ("[fd00::/8]:8443", ("fd00::/8", 8443)),
        ("[fd00::/8]", ("fd00::/8", None)),
    ],
)
def test_allow_rules_are_networks_with_an_optional_port(
    text: str, rule: tuple[str, int | None]
) -> None:
    """`CIDR[:port]` is read in both families."""
    parsed = parse_allow_rule(text)

    assert rule == (str(parsed.network), parsed.port)


@pytest.mark.parametrize(
    "text", ["", "localhost", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/8:0", "10.0.0.0/8:99999", "*"]
)
def test_a_bad_allow_rule_is_refused_with_its_text(text: str) -> None:
    """A typing error in the settings stops the start instead of widening the policy."""
    with pytest.raises(ValueError, match=r"correct or leave it out|write CIDR"):
        parse_allow_rule(text)


@pytest.mark.parametrize(
    "url",
    [
        *("http://localhost:9/", "http://127.0.0.1:6379/", "http://[::1]:22/"),
        *("http://127.255.0.1/", "https://localhost/"),
    ],
)
def test_allowed_loopback_is_usable_on_every_port(url: str) -> None:
    """With loopback allow-listed, a developer's receivers may listen anywhere on this machine."""
    policy = EgressPolicy((parse_allow_rule("127.0.0.0/8"), parse_allow_rule("::1/128")), True)

    target = policy.vet(url)

    assert url.startswith(f"{target.scheme}://{target.host_header}") or "[" in url
    assert ("127.0.0.1", "::1") == policy.loopback_addresses(target.port)


def test_an_allow_rule_with_a_port_opens_that_port_alone() -> None:
    """`127.0.0.1:8080` does not open port 8081, and opens no other address."""
    policy = EgressPolicy((parse_allow_rule("127.0.0.1:8080"),), True)
    judged = [
        isinstance(policy.judge(address, port), Allowed)
        for address, port in [
            *(("127.0.0.1", 8080), ("127.0.0.1", 8081), ("127.0.0.2", 8080)),
            *(("::1", 8080), ("::ffff:127.0.0.1", 8080)),
        ]
    ]

    assert [True, False, False, False, False] == judged
    assert ("127.0.0.1",) == policy.loopback_addresses(8080)
    assert () == policy.loopback_addresses(8081)


@pytest.mark.parametrize(
    ("allow", "url", "reason"),
    [
        ("127.0.0.0/8", "http://api.internal/", "host_not_public"),
        ("127.0.0.0/8", "http://redis/", "host_not_public"),
        ("127.0.0.0/8", "http://a.localhost/", "host_not_public"),
        ("10.0.0.0/8", "http://localhost/", "host_not_public"),
        ("10.0.0.0/8", "http://a.localhost/", "host_not_public"),
        ("10.0.0.0/8", "http://metadata.google.internal/", "host_metadata"),
        ("10.0.0.0/8:8000", "http://example.com:6379/", "port_not_allowed"),
    ],
)
def test_an_allow_list_does_not_open_other_names(allow: str, url: str, reason: str) -> None:
    """Names stay shut that the allowed networks do not explain."""
    with pytest.raises(UrlNotAllowed) as refused:
        EgressPolicy((parse_allow_rule(allow),), True).vet(url)

    assert reason == refused.value.reason


@pytest.mark.parametrize("url", ["http://receiver:8000/", "http://hooks.internal:5432/"])
def test_private_networks_bring_their_names(url: str) -> None:
    """With a private network allow-listed, its names may be looked up and judged by address."""
    target = EgressPolicy(PRIVATE_NETWORKS, True).vet(url)

    assert url == str(target)


def test_private_networks_leave_link_local_shut() -> None:
    """The shortcut for development never opens the metadata services."""
    verdict = EgressPolicy(PRIVATE_NETWORKS, True).judge("169.254.169.254", 80)

    assert isinstance(verdict, BlockedAddress)


def test_open_ports_are_web_ports_and_high_ports_without_known_services() -> None:
    """80, 443, 8080, 8443 and high ports are open; low ports and databases are not."""
    opened = [
        port for port in (*range(1024), 8080, 8443, 1024, 65535, 65536, -1) if port_is_open(port)
    ]

    assert [80, 443, 8080, 8443, 1024, 65535] == opened
    assert [] == [port for port in SERVICE_PORTS if port_is_open(port)]


@pytest.mark.parametrize(
    ("address", "passes"),
    [
        ("2a00:1098:2b::808:808", True),
        ("2a00:1098:2b::7f00:1", False),
        ("2a00:1098:2b::a9fe:a9fe", False),
        ("2a00:1098:2c::7f00:1", True),
    ],
)
def test_an_operator_nat64_prefix_is_judged_by_the_address_inside(
    address: str, passes: bool
) -> None:
    """Behind NAT64 an IPv6 address is as public as the IPv4 address it carries."""
    policy = EgressPolicy(nat64_prefixes=(IPv6Network("2a00:1098:2b::/96"),))

    assert passes is isinstance(policy.judge(address, 443), Allowed)


def test_a_nat64_prefix_of_another_length_is_refused() -> None:
    """A prefix whose embedded address we cannot read stops the start."""
    with pytest.raises(ValueError, match="96 bits"):
        EgressPolicy(nat64_prefixes=(IPv6Network("64:ff9b:1::/48"),))


def test_an_allow_rule_for_a_public_address_opens_its_service_port() -> None:
    """The operator's entry with a port overrides the list of ports."""
    policy = EgressPolicy((AllowRule(parse_allow_rule("8.8.8.8").network, 5432),))

    assert str(ip_address("8.8.8.8")) == policy.vet("https://8.8.8.8:5432/").host
    assert isinstance(policy.judge("8.8.4.4", 5432), BlockedAddress)
