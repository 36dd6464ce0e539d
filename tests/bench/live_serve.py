"""Sends frames of a websocket to whoever connects, as fast as they are taken; prints its address.

They are made, of one size, or read from a file; over TLS, `at-once` of them share a record.
Ends with standard input.
"""

import argparse
import base64
import hashlib
import json
import socket
import ssl
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # of RFC 6455
_TEXT, _SHORT, _TWO = 0x81, 125, 126


def greeted(connection: socket.socket) -> None:
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


def frame(payload: bytes) -> bytes:
    """Return a text as a frame; of less than 64 KiB."""
    size = len(payload)
    short = bytes([_TEXT, size])
    return (short if size <= _SHORT else bytes([_TEXT, _TWO]) + size.to_bytes(2, "big")) + payload


def _serve(connection: socket.socket, parts: Sequence[bytes]) -> None:
    with suppress(OSError), connection:  # the client leaves when it has enough
        greeted(connection)
        for part in parts:
            connection.sendall(part)
        while connection.recv(1 << 16):  # the client has said what it wants, and leaves then
            pass


def _parts(given: argparse.Namespace) -> Sequence[bytes]:
    if given.file is None:
        frames = [frame(b'{"werks":"' + b"x" * (given.size - 12) + b'"}')] * given.frames
    else:
        texts = json.loads(given.file.read_text(encoding="utf-8"))[given.kind]["frames"]
        frames = [frame(text.encode()) for text in texts]
    return [
        b"".join(frames[at : at + given.at_once]) for at in range(0, len(frames), given.at_once)
    ]


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=100_000, help="how many are made")
    parser.add_argument("--size", type=int, default=170, help="of how many bytes they are")
    parser.add_argument("--file", type=Path, help="what `live_frames.py` wrote")
    parser.add_argument("--kind", help="which frames of that file")
    parser.add_argument("--at-once", type=int, default=500, help="so many are sent at once")
    parser.add_argument("--tls", type=Path, help="a folder with cert.pem and key.pem")
    return parser.parse_args()


def main() -> None:
    """Serve each connection in a thread of its own."""
    given = _given()
    parts = _parts(given)
    context = None
    if given.tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(given.tls / "cert.pem", given.tls / "key.pem")
    listening = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_accept, args=(listening, parts, context), daemon=True).start()
    kind = "ws" if context is None else "wss"
    sys.stdout.write(f"{kind}://localhost:{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    sys.stdin.read()


def _accept(
    listening: socket.socket, parts: Sequence[bytes], context: ssl.SSLContext | None
) -> None:
    while True:
        connection, _ = listening.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            connection = context.wrap_socket(connection, server_side=True)
        threading.Thread(target=_serve, args=(connection, parts), daemon=True).start()


if __name__ == "__main__":
    main()
