"""What the server refuses, in the words of the contract.

Refusal                 an answer that is not 2xx; every code stands in openapi.yaml (ErrorCode)
"""

from __future__ import annotations

from dataclasses import dataclass

from hookwright_server.domain.contract import ErrorCode


@dataclass(frozen=True, slots=True)
class Fault:
    """One value that breaks a rule: where it stands, which rule, and a sentence for people."""

    pointer: str
    code: str
    message: str


class Refusal(Exception):
    """Ends a request with the problem `code`; `detail` says what happened and what to do next.

    `retry_after_s` becomes the header Retry-After.
    """

    def __init__(
        self,
        code: ErrorCode,
        detail: str,
        faults: tuple[Fault, ...] = (),
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code: ErrorCode = code
        self.detail = detail
        self.faults = faults
        self.retry_after_s = retry_after_s


def not_found(kind: str, name: str) -> Refusal:
    """The same answer for what does not exist and for what belongs to somebody else."""
    return Refusal("not_found", f"There is no {kind} {name!r} here. Check its id and your key.")


def invalid(pointer: str, code: str, message: str) -> Refusal:
    """A 400 about one value."""
    return Refusal("validation_error", message, (Fault(pointer, code, message),))
