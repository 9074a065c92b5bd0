"""Where operators are listened to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; port 0 takes a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str) -> Address:
    """`host:port` or `[ipv6]:port`. Raises ValueError."""
    host, separator, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    bracketed = host.startswith("[") and host.endswith("]")
    if not (separator and bare and port.isascii() and port.isdigit() and int(port) < 65_536):
        raise ValueError(f"{text!r} is not host:port, such as 127.0.0.1:9464")
    if (":" in bare) != bracketed:
        raise ValueError(f"{text!r}: write an IPv6 address in brackets, such as [::1]:9464")
    return Address(bare, int(port))
