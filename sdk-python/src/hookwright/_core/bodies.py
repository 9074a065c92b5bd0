"""The body of an answer as it comes in, bounded in size and in time; and unpacking it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hookwright._core.wire import LARGEST_BODY_BYTES, LARGEST_ERROR_BODY_BYTES, Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hookwright._core.deadline import Deadline

_PLAIN: Final = frozenset({"", "identity"})
_PACKED: Final = frozenset({"gzip", "x-gzip", "deflate"})


class Body:
    """Takes chunks until it has seen enough. The bytes are those of the wire, still packed."""

    __slots__ = ("_deadline", "_headers", "_limit", "_raw", "_status", "defect", "late")

    def __init__(
        self, status_code: int, headers: Mapping[str, str], deadline: Deadline | None
    ) -> None:
        self._status = status_code
        self._headers = headers
        self._deadline = deadline
        # One buffer: an object for each chunk would cost 30 times a chunk of one byte.
        self._raw = bytearray()
        is_success = 200 <= status_code < 300
        self._limit = LARGEST_BODY_BYTES if is_success else LARGEST_ERROR_BODY_BYTES
        self.defect: str | None = None
        self.late = False

    def is_worth_reading(self) -> bool:
        """False when the head already announces too much."""
        announced = self._headers.get("content-length", "")
        if announced.isascii() and announced.isdigit() and float(announced) > self._limit:
            self.defect = _too_large(self._limit)
        return self.defect is None

    def take(self, chunk: bytes) -> bool:
        """Keep a chunk; False when there is nothing more to wait for."""
        if len(self._raw) + len(chunk) > self._limit:
            self.defect = _too_large(self._limit)
            self._raw.clear()
            return False
        self._raw += chunk
        self.late = self._deadline is not None and self._deadline.remaining() <= 0
        return not self.late

    def reply(self, *, unpacked: bool = False) -> Reply:
        """The whole answer; `unpacked` when the chunks came without their content encoding."""
        body, defect = bytes(self._raw), self.defect
        if defect is None and not unpacked:
            coding = self._headers.get("content-encoding", "").strip().lower()
            body, defect = unpack(body, coding, self._limit)
        return Reply(self._status, self._headers, body, defect)


def unpack(raw: bytes, coding: str, limit: int) -> tuple[bytes, str | None]:
    """
    The content and what is wrong with it, if anything is.

    Not left to the HTTP library, which unpacks whatever a server sends, however often packed,
    and looks at the size of the result when it is already in memory.
    """
    if coding in _PLAIN or not raw:
        return raw, None
    if coding not in _PACKED:
        return b"", f"the body is encoded as {coding!r:.100}, which was not asked for"
    import zlib

    # 32: zlib or gzip by the first bytes; some servers send "deflate" without either's frame.
    framed = coding != "deflate" or (raw[0] & 0x0F) == zlib.DEFLATED
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32 if framed else -zlib.MAX_WBITS)
    try:
        content = unpacker.decompress(raw, limit + 1)
    except zlib.error as error:
        return b"", f"the body cannot be decoded: {error}"
    if len(content) > limit:
        return b"", _too_large(limit)
    if not unpacker.eof:
        return b"", f"the body cannot be decoded: its {coding} is cut off"
    return content, None


def _too_large(limit: int) -> str:
    return f"the body is larger than {limit} bytes"
