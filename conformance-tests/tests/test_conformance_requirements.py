"""Documentation, requirements.yaml and the cases say the same and leave nothing out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hookwright_conformance import requirements
from hookwright_conformance.case import all_cases, case
from hookwright_conformance.sdk.case import PROFILES as SDK_PROFILES
from hookwright_conformance.sdk.case import case as sdk_case
from hookwright_conformance.sdk.case import sdk_cases
from hookwright_conformance.selftest import mutants
from hookwright_conformance.spec import Spec
from hookwright_conformance.target import PROFILES

ROOT = Path(__file__).parents[2]
BEHAVIOUR = ROOT / "docs" / "behaviour"
SOURCES = ROOT / "conformance-tests" / "src" / "hookwright_conformance" / "cases"
SENTENCE = re.compile(r"^- \*\*([A-Z]+-\d+)\*\* (.+(?:\n  .+)*)", re.MULTILINE)
LISTED = requirements.load()
CASES = all_cases()
SDK_CASES = sdk_cases()


def documented() -> dict[str, tuple[str, str]]:
    """Each id in docs/behaviour with its sentence and its page."""
    return {
        match[1]: (" ".join(match[2].split()), f"docs/behaviour/{page.name}")
        for page in sorted(BEHAVIOUR.glob("*.md"))
        for match in SENTENCE.finditer(page.read_text(encoding="utf-8"))
    }


def test_docs_and_list_hold_the_same_sentences() -> None:
    """Ids, sentences and pages agree."""
    listed = {one.id: (one.sentence, one.link) for one in LISTED.by_id.values()}

    assert documented() == listed


def test_level_is_the_word_in_the_sentence() -> None:
    """A MUST is a must."""
    for one in LISTED.by_id.values():
        word = next(word for word in ("MUST", "SHOULD", "MAY") if word in one.sentence)

        assert word.lower() == one.level, one.id


def test_overview_lists_every_page() -> None:
    """docs/behaviour/README.md links each page with its ids."""
    overview = (BEHAVIOUR / "README.md").read_text(encoding="utf-8")
    for id_, (_, page) in documented().items():
        row = f"[{Path(page).name}]({Path(page).name}) | {id_.partition('-')[0]} |"

        assert row in overview


def test_every_requirement_is_observed_or_explained() -> None:
    """A requirement without a case has a reason, one with a case has none."""
    observed = {one.requirement.id for one in [*CASES, *SDK_CASES]}

    assert set(LISTED.by_id) == observed | set(LISTED.unobserved_requirements)
    assert set() == observed & set(LISTED.unobserved_requirements)


@pytest.mark.parametrize("kind", ["operations", "error_codes"])
def test_every_operation_and_error_code_is_reached_or_explained(kind: str) -> None:
    """The cases' source names each of them."""
    spec = Spec.load()
    names = set(spec.operations) if kind == "operations" else set(spec.error_codes)
    explained = {
        "operations": set(LISTED.unobserved_operations),
        "error_codes": set(LISTED.unobserved_error_codes),
    }[kind]
    source = "".join(path.read_text(encoding="utf-8") for path in SOURCES.glob("*.py"))
    reached = {name for name in names if f'"{name}"' in source}

    assert names == reached | explained
    assert set() == reached & explained


def test_cases_are_well_formed() -> None:
    """Ids are `group.words-with-dashes`, profiles exist, docstrings are one line."""
    for one in [*CASES, *SDK_CASES]:
        assert re.fullmatch(r"(sdk-)?[a-z]+\.[a-z0-9-]+", one.id)
        assert one.profile in {*PROFILES, *SDK_PROFILES}, one.id
        assert one.id.startswith("sdk-") is one.profile.startswith("sdk-"), one.id
        assert one.summary.endswith("."), one.id


def test_there_are_enough_cases_and_mutants() -> None:
    """The suite shrinks only on purpose."""
    assert len(CASES) >= 200
    assert len(mutants(CASES)) >= 140


def test_every_must_case_kills_a_mutant() -> None:
    """A case that no broken implementation fails could be one that cannot fail."""
    idle = [one.id for one in CASES if one.requirement.level == "must" and not one.kills]

    assert [] == idle


def test_every_mutant_exists_and_is_named() -> None:
    """A mutant that no case names proves nothing, and one that does not exist even less."""
    folder = ROOT / "conformance-tests" / "mutants"
    listed = (folder / "mutant_worker.py", folder / "broken_door.py")
    made = {
        found.replace("_", "-")
        for path in listed
        for names in re.findall(r"for function in \(([^)]+)\)", path.read_text(encoding="utf-8"))
        for found in re.findall(r"(?:broken_\w+\.)?(\w+)", names)
    }

    assert set(mutants(CASES)) == made


def test_an_id_is_used_once() -> None:
    """A second case with the same id is an error when it is defined."""
    for taken, register in ((CASES[0], case), (SDK_CASES[0], sdk_case)):
        again = register(id=taken.id, requirement="WIRE-1", profile="core")

        with pytest.raises(ValueError, match="two cases are called"):
            again(taken.function)
