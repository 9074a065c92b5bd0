"""Which addresses are called. The canary is a listener that must receive nothing."""

from __future__ import annotations

from hookwright_conformance.case import case
from hookwright_conformance.errors import require_equal
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


@case(id="egress.blocked-addresses-are-refused", requirement="EGRESS-1", profile="ssrf")
def blocked_addresses_are_refused(world: World) -> None:
    """Private, link-local, metadata and embedded addresses are 422 on create and update."""
    app, hook = world.app(), world.hook()
    endpoint = world.endpoint(app, hook)["id"]
    for host in BLOCKED:
        _require_refused(world, app, endpoint, f"http://{host}/hook")


@case(id="egress.odd-spellings-are-refused", requirement="EGRESS-2", profile="ssrf")
def odd_spellings_are_refused(world: World) -> None:
    """Other spellings of the receiver's own machine are 422, and the canary stays alone."""
    app, hook = world.app(), world.hook()
    endpoint = world.endpoint(app, hook)["id"]
    canary = world.receiver.canary
    for host in ODD:
        _require_refused(world, app, endpoint, f"http://{host}:{canary.port}/canary")

    require_equal([], canary.visits, "connections to the canary")


@case(id="egress.other-schemes-are-refused", requirement="EGRESS-7", profile="ssrf")
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
