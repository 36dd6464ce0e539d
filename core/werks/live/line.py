"""One websocket: the only place that uses websocket-client, which connects and shakes hands."""

import select
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import websocket

from ..errors import ExchangeError, RateLimitError, UnavailableError
from .frames import BINARY, CLOSE, PING, PONG, Frames, reason

_CONNECT = 10.0
_PIECE = 1 << 18
_SLOW_DOWN = (418, 429)


class Line:
    """An open connection; every failure is an UnavailableError that names the address."""

    def __init__(self, url: str) -> None:
        self._url, self._frames = url, Frames()
        try:
            self._socket = websocket.create_connection(
                url, timeout=_CONNECT, skip_utf8_validation=True, enable_multithread=False
            )
        except (websocket.WebSocketException, OSError, ValueError) as error:
            raise _refused(url, error) from error
        self._over = ""
        self._poll = select.poll()
        raw: Any = self._socket.sock
        self._poll.register(raw, select.POLLIN)

    def send(self, text: str) -> None:
        """Send a text."""
        try:
            self._socket.settimeout(_CONNECT)
            self._socket.send(text)
        except (websocket.WebSocketException, OSError) as error:
            raise self._broken(error) from error

    def ping(self) -> None:
        """Send a ping of the websocket's own."""
        try:
            self._socket.settimeout(_CONNECT)
            self._socket.ping()
        except (websocket.WebSocketException, OSError) as error:
            raise self._broken(error) from error

    def receive(self, seconds: float) -> Sequence[bytes]:
        """Return the messages that came, waiting so long for the first byte at the most.

        A pong gives an empty message: the other side is alive.
        """
        if self._over:
            raise UnavailableError(f"{self._url}: {self._over}")
        try:
            data = self._read(seconds)
            return () if data is None else self._messages(data)
        except UnavailableError as error:
            raise UnavailableError(f"{self._url}: {error}") from error
        except (websocket.WebSocketException, OSError) as error:
            raise self._broken(error) from error

    def close(self) -> None:
        """Say good-bye if that can be done at once, and let go of the socket."""
        with suppress(websocket.WebSocketException, OSError):  # it may be broken already
            self._socket.settimeout(0.5)
            self._socket.send_close()
        with suppress(websocket.WebSocketException, OSError):
            self._socket.shutdown()  # type: ignore[no-untyped-call]

    def _read(self, seconds: float) -> bytes | None:
        """Return bytes that have come, empty at the end, None if there are none in time."""
        raw: Any = self._socket.sock
        waits = isinstance(raw, ssl.SSLSocket) and raw.pending()
        if not waits and not self._poll.poll(seconds * 1000):
            return None
        raw.settimeout(0)
        try:
            data: bytes = raw.recv(_PIECE)
        except (ssl.SSLWantReadError, BlockingIOError):
            return None  # a part of a TLS record
        return data

    def _messages(self, data: bytes) -> Sequence[bytes]:
        """Return the messages in bytes; what comes before the end of the connection counts."""
        found: list[bytes] = []
        if not data:
            self._over = "the connection was closed without a word"
        for opcode, payload in self._frames.cut(data):
            if opcode <= BINARY:
                found.append(payload)
            elif opcode == PING:
                self._socket.settimeout(_CONNECT)
                self._socket.pong(payload)
                found.append(b"")
            elif opcode == PONG:
                found.append(b"")
            elif opcode == CLOSE:
                self._over = reason(payload)
                break
        return found

    def _broken(self, error: Exception) -> UnavailableError:
        return UnavailableError(f"{self._url}: {error or type(error).__name__}")


def _refused(url: str, error: Exception) -> ExchangeError:
    status = getattr(error, "status_code", None)
    if status in _SLOW_DOWN:
        headers = getattr(error, "resp_headers", None) or {}
        return RateLimitError(f"{url}: too many connections (HTTP {status})", _wait(headers))
    if status is not None:
        return UnavailableError(f"{url}: no websocket is given (HTTP {status})")
    return UnavailableError(f"{url}: {error or type(error).__name__}")


def _wait(headers: Any) -> float:
    try:
        return max(0.0, float(headers.get("retry-after", "")))
    except ValueError:
        return 0.0  # then the usual pauses have to do
