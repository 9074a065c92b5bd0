"""The raw HTTP route: calls operations by operationId, judges responses by openapi.yaml."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from hookwright_conformance import curl
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
        if "problem+json" not in (self.header("content-type") or "").lower():
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


def wait_asked_for(response: Response) -> float:
    """The seconds of `Retry-After` in either of its forms; 1 without it. A date counts from the
    response's own. Raises Unmet for anything else."""
    told = response.header("retry-after") or "1"
    if told.isascii() and told.isdecimal():
        return float(told)
    try:
        until = parsedate_to_datetime(told)
        date = response.header("date")
        now = parsedate_to_datetime(date) if date else dt.datetime.now(dt.UTC)
        return max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError) as error:  # a date without a zone cannot be subtracted
        raise Unmet("Retry-After", "whole seconds or an HTTP date", repr(told)) from error


class HttpRoute:
    """Calls the implementation whose URLs begin with `base_url`, with one credential or none."""

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
        if credential is not None:
            timeline.secrets[credential.key] = credential.variable

    def using(self, credential: Credential | None) -> HttpRoute:
        """The same route with another credential."""
        return HttpRoute(self._base_url, credential, self._spec, self._timeline, self._timeout)

    def within(self, timeout: float) -> HttpRoute:
        """The same route, for what may take so many seconds, or as long as is declared if that is
        longer."""
        longer = max(timeout, self._timeout)
        return HttpRoute(self._base_url, self._credential, self._spec, self._timeline, longer)

    def call(
        self,
        operation_id: str,
        *path: str,
        expect: int | None = None,
        query: Query | None = None,
        body: Any = None,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        patient: bool = True,
    ) -> Response:
        """Call an operation with its path arguments in order. `body` is sent as JSON, `raw` as it
        stands; `patient` as for `send`. Raises Unmet when the response breaks the contract or its
        status is not `expect`."""
        operation = self._spec.operations[operation_id]
        target = operation.target(path) + (f"?{urlencode(query, doseq=True)}" if query else "")
        content = (
            json.dumps(body, ensure_ascii=False).encode()
            if raw is None and body is not None
            else raw
        )
        fields = {"Content-Type": "application/json"} if content is not None else {}
        request = Request(operation.method, target, {**fields, **(headers or {})}, content)
        response = self.send(request, operation, patient=patient)
        if expect is not None:
            detail = response.body[:300].decode("utf-8", "replace")
            met = response.status == expect
            if not met:
                raise Unmet(f"status of {operation_id}", expect, f"{response.status}: {detail}")
        return response

    def send(
        self, request: Request, operation: Operation | None = None, *, patient: bool = True
    ) -> Response:
        """Send any request; without an `operation` an answer that is not 2xx must be a problem.
        Waits and repeats when a quota is used up, if `patient`."""
        deadline = time.monotonic() + (_LONGEST_WAIT if patient else 0)
        while True:
            response = self._exchange(self._authorised(request))
            self._judge(request, operation, response)
            self._note(operation, response)
            if response.code != "rate_limited":
                return response
            pause = wait_asked_for(response)
            if time.monotonic() + pause > deadline:
                return response
            self._timeline.note(f"rate limited: waiting {pause:g} s")
            time.sleep(pause)

    def send_bytes(self, data: bytes) -> Response | None:
        """Send bytes that may be no HTTP; None when the connection ends without an answer. A target
        in them that begins with `/v1/` gets the base URL's path in front."""
        data = data.replace(b" /v1/", f" {self._path}/v1/".encode(), 1)
        self._timeline.last_request = curl.raw_bytes(self._base_url, data)
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
        self._note(None, response)
        return response

    def _authorised(self, request: Request) -> Request:
        if self._credential is None or "Authorization" in request.headers:
            return request
        bearer = {"Authorization": f"Bearer {self._credential.key}"}
        return replace(request, headers={**bearer, **request.headers})

    def _exchange(self, request: Request) -> Response:
        self._timeline.last_request = curl.curl(
            request.method,
            self._base_url + request.target,
            request.headers,
            request.body,
            self._timeline.secrets,
        )
        target = self._path + request.target
        began = time.monotonic()
        with contextlib.closing(self._connect()) as connection:
            try:
                # Whoever refuses a request before its end may answer and hang up.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    connection.request(request.method, target, request.body, request.headers)
                answer = connection.getresponse()
                response = Response(answer.status, answer.getheaders(), answer.read())
            except (OSError, http.client.HTTPException) as error:
                raise Unmet(
                    f"{request.method} {request.target}", "an HTTP response", repr(error)
                ) from error
        answered = f"{response.status} {response.code or ''}".rstrip()
        self._timeline.note(f"API {request.method} {request.target} -> {answered}", began)
        return response

    @property
    def _path(self) -> str:
        return urlsplit(self._base_url).path

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self._base_url)
        host = parts.hostname or ""
        # Without a port http.client would take the end of an IPv6 address for one.
        if parts.scheme == "https":
            port = parts.port or http.client.HTTPS_PORT
            context = ssl.create_default_context()
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=self._timeout, context=context
            )
        else:
            port = parts.port or http.client.HTTP_PORT
            connection = http.client.HTTPConnection(host, port, timeout=self._timeout)
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
            wrong = self._spec.faults_of_code(operation, response.status, problem["code"])
            require_equal([], wrong, f"code of {name}'s problem (ERROR-13)")
            require_equal(
                response.header("x-request-id"), problem["request_id"], "request_id of the problem"
            )

    def _note(self, operation: Operation | None, response: Response) -> None:
        if operation is not None:
            self._timeline.operations.add(operation.id)
        if response.code is not None:
            self._timeline.error_codes.add(response.code)
