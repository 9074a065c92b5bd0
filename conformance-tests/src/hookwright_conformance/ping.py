"""One event, end to end, before anything is judged: without it no case can say anything."""

from __future__ import annotations

from hookwright_conformance.curl import redacted
from hookwright_conformance.errors import NotReceived, TargetError, Unmet, printable, unreadable
from hookwright_conformance.target import Target
from hookwright_conformance.world import World

_CAUSES = {
    "connection to": (
        "the implementation is not running at base_url",
        "base_url in target.yaml names another host, port or scheme",
    ),
    "401": ("the key in the environment variable is wrong, revoked, or of another installation",),
    "403": (
        "the key lacks the scope admin, or is bound to one app; the suite needs a whole account",
    ),
    "404": (
        "base_url lacks the path that stands before /v1 there",
        "base_url ends behind /v1 instead of before it",
    ),
    "url_not_allowed": (
        "the egress policy refuses the receiver: allow its address (for loopback: 127.0.0.0/8)",
        "plain http is refused: allow it, or give the receiver an https public_url",
    ),
    "requests to": (
        "the implementation cannot reach the receiver: is receiver.public_url right, seen from it?",
        "a firewall, or a container's own loopback, stands between them",
        "its delivery engine or worker is not running",
        "it sends through a proxy",
        "timing.delivery_seconds in target.yaml is too short",
    ),
}


def ping(world: World, target: Target) -> None:
    """Publish one event and wait for it at the receiver. Raises TargetError with likely causes."""
    try:
        app, hook = world.app(), world.hook()
        world.endpoint(app, hook)
        world.publish(app)
        # Not judged yet: a server that has just begun on a loaded machine may take its time.
        hook.wait_for(1, max(world.patience, target.timing.request_timeout))
        world.close()
    except Unmet as error:
        raise TargetError(_explain(error, target, world)) from error
    except Exception as error:
        raise TargetError(_explain(unreadable(error), target, world)) from error


def _explain(error: Unmet, target: Target, world: World) -> str:
    message, *happened = (
        printable(redacted(text, world.timeline.secrets))
        for text in (str(error), *world.timeline.lines())
    )
    causes = [cause for mark, listed in _CAUSES.items() if mark in message for cause in listed]
    likely = causes or ["the implementation does not follow openapi.yaml in its first answers"]
    receiver = world.receiver.base_url("http")
    step = "did not arrive" if isinstance(error, NotReceived) else "could not be published"
    return "\n".join(
        [
            f"the first event {step}: {message}",
            f"  implementation  {target.base_url} (key from ${target.account.variable})",
            f"  receiver        {receiver}",
            "Likely causes:",
            *(f"  * {cause}" for cause in likely),
            "What happened:",
            *(f"  {line}" for line in happened),
        ]
    )
