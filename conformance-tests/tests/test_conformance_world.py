"""What a case leaves behind: nothing."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from hookwright_conformance.errors import Unmet
from hookwright_conformance.receiver import Receiver
from hookwright_conformance.route import HttpRoute, Response
from hookwright_conformance.spec import Spec
from hookwright_conformance.target import Credential, Target
from hookwright_conformance.world import World

ACCOUNT = Credential("KEY", "hw_live_a")


class Recorder:
    """In the place of the API: makes what it is asked for, and notes who deletes what."""

    def __init__(self, deleted: list[tuple[str, str]], key: str = ACCOUNT.key) -> None:
        self.deleted, self.key = deleted, key

    def using(self, credential: Credential) -> Recorder:
        """Another caller."""
        return Recorder(self.deleted, credential.key)

    def call(self, operation: str, *path: str, body: Any = None, expect: int = 0) -> Response:
        """Answer as if all were well; what is called `stuck` cannot be deleted."""
        if operation.endswith(".delete"):
            self.deleted.append((self.key, path[0]))
            if "stuck" in path[0]:
                raise Unmet("status", 204, 500)
        given: dict[str, Any] = body or {}
        environment = given.get("environment", "live")
        made = {"id": f"key_{environment}", "key": f"hw_{environment}_b", "slug": "app"}
        answer = {**made, "environment": environment, **given}
        return Response(expect, [], json.dumps(answer).encode())


def test_what_a_case_makes_is_removed() -> None:
    """Apps and keys, what was made last first; a key for `test` by itself, whom alone it is
    visible to."""
    deleted: list[tuple[str, str]] = []
    with Receiver.start() as receiver:
        world = World("x", Target("http://x", ACCOUNT, None, ()), Spec.load(), receiver)
        world.api = cast("HttpRoute", Recorder(deleted))
        app = world.app()
        world.key(["read"])
        world.key(["admin"], environment="test")
        world.close()

    expected = [("hw_test_b", "key_test"), ("hw_live_a", "key_live"), ("hw_live_a", app)]
    assert expected == deleted


def test_what_cannot_be_removed_keeps_nothing_else() -> None:
    """The rest is removed all the same."""
    deleted: list[tuple[str, str]] = []
    with Receiver.start() as receiver:
        world = World("stuck", Target("http://x", ACCOUNT, None, ()), Spec.load(), receiver)
        world.api = cast("HttpRoute", Recorder(deleted))
        apps = [world.app() for _ in range(2)]
        with pytest.raises(Unmet):
            world.close()

    assert [("hw_live_a", app) for app in reversed(apps)] == deleted
