"""The HTTP clients that ours are made of, for those who want one with other options."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final, cast

from hookwright._core.lean import httpx
from hookwright._core.network import ClosingBackend, DeadlineBackend
from hookwright.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

_OWN_AUTHORITIES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
LIMITS: Final = httpx.Limits(max_connections=1000, max_keepalive_connections=100)


class DefaultHttpxClient(httpx.Client):
    """
    What `Hookwright` uses when it is given no `http_client`: an `httpx.Client` whose sockets keep
    a call's timeout as a whole. Pass one with options of your own, e.g. `limits`, `cert`,
    `trust_env`; it is yours to close.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**with_defaults(options))

    def _init_transport(self, *args: Any, **options: Any) -> httpx.BaseTransport:
        return _keeping_deadlines(super()._init_transport(*args, **options))

    def _init_proxy_transport(self, *args: Any, **options: Any) -> httpx.BaseTransport:
        return _keeping_deadlines(super()._init_proxy_transport(*args, **options))


class DefaultAsyncHttpxClient(httpx.AsyncClient):
    """
    What `AsyncHookwright` uses when it is given no `http_client`. Pass one with options of your
    own, e.g. `limits`, `cert`, `trust_env`; it is yours to close.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**with_defaults(options))

    def _init_transport(self, *args: Any, **options: Any) -> httpx.AsyncBaseTransport:
        return _closing(super()._init_transport(*args, **options))

    def _init_proxy_transport(self, *args: Any, **options: Any) -> httpx.AsyncBaseTransport:
        return _closing(super()._init_proxy_transport(*args, **options))


def DefaultAioHttpClient(**options: Any) -> httpx.AsyncClient:  # noqa: N802 - like its sisters
    """
    What `AsyncHookwright(http_client="aiohttp")` uses. Pass one with options of your own, e.g.
    `limits`, `proxy`, `verify`; it is yours to close.

    Raises MissingExtraError where `hookwright[aiohttp]` is not installed.
    """
    try:
        from hookwright._core.aiohttp_client import AioHttpClient
    except ImportError as error:
        raise MissingExtraError(
            f"calls over aiohttp need `pip install hookwright[aiohttp]`: {error}"
        ) from error
    return AioHttpClient(**options)


def tls_context(verify: ssl.SSLContext | str | Path | bool) -> ssl.SSLContext:
    """
    What to trust: True for the usual authorities (or those of SSL_CERT_FILE and SSL_CERT_DIR),
    a path for those in a file or folder, False for everybody, or a context as it is.

    Raises UsageError when the path holds no certificates.
    """
    if isinstance(verify, ssl.SSLContext):
        return verify
    if verify is False:
        return httpx.create_ssl_context(verify=False)
    if not isinstance(cast("object", verify), (bool, str, os.PathLike)):
        raise UsageError(
            "verify is True, False, the path of a file or folder of certificates, or an "
            f"ssl.SSLContext, not {verify!r:.100}"
        )
    own = next((name for name in _OWN_AUTHORITIES if os.environ.get(name)), None)
    if verify is True and own is None:
        return _usual_context()
    path = os.fspath(os.environ[own] if verify is True and own else cast("str | Path", verify))
    # pathlib costs to import. Of SSL_CERT_DIR OpenSSL takes several folders.
    folder = own == "SSL_CERT_DIR" if verify is True else os.path.isdir(path)  # noqa: PTH112
    parts = path.split(os.pathsep) if folder else [path]
    try:
        return _context_of(path, folder, tuple(_version(each) for each in parts))
    except OSError as error:
        where = own if verify is True else f"verify={path!r}"
        raise UsageError(f"{where} leads to no certificates in PEM form: {error}") from error


@lru_cache(maxsize=1)
def _usual_context() -> ssl.SSLContext:
    # Reading the authorities takes more time than all the rest of a client. Clients of HTTP/1.1
    # all do the same with a context, so they can share it as the connections of one client do.
    return httpx.create_ssl_context(verify=True, trust_env=False)


@lru_cache(maxsize=8)
def _context_of(path: str, folder: bool, versions: tuple[object, ...]) -> ssl.SSLContext:
    # Shared like the usual one, as long as what lies at the path stays of these versions.
    del versions
    if folder:
        return ssl.create_default_context(capath=path)
    return ssl.create_default_context(cafile=path)


def _version(path: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None  # for OpenSSL to judge
    return found.st_mtime_ns, found.st_size, found.st_ino


def with_defaults(options: dict[str, Any]) -> dict[str, Any]:
    """Options of an HTTP client with ours where there are none."""
    options.setdefault("limits", LIMITS)
    # No call sends cookies; kept, those of a server that has ever new ones would fill the memory.
    options.setdefault("cookies", CookieJar(DefaultCookiePolicy(allowed_domains=())))
    # A context with a certificate of the client's, or with HTTP/2 in it, cannot be shared.
    if not (options.get("cert") or options.get("http2")):
        options["verify"] = tls_context(options.get("verify", True))
    return options


def _keeping_deadlines(transport: httpx.BaseTransport) -> httpx.BaseTransport:
    if isinstance(transport, httpx.HTTPTransport):
        # httpx hands no backend to the pool that it makes; all kinds of pool look here.
        pool: Any = transport._pool  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        pool._network_backend = DeadlineBackend(pool._network_backend)  # noqa: SLF001
    return transport


def _closing(transport: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
    if isinstance(transport, httpx.AsyncHTTPTransport):
        pool: Any = transport._pool  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        pool._network_backend = ClosingBackend(pool._network_backend)  # noqa: SLF001
    return transport
