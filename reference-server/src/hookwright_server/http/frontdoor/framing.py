"""Where messages end. Pure: bytes in, positions and parts out."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

HEAD_END = b"\r\n\r\n"

_MAX_LINE = 4096
_MAX_TRAILERS = 16 * 1024
_MAX_RESPONSE_HEAD = 256 * 1024
_CHUNK_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;[^\r\n]*)?\r\n")
_NO_BODY = frozenset({204, 304})


class FramingError(ValueError):
    """The bytes are not a well-formed message."""


class ChunkScanner:
    """Finds the end of a chunked body that arrives in pieces of any size."""

    __slots__ = ("_in_trailers", "_line", "_skip", "_trailer_bytes", "done")

    def __init__(self) -> None:
        self._line = b""
        self._skip = 0
        self._in_trailers = False
        self._trailer_bytes = 0
        self.done = False

    def feed(self, data: bytes, position: int) -> int:
        """The position after what belongs to the body; `done` tells whether it has ended.

        Raises FramingError for a bad chunk size line or too long trailers.
        """
        size = len(data)
        while position < size and not self.done:
            if self._skip:
                taken = min(self._skip, size - position)
                self._skip -= taken
                position += taken
            else:
                position = self._feed_line(data, position)
        return position

    def _feed_line(self, data: bytes, position: int) -> int:
        end = data.find(b"\n", position, position + _MAX_LINE) + 1
        stop = end or len(data)
        if len(self._line) + stop - position > _MAX_LINE:
            raise FramingError("a chunk size line or trailer is too long")
        self._line += data[position:stop]
        if end:
            line, self._line = self._line, b""
            self._end_line(line)
        return stop

    def _end_line(self, line: bytes) -> None:
        if self._in_trailers:
            self._trailer_bytes += len(line)
            if self._trailer_bytes > _MAX_TRAILERS:
                raise FramingError("the trailers are too long")
            self.done = line == b"\r\n"
            return
        match = _CHUNK_SIZE_LINE.fullmatch(line)
        if match is None:
            raise FramingError("invalid chunk size")
        length = int(match[1], 16)
        if length:
            self._skip = length + len(b"\r\n")
        else:
            self._in_trailers = True


class ResponseHead(NamedTuple):
    """What the relay must know of a response."""

    status: int
    closes: bool
    has_request_id: bool
    to_head_request: bool


class ResponsePart(NamedTuple):
    """A piece of one response; the first one carries the whole head, `last` ends the response."""

    data: bytes
    head: ResponseHead | None
    last: bool


class ResponseFramer:
    """Splits the byte stream of a trusted HTTP/1.1 server into its responses."""

    __slots__ = ("_chunks", "_held", "_in_body", "_remaining", "_requests", "until_eof")

    def __init__(self) -> None:
        self._requests: deque[bool] = deque()
        self._held = b""
        self._in_body = False
        self._remaining = 0
        self._chunks: ChunkScanner | None = None
        self.until_eof = False

    def expect(self, to_head_request: bool) -> None:
        """One more request has been sent; the response to HEAD has no body."""
        self._requests.append(to_head_request)

    def feed(self, data: bytes) -> Iterator[ResponsePart]:
        """The parts in `data`. Raises FramingError when it is no response or nobody asked."""
        position = 0
        while position < len(data):
            if not self._in_body:
                if self._held:
                    data, position, self._held = self._held + data[position:], 0, b""
                end = data.find(HEAD_END, position)
                if end < 0:
                    self._hold(data[position:])
                    return
                head = self._begin(data[position : end + 2])
                stop = self._end_of_body(data, end + len(HEAD_END))
            else:
                head = None
                stop = self._end_of_body(data, position)
            whole = position == 0 and stop == len(data)
            part = data if whole else data[position:stop]
            yield ResponsePart(part, head, not self._in_body)
            position = stop

    def _hold(self, data: bytes) -> None:
        if len(data) > _MAX_RESPONSE_HEAD:
            raise FramingError("response head too long")
        self._held = data

    def _begin(self, raw: bytes) -> ResponseHead:
        lower = raw.lower()
        if not (lower.startswith(b"http/1.") and lower[9:12].isdigit()):
            raise FramingError("not an HTTP/1 response")
        status = int(lower[9:12])
        if not self._requests:
            raise FramingError("a response that nobody asked for")
        interim = status < 200
        to_head = self._requests[0] if interim else self._requests.popleft()
        bodyless = interim or to_head or status in _NO_BODY
        self._remaining, self._chunks, self.until_eof = 0, None, False
        if not bodyless:
            self._choose_framing(lower)
        self._in_body = True
        return ResponseHead(
            status=status,
            closes=self.until_eof or b"\r\nconnection: close\r\n" in lower,
            has_request_id=status < 400 or b"\r\nx-request-id:" in lower,
            to_head_request=to_head,
        )

    def _choose_framing(self, lower: bytes) -> None:
        if b"\r\ntransfer-encoding: chunked\r\n" in lower:
            self._chunks = ChunkScanner()
            return
        at = lower.find(b"\r\ncontent-length:")
        if at < 0:
            self.until_eof = True
            return
        start = at + len(b"\r\ncontent-length:")
        self._remaining = int(lower[start : lower.index(b"\r\n", start)])

    def _end_of_body(self, data: bytes, position: int) -> int:
        if self.until_eof:
            return len(data)
        if self._chunks is not None:
            stop = self._chunks.feed(data, position)
            self._in_body = not self._chunks.done
            return stop
        taken = min(self._remaining, len(data) - position)
        self._remaining -= taken
        self._in_body = self._remaining > 0
        return position + taken
