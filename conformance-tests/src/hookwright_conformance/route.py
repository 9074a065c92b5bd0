"""The raw HTTP route: calls operations by operationId, judges responses by openapi.yaml."""

from __future__ import annotations

import contextlib
import http.client
import json
import shlex
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode, urlsplit

from hookwright_conformance.errors import Unmet, require_equal
from hookwright_conformance.spec import Operation, Spec
from hookwright_conformance.target import Credential
from hookwright_conformance.timeline import Timeline

Query = Mapping[str, object]
_LONGEST_WAIT = 65.0


@dataclass(frozen=True, slots=True)
class Response:
    """One answer of the implementation, headers in their order and case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of a header, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def json(self) -> Any:
        """The body as JSON; None when it is empty."""
        return json.loads(self.body) if self.body else None

    @property
    def code(self) -> str | None:
        """The `code` of a problem, else None."""
        if "problem+json" not in (self.header("content-type") or ""):
            return None
        found: str | None = self.json().get("code")
        return found


@dataclass(frozen=True, slots=True)
class Request:
    """What is about to be sent: `target` with its query, `body` as bytes or None."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes | None = None


class HttpRoute:
    """Calls the implementation at `base_url` with one credential (or none)."""

    def __init__(
        self,
        base_url: str,
        credential: Credential | None,
        spec: Spec,
        timeline: Timeline,
        timeout: float = 30.0,
    ) -> None:
        self._base_url = base_url
        self._credential = credential
        self._spec = spec
        self._timeline = timeline
        self._timeout = timeout

    def using(self, credential: Credential | None) -> HttpRoute:
        """The same route with another credential."""
        return HttpRoute(self._base_url, credential, self._spec, self._timeline, self._timeout)

    def call(
        self,
        operation_id: str,
        *path: str,
        expect: int | None = None,
        query: Query | None = None,
        body: Any = None,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Call an operation with its path arguments in order. `body` is sent as JSON, `raw` as it
        stands. Raises Unmet when the response breaks the contract or its status is not `expect`."""
        operation = self._spec.operations[operation_id]
        target = operation.target(path) + (f"?{urlencode(query, doseq=True)}" if query else "")
        content = (
            json.dumps(body, ensure_ascii=False).encode()
            if raw is None and body is not None
            else raw
        )
        fields = {"Content-Type": "application/json"} if content is not None else {}
        request = Request(operation.method, target, {**fields, **(headers or {})}, content)
        response = self.send(request, operation)
        if expect is not None:
            detail = response.body[:300].decode("utf-8", "replace")
            met = response.status == expect
            if not met:
                raise Unmet(f"status of {operation_id}", expect, f"{response.status}: {detail}")
        return response

    def send(self, request: Request, operation: Operation | None = None) -> Response:
        """Send any request; without an `operation` an answer that is not 2xx must be a problem.
        Waits and repeats when the key's requests per minute are used up."""
        deadline = time.monotonic() + _LONGEST_WAIT
        while True:
            response = self._exchange(self._authorised(request))
            self._judge(request, operation, response)
            pause = float(response.header("retry-after") or 1)
            if response.code != "rate_limited" or time.monotonic() + pause > deadline:
                return response
            self._timeline.note(f"rate limited: waiting {pause:g} s")
            time.sleep(pause)

    def send_bytes(self, data: bytes) -> Response | None:
        """Send bytes that may be no HTTP; None when the connection ends without an answer."""
        with contextlib.closing(self._connect()) as connection:
            self._timeline.note(f"API raw bytes {data[:60]!r}")
            connection.send(data)
            answer = connection.response_class(connection.sock, method="POST")
            try:
                answer.begin()
                response = Response(answer.status, answer.getheaders(), answer.read())
            except (http.client.BadStatusLine, ConnectionError):
                return None
            except TimeoutError as error:
                raise Unmet(
                    "answer to raw bytes", "an answer or a closed connection", "silence"
                ) from error
        self._timeline.note(f"API answered {response.status}")
        self._check(None, response)
        return response

    def _authorised(self, request: Request) -> Request:
        if self._credential is None or "Authorization" in request.headers:
            return request
        bearer = {"Authorization": f"Bearer {self._credential.key}"}
        return replace(request, headers={**bearer, **request.headers})

    def _exchange(self, request: Request) -> Response:
        self._timeline.last_curl = self._curl(request)
        began = time.monotonic()
        with contextlib.closing(self._connect()) as connection:
            try:
                connection.request(request.method, request.target, request.body, request.headers)
                answer = connection.getresponse()
                response = Response(answer.status, answer.getheaders(), answer.read())
            except (OSError, http.client.HTTPException) as error:
                raise Unmet(
                    f"{request.method} {request.target}", "an HTTP response", repr(error)
                ) from error
        answered = f"{response.status} {response.code or ''}".rstrip()
        self._timeline.note(f"API {request.method} {request.target} -> {answered}", began)
        return response

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self._base_url)
        host = parts.hostname or ""
        if parts.scheme == "https":
            context = ssl.create_default_context()
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, parts.port, timeout=self._timeout, context=context
            )
        else:
            connection = http.client.HTTPConnection(host, parts.port, timeout=self._timeout)
        try:
            connection.connect()
        except OSError as error:
            raise Unmet(f"connection to {self._base_url}", "a connection", repr(error)) from error
        return connection

    def _judge(self, request: Request, operation: Operation | None, response: Response) -> None:
        if operation is None and response.status < 300:
            raise Unmet(f"status of {request.method} {request.target}", "an error", response.status)
        self._check(operation, response)

    def _check(self, operation: Operation | None, response: Response) -> None:
        name = operation.id if operation else "the response"
        faults = self._spec.faults(operation, response.status, response.headers, response.body)
        if faults:
            raise Unmet(
                f"{name} against openapi.yaml (ERROR-13)",
                "a documented response",
                f"status {response.status}: " + "; ".join(faults[:5]),
            )
        if response.status >= 400:
            problem = response.json()
            require_equal(response.status, problem["status"], f"status member of {name}'s problem")
            require_equal(
                response.header("x-request-id"), problem["request_id"], "request_id of the problem"
            )

    def _curl(self, request: Request) -> str:
        parts = ["curl", "-i", "-X", request.method]
        for name, value in request.headers.items():
            if name == "Authorization" and self._credential is not None:
                parts.append(f'-H "Authorization: Bearer ${self._credential.variable}"')
            else:
                parts += ["-H", shlex.quote(f"{name}: {value}")]
        if request.body is not None:
            text = request.body[:2000].decode("utf-8", "replace")
            parts += ["--data-raw", shlex.quote(text)]
        return " ".join([*parts, shlex.quote(self._base_url + request.target)])
