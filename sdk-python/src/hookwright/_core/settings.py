"""Where requests go and how: checked once, when a client is made."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from hookwright._core.call import UNSET, Unset
from hookwright._core.headers import checked_headers
from hookwright._core.version import __version__
from hookwright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

API_KEY_VARIABLE: Final = "HOOKWRIGHT_API_KEY"
BASE_URL_VARIABLE: Final = "HOOKWRIGHT_BASE_URL"
DEFAULT_TIMEOUT_SECONDS: Final = 60.0
DEFAULT_MAX_RETRIES: Final = 2
USER_AGENT: Final = f"hookwright-python/{__version__}"


@dataclass(frozen=True, slots=True)
class Settings:
    """`headers` are those of every request, merged beforehand; names are lower-case."""

    base_url: str
    headers: Mapping[str, str] = field(repr=False)
    timeout: float | None = DEFAULT_TIMEOUT_SECONDS
    max_retries: int = DEFAULT_MAX_RETRIES

    def with_options(
        self,
        *,
        timeout: float | Unset | None = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
    ) -> Settings:
        """The same with some of it replaced. UsageError for a value out of range."""
        return replace(
            self,
            timeout=self.timeout if isinstance(timeout, Unset) else checked_timeout(timeout),
            max_retries=self.max_retries
            if isinstance(max_retries, Unset)
            else checked_retries(max_retries),
            headers={**self.headers, **checked_headers(extra_headers)},
        )


def settings_from(
    api_key: str | None,
    base_url: str | None,
    client_headers: Mapping[str, str],
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """From arguments or, where they are None, the environment. UsageError says what is missing."""
    key = _checked_key(api_key if api_key is not None else environ.get(API_KEY_VARIABLE))
    url = base_url if base_url is not None else environ.get(BASE_URL_VARIABLE)
    own_headers = {
        "accept": "application/json",
        "accept-encoding": "gzip, deflate",
        "user-agent": USER_AGENT,
        "authorization": f"Bearer {key}",
    }
    return Settings(_checked_url(url), {**client_headers, **own_headers})


def checked_timeout(seconds: float | None) -> float | None:
    """UsageError unless `seconds` is None or a number above 0."""
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not math.isfinite(seconds) or seconds <= 0:
        raise UsageError(f"timeout is a number of seconds above 0, or None, not {seconds!r}")
    return float(seconds)


def checked_retries(count: object) -> int:
    """UsageError unless `count` is a whole number of at least 0."""
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise UsageError(f"max_retries is a whole number of at least 0, not {count!r}")
    return count


def _checked_key(key: str | None) -> str:
    if not key:
        raise UsageError(f"no API key: pass api_key=… or set {API_KEY_VARIABLE}")
    if not (key.isascii() and key.isprintable() and " " not in key):
        # Not shown: it may be a good key with a line end behind it.
        raise UsageError("the API key holds characters other than visible ASCII; was it cut well?")
    return key


def _checked_url(url: str | None) -> str:
    if not url:
        raise UsageError(f"no base URL: pass base_url=… or set {BASE_URL_VARIABLE}")
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
    return url.rstrip("/")
