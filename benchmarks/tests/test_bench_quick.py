"""Every suite works on a tiny load. Nothing here judges how fast anything is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hookwright_benchmarks.cli import main, measure
from hookwright_benchmarks.results import Report, Row
from hookwright_benchmarks.rig import limit
from hookwright_benchmarks.suites import SUITES
from hookwright_benchmarks.suites.plan import BackEnd

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def quick(name: str, back_end: BackEnd = "embedded") -> dict[str, Row]:
    """The rows of one quick suite, by their promise."""
    found = measure((name,), back_end=back_end, quick=True)
    return {row.promise: row for row in found.rows}


def test_the_load_arrives_whole_and_genuine() -> None:
    """What the server accepted, the sink received once, under a right signature."""
    rows = quick("throughput")

    assert 100.0 == rows["received of what was accepted, 500 B"].measured
    assert 100.0 == rows["received of what was accepted, 7 KB"].measured
    assert 0.0 == rows["deliveries whose signature is wrong"].measured
    assert rows["accepted messages/s, 500 B"].measured > 0
    assert rows["CPU of worker a message, with 2 deliveries"].measured > 0


def test_the_engine_delivers_with_both_senders() -> None:
    """The engine runs on its own sender and on the one that it is compared with."""
    rows = quick("engine")

    assert rows["CPU a delivery"].measured > 0
    assert rows["CPU a delivery on aiohttp"].measured > 0
    assert rows["engine deliveries/s ÷ limit on the same sink"].measured > 0


@pytest.mark.needs_service("postgres")
@pytest.mark.needs_service("redis")
def test_the_production_form_delivers_beside_the_embedded_one() -> None:
    """Real `api` and `worker` processes get the load, and their CPU is told apart."""
    rows = quick("throughput", "production")

    assert 100.0 == rows["received of what was accepted, 500 B"].measured
    assert 0.0 == rows["deliveries whose signature is wrong"].measured
    assert rows["embedded ÷ production, deliveries/s end to end"].measured > 0
    assert rows["CPU of api a message, with 2 deliveries"].measured > 0
    assert rows["log (WAL) a message, with 2 deliveries"].measured > 0


@pytest.mark.needs_service("postgres")
@pytest.mark.parametrize("name", ["depth", "order"])
def test_the_store_is_measured_on_postgres(name: str) -> None:
    """Claims and inserts of the store alone, on Postgres too."""
    rows = quick(name, "production").values()

    assert all(row.measured > 0 for row in rows)


def test_a_bare_client_stands_in_for_wrk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where wrk is not installed a limit is measured all the same, under its own name."""

    def not_found(_name: str) -> None:
        return None

    monkeypatch.setattr("shutil.which", not_found)
    with subprocess.Popen(
        [sys.executable, "-m", "hookwright_benchmarks.rig.sink"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as sink:
        assert sink.stdout is not None
        port = json.loads(sink.stdout.readline())["port"]
        rate = limit.requests_per_second(port, 1, tmp_path)
        sink.terminate()

    assert rate > 0
    assert "asyncio" in limit.name()


@pytest.mark.parametrize("name", ["sdk", "sdk-crowd", "group-commit", "order"])
def test_other_suites_give_positive_figures(name: str) -> None:
    """Every row of a suite holds one positive value a run."""
    rows = quick(name).values()

    assert all(len(row.values) == 1 and row.measured > 0 for row in rows)
    assert {name} == {row.suite for row in rows}


def test_the_command_prints_a_report_as_json() -> None:
    """`--json` prints what can be read back; a quick run leaves the kept figures alone."""
    kept = (ROOT / "benchmarks/results/embedded.json").read_bytes()
    command = "from hookwright_benchmarks.cli import main; main()"
    printed = subprocess.run(
        [
            sys.executable,
            "-c",
            command,
            "--quick",
            "--only",
            "codegen",
            "--json",
            "--backend",
            "embedded",
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    assert {"codegen"} == {row.suite for row in Report.from_json(printed).rows}
    assert kept == (ROOT / "benchmarks/results/embedded.json").read_bytes()


def test_reads_find_what_they_look_for() -> None:
    """Analytics and lists answer at both sizes; each list shows as many rows as it should."""
    rows = quick("reads")

    assert 0 < rows["stats: the larger of these"].measured
    assert 72 == len([promise for promise in rows if "deliveries in 30 days" in promise])


def test_the_help_names_every_suite() -> None:
    """`--help` says what `--only` takes."""
    option = next(each for each in main.params if each.name == "names")

    assert set(SUITES) == set(getattr(option.type, "choices", ()))
