"""What a case of the SDK mode works with: a scripted API, the driver, and what was sent."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from hookwright_conformance.answers import Answer
from hookwright_conformance.errors import Unmet, require, require_equal
from hookwright_conformance.received import Received
from hookwright_conformance.sdk import driver
from hookwright_conformance.sdk import examples as shown
from hookwright_conformance.sdk.api import Api
from hookwright_conformance.sdk.same import difference
from hookwright_conformance.spec import Spec
from hookwright_conformance.timeline import Timeline

Document = dict[str, Any]

LONG_S = 15.0


class SdkWorld:
    """One case's view of the SDK. The API is the case's own, the driver is used by one case at a
    time."""

    def __init__(self, spec: Spec, driven: driver.Driver, api: Api, long_s: float = LONG_S) -> None:
        self.spec = spec
        self.long_s = long_s
        """How long an answer that nobody should wait for goes on; it then ends well, so whoever
        did wait has a result that tells of it."""
        self.api = api
        self.key = f"hw_test_{secrets.token_hex(16)}"
        self.timeline = Timeline()
        self.timeline.hooks.append(api.hook)
        self._driver = driven
        self._driver.note = self._note
        self._before = 0

    @property
    def claim(self) -> driver.Claim:
        """What the driver says of the SDK."""
        return self._driver.claim()

    def example(self, operation: str) -> shown.Example:
        """The first example of an operation."""
        return shown.example(self.spec, operation)

    def examples(self, namespace: str = "") -> Iterator[shown.Example]:
        """Every documented request of a namespace, or of all."""
        return shown.examples(self.spec, namespace)

    def script(self, *answers: Answer) -> None:
        """From now on request n gets answer n, and the last one is repeated."""
        before = self._before = len(self.api.hook.requests)

        def choose(request: Received) -> Answer:
            return answers[min(request.number - before, len(answers)) - 1]

        self.api.hook.respond_with(choose)

    @property
    def sent(self) -> list[Received]:
        """The requests since the last `script`."""
        return self.api.hook.requests[self._before :]

    def only_request(self) -> Received:
        """The request since the last `script`. Raises Unmet when there is not exactly one."""
        self.require_requests(1)
        return self.sent[0]

    def require_requests(self, count: int) -> list[Received]:
        """All requests since the last `script`. Raises Unmet unless there are `count`."""
        targets = ", ".join(f"{each.method} {each.target}" for each in self.sent)
        found = len(self.sent)
        require(found == count, "requests that were sent", count, f"{found}: {targets or 'none'}")
        return self.sent

    def client(self, **options: Any) -> None:
        """Have a client of this API made. Raises Unmet when that fails."""
        members = {"base_url": self.api.base_url(), "api_key": self.key, **options}
        self._result("client", self._driver.ask("client", members))

    def ask(self, command: str, patience: float | None = None, **members: Any) -> driver.Answer:
        """Any command, and the answer whatever it is."""
        return self._driver.ask(command, members, patience)

    def call(self, operation: str, **members: Any) -> Any:
        """What an operation returns. Raises Unmet for an error."""
        answer = self.ask("call", operation=operation, **members)
        return self._result(operation, answer)["value"]

    def call_example(self, one: shown.Example, **members: Any) -> Any:
        """What the operation of an example returns. Raises Unmet for an error."""
        return self.call(**{**one.members, **members})

    def fails(self, kind: str, operation: str, **members: Any) -> Document:
        """The error of a call, which must be of this kind."""
        return self.error_of(kind, operation, self.ask("call", operation=operation, **members))

    def error_of(self, kind: str, what: str, answer: driver.Answer) -> Document:
        """The error in an answer, which must be of this kind."""
        if answer.error is None:
            told = json.dumps(answer.result)
            raise Unmet(f"what {what} ends with", f"an error of the kind {kind}", f"{told:.300}")
        said = f"{answer.error['kind']}: {answer.error['message']}"
        require(answer.error["kind"] == kind, f"kind of the error of {what}", kind, f"{said:.300}")
        return answer.error

    def items(self, operation: str, max_items: int = 1000, **members: Any) -> list[Any]:
        """The items of a list. Raises Unmet for an error."""
        answer = self.ask("paginate", operation=operation, max_items=max_items, **members)
        return list(self._result(operation, answer)["items"])

    def require_same(self, expected: Any, actual: Any, what: str) -> None:
        """Raise Unmet unless both say the same."""
        found = difference(expected, actual)
        require(found is None, what, f"{expected!r:.300}", found)

    def require_path(self, one: shown.Example, request: Received) -> None:
        """Raise Unmet unless a request has the method, path and query of an example."""
        parts = urlsplit(request.target)
        wanted = f"{one.operation.method} {one.target}"
        require_equal(wanted, f"{request.method} {parts.path}", f"request of {one.operation.id}")
        query = query_of(request)
        require_equal(pairs(one.query), sorted(query), f"query of {one.operation.id}")

    def _note(self, text: str) -> None:
        self.timeline.note(text)
        self.timeline.last_request = self._driver.last_command

    def _result(self, what: str, answer: driver.Answer) -> Document:
        if answer.result is None:
            error = answer.error or {}
            said = f"{error.get('kind')}: {error.get('message')}"
            raise Unmet(f"what {what} ends with", "a result", f"{said:.300}")
        return answer.result


def query_of(request: Received) -> list[tuple[str, str]]:
    """The query of a request as names and values."""
    return parse_qsl(urlsplit(request.target).query, keep_blank_values=True)


def pairs(query: Mapping[str, str | int | bool | list[str]]) -> list[tuple[str, str]]:
    """Arguments as the pairs of a query, sorted."""
    found: list[tuple[str, str]] = []
    for name, value in query.items():
        each: Sequence[str | int] = value if isinstance(value, list) else [value]
        found += [(name, json.dumps(one) if isinstance(one, bool) else str(one)) for one in each]
    return sorted(found)
