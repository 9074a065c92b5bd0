"""How tests that need a service behave where it is missing: conftest.py at the root."""

from __future__ import annotations

from pathlib import Path

import pytest

CONFTEST = Path(__file__).resolve().parent.parent / "conftest.py"
INI = f"""
    [pytest]
    addopts = -p no:cacheprovider -p no:schemathesis
    pythonpath = {CONFTEST.parent / "tools"}
    markers =
        needs_service(name): needs it
        serial: alone
        long: early
"""
SAMPLE = """
    import pytest

    @pytest.mark.needs_service("present")
    def test_with_service(): pass

    @pytest.mark.needs_service("absent")
    def test_without_service(): pass
"""


@pytest.fixture
def sample(pytester: pytest.Pytester) -> pytest.Pytester:
    """Two tests under the root conftest: one has its service, the other has not."""
    programs = '\nPROGRAMS = {"present": ("sh",), "absent": ("no-such-program",)}\n'
    pytester.makeconftest(CONFTEST.read_text(encoding="utf-8") + programs)
    pytester.makeini(INI)
    pytester.makepyfile(SAMPLE)
    return pytester


def test_missing_service_is_named_loudly(
    sample: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its service a test does not run, and the summary names it and the service."""
    monkeypatch.delenv("REQUIRE_SERVICES", raising=False)

    result = sample.runpytest_subprocess()

    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(
        [
            "NOT RUN (needs absent): *::test_without_service",
            "1 tests were NOT RUN: install absent; REQUIRE_SERVICES=1 makes this fail.",
        ]
    )


def test_missing_service_is_named_under_xdist(
    sample: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spread over workers, the summary still names what was not run."""
    monkeypatch.delenv("REQUIRE_SERVICES", raising=False)

    result = sample.runpytest_subprocess("-n", "1")

    result.stdout.fnmatch_lines(["NOT RUN (needs absent): *::test_without_service"])


def test_required_service_fails(sample: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """With REQUIRE_SERVICES=1 a missing service is a failure."""
    monkeypatch.setenv("REQUIRE_SERVICES", "1")

    result = sample.runpytest_subprocess()

    result.assert_outcomes(passed=1, errors=1)


def test_serial_tests_run_alone(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a `serial` test runs, no other test runs on any worker."""
    pytester.makeconftest(CONFTEST.read_text(encoding="utf-8"))
    pytester.makeini(INI)
    pytester.makepyfile(
        """
        import os, pathlib, pytest, time

        def note(word):
            with pathlib.Path(os.environ["SEEN"]).open("a") as seen:
                seen.write(word + "\\n")

        @pytest.mark.parametrize("number", range(10))
        def test_among_others(number):
            note("in")
            time.sleep(0.02)
            note("out")

        @pytest.mark.serial
        @pytest.mark.parametrize("number", range(5))
        def test_alone(number):
            note("serial in")
            time.sleep(0.02)
            note("serial out")
        """
    )
    seen = pytester.path / "seen"
    monkeypatch.setenv("SEEN", str(seen))

    pytester.runpytest_subprocess("-n", "2", "--dist", "load").assert_outcomes(passed=15)

    notes = seen.read_text(encoding="utf-8").splitlines()
    starts = [place for place, note in enumerate(notes) if note == "serial in"]
    assert ["serial out"] * 5 == [notes[place + 1] for place in starts]
    assert [0] * 5 == [notes[:place].count("in") - notes[:place].count("out") for place in starts]


def test_what_takes_longest_begins_first(pytester: pytest.Pytester) -> None:
    """Serial tests, then long ones, then the others as they stand in their files."""
    pytester.makeconftest(CONFTEST.read_text(encoding="utf-8"))
    pytester.makeini(INI)
    pytester.makepyfile(
        """
        import pytest

        def test_one(): pass

        @pytest.mark.long
        def test_two(): pass

        @pytest.mark.serial
        def test_three(): pass

        def test_four(): pass
        """
    )

    told = pytester.runpytest_subprocess("--collect-only", "-q").outlines

    assert ["three", "two", "one", "four"] == [
        line.rpartition("_")[2] for line in told if "::" in line
    ]
