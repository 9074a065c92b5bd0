"""
Addresses of a host in time. The system's resolver takes none of its callers' deadlines, so it
runs in a thread, and whoever waits for it waits no longer than it may.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable


class Resolver:
    """
    Of one HTTP client. A name is looked up once at a time, however many ask: what was given up
    goes on in its thread until the system gives up, and there shall be one such thread for a name.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lookups: dict[tuple[str, int], _Lookup] = {}

    def addresses(self, host: str, port: int, timeout: float | None) -> list[str]:
        """
        Each once, in the system's order. Raises TimeoutError when `timeout` seconds are over, and
        what the system's resolver raises: OSError, UnicodeError.
        """
        if timeout is None or _is_address(host):
            return _resolved(host, port)
        try:
            lookup = self._begun(host, port)
        except RuntimeError:  # no more threads, at the end of the process or of its limits
            return _resolved(host, port)
        lookup.join(timeout)
        if lookup.error is not None:
            raise lookup.error
        if lookup.found is None:
            raise TimeoutError(f"{host} was not resolved within {timeout:.3g} s")
        return lookup.found

    def _begun(self, host: str, port: int) -> _Lookup:
        with self._lock:
            lookup = self._lookups.get((host, port))
            if lookup is None or not lookup.is_alive():
                lookup = _Lookup(host, port, self._forget)
                lookup.start()
                self._lookups[host, port] = lookup
            return lookup

    def _forget(self, lookup: _Lookup) -> None:
        # Its error holds on to the frames of those who waited for it.
        with self._lock:
            if self._lookups.get(lookup.asked) is lookup:
                del self._lookups[lookup.asked]


class _Lookup(threading.Thread):
    def __init__(self, host: str, port: int, forget: Callable[[_Lookup], None]) -> None:
        super().__init__(name="hookwright-resolver", daemon=True)
        self.asked = host, port
        self._forget = forget
        self.found: list[str] | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.found = _resolved(*self.asked)
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self.error = error
        self._forget(self)


def _resolved(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def _is_address(host: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    except (OSError, ValueError):  # ValueError: not even ASCII
        return False
    return True
