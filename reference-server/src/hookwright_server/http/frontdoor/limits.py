"""What one client may cost: sizes in bytes, durations in seconds."""

from __future__ import annotations

from dataclasses import dataclass

_KIB = 1024
_MIB = 1024 * _KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the front door; the contract's own bounds are tighter and live in the spec.

    A request is held here until it is complete, so that a slow client never occupies a thread of
    the application; `max_buffered_bytes` bounds what all clients together may hold. One server has
    at most `max_open_requests` at a time, those that wait for one of its threads included.
    """

    max_connections: int = 4096
    max_uri_bytes: int = 8 * _KIB
    max_head_bytes: int = 32 * _KIB
    max_headers: int = 100
    max_body_bytes: int = 8 * _MIB
    max_buffered_bytes: int = 256 * _MIB
    max_pipelined: int = 32
    max_open_requests: int = 512
    head_timeout_s: float = 10.0
    body_silence_s: float = 30.0
    body_timeout_s: float = 60.0
    keep_alive_s: float = 75.0
    response_timeout_s: float = 120.0
    write_stall_s: float = 60.0
    linger_s: float = 2.0
    last_call_s: float = 0.1
    drain_grace_s: float = 0.25

    @property
    def sweep_interval_s(self) -> float:
        """How often deadlines are looked at: they are kept to within this interval."""
        shortest = min(
            self.head_timeout_s,
            self.body_silence_s,
            self.body_timeout_s,
            self.keep_alive_s,
            self.response_timeout_s,
            self.write_stall_s,
            self.linger_s,
        )
        return min(0.5, shortest / 4)
