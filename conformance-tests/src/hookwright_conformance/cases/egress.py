"""Which addresses are called. The canary is a listener that must receive nothing."""

from __future__ import annotations

from urllib.parse import urlsplit

from hookwright_conformance.case import case
from hookwright_conformance.cases.signing import require_genuine
from hookwright_conformance.certificates import Flavour
from hookwright_conformance.errors import require, require_equal
from hookwright_conformance.received import Listener, Received
from hookwright_conformance.world import World

BLOCKED = (
    "169.254.169.254",
    "100.100.100.200",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "0.0.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "168.63.129.16",
    "[::]",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]",
    "[2001:db8::1]",
)
ODD = (
    "2130706433",
    "0x7f000001",
    "017700000001",
    "0177.0.0.1",
    "0x7f.0.0.1",
    "127.1",
    "127.0.1",
    "127.0.0.1.",
    "user@127.0.0.1",
    "user:password@127.0.0.1",
    "127.0.0.1%00.example.com",
    "%31%32%37.0.0.1",
    "①②⑦.0.0.1",
    "127。0。0。1",
    "127.0.0.1\t",
    "[::ffff:7f00:1%25eth0]",
)


def _require_refused(world: World, app: str, endpoint: str, url: str) -> None:
    create = world.api.call("endpoints.create", app, body={"url": url})
    update = world.api.call("endpoints.update", app, endpoint, body={"url": url})
    for name, response in (("create", create), ("update", update)):
        seen = (response.status, response.code)
        require_equal((422, "url_not_allowed"), seen, f"{name} with {url!r}")


@case(
    id="egress.blocked-addresses-are-refused",
    requirement="EGRESS-1",
    profile="ssrf",
    kills=["takes-any-url"],
)
def blocked_addresses_are_refused(world: World) -> None:
    """Private, link-local, metadata and embedded addresses are 422 on create and update."""
    app, hook = world.app(), world.hook()
    endpoint = world.endpoint(app, hook)["id"]
    for host in BLOCKED:
        _require_refused(world, app, endpoint, f"http://{host}/hook")


@case(
    id="egress.odd-spellings-are-refused",
    requirement="EGRESS-2",
    profile="ssrf",
    kills=["takes-any-url"],
)
def odd_spellings_are_refused(world: World) -> None:
    """Other spellings of the receiver's own machine are 422, and the canary stays alone."""
    app, hook = world.app(), world.hook()
    endpoint = world.endpoint(app, hook)["id"]
    canary = world.receiver.canary
    for host in ODD:
        _require_refused(world, app, endpoint, f"http://{host}:{canary.port}/canary")

    require_equal([], canary.visits, "connections to the canary")


@case(
    id="egress.other-schemes-are-refused",
    requirement="EGRESS-7",
    profile="ssrf",
    kills=["takes-any-url"],
)
def other_schemes_are_refused(world: World) -> None:
    """ftp, file, gopher, javascript and relative URLs are 422."""
    app, hook = world.app(), world.hook()
    endpoint = world.endpoint(app, hook)["id"]
    schemes = (
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "javascript:alert(1)",
    )
    for url in (*schemes, "//example.com/", "/path", "http:///path", "https:example.com"):
        _require_refused(world, app, endpoint, url)


@case(
    id="egress.untrusted-certificates-are-refused",
    requirement="EGRESS-5",
    profile="ssrf",
    kills=["verifies-no-certificate"],
)
def untrusted_certificates_are_refused(world: World) -> None:
    """Self-signed, expired, for another host, of an unknown authority: tls_error, no request."""
    _require_disbelieved(world, "self_signed", "expired", "wrong_host", "unknown_authority")


def _require_disbelieved(world: World, *flavours: Flavour) -> None:
    app, hook = world.app(), world.hook()
    for flavour in flavours:
        fields = {"url": hook.on(flavour), "retry_policy": {"preset": "none"}}
        world.endpoint(app, hook, **fields)
    reasons: list[object] = []
    for delivery_id in world.publish_to(len(flavours), app):
        world.finished(app, delivery_id, "dead_letter")
        reasons += [one["failure_reason"] for one in world.attempts(app, delivery_id)]

    require_equal(["tls_error"] * len(flavours), reasons, f"failure reasons for {flavours}")
    require_equal(0, len(hook.requests), "requests")


@case(
    id="egress.trust-ends-with-time-and-host",
    requirement="EGRESS-5",
    profile="ssrf",
    kills=["forgets-whose-certificate-it-is", "forgets-when-certificates-end"],
    needs="receiver.tls",
)
def trust_ends_with_time_and_host(world: World) -> None:
    """Of the trusted authority, but expired, or for another host: tls_error, no request."""
    _require_disbelieved(world, "expired", "wrong_host")


def _require_delivered(world: World, listener: Listener) -> Received:
    """The request of a delivery to that listener, signed and with its address as `Host`."""
    app, hook = world.app(), world.hook()
    url = hook.on(listener)
    endpoint = world.endpoint(app, hook, url=url)
    delivery = world.publish(app, {"n": 1})["delivery_ids"][0]
    world.finished(app, delivery, "delivered")
    (request,) = hook.requests

    require_equal(listener, request.listener, "where it arrived")
    require_equal([urlsplit(url).netloc], request.values("host"), "Host")
    require_genuine(request, endpoint["signing_secret"])
    return request


@case(
    id="egress.trusted-certificates-are-accepted",
    requirement="EGRESS-8",
    profile="ssrf",
    kills=["trusts-no-authority"],
    needs="receiver.tls",
)
def trusted_certificates_are_accepted(world: World) -> None:
    """To a certificate of the trusted authority an event is delivered over TLS 1.2 or newer."""
    request = _require_delivered(world, "good")

    modern = request.tls in ("TLSv1.2", "TLSv1.3")
    require(modern, "version of TLS", "TLSv1.2 or TLSv1.3", request.tls)


@case(
    id="egress.ipv6-addresses-are-called",
    requirement="EGRESS-9",
    profile="ssrf",
    kills=["writes-ipv6-hosts-bare"],
    needs="receiver.ipv6",
)
def ipv6_addresses_are_called(world: World) -> None:
    """To an allowed IPv6 address an event is delivered, and `Host` has the brackets."""
    _require_delivered(world, "http6")
