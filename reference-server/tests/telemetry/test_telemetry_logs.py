"""The log: what a line holds, that nothing can forge one, and that no secret gets in."""

from __future__ import annotations

import io
import json
import logging
import secrets
from collections.abc import Callable

import pytest
from http_lab import Lab, OpenLab, eventually
from http_sink import Sink, reply

from hookwright_server.logs import Fields, JsonFormatter, LineHandler, TextFormatter

HOSTILE = (
    "two\nlines",
    "carriage\rreturn",
    "separator\u2028here",
    "next\x85line",
    "escape\x1b[31m",
    "nul\0",
    'quote" other=1',
    "status=200 account=acc_x",
    "surrogate\ud800",
    "\u202ebackwards",
)


class Written(io.StringIO):
    """A stream that gives back its lines."""

    def lines(self) -> list[str]:
        return self.getvalue().splitlines()


@pytest.fixture
def logger() -> logging.Logger:
    """A logger of the test's own, which tells nobody else."""
    return logging.Logger("test.telemetry.logs", logging.INFO)  # noqa: LOG001 - without a parent


@pytest.fixture
def text(logger: logging.Logger) -> Written:
    """What it writes as text."""
    return _write(logger, TextFormatter())


@pytest.fixture
def objects(logger: logging.Logger) -> Written:
    """What it writes as JSON."""
    return _write(logger, JsonFormatter())


def _write(logger: logging.Logger, formatter: logging.Formatter) -> Written:
    written = Written()
    handler = LineHandler(written)
    handler.setFormatter(formatter)
    logger.addHandler(handler)
    return written


def test_a_line_of_text_has_time_level_logger_and_fields(
    logger: logging.Logger, text: Written
) -> None:
    """Values that could be taken for something else are quoted; what is absent is `-`."""
    logger.info(Fields(a="plain", b="two words", c=None, d=7))

    [line] = text.lines()
    at, rest = line.split(" ", 1)
    assert len("2026-11-21T12:00:00.123Z") == len(at)
    assert 'INFO test.telemetry.logs a=plain b="two words" c=- d=7' == rest


def test_a_line_of_json_is_one_object(logger: logging.Logger, objects: Written) -> None:
    """Fields keep their types; other events have a message."""
    logger.info(Fields(a="x", b=None, c=7))
    logger.warning("happened to=%s", "somebody")

    first, second = (json.loads(line) for line in objects.lines())
    del first["time"], second["time"]
    assert {"level": "info", "logger": logger.name, "a": "x", "b": None, "c": 7} == first
    assert "happened to=somebody" == second["message"]


def test_no_value_makes_a_second_line(
    logger: logging.Logger, text: Written, objects: Written
) -> None:
    """Neither as a field nor inside a message, in neither form."""
    for value in HOSTILE:
        logger.info(Fields(given=value, after=1))
        logger.info("given=%s after", value)

    printed = [*text.lines(), *objects.lines()]
    assert 4 * len(HOSTILE) == len(printed)
    assert all(line.isascii() and line.isprintable() for line in printed)
    assert list(HOSTILE) == [json.loads(line)["given"] for line in objects.lines()[::2]]
    assert all(line.endswith(" after=1") for line in text.lines()[::2])


def test_a_traceback_cannot_pass_for_lines_of_the_log(
    logger: logging.Logger, text: Written, objects: Written
) -> None:
    """In text every line of it is indented, in JSON it is one value."""
    try:
        raise ValueError("gone\n2026-11-21T12:00:00.000Z INFO forged")
    except ValueError:
        logger.exception("failed")

    assert [" "] * (len(text.lines()) - 1) == [line[0] for line in text.lines()[1:]]
    [only] = objects.lines()
    assert "forged" in json.loads(only)["exception"]


@pytest.fixture
def lab(new_lab: OpenLab) -> Lab:
    """A server that logs each request."""
    return new_lab(log_published_share=1.0, traces="pass")


def requests(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """The lines about requests."""
    return [record for record in caplog.records if record.name == "hookwright.request"]


def test_a_request_leaves_one_line(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    """With who asked for what, under which ids, and what came of it."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    lab.client.new_app(slug="shop", name="Shop")
    body = {"event_name": "a.b", "payload": {"n": 1}}
    with caplog.at_level(logging.INFO, "hookwright.request"):
        caplog.clear()
        lab.client.post(
            "/v1/apps/shop/trigger?", body, traceparent=f"00-{trace}-b7ad6b7169203331-01"
        )

    [record] = requests(caplog)
    assert isinstance(record.msg, Fields)
    fields = dict(record.msg)
    assert isinstance(fields.pop("duration_ms"), float)
    assert str(fields.pop("key")).startswith("key_")
    assert {
        "request": trace,
        "trace": trace,
        "operation": "trigger.send",
        "method": "POST",
        "path": "/v1/apps/shop/trigger",
        "status": 202,
        "code": None,
        "account": lab.owner.account_id,
        "environment": "live",
    } == fields


def test_refusals_are_logged_with_their_code(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    """Those of the dispatcher and those in front of it."""
    with caplog.at_level(logging.INFO, "hookwright.request"):
        lab.client.with_key(None).get("/v1/apps")
        lab.client.get("/nowhere")
        lab.client.post("/v1/apps/none/trigger", {"event_name": "a.b", "payload": {}})

    found = [record.msg for record in requests(caplog)]
    told = [(each["operation"], each["code"]) for each in found if isinstance(each, Fields)]
    expected = [
        ("apps.list", "unauthorized"),
        ("none", "not_found"),
        ("trigger.send", "not_found"),
    ]
    assert expected == told


def test_no_secret_gets_into_the_log(
    new_lab: OpenLab, sink: Callable[..., Sink], caplog: pytest.LogCaptureFixture
) -> None:
    """Not with everything logged: keys, signing secrets, headers, queries, payloads, answers."""
    canary = secrets.token_hex(16)
    with caplog.at_level(logging.DEBUG):
        lab = new_lab(log_published_share=1.0, traces="pass", metrics_listen="127.0.0.1:0")
        hook = sink(reply(200, canary.encode()), reply(500, canary.encode()))
        app = lab.client.new_app()["slug"]
        url = f"{hook.url}?token={canary}"
        endpoint = lab.client.new_endpoint(app, url, headers={"X-Key": canary})
        made = lab.client.new_key("read")
        body = {"event_name": "a.b", "payload": {"secret": canary}}
        first, again = (
            lab.client.post(
                f"/v1/apps/{app}/trigger", body, idempotency_key=canary, baggage=canary
            ).require(202)
            for _ in range(2)
        )
        lab.client.finished(first["delivery_ids"][0])
        # The line of an attempt comes after its record.
        eventually(lambda: "hookwright.attempt" in {record.name for record in caplog.records})
        lab.client.get(f"/v1/apps?cursor={canary}")
        lab.client.with_key(f"hw_live_{canary}").get("/v1/apps")
        lab.client.send("POST", f"/v1/apps/{app}/trigger", {"X-Key": canary}, canary.encode())
    formatted = [
        formatter.format(record)
        for record in caplog.records
        for formatter in (TextFormatter(), JsonFormatter())
    ]
    printed = "\n".join(formatted)

    known = (canary, endpoint["signing_secret"], made["key"], lab.owner.live_key)
    assert first == again
    assert [] == [secret for secret in known if secret in printed]
    assert "hookwright.request" in printed
    assert "hookwright.attempt" in printed
