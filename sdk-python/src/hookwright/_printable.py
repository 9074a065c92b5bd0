"""What others wrote, fit for a terminal and for one line of a log."""

from __future__ import annotations

from typing import Final

# A terminal obeys the controls; U+2028 and U+2029 end a line for some; the others turn the text
# around them, so that it reads as what it is not.
_ESCAPED: Final = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    for code in (
        *range(0x20),
        *range(0x7F, 0xA0),
        0x061C,
        *(0x200E, 0x200F),
        *range(0x2028, 0x202F),
        *range(0x2066, 0x206A),
    )
}


def printable(text: str) -> str:
    """With controls, marks of direction and lone surrogates escaped."""
    return text.translate(_ESCAPED).encode("utf-8", "backslashreplace").decode()
