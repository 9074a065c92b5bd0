"""Fixtures of the HTTP tests; what they are made of stands in http_lab.py."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from egress_lab import Receiver, Script
from http_lab import Client, Lab, OpenLab, StartReceiver, Template, make_template, open_lab
from http_live import LiveServer, serve_live
from http_postgres import on_postgres
from http_sink import Sink
from service_fixtures import NewDatabase

from hookwright_server.store.database import Database


@pytest.fixture(autouse=True, scope="session")
def no_settings_from_outside() -> Iterator[None]:
    """Keep settings of whoever runs the tests away from the servers in them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("HOOKWRIGHT_")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A prepared database that every server of these tests begins with a copy of."""
    folder = tmp_path_factory.mktemp("template")
    return folder, make_template(folder)


@pytest.fixture
def new_lab(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenLab]:
    """Start servers with settings of the test's own: `new_lab(messages_per_second=3)`."""
    with ExitStack() as stack:

        def start(**settings: Any) -> Lab:
            folder = tmp_path_factory.mktemp("lab")
            return stack.enter_context(open_lab(*template, folder, **settings))

        yield start


@pytest.fixture
def lab(new_lab: OpenLab) -> Lab:
    """A server of the test's own: it may move the clock and look at every row."""
    return new_lab()


@pytest.fixture(scope="module")
def shared_lab(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One server for a module's tests, which leave one another's apps and the clock alone."""
    with open_lab(*template, tmp_path_factory.mktemp("shared")) as lab:
        yield lab


@pytest.fixture(scope="module")
def client(shared_lab: Lab) -> Client:
    """The owner of the shared server's first account."""
    return shared_lab.client


@pytest.fixture
def receiver() -> Iterator[StartReceiver]:
    """Start receivers: `receiver(script)`; they stop at the end."""
    started: list[Receiver] = []

    def start(script: Script, **options: Any) -> Receiver:
        one = Receiver(script, **options)
        one.start()
        started.append(one)
        return one

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def sink() -> Iterator[Callable[..., Sink]]:
    """Open receivers that keep what they got: `sink(reply(500), reply(200))`."""
    opened: list[Sink] = []

    def start(*answers: bytes) -> Sink:
        opened.append(Sink(*answers))
        return opened[-1]

    yield start
    for one in opened:
        one.stop()


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """`hookwright-server serve` as it is installed, on a free port."""
    with serve_live(tmp_path_factory.mktemp("live")) as server:
        yield server


@pytest.fixture(
    params=["sqlite", pytest.param("postgres", marks=pytest.mark.needs_service("postgres"))]
)
def either_server(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[Database, Client]]:
    """The database of an empty server, and its owner, on each back end."""
    if request.param == "sqlite":
        open_lab: OpenLab = request.getfixturevalue("new_lab")
        lab = open_lab()
        yield lab.server.database, lab.client
        return
    new_database: NewDatabase = request.getfixturevalue("new_database")
    with on_postgres(tmp_path, new_database()) as (made, client):
        yield made.database, client
