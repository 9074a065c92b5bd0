"""The SDK beside others: ours passes every scene, and the document is what was found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hookwright import Hookwright
from hookwright_benchmarks.comparison.features import SCENES
from hookwright_benchmarks.comparison.findings import from_json, markdown
from hookwright_benchmarks.comparison.libraries import LIBRARIES
from hookwright_benchmarks.fresh import cpu_ms

ROOT = Path(__file__).resolve().parents[2]
OURS = LIBRARIES["hookwright"]


@pytest.mark.parametrize("name", SCENES)
def test_ours_can(name: str) -> None:
    """Our SDK does what each row of the table asks."""
    seen = SCENES[name](OURS)

    assert seen.can, seen.what


def test_the_committed_document_is_rendered_from_the_committed_findings() -> None:
    """Nobody edits the table by hand, and no scene is missing in it."""
    comparison = from_json((ROOT / "benchmarks/results/comparison.json").read_text())

    assert (ROOT / "docs/comparison.md").read_text() == markdown(comparison)
    assert {each.library for each in comparison.findings} == set(LIBRARIES)


def test_imports_are_measured_where_nothing_is_loaded() -> None:
    """A module that is loaded already would cost nothing."""
    foreign = "{'hookwright', 'http.client', 'socketserver'} & set(sys.modules)"

    assert 0 < cpu_ms(f"import sys; assert not {foreign}", 2) < cpu_ms("import http.client", 2)


def test_scenes_can_be_failed() -> None:
    """A client without tries left fails every scene that asks for another try."""

    def client(url: str) -> Hookwright:
        return Hookwright("sk_test_a_key_of_nobody", base_url=url, max_retries=0)

    single = replace(OURS, client=client)
    failed = {
        name
        for name in ("retries_429", "retries_lost_connection", "honours_retry_after")
        if not SCENES[name](single).can
    }

    assert {"retries_429", "retries_lost_connection", "honours_retry_after"} == failed
