"""The bytes in front of a delivery's body. No header value can end a line here."""

from __future__ import annotations

from collections.abc import Sequence

from hookwright_server.domain.outgoing_headers import is_token
from hookwright_server.domain.target_url import TargetUrl

# The server's own headers (webhook-*, content-type, …) pass here; these frame the request.
_FRAMING = frozenset(
    {
        *("host", "content-length", "content-encoding", "transfer-encoding", "accept-encoding"),
        *("connection", "keep-alive", "expect", "te", "trailer", "upgrade", "http2-settings"),
    }
)
_KNOWN_NAMES_LIMIT = 4096
_known_names: set[str] = set()


class HeaderNotSendable(ValueError):
    """A header would break the request's framing. It was not checked before it was stored."""


def request_prefix(target: TargetUrl) -> bytes:
    """The part of the head that depends on the URL alone; `request_head` completes it."""
    return (
        f"POST {target.path_and_query} HTTP/1.1\r\n"
        f"Host: {target.host_header}\r\n"
        "Accept-Encoding: identity\r\n"
        "Content-Length: "
    ).encode("ascii")


def request_head(prefix: bytes, headers: Sequence[tuple[str, str]], body_length: int) -> bytes:
    """The whole head. Raises `HeaderNotSendable`: exactly one request leaves, or none."""
    lines = [f"{body_length}\r\n"]
    for name, value in headers:
        if name not in _known_names:
            _check_name(name)
        if not (value.isascii() and value.isprintable()):
            raise HeaderNotSendable(f"the value of header {name!r} is not visible ASCII")
        lines.append(f"{name}: {value}\r\n")
    lines.append("\r\n")
    return prefix + "".join(lines).encode("ascii")


def _check_name(name: str) -> None:
    lowered = name.lower()
    if not is_token(name) or lowered in _FRAMING or lowered.startswith("proxy-"):
        raise HeaderNotSendable(f"{name[:80]!a} cannot be set as a header of a delivery")
    if len(_known_names) < _KNOWN_NAMES_LIMIT:
        _known_names.add(name)
