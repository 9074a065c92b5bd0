"""A listener that ends takes with it nobody who is already connected."""

from __future__ import annotations

import socket

import pytest

from hookwright_server.http.frontdoor.last_call import take_no_more


def test_who_is_connected_is_served_and_who_connects_is_ignored() -> None:
    """Accepted or not, an earlier connection works on; a later one gets no answer at all."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        with socket.create_connection(address) as early:
            taken = take_no_more(listener)
            with pytest.raises(TimeoutError):
                socket.create_connection(address, timeout=0.2)
            accepted, _ = listener.accept()
            with accepted:
                early.sendall(b"ping")
                heard = accepted.recv(4)
                accepted.sendall(b"pong")
                answered = early.recv(4)

    assert (True, b"ping", b"pong") == (taken, heard, answered)
