"""`/metrics`: where it is served, what it tells, and what it must not."""

from __future__ import annotations

import http.client
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from http_lab import Lab, OpenLab, eventually
from http_sink import Sink, reply
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from hookwright_server.settings import Settings
from hookwright_server.telemetry.address import Address, parse_address
from hookwright_server.telemetry.listener import MetricsListener
from hookwright_server.telemetry.meters import SILENT, Limit, LostLease
from hookwright_server.telemetry.prometheus import PrometheusMeters
from hookwright_server.telemetry.watch import WatchRefused, make_watch, shared_metrics

PAGE = Path(__file__).resolve().parents[3] / "docs" / "observability.md"
ANYWHERE = Address("127.0.0.1", 0)
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read(address: Address | None, path: str = "/metrics") -> tuple[int, str]:
    """GET; the status and the body."""
    assert address is not None
    connection = http.client.HTTPConnection(address.host, address.port, timeout=20)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def samples(text: str) -> Samples:
    """The page as numbers."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float:
    """One number; 0 when there is none yet."""
    return found.get((name, tuple(sorted(labels.items()))), 0.0)


def scraped(lab: Lab) -> Samples:
    """What a server in this process tells now."""
    status, text = read(lab.server.watch.address)
    assert status == 200
    return samples(text)


@pytest.fixture
def lab(new_lab: OpenLab) -> Lab:
    """A server that serves its metrics."""
    return new_lab(metrics_listen="127.0.0.1:0")


def test_requests_messages_and_attempts_are_counted(lab: Lab, sink: Callable[..., Sink]) -> None:
    """What was done through the API stands in the next scrape."""
    good, bad = sink(), sink(reply(500))
    app = lab.client.new_app()["slug"]
    lab.client.new_endpoint(app, good.url)
    lab.client.new_endpoint(app, bad.url, retry_policy={"delays_seconds": [], "jitter": 0})
    sent = [lab.client.trigger(app) for _ in range(3)]
    for each in sent:
        for delivery_id in each["delivery_ids"]:
            lab.client.finished(delivery_id)
    lab.client.get("/nowhere")

    found = eventually(
        lambda: scraped(lab),
        lambda got: value(got, "hookwright_first_attempt_delay_seconds_count") == 6,
    )

    assert 3 == value(found, "hookwright_attempts_total", outcome="delivered")
    assert 3 == value(found, "hookwright_attempts_total", outcome="http_5xx")
    assert 3 == value(found, "hookwright_messages_accepted_total")
    assert 6 == value(found, "hookwright_deliveries_accepted_total")
    assert 6 == value(found, "hookwright_deliveries_claimed_total")
    assert 6 == value(found, "hookwright_attempt_duration_seconds_count")
    assert 6 == value(found, "hookwright_first_attempt_delay_seconds_count")
    assert 3 == value(found, "hookwright_requests_total", operation="trigger.send", status="202")
    assert 3 == value(found, "hookwright_request_duration_seconds_count", operation="trigger.send")
    assert 1 == value(found, "hookwright_requests_total", operation="none", status="404")
    assert 0 < value(found, "hookwright_claim_duration_seconds_sum")
    assert 0 < value(found, "hookwright_writer_group_jobs_count")
    assert 1 == value(found, "hookwright_database_up")


def test_requests_that_a_limit_refuses_are_counted(new_lab: OpenLab) -> None:
    """By the limit that refused them; limits that refused nobody stand at 0."""
    lab = new_lab(metrics_listen="127.0.0.1:0", requests_per_minute=1)
    answers = [lab.client.get("/v1/apps").status for _ in range(3)]

    found = scraped(lab)

    assert [200, 429, 429] == answers
    assert 2 == value(found, "hookwright_limit_refusals_total", limit="key")
    assert ("hookwright_limit_refusals_total", (("limit", "ingest_queue"),)) in found


def test_the_public_port_has_no_metrics(lab: Lab) -> None:
    """Whoever may only use the API learns nothing of the server's state."""
    assert "not_found" == lab.client.get("/metrics").code


def test_nothing_is_served_unless_asked_for(new_lab: OpenLab) -> None:
    """Without the setting there is no listener, and nothing counts."""
    lab = new_lab()

    assert lab.server.watch.address is None
    assert SILENT is lab.server.watch.meters


def test_other_paths_are_not_found(lab: Lab) -> None:
    """The operators' listener has no other page than those two."""
    status, _ = read(lab.server.watch.address, "/")

    assert 404 == status


def test_the_operators_listener_tells_that_the_process_lives() -> None:
    """A worker has no other listener; it answers without asking the database."""
    watch = make_watch(ANYWHERE, "off", "1")
    watch.serve(lambda: (_ for _ in ()).throw(RuntimeError("no database")), lambda: 0)

    assert (200, "live\n") == read(watch.address, "/live")
    watch.close()


def test_no_label_names_a_tenant(lab: Lab, sink: Callable[..., Sink]) -> None:
    """Ids of accounts, apps, endpoints and messages would make series without end."""
    app = lab.client.new_app()
    lab.client.new_endpoint(app["slug"], sink().url)
    lab.client.finished(lab.client.trigger(app["slug"])["delivery_ids"][0])
    _, text = read(lab.server.watch.address)

    assert [] == re.findall(r"(?:acc|app|ep|msg|del|key)_[0-9A-Z]{8,}", text)
    assert app["slug"] not in text


def test_every_metric_is_documented() -> None:
    """docs/observability.md names what there is, with its labels, and nothing else."""
    registry = CollectorRegistry()
    PrometheusMeters(registry)
    watch = make_watch(ANYWHERE, "off", "1")
    watch.serve(lambda: (_ for _ in ()).throw(RuntimeError("no database")), lambda: 0)
    _, text = read(watch.address)
    watch.close()
    shown = {
        name.removesuffix("_total")
        for name in re.findall(r"^# TYPE (hookwright_\w+) ", text, re.MULTILINE)
    }

    documented = re.findall(r"^\| `(hookwright_\w+)` ", PAGE.read_text(), re.MULTILINE)

    assert sorted(shown) == sorted(name.removesuffix("_total") for name in documented)


def test_every_label_value_is_documented() -> None:
    """The closed sets of labels stand in the table."""
    page = PAGE.read_text()

    assert [] == [each for each in (*get_args(Limit), *get_args(LostLease)) if each not in page]


def test_an_address_in_use_is_refused_with_advice() -> None:
    """The server says which setting to change."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = Address("127.0.0.1", taken.getsockname()[1])
        watch = make_watch(address, "off", "1")

        with pytest.raises(WatchRefused, match="HOOKWRIGHT_METRICS_LISTEN"):
            watch.serve(lambda: (_ for _ in ()).throw(RuntimeError), lambda: 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:9464", Address("127.0.0.1", 9464)),
        ("[::1]:9464", Address("::1", 9464)),
        ("localhost:0", Address("localhost", 0)),
    ],
)
def test_addresses_are_read(text: str, expected: Address) -> None:
    """Host and port, IPv6 in brackets; printed they read the same."""
    address = parse_address(text)

    assert (expected, text) == (address, str(address))


@pytest.mark.parametrize("text", ["9464", ":9464", "::1:9464", "host:", "host:x", "host:70000"])
def test_bad_addresses_are_refused(text: str) -> None:
    """The setting names the form that it wants."""
    with pytest.raises(ValueError, match=r"127\.0\.0\.1:9464|brackets"):
        Settings.model_validate({"metrics_listen": text})


def test_a_client_that_says_nothing_holds_up_nobody() -> None:
    """Each scrape has a thread of its own."""
    listener = MetricsListener(ANYWHERE, lambda: b"page")
    with socket.create_connection((listener.address.host, listener.address.port)):
        status, text = read(listener.address)

    assert (200, "page") == (status, text)
    listener.close()


_COUNTING = """
import sys
from hookwright_server.telemetry.address import parse_address
from hookwright_server.telemetry.watch import make_watch
from hookwright_server.telemetry.meters import QueueDepth
watch = make_watch(parse_address(sys.argv[1]), "off", "1")
watch.meters.accepted(2)
watch.meters.in_flight(5)
watch.serve(lambda: QueueDepth(7, 0, 0, None), lambda: 0)
print(watch.address, flush=True)
sys.stdin.read()
"""


def test_processes_that_share_a_folder_are_shown_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any of them answers for all; what a dead one counted stays, what it held does not."""
    with shared_metrics() as environment, socket.socket() as reserved:
        for name, folder in environment.items():
            monkeypatch.setenv(name, folder)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        command = [sys.executable, "-c", _COUNTING, f"127.0.0.1:{port}"]
        processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        try:
            addresses = [p.stdout.readline().strip() for p in processes if p.stdout is not None]
            both = samples(read(Address("127.0.0.1", port))[1])
            processes[0].kill()
            processes[0].wait()
            one = samples(read(Address("127.0.0.1", port))[1])
        finally:
            for process in processes:
                process.kill()
                process.communicate()

    names = (
        "hookwright_messages_accepted_total",
        "hookwright_deliveries_accepted_total",
        "hookwright_deliveries_in_flight",
    )
    assert [f"127.0.0.1:{port}"] * 2 == addresses
    assert [2, 4, 10] == [value(both, name) for name in names]
    assert [2, 4, 5] == [value(one, name) for name in names]
    assert 7 == value(one, "hookwright_queue_deliveries", state="due")


def test_folders_of_killed_servers_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next start removes what nobody holds any more, and nothing else."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left, foreign = tmp_path / "hookwright-metrics-left", tmp_path / "somebody-elses"
    for folder in (left, foreign):
        folder.mkdir()
        (folder / "lock").touch()

    with shared_metrics() as outer, shared_metrics() as inner:
        kept = sorted(path.name for path in tmp_path.iterdir())

    mine = sorted(Path(folder).name for each in (outer, inner) for folder in each.values())
    assert sorted([*mine, "somebody-elses"]) == kept


def test_counting_costs_next_to_nothing() -> None:
    """At most 5 µs of CPU a delivery on a quiet machine; here ten times that is borne."""
    meters = PrometheusMeters(CollectorRegistry())
    durations, delays = [0.02] * 100, [0.01] * 100
    rounds = [
        _seconds(lambda: meters.recorded({"delivered": 100}, durations, delays)) for _ in range(9)
    ]

    assert min(rounds) / 100 < 50e-6


def _seconds(work: Callable[[], None]) -> float:
    began_at = time.thread_time()
    work()
    return time.thread_time() - began_at
