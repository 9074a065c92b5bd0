"""Applications of Flask, Django, FastAPI and Starlette on real sockets, in threads."""

from __future__ import annotations

import asyncio
import atexit
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

import django
import httpx
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.urls import clear_url_caches
from granian.constants import Interfaces
from granian.server.embed import Server
from werkzeug.serving import make_server

urlpatterns: list[Any] = []
"""What ROOT_URLCONF is: tests put their views here."""


def configure_django() -> None:
    """Once for a process: the settings are global."""
    if settings.configured:
        return
    folder = tempfile.mkdtemp(prefix="hookwright-django-")
    atexit.register(shutil.rmtree, folder)
    settings.configure(
        ALLOWED_HOSTS=["127.0.0.1"],
        CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": f"{folder}/django.db",
                "ATOMIC_REQUESTS": True,
            },
            # Nobody can connect to this one.
            "down": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{folder}/none/django.db"},
        },
        HOOKWRIGHT=dict,
        LOGGING_CONFIG=None,
        MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
        ROOT_URLCONF=__name__,
        SECRET_KEY="x" * 50,
        USE_TZ=True,
    )
    django.setup()


configure_django()


@contextmanager
def wsgi_server(application: Any) -> Generator[str]:
    """The base URL of a threaded WSGI server."""
    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(30)
        server.server_close()


@contextmanager
def django_server(*patterns: Any) -> Generator[str]:
    """A WSGI server of Django with these views."""
    urlpatterns[:] = patterns
    clear_url_caches()
    with wsgi_server(get_wsgi_application()) as url:
        yield url


@contextmanager
def django_asgi_server(*patterns: Any) -> Generator[str]:
    """An ASGI server of Django with these views. Django knows no lifespan."""
    urlpatterns[:] = patterns
    clear_url_caches()
    with asgi_server(get_asgi_application(), Interfaces.ASGINL) as url:
        yield url


@contextmanager
def asgi_server(application: Any, interface: Interfaces = Interfaces.ASGI) -> Generator[str]:
    """The base URL of granian in a thread, with an event loop of its own."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    stop: list[Callable[[], object]] = []

    async def serve() -> None:
        server = Server(application, port=port, interface=interface, log_enabled=False)
        loop = asyncio.get_running_loop()
        stop.append(partial(loop.call_soon_threadsafe, server.stop))
        await server.serve()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop[0]()
        thread.join(30)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def post(url: str, **options: Any) -> httpx.Response:
    """One request on a connection of its own, so that none is left open."""
    return httpx.post(url, timeout=30, **options)
