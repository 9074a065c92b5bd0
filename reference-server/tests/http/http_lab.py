"""A whole server in this process, clients that can send anything to it, receivers to deliver to."""

from __future__ import annotations

import io
import json
import shutil
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import sqlalchemy as sa
from egress_lab import Receiver
from flask import Flask

from hookwright_server.clock import SystemClock
from hookwright_server.http.edge import gate
from hookwright_server.http.edge.operations import OPERATIONS, Operation
from hookwright_server.services.accounts import NewAccount
from hookwright_server.settings import Settings
from hookwright_server.store.database import Database
from hookwright_server.store.sqlite import read_only_engine
from hookwright_server.wiring import Server, build, operators, prepare

PATIENCE_S = 240.0
JSON = {"Content-Type": "application/json"}
OPERATION = {operation.operation_id: operation for operation in OPERATIONS}
PRIVATE_OPERATIONS = tuple(operation for operation in OPERATIONS if not operation.public)
_NUMBERS = count(1)

Document = dict[str, Any]
Headers = Mapping[str, str]
Template = tuple[Path, tuple[NewAccount, NewAccount]]
"""A folder with a prepared database, and the accounts in it."""
OpenLab = Callable[..., "Lab"]
StartReceiver = Callable[..., Receiver]
NO_HEADERS: Headers = {}
UPKEPT = ("worker_sessions", "rollup_deltas", "rollups")
"""Tables whose rows change although nobody does anything."""


@dataclass(frozen=True)
class Answer:
    """What came back. Header names are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @cached_property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The problem's code; the problem itself is held against the rules that all follow."""
        problem = self.json
        assert self.headers["content-type"] == "application/problem+json", self
        assert problem["request_id"] == self.headers["x-request-id"], self
        assert problem["status"] == self.status, self
        assert problem["type"] == f"urn:hookwright:error:{problem['code']}", self
        code: str = problem["code"]
        return code

    @property
    def faults(self) -> list[tuple[str, str]]:
        """Pointers and codes of the single errors."""
        return [(fault["pointer"], fault["code"]) for fault in self.json["errors"]]

    def require(self, *expected: int) -> Any:
        """The document of a success."""
        assert self.status in (expected or (200, 201, 202, 204)), (self.status, self.body)
        return self.json if self.body else None


def call_wsgi(
    app: Flask,
    method: str,
    target: str,
    headers: Headers = NO_HEADERS,
    body: bytes | io.BytesIO = b"",
) -> Answer:
    """Send exactly this to the WSGI application; `target` is path and query as on the wire.

    A body given as a stream has no Content-Length.
    """
    path, _, query = target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if isinstance(body, bytes):
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
    else:
        environ |= {"wsgi.input": body, "wsgi.input_terminated": True}
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    started: list[tuple[str, list[tuple[str, str]]]] = []
    chunks = app(environ, lambda status, head, error=None: started.append((status, head)))  # type: ignore[arg-type]  # write() is for callables of old
    try:
        content = b"".join(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    status, head = started[0]
    names = [name.lower() for name, _ in head]
    assert len(names) == len(set(names)), head
    return Answer(int(status[:3]), {name.lower(): value for name, value in head}, content)


Send = Callable[..., Answer]


@dataclass(frozen=True)
class Client:
    """Sends requests with one API key (None: without)."""

    transport: Send = field(repr=False)
    key: str | None

    def send(
        self,
        method: str,
        target: str,
        headers: Headers = NO_HEADERS,
        body: bytes | io.BytesIO = b"",
    ) -> Answer:
        """Send these bytes."""
        own = {} if self.key is None else {"Authorization": f"Bearer {self.key}"}
        return self.transport(method, target, {**own, **headers}, body)

    def call(self, method: str, target: str, body: object = None, **headers: str) -> Answer:
        """Send a JSON body, if any; header names are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is None:
            return self.send(method, target, named)
        return self.send(method, target, {**JSON, **named}, json.dumps(body).encode())

    def get(self, target: str, **headers: str) -> Answer:
        return self.call("GET", target, **headers)

    def post(self, target: str, body: object = None, **headers: str) -> Answer:
        return self.call("POST", target, body, **headers)

    def patch(self, target: str, body: object) -> Answer:
        return self.call("PATCH", target, body)

    def put(self, target: str, body: object) -> Answer:
        return self.call("PUT", target, body)

    def delete(self, target: str) -> Answer:
        return self.call("DELETE", target)

    def with_key(self, key: str | None) -> Client:
        """The same server, another key."""
        return Client(self.transport, key)

    # What most tests need on their way

    def new_app(self, **fields: Any) -> Document:
        """Create an app of its own."""
        body = {"name": f"App {next(_NUMBERS)}", **fields}
        document: Document = self.post("/v1/apps", body).require(201)
        return document

    def new_endpoint(self, app_slug: str, url: str, **fields: Any) -> Document:
        """Create an endpoint; attempts follow at once unless `fields` says otherwise."""
        document: Document = self.post(
            f"/v1/apps/{app_slug}/endpoints", {"url": url, **fields}
        ).require(201)
        return document

    def new_event_type(self, app_slug: str, name: str | None = None, **fields: Any) -> Document:
        """Create an event type, of a name of its own unless one is given."""
        body = {"name": name or f"made.number_{next(_NUMBERS)}", **fields}
        path = f"/v1/apps/{app_slug}/event-types"
        document: Document = self.post(path, body).require(201)
        return document

    def trigger(self, app_slug: str, payload: object = None, **fields: Any) -> Document:
        """Publish an event."""
        body: Document = {"event_name": "order.paid", "payload": payload or {}, **fields}
        document: Document = self.post(f"/v1/apps/{app_slug}/trigger", body).require(202)
        return document

    def new_key(self, *scopes: str, **fields: Any) -> Document:
        """Create an API key."""
        body = {"name": "a key", "scopes": list(scopes) or ["admin"], **fields}
        document: Document = self.post("/v1/api-keys", body).require(201)
        return document

    def advance(self, duration: str) -> Document:
        """Move the test clock; returns when everything due by then has run."""
        document: Document = self.post("/_test/clock", {"advance": duration}).require(200)
        return document

    def delivery(self, delivery_id: str) -> Document:
        document: Document = self.get(f"/v1/apps/-/deliveries/{delivery_id}").require(200)
        return document

    def attempts(self, delivery_id: str) -> list[Document]:
        """A delivery's attempts, oldest first."""
        path = f"/v1/apps/-/deliveries/{delivery_id}/attempts?limit=100"
        rows: list[Document] = self.get(path).require(200)["data"]
        return rows[::-1]

    def finished(self, delivery_id: str, *statuses: str) -> Document:
        """The delivery once it has come to one of `statuses` (default: any end)."""
        wanted = statuses or ("delivered", "failed", "dead_letter", "cancelled")
        row: Document = eventually(
            lambda: self.delivery(delivery_id), lambda found: found["status"] in wanted
        )
        return row


def eventually(
    read: Callable[[], Any], holds: Callable[[Any], bool] = bool, patience_s: float = PATIENCE_S
) -> Any:
    """What `read` returns once it `holds`; fails after a deadline."""
    deadline = time.monotonic() + patience_s
    while not holds(found := read()):
        assert time.monotonic() < deadline, f"it did not come to that: {found}"
        time.sleep(0.003)
    return found


@dataclass
class Lab:
    """A running server with two accounts."""

    settings: Settings
    server: Server
    owner: NewAccount
    stranger: NewAccount

    @property
    def database(self) -> Database:
        return self.server.database

    @cached_property
    def client(self) -> Client:
        """The owner of the first account, in its live environment."""
        return Client(self._transport, self.owner.live_key)

    def _transport(
        self, method: str, target: str, headers: Headers, body: bytes | io.BytesIO
    ) -> Answer:
        return call_wsgi(self.server.app, method, target, headers, body)

    def snapshot(self, *ignored: str) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table, but for what upkeep changes and `ignored` tables."""
        return snapshot(self._file, *UPKEPT, *ignored)

    @property
    def _file(self) -> Path:
        assert isinstance(self.settings.database, Path)
        return self.settings.database

    def files(self) -> bytes:
        """Everything that lies on the disk, except the key file."""
        parts = [
            path.read_bytes()
            for path in self._file.parent.iterdir()
            if path.is_file() and path != self.settings.key_file
        ]
        return b"\0".join(parts)


def snapshot(database: Path, *ignored: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of a database that a server may have open."""
    engine = read_only_engine(database)
    try:
        with engine.begin() as connection:
            names = sa.inspect(connection).get_table_names()
            return {
                name: sorted((tuple(row) for row in _rows(connection, name)), key=repr)
                for name in names
                if name not in ignored
            }
    finally:
        engine.dispose()


def _rows(connection: sa.Connection, table: str) -> sa.CursorResult[Any]:
    return connection.exec_driver_sql(f'SELECT * FROM "{table}"')


def settings_of(folder: Path, **changed: Any) -> Settings:
    """Settings of a server for tests, in `folder`."""
    values: dict[str, Any] = {
        "database": folder / "hookwright.db",
        "allow_http": True,
        "allow_private_networks": True,
        "test_clock": True,
        "validate_responses": 1.0,
        "requests_per_minute": 10_000_000,
        "messages_per_second": 10_000_000,
        "drain_seconds": 0.2,
        "log_level": "debug",
    }
    return Settings(**{**values, **changed})


def make_template(folder: Path) -> tuple[NewAccount, NewAccount]:
    """Prepare a database with two accounts, to be copied by `open_lab`."""
    settings = settings_of(folder)
    owner = prepare(settings, "owner")
    assert owner is not None
    server = build(settings)
    service = operators(SystemClock())
    stranger = server.database.write(lambda tx: service.create(tx, "stranger"))
    server.database.close()
    return owner, stranger


@contextmanager
def open_lab(
    prepared: Path, accounts: tuple[NewAccount, NewAccount], folder: Path, **changed: Any
) -> Generator[Lab]:
    """A server on a copy of a prepared database; it delivers until the end."""
    for path in prepared.iterdir():
        shutil.copy(path, folder / path.name)
    settings = settings_of(folder, **changed)
    server = build(settings)
    server.start()
    try:
        yield Lab(settings, server, *accounts)
    finally:
        server.stop()


# The contract's own examples


def contract_operation(operation: Operation) -> Document:
    """The operation as openapi.yaml has it."""
    paths: dict[str, dict[str, Any]] = gate.document()["paths"]
    methods = (item.get(operation.method.lower()) for item in paths.values())
    found: Document = next(
        method for method in methods if method and method["operationId"] == operation.operation_id
    )
    return found


def request_examples(operation: Operation) -> dict[str, Any]:
    """The request bodies that the contract shows, by name."""
    content = contract_operation(operation).get("requestBody", {}).get("content", {})
    examples = content.get("application/json", {}).get("examples", {})
    return {name: example["value"] for name, example in examples.items()}


def path_of(operation: Operation, **values: str) -> str:
    """The operation's path with `values` put in."""
    path = operation.rule
    for name, value in values.items():
        path = path.replace(f"<{name}>", value)
    assert "<" not in path, path
    return path
