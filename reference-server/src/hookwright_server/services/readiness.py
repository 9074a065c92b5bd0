"""Can the server do its work? Each part says so itself."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from hookwright_server.errors import Refusal
from hookwright_server.store.errors import StoreError

_log = logging.getLogger(__name__)

Check = Callable[[], bool]


class Readiness:
    """Asks every part; a part that raises is missing. Without the `helpful` ones it works too.

    `is_stopping`: whether the server works but should be given nothing new.
    """

    def __init__(
        self,
        checks: Mapping[str, Check],
        helpful: Mapping[str, Check] | None = None,
        *,
        is_stopping: Check = lambda: False,
    ) -> None:
        self._checks = checks
        self._helpful = helpful or {}
        self._is_stopping = is_stopping

    def require(self) -> dict[str, bool]:
        """Whether each part works; `unavailable` names the needed ones that are missing."""
        if self._is_stopping():
            raise _not_ready("the server is stopping")
        missing = [name for name, check in self._checks.items() if not _works(name, check)]
        if missing:
            raise _not_ready(f"missing: {', '.join(missing)}")
        helpful = {name: _works(name, check) for name, check in self._helpful.items()}
        return dict.fromkeys(self._checks, True) | helpful


def _not_ready(why: str) -> Refusal:
    return Refusal("unavailable", f"Not ready, {why}. Ask again in a moment.", retry_after_s=1)


def _works(name: str, check: Check) -> bool:
    try:
        return check()
    except StoreError as error:
        _log.error("readiness_check_failed part=%s error=%s", name, " ".join(str(error).split()))
        return False
    except Exception:  # noqa: BLE001 - whatever breaks a part makes it missing
        _log.exception("readiness_check_failed part=%s", name)
        return False
