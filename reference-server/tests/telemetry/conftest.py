"""Fixtures of the telemetry tests: servers and receivers as in the HTTP tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from http_lab import Lab, OpenLab, Template, make_template, open_lab
from http_sink import Sink


@pytest.fixture(autouse=True, scope="session")
def no_settings_from_outside() -> Iterator[None]:
    """Keep settings of whoever runs the tests away from the servers in them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("HOOKWRIGHT_", "OTEL_", "PROMETHEUS_")):
                patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A prepared database that every server of these tests begins with a copy of."""
    folder: Path = tmp_path_factory.mktemp("template")
    return folder, make_template(folder)


@pytest.fixture
def new_lab(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenLab]:
    """Start servers with settings of the test's own: `new_lab(traces="pass")`."""
    with ExitStack() as stack:

        def start(**settings: Any) -> Lab:
            folder = tmp_path_factory.mktemp("lab")
            return stack.enter_context(open_lab(*template, folder, **settings))

        yield start


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
