"""Verdicts, selection, the kill matrix and the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hookwright_conformance.case import Case, all_cases
from hookwright_conformance.cli import main
from hookwright_conformance.plugin import judge
from hookwright_conformance.requirements import Level, Requirement
from hookwright_conformance.results import Failure, Result, Results, select, sizes
from hookwright_conformance.selftest import Autopsy
from hookwright_conformance.target import KnownFailure

FAILURE = Failure("status", "200", "500")


def make(id_: str = "a.b", level: Level = "must", profile: str = "core") -> Case:
    """A case that nobody runs."""
    requirement = Requirement("X-1", level, "It MUST be.", "docs/behaviour/x.md")
    return Case(id_, requirement, profile, (), lambda world: None)


@pytest.mark.parametrize(
    ("level", "failure", "known", "expected"),
    [
        ("must", None, None, "passed"),
        ("must", FAILURE, None, "failed"),
        ("should", FAILURE, None, "not_met"),
        ("must", FAILURE, KnownFailure("a.b", "why"), "known_failure"),
        ("must", FAILURE, KnownFailure("a.b", "why", "got 500"), "known_failure"),
        ("must", FAILURE, KnownFailure("a.b", "why", "got 404"), "failed"),
        ("must", None, KnownFailure("a.b", "why"), "failed"),
        ("should", None, KnownFailure("a.b", "why"), "failed"),
    ],
)
def test_verdicts(
    level: Level, failure: Failure | None, known: KnownFailure | None, expected: str
) -> None:
    """Severity follows the level; a known failure must fail, and as stated."""
    assert expected == judge(make(level=level), failure, known, 0.1).verdict


def test_profiles_are_counted_by_level() -> None:
    """A SHOULD that is not met does not break conformance."""
    results = Results("1.0", "http://x", "again", {"core": 2, "signing": 1})
    results.items = [
        Result(make("a.a"), "passed", 0),
        Result(make("a.b", "should"), "not_met", 0, FAILURE, "note"),
        Result(make("b.a", profile="signing"), "failed", 0, FAILURE),
    ]

    assert [
        "conforms to core 1.0 (1/1 MUST, 0/1 SHOULD)",
        "does not conform to signing 1.0 (0/1 MUST)",
    ] == results.profile_lines()


def test_a_part_of_a_profile_is_not_the_profile() -> None:
    """Passing some of its cases says nothing of the others; failing one says enough."""
    whole = sizes([make("a.a"), make("a.b"), make("a.c")])
    results = Results("1.0", "http://x", "again", whole)
    results.items = [Result(make("a.a"), "passed", 0)]
    assert (None, ["partial: 1 of 3 run of core 1.0 (1/1 MUST)"]) == told(results)

    results.items.append(Result(make("a.b"), "failed", 0, FAILURE))
    assert (False, ["does not conform to core 1.0 (1/2 MUST); 2 of 3 run"]) == told(results)

    results.items = [Result(make(name), "passed", 0) for name in ("a.a", "a.b", "a.c")]
    assert (True, ["conforms to core 1.0 (3/3 MUST)"]) == told(results)


def test_what_is_not_run_counts_neither_way() -> None:
    """The line says how many were, and a case that fails still fails."""
    results = Results("1.0", "http://x", "again", {"core": 2})
    results.items = [
        Result(make("a.a"), "passed", 0),
        Result(make("a.b"), "not_run", 0, note="target.yaml declares no receiver.tls"),
    ]
    assert (True, ["conforms to core 1.0 (1/1 MUST); 1 of 2 run"]) == told(results)

    results.items[0] = Result(make("a.a"), "failed", 0, FAILURE)
    assert (False, ["does not conform to core 1.0 (0/1 MUST); 1 of 2 run"]) == told(results)


def test_what_was_never_come_to_certifies_nothing() -> None:
    """Nobody knows how the rest would have ended: neither before the first case, nor later."""
    results = Results("1.0", "http://x", "again", {"core": 1, "signing": 1}, chosen=2)
    assert (None, []) == told(results)

    results.items = [Result(make("a.a"), "passed", 0)]
    assert (None, ["conforms to core 1.0 (1/1 MUST)"]) == told(results)

    results.items.append(Result(make("b.a", profile="signing"), "passed", 0))
    assert results.conforms is True


def told(results: Results) -> tuple[bool | None, list[str]]:
    """What a run says of itself."""
    return results.conforms, results.profile_lines()


def test_selection_by_profile_id_and_group() -> None:
    """`only` takes an id or the part before the dot."""
    cases = [make("a.one"), make("a.two"), make("ab.one"), make("c.one", profile="ssrf")]

    assert ["a.one", "a.two", "ab.one"] == [one.id for one in select(cases, ["core"])]
    assert ["a.one", "a.two"] == [one.id for one in select(cases, ["core"], ["a"])]
    assert ["ab.one"] == [one.id for one in select(cases, ["core"], ["ab.one", "c.one"])]


def test_a_mutant_dies_by_all_its_killers_and_spares_the_rest() -> None:
    """One killer that sleeps, or too many other victims, proves nothing."""
    killers = frozenset({"a.a", "a.b"})

    dead = Autopsy("m", killers, killers | {"c.c"}, 12)
    assert (True, 0.9) == (dead.proven, dead.others_passed)
    assert not Autopsy("m", killers, frozenset({"a.a"}), 12).proven
    assert ["a.b"] == Autopsy("m", killers, frozenset({"a.a"}), 12).missed
    others = {f"c.{number}" for number in range(3)}
    assert not Autopsy("m", killers, killers | others, 12).proven


@pytest.mark.parametrize(
    "command", [[], ["server"], ["list"], ["vectors"], ["matrix"], ["selftest"]]
)
def test_every_command_explains_itself(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """--help works everywhere."""
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])

    assert 0 == caught.value.code
    assert "usage: hookwright-conformance" in capsys.readouterr().out


def test_list_shows_every_case(capsys: pytest.CaptureFixture[str]) -> None:
    """Requirements stand with their cases, or with a reason."""
    assert 0 == main(["list"])
    listed = capsys.readouterr().out

    for one in all_cases():
        assert one.id in listed
    assert "not observed: what is stored cannot be seen" in listed


def test_vectors_are_printed_and_written(
    capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Both ways give the same documents; all of them are told in one."""
    folder = tmp_path_factory.mktemp("vectors") / "new"
    assert 0 == main(["vectors", "--out", str(folder)])
    assert 0 == main(["vectors", "wire"])
    wire = capsys.readouterr().out
    assert 0 == main(["vectors"])
    together = json.loads(capsys.readouterr().out)
    written = {path.stem: json.loads(path.read_text("utf-8")) for path in folder.iterdir()}

    assert (folder / "wire.json").read_text(encoding="utf-8") == wire
    assert together == written
    assert {"decode", "retry", "signature", "wire"} == set(written)


def test_unknown_vectors_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The error says which there are."""
    assert 2 == main(["vectors", "retries"])
    assert "no vectors retries; there are signature, retry, wire" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["sdk", "--driver", ""], "the command is empty"),
        (["sdk", "--driver", "'node driver.js"], "No closing quotation"),
        (["sdk", "--driver", "x", "--parallel", "0"], "0 is less than 1"),
        (["server", "--target", "x", "--parallel", "0"], "0 is less than 1"),
        (["selftest", "--launcher", " "], "the command is empty"),
        (["selftest", "--launcher", "/nowhere", "--target", "x"], "/nowhere"),
        (["selftest", "--launcher", "echo", "--target", "x"], "announced b'none"),
        (["vectors", "--out", "FILE"], "File exists"),
        (["matrix", "FILE", "--output", "x"], "is no report of this suite"),
    ],
)
def test_what_cannot_be_used_is_told(
    arguments: list[str], says: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """With the exit status of a run that tested nothing: 1 would say that a MUST is broken."""
    (tmp_path / "file").write_text("5")
    given = [each.replace("FILE", str(tmp_path / "file")) for each in arguments]
    try:
        status = main(given)
    except SystemExit as error:
        status = int(str(error.code))

    assert (2, True) == (status, says in capfd.readouterr().err)
