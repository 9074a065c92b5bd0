"""`.ci/run` forgives a test that fails once, and says so; anything else stays a failure."""

from __future__ import annotations

from pathlib import Path

import flaky
import pytest

INI = f"[pytest]\nmarkers = campaign\npythonpath = {Path(flaky.__file__).parent}\n"
TESTS = """
from pathlib import Path
import pytest

def begun(name):
    seen = Path(__file__).parent / name
    seen.write_text(seen.read_text() + "." if seen.exists() else ".")
    return len(seen.read_text())

def test_well(): pass
def test_once(): assert begun("once") != 1
def test_broken_off(): pytest.exit("interrupted") if begun("broken") == 1 else None
def test_seldom(): assert begun("seldom") not in (1, 4)
@pytest.mark.campaign
def test_search(): assert begun("search") != 1
@pytest.mark.parametrize("number", range(4))
def test_each(number): assert begun(f"each {number}") != 1
"""


@pytest.mark.parametrize(
    ("failing", "status", "told"),
    [
        ("once", 0, "FLAKY test_sample.py::test_once: failed once, then passed 3 times alone"),
        ("once or seldom", 1, "it fails again"),
        ("once or search", 1, "a campaign looks for what happens once"),
        ("each", 1, "4 tests failed, more than 3"),
        ("well", 1, "no test is known to have failed"),
        ("once or broken", 1, "the run did not come to its end (exit status 2)"),
    ],
)
def test_only_few_that_pass_each_time_are_flaky(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    failing: str,
    status: int,
    told: str,
) -> None:
    """Three that pass three times alone; never a campaign, and never without a failure."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they take time to import
    monkeypatch.setenv("PYTEST_PLUGINS", "xdist.plugin")
    pytester.makeconftest('pytest_plugins = ["flaky"]')
    pytester.makeini(INI)
    pytester.path.joinpath("test_sample.py").write_text(TESTS)
    pytester.runpytest_subprocess("-k", failing)
    monkeypatch.setattr(flaky, "ROOT", pytester.path)
    found = flaky.main()

    assert (status, True) == (found, told in capfd.readouterr().out)


def test_ci_run_calls_it() -> None:
    """After the tests, and only when they failed."""
    ci = Path(flaky.__file__).parents[1] / ".ci" / "run"

    assert "make --no-print-directory test ||\n" in ci.read_text(encoding="utf-8")
