"""Proves the cases for SDKs: every broken driver must die, while nearly all other cases pass.

`DRIVER NAME` is a driver with one thing of its SDK broken on purpose, `DRIVER none` the sound one.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from hookwright_conformance.case import Case
from hookwright_conformance.errors import TargetError
from hookwright_conformance.sdk.case import sdk_cases
from hookwright_conformance.sdk.crew import Crew
from hookwright_conformance.sdk.world import LONG_S
from hookwright_conformance.selftest import SOUND, Autopsy, mutants
from hookwright_conformance.spec import Spec

# A mutant that waits for what nobody should wait for has its result after these seconds.
_MUTANT_LONG_S = 3.0


def sdk_selftest(driver: str, only: Sequence[str] = (), parallel: int = 4) -> Iterator[Autopsy]:
    """Run all cases against the sound driver and each mutant. Raises TargetError when the sound one
    fails a case, or `only` names no mutant."""
    cases = sdk_cases()
    known = mutants(cases)
    unknown = set(only) - set(known)
    if unknown:
        raise TargetError(f"no case names the mutant(s) {', '.join(sorted(unknown))}")
    failed = failures(driver, SOUND, cases, parallel, LONG_S)
    if failed:
        raise TargetError(f"the sound driver fails {', '.join(sorted(failed))}")
    for name, killers in known.items():
        if not only or name in only:
            dead = failures(driver, name, cases, parallel, _MUTANT_LONG_S)
            yield Autopsy(name, killers, dead, len(cases))


def failures(
    driver: str, mutant: str, cases: Sequence[Case], parallel: int, long_s: float
) -> frozenset[str]:
    """The ids of the cases that a mutant does not pass."""
    arguments = [*shlex.split(driver), mutant]
    with Crew(arguments, Spec.load(), parallel, long_s=long_s) as crew:
        futures = [crew.submit(case) for case in cases]
        results = [future.result() for future in futures]
    return frozenset(each.case.id for each in results if each.verdict != "passed")
