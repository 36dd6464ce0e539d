"""Sends frames of a websocket to whoever connects, as fast as they are taken; prints its address.

Called with how many frames a connection gets, and of how many bytes; ends with standard input.
"""

import base64
import hashlib
import socket
import sys
import threading
from contextlib import suppress

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # of RFC 6455
_AT_ONCE = 500
_TEXT, _TWO = 0x81, 126


def _greeted(connection: socket.socket) -> None:
    """Answer the handshake."""
    asked = b""
    while b"\r\n\r\n" not in asked:
        asked += connection.recv(4096)
    name = b"sec-websocket-key: "
    place = asked.lower().index(name) + len(name)
    key = asked[place : asked.index(b"\r\n", place)]
    accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


def _serve(connection: socket.socket, frames: int, size: int) -> None:
    payload = b'{"werks":"' + b"x" * (size - 12) + b'"}'
    frame = bytes([_TEXT, _TWO]) + size.to_bytes(2, "big") + payload
    with connection, suppress(OSError):  # the client leaves when it has enough
        _greeted(connection)
        for start in range(0, frames, _AT_ONCE):
            connection.sendall(frame * min(_AT_ONCE, frames - start))
        connection.recv(1)


def main() -> None:
    """Serve each connection in a thread of its own."""
    frames, size = int(sys.argv[1]), int(sys.argv[2])
    listening = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_accept, args=(listening, frames, size), daemon=True).start()
    sys.stdout.write(f"ws://127.0.0.1:{listening.getsockname()[1]}/\n")
    sys.stdout.flush()
    sys.stdin.read()


def _accept(listening: socket.socket, frames: int, size: int) -> None:
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=_serve, args=(connection, frames, size), daemon=True).start()


if __name__ == "__main__":
    main()
