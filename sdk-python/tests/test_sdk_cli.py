"""The command `hookwright` against a real server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sdk_harness import ScriptedApi

import hookwright
from hookwright import Hookwright, PermissionDeniedError
from hookwright.cli.program import program
from hookwright.cli.tail import Follower
from hookwright.models import AppCreated
from hookwright.testing import HookwrightServer, RecordingReceiver

Run = Callable[..., Result]
NO_SUCH = "ep_00000000000000000000000000"
LIMITED = (
    "more than 2 deliveries are under way; what becomes of the older ones is not shown "
    "(--endpoint or --event narrow it down)"
)
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


@pytest.fixture
def run(hookwright_server: HookwrightServer) -> Run:
    """Runs the command in this process; the environment names the server."""

    def run(*arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(program, arguments, input=stdin)

    return run


def document(result: Result) -> Any:
    """What a command that succeeded printed."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_an_event_goes_from_the_command_line_to_its_receiver(
    run: Run, webhook_receiver: RecordingReceiver
) -> None:
    """Everything that a trigger makes can be looked at, as JSON and as text."""
    app = webhook_receiver.app_slug
    sent = document(
        run("trigger", app, "order.created", "--payload", "-", "--json", stdin='{"id": "ü"}')
    )
    event = webhook_receiver.wait_for("order.created")
    webhook_receiver.settle()
    (listed,) = document(run("deliveries", "list", app, "--json"))
    delivery = document(run("--json", "deliveries", "get", app, listed["id"]))
    message = document(run("messages", "get", app, sent["message_id"], "--json"))
    texts = (
        run("deliveries", "list", app, "--status", "delivered", "--event", "order.created"),
        run("deliveries", "get", app, listed["id"]),
        run("messages", "get", app, sent["message_id"]),
    )

    assert {"id": "ü"} == event.data == message["payload"]
    assert [1] == [attempt["number"] for attempt in delivery["attempts"]]
    assert "delivered" == delivery["status"] == listed["status"]
    for text in texts:
        assert text.exit_code == 0
        assert "delivered" in text.stdout
        assert webhook_receiver.url in text.stdout
        assert "\x1b" not in text.stdout


def test_the_life_of_an_endpoint(run: Run, webhook_receiver: RecordingReceiver) -> None:
    """Created, looked at, changed, tried, disabled, enabled, given a new secret, deleted."""
    app, url = webhook_receiver.app_slug, f"{webhook_receiver.url}cli"
    made = document(
        run(
            *("endpoints", "create", app, "--url", url, "--event", "order.*", "--json"),
            *("--header", "X-Team: billing", "--set", 'signing={"scheme": "v1"}'),
        )
    )
    endpoint = (app, made["id"])
    webhook_receiver.trust(made["signing_secret"])
    shown = run("endpoints", "get", *endpoint)
    changed = document(
        run("endpoints", "update", *endpoint, "--event", "a", "--event", "b", "--json")
    )
    tried = run("endpoints", "test", *endpoint, "--event", "order.paid", "--payload", '{"id": 1}')
    webhook_receiver.answers(500)
    failed = run("endpoints", "test", *endpoint)
    disabled = document(run("endpoints", "disable", *endpoint, "--json"))
    enabled = document(run("endpoints", "enable", *endpoint, "--no-release", "--json"))
    rotated = document(run("endpoints", "rotate-secret", *endpoint, "--json"))
    kept = run("endpoints", "delete", *endpoint, stdin="n\n")
    deleted = run("endpoints", "delete", *endpoint, "--yes")
    listed = document(run("endpoints", "list", app, "--active", "--json"))

    assert url in shown.stdout
    assert "secret" not in shown.stdout
    assert (["a", "b"], {"X-Team": "***"}) == (changed["events"], changed["headers"])
    assert (0, 1) == (tried.exit_code, failed.exit_code)
    assert "billing" == webhook_receiver.requests[0].headers["x-team"]
    assert (False, True) == (disabled["active"], enabled["active"])
    assert rotated["signing_secret"] != made["signing_secret"]
    assert (1, 0) == (kept.exit_code, deleted.exit_code)
    assert [webhook_receiver.endpoint.id] == [each["id"] for each in listed]


def test_apps_are_made_and_listed(run: Run) -> None:
    """The secret is shown when it is made; what cannot be printed is not."""
    made = run("apps", "create", "Shop \x1b[31mred", "--metadata", '{"team": "x"}', "--json")
    slug = document(made)["slug"]
    listed = run("apps", "list", "--limit", "5")
    (newest,) = document(run("apps", "list", "--limit", "1", "--json"))

    assert document(made)["signing_secret"].startswith("whsec_")
    assert (slug, {"team": "x"}) == (newest["slug"], newest["metadata"])
    assert r"Shop \x1b[31mred" in listed.stdout
    assert "\x1b" not in listed.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "parts"),
    [
        pytest.param(
            ("endpoints", "create", "{app}", "--url", "ftp://example.com"),
            1,
            ("422 url_not_allowed", "/url: ", "request id req_"),
            id="refused",
        ),
        pytest.param(("endpoints", "get", "{app}", NO_SUCH), 4, ("404 not_found",), id="unknown"),
        pytest.param(
            ("apps", "list", "--api-key", "hw_live_wrong"),
            3,
            ("401 unauthorized", "next: check the key: HOOKWRIGHT_API_KEY"),
            id="key",
        ),
        pytest.param(
            ("apps", "list", "--base-url", "http://127.0.0.1:9"),
            5,
            ("is the server running at http://127.0.0.1:9?",),
            id="no server",
        ),
        pytest.param(("apps", "list", "--base-url", "ftp://x"), 2, ("base URL",), id="no url"),
        pytest.param(
            ("trigger", "{app}", "a", "--payload", "{oops"), 2, ("that is not JSON",), id="json"
        ),
        pytest.param(
            ("trigger", "{app}", "a", "--payload", "[1]"), 2, ("object is needed",), id="array"
        ),
        pytest.param(
            ("trigger", "{app}", "a", "--payload", "@/no/file"),
            2,
            ("'/no/file' cannot be read",),
            id="file",
        ),
        pytest.param(
            ("trigger", "{app}", "a", "--deliver-at", "2026-11-21T09:00:00"),
            2,
            ("has no offset from UTC",),
            id="time",
        ),
        pytest.param(
            ("endpoints", "update", "{app}", NO_SUCH, "--set", "colour=1"),
            2,
            ("--set colour: there are active,",),
            id="member",
        ),
        pytest.param(("endpoints", "update", "{app}", NO_SUCH), 2, ("Nothing to",), id="nothing"),
        pytest.param(
            ("endpoints", "create", "{app}", "--url", "https://x", "--header", "oops"),
            2,
            ("is not NAME:VALUE",),
            id="header",
        ),
    ],
)
def test_a_failure_has_its_exit_code_and_says_what_to_do(
    run: Run,
    hookwright_app: AppCreated,
    arguments: tuple[str, ...],
    code: int,
    parts: tuple[str, ...],
) -> None:
    """Text on standard error, no traceback, nothing on standard output, and never the key."""
    filled = [argument.replace("{app}", hookwright_app.slug) for argument in arguments]

    result = run(*filled)

    assert code == result.exit_code
    assert "" == result.stdout
    for part in parts:
        assert part in result.stderr
    assert "Traceback" not in result.output
    assert "hw_live_wrong" not in result.output
    assert os.environ["HOOKWRIGHT_API_KEY"] not in result.output


def test_a_failure_can_be_json(run: Run, hookwright_app: AppCreated) -> None:
    """Programs get the problem's code and pointers."""
    result = run("endpoints", "create", hookwright_app.slug, "--url", "x", "--json")

    error = json.loads(result.stderr)["error"]
    assert ["/url"] == [each["pointer"] for each in error["errors"]]
    assert (result.exit_code, error["status"]) in {(1, 400), (1, 422)}


def test_without_server_or_key_the_command_says_what_to_set(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both come from the environment or the command line."""
    monkeypatch.delenv("HOOKWRIGHT_API_KEY")
    no_key = run("apps", "list")
    monkeypatch.delenv("HOOKWRIGHT_BASE_URL")
    no_url = run("apps", "list")

    assert (2, 2) == (no_key.exit_code, no_url.exit_code)
    assert "Set HOOKWRIGHT_API_KEY" in no_key.stderr
    assert "Set HOOKWRIGHT_BASE_URL" in no_url.stderr


def test_tail_follows_until_it_is_interrupted(
    hookwright_client: Hookwright, webhook_receiver: RecordingReceiver
) -> None:
    """A process prints each attempt as a line of JSON; Ctrl-C ends it without a word."""
    app = webhook_receiver.app_slug
    hookwright_client.trigger.send(app, event_name="before.it", payload={})
    webhook_receiver.settle()
    webhook_receiver.answers(500)
    command = [sys.executable, "-m", "hookwright.cli", "deliveries", "tail", app, "--json"]
    with subprocess.Popen(
        [*command, "--attempts", "--interval", "0.1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        # A shell lets what it starts in the background ignore Ctrl-C, and so all below it.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline() == f"hookwright: following {app}; Ctrl-C ends it\n"
        hookwright_client.trigger.send(app, event_name="order.created", payload={})
        lines = [json.loads(line) for line in islice(process.stdout, 2)]
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=240)

    told = [(line["delivery"]["event_name"], line["attempt"]["status_code"]) for line in lines]
    assert [("order.created", 500), ("order.created", 204)] == told
    assert (0, "", "\n") == (process.returncode, output, errors)


def test_tail_shows_changes_in_the_order_they_happened(
    hookwright_client: Hookwright, webhook_receiver: RecordingReceiver
) -> None:
    """What was under way at the start is followed too, filters hold, and nothing comes twice."""
    app = webhook_receiver.app_slug
    endpoint_id = webhook_receiver.endpoint.id
    hookwright_client.endpoints.disable(app, endpoint_id)
    hookwright_client.trigger.send(app, event_name="held", payload={})
    all_of_it = Follower(hookwright_client, app, {})
    failures = Follower(hookwright_client, app, {"status": ("unsuccessful",)})
    looks = [list(all_of_it.look()), list(failures.look())]
    hookwright_client.endpoints.enable(app, endpoint_id)
    webhook_receiver.wait_for("held")
    webhook_receiver.settle()
    webhook_receiver.answers(404)
    hookwright_client.trigger.send(app, event_name="refused", payload={})
    webhook_receiver.settle()

    changes = [(seen.delivery.event_name, seen.delivery.status) for seen in all_of_it.look()]

    assert [[], []] == looks
    assert [("held", "delivered"), ("refused", "failed")] == changes
    assert ["refused"] == [seen.delivery.event_name for seen in failures.look()]
    assert [] == list(all_of_it.look())


def test_tail_survives_a_server_that_is_away(api: ScriptedApi) -> None:
    """It says so once, waits longer each time, and goes on; a refused key ends it."""
    api.steps = [
        page(),
        page(),
        page(),
        b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"",
        page(delivery()),
        page(delivery()),
        answer(403, {"code": "forbidden", "detail": "no longer"}),
    ]
    notices: list[str] = []
    waits: list[float] = []
    with Hookwright("hw_test_key", base_url=api.base_url, max_retries=0) as client:
        following = Follower(client, "shop", {}).follow(1.0, waits.append, notices.append)
        seen = next(following)
        with pytest.raises(PermissionDeniedError):
            next(following)

    assert "order.created" == seen.delivery.event_name
    assert [1.0, 2.0, 4.0, 1.0] == waits
    assert ["following shop; Ctrl-C ends it", "can see the deliveries again"] == notices[::2]
    assert "trying again: 502" in notices[1]


def test_tail_says_whom_it_does_not_follow(api: ScriptedApi) -> None:
    """New deliveries are shown however many there are; of too many under way the newest only."""
    new = [delivery(5, 0, "delivered"), delivery(4, 0, "failed")]
    api.steps = [
        page(delivery(3)),
        page(delivery(3)),
        page(delivery(3), delivery(2, 10), delivery(1, 20)),
        # The third has ended, the second too, so that there is room for the older ones.
        page(*new, cursor="more"),
        page(delivery(3, 0, "delivered")),
        page(delivery(1, 20), delivery(0, 30)),
        page(delivery(2, 10, "failed"), delivery(1, 20)),
        # The first is gone with its app.
        page(*new, delivery(3, 0, "delivered")),
        page(delivery(0, 30)),
        page(),
        answer(404, {"code": "not_found", "detail": "no such delivery"}),
        answer(403, {"code": "forbidden", "detail": "no longer"}),
    ]
    notices: list[str] = []
    waits: list[float] = []
    with Hookwright("hw_test_key", base_url=api.base_url, max_retries=0) as client:
        follower = Follower(client, "shop", {}, most_followed=2)
        following = follower.follow(1.0, waits.append, notices.append)
        seen = [next(following).delivery for _ in range(4)]
        with pytest.raises(PermissionDeniedError):
            next(following)

    assert [
        ("del_2", "failed"),
        ("del_3", "delivered"),
        ("del_4", "failed"),
        ("del_5", "delivered"),
    ] == [(each.id, each.status) for each in seen]
    assert [
        "following shop; Ctrl-C ends it",
        LIMITED,
        "all deliveries under way are followed again",
    ] == notices
    assert 3 == len(waits)


def answer(status: int, body: object) -> bytes:
    """An answer of a scripted API."""
    content = json.dumps(body).encode()
    # The connection is closed after it. Unsaid, the next request may be written to it, and is lost.
    head = f"HTTP/1.1 {status} OK\r\nContent-Length: {len(content)}\r\nConnection: close\r\n"
    return head.encode() + b"Content-Type: application/json\r\n\r\n" + content


def page(*rows: dict[str, object], cursor: str | None = None) -> bytes:
    """A page of a list."""
    return answer(200, {"data": rows, "has_more": cursor is not None, "next_cursor": cursor})


def delivery(number: int = 1, age_s: int = 0, status: str = "pending") -> dict[str, object]:
    """A delivery as the API shows it."""
    at = (NOW - timedelta(seconds=age_s)).isoformat()
    nothing = (
        *("cancel_reason", "next_attempt_at", "last_status_code", "last_failure_reason"),
        *("latency_ms", "completed_at", "replay_of", "ordering_key", "sequence"),
    )
    return {
        **dict.fromkeys(nothing),
        "id": f"del_{number}",
        "message_id": "msg_1",
        "app_slug": "shop",
        "endpoint_id": "ep_1",
        "endpoint_url": "https://example.com/",
        "event_name": "order.created",
        "status": status,
        "attempt_count": 0,
        "max_attempts": 10,
        "created_at": at,
    }


@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
def test_completion_prints_what_the_shell_runs(shell: str) -> None:
    """The script names the command and the variable by which it asks for words."""
    result = CliRunner().invoke(program, ["completion", shell])

    assert 0 == result.exit_code
    assert "_HOOKWRIGHT_COMPLETE" in result.stdout


def test_every_command_has_help_and_the_exit_codes_are_told() -> None:
    """`--help` works everywhere, and everything that reaches a server takes --json."""
    runner = CliRunner()
    paths = [[name] for name in program.commands]
    paths += [
        [name, inner]
        for name, group in program.commands.items()
        for inner in getattr(group, "commands", {})
    ]
    helps = {" ".join(path): runner.invoke(program, [*path, "--help"]) for path in paths}

    assert {0} == {result.exit_code for result in helps.values()}
    without = {path for path, result in helps.items() if "--json" not in result.stdout}
    assert {"apps", "completion", "deliveries", "endpoints", "messages"} == without
    assert "130  ended with Ctrl-C" in runner.invoke(program, ["--help"]).stdout


def test_without_its_extra_the_command_says_what_to_install() -> None:
    """The command exists whenever the SDK is installed; its packages may not."""
    run = subprocess.run(
        [sys.executable, "-S", "-c", "from hookwright.cli import main; main()"],
        env={"PYTHONPATH": str(Path(hookwright.__file__).parent.parent)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    expected = "hookwright: the command needs click: pip install 'hookwright[cli]'\n"
    assert (1, expected) == (run.returncode, run.stderr)
