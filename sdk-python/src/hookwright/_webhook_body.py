"""The body of a webhook: as bytes, and as JSON."""

from __future__ import annotations

import json
from typing import Any, NoReturn, TypeAlias, cast

from hookwright.errors import InvalidPayloadError, UsageError

RawBody: TypeAlias = "bytes | bytearray | memoryview | str"


def content(body: object) -> bytes:
    """The bytes of a raw body. Raises InvalidPayloadError, and UsageError for a parsed one."""
    if isinstance(body, str):
        try:
            return body.encode()
        except UnicodeEncodeError:
            raise InvalidPayloadError("the body holds lone surrogates") from None
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(cast("bytes", body))
    raise UsageError(f"pass the raw request body as bytes or str, not a {type(body).__name__}")


def parse(body: bytes) -> Any:
    """JSON in UTF-8. Raises InvalidPayloadError."""
    try:
        return json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidPayloadError(f"the body is signed, but not JSON in UTF-8: {error}") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
