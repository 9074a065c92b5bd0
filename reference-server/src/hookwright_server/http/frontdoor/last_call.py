"""How a listener ends without resetting connections that nobody has accepted yet."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
import sys

_SO_ATTACH_FILTER = 26
_FLAGS_OFFSET = 13
_SYN = 0x02
# Classic BPF on a segment that begins with its TCP header: drop it if SYN is set.
_PROGRAM = b"".join(
    struct.pack("=HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, _FLAGS_OFFSET),  # load the byte of flags
        (0x45, 0, 1, _SYN),  # if SYN is set go on, else skip one
        (0x06, 0, 0, 0),  # drop
        (0x06, 0, 0, 0xFFFFFFFF),  # keep
    )
)


def take_no_more(listener: socket.socket) -> bool:
    """Have the kernel ignore those who begin to connect; the others can still be accepted.

    Who is ignored tries again within a second, and by then reaches another server on the port, or
    is refused. False: the system cannot do it, and closing resets who is not accepted yet.
    """
    if sys.platform != "linux":
        return False
    program = ctypes.create_string_buffer(_PROGRAM, len(_PROGRAM))
    filter_of_program = struct.pack("HP", len(_PROGRAM) // 8, ctypes.addressof(program))
    with contextlib.suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filter_of_program)
        return True
    return False
