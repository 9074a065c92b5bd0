"""Where requests go and how: checked once, when a client is made."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from hookwright._core import log
from hookwright._core.call import UNSET, Unset
from hookwright._core.headers import checked_headers
from hookwright._core.hooks import NO_HOOKS, Hooks
from hookwright._core.version import __version__
from hookwright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from ssl import SSLContext

API_KEY_VARIABLE: Final = "HOOKWRIGHT_API_KEY"
BASE_URL_VARIABLE: Final = "HOOKWRIGHT_BASE_URL"
DEFAULT_TIMEOUT_SECONDS: Final = 60.0
DEFAULT_MAX_RETRIES: Final = 2
LONGEST_TIMEOUT_SECONDS: Final = 1_000_000
"""Sockets take little more than twice of this."""


@dataclass(frozen=True, slots=True)
class Route:
    """
    How a client of our own reaches the server. The text of `proxy` may hold a password. `verify`:
    True for the usual authorities, False for no check, a path of certificates, or a context.
    """

    proxy: str | None = field(default=None, repr=False)
    verify: SSLContext | str | Path | bool = True

    @property
    def is_usual(self) -> bool:
        return self.proxy is None and self.verify is True


@dataclass(frozen=True, slots=True)
class Settings:
    """`headers` are those of every request, merged beforehand; names are lower-case."""

    base_url: str
    headers: Mapping[str, str] = field(repr=False)
    timeout: float | None = DEFAULT_TIMEOUT_SECONDS
    max_retries: int = DEFAULT_MAX_RETRIES
    hooks: Hooks = NO_HOOKS

    def with_options(
        self,
        *,
        api_key: str | Unset = UNSET,
        timeout: float | Unset | None = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        hooks: Hooks | Unset = UNSET,
    ) -> Settings:
        """The same with some of it replaced. UsageError for a value out of range."""
        own = {} if isinstance(api_key, Unset) else {"authorization": _bearer(api_key)}
        return replace(
            self,
            hooks=self.hooks if isinstance(hooks, Unset) else _checked_hooks(hooks),
            timeout=self.timeout if isinstance(timeout, Unset) else checked_timeout(timeout),
            max_retries=self.max_retries
            if isinstance(max_retries, Unset)
            else checked_retries(max_retries),
            headers={**self.headers, **own, **checked_headers(extra_headers)},
        )


def settings_from(
    api_key: str | None,
    base_url: str | None,
    client_headers: Mapping[str, str],
    agent: str = "",
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """
    From arguments or, where they are None, the environment. `agent` is what the User-Agent says
    behind our own name. UsageError says what is missing.
    """
    log.switch_on(environ.get(log.VARIABLE))
    authorization = _bearer(api_key if api_key is not None else environ.get(API_KEY_VARIABLE))
    url = base_url if base_url is not None else environ.get(BASE_URL_VARIABLE)
    own_headers = {
        "accept": "application/json",
        "accept-encoding": "gzip, deflate",
        "user-agent": f"hookwright-python/{__version__} {agent}".rstrip(),
        "authorization": authorization,
    }
    return Settings(_checked_url(url), {**client_headers, **own_headers})


def _checked_hooks(hooks: object) -> Hooks:
    if not isinstance(hooks, Hooks):
        raise UsageError(f"hooks is a hookwright.Hooks(request=…, response=…), not {hooks!r:.100}")
    return hooks


def checked_timeout(seconds: object) -> float | None:
    """UsageError unless `seconds` is None or a number above 0 that sockets can wait for."""
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds > 0:
        raise UsageError(f"timeout is a number of seconds above 0, or None, not {seconds!r:.100}")
    if seconds > LONGEST_TIMEOUT_SECONDS:
        raise UsageError(
            f"timeout is at most {LONGEST_TIMEOUT_SECONDS} seconds, not {seconds!r:.100}; "
            "None waits without an end"
        )
    return float(seconds)


def checked_retries(count: object) -> int:
    """UsageError unless `count` is a whole number of at least 0."""
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise UsageError(f"max_retries is a whole number of at least 0, not {count!r:.100}")
    return count


def agent_of(library: str, app_info: object) -> str:
    """The User-Agent behind our own name: Python, the HTTP library, and the caller's program."""
    python = f"python/{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    if app_info is None:
        return f"{python} {library}"
    if (
        not (isinstance(app_info, str) and app_info)
        or not (app_info.isascii() and app_info.isprintable())
        or app_info.strip() != app_info
    ):
        raise UsageError(f"app_info is visible ASCII like 'shop/2.1', not {app_info!r:.100}")
    return f"{python} {library} {app_info}"


def _bearer(key: object) -> str:
    if key is None or key == "":
        raise UsageError(f"no API key: pass api_key=… or set {API_KEY_VARIABLE}")
    if not isinstance(key, str):
        raise UsageError(f"the API key is a string, not {type(key).__name__}")
    if not (key.isascii() and key.isprintable() and " " not in key):
        # Not shown: it may be a good key with a line end behind it.
        raise UsageError("the API key holds characters other than visible ASCII; was it cut well?")
    return f"Bearer {key}"


def _checked_url(url: object) -> str:
    if url is None or url == "":
        raise UsageError(f"no base URL: pass base_url=… or set {BASE_URL_VARIABLE}")
    if not isinstance(url, str):
        raise UsageError(f"the base URL is a string, not {url!r:.200}; pass str(…) of it")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"the base URL cannot be read ({error})") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise UsageError(f"the base URL must be like https://hooks.example.com, not {url!r:.200}")
    if parts.username is not None or parts.password is not None:
        raise UsageError("the base URL must not hold a user or a password")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise UsageError(f"the base URL must not hold a query or a fragment: {url!r:.200}")
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise UsageError(f"the base URL holds characters that no URL has: {url!r:.200}")
    bare = url.rstrip("/")
    if parts.path.rstrip("/").endswith("/v1"):
        right = bare.removesuffix("/v1")
        raise UsageError(f"the base URL must not end in /v1, which calls add: pass {right!r:.200}")
    return bare
