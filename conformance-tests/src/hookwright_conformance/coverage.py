"""What a run never came to: operations, error codes and requirements without a case."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hookwright_conformance.requirements import Requirements
from hookwright_conformance.spec import Spec

OF_SDKS = "SDK-"
"""How the ids of sentences begin that no server can be judged by."""


def gaps(cases: Sequence[Mapping[str, Any]], spec: Spec, listed: Requirements) -> list[str]:
    """What `cases` of a report.json leave out without a reason, and reasons that are idle.

    Empty for a run of everything that concerns servers: each operationId was called, each error
    code answered, each requirement judged, or requirements.yaml says why not.
    """
    called = {name for case in cases for name in case["operations"]}
    answered = {code for case in cases for code in case["error_codes"]}
    judged = {case["requirement"] for case in cases if case["verdict"] != "not_run"}
    of_servers = [id_ for id_ in listed.by_id if not id_.startswith(OF_SDKS)]
    return [
        *_gaps("operation", "called", spec.operations, called, listed.unobserved_operations),
        *_gaps("error code", "answered", spec.error_codes, answered, listed.unobserved_error_codes),
        *_gaps("requirement", "judged", of_servers, judged, listed.unobserved_requirements),
    ]


def _gaps(
    kind: str, reached: str, known: Iterable[str], seen: set[str], explained: Mapping[str, str]
) -> list[str]:
    names = set(known)
    left = [
        f"{kind} {name} is never {reached}: write a case, or a reason under `unobserved`"
        for name in sorted(names - seen - set(explained))
    ]
    idle = [
        f"{kind} {name} is {reached}: remove its entry under `unobserved`"
        for name in sorted(set(explained) & seen)
    ]
    unknown = [
        f"{kind} {name} under `unobserved` does not exist; remove it"
        for name in sorted(set(explained) - names)
    ]
    return left + idle + unknown
