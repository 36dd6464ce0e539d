"""One websocket: the only place that uses websocket-client, which connects and shakes hands."""

import select
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import websocket

from ..errors import ExchangeError, RateLimitError, UnavailableError
from .frames import BINARY, CLOSE, PING, Frames, reason

_CONNECT = 10.0
# So many bytes are taken at once, at the most; a TLS record has 16 KiB at the most.
_ROOM = 1 << 18
_RECORD = 1 << 14
_SLOW_DOWN = (418, 429)


class Line:
    """An open connection; every failure is an UnavailableError that names the address."""

    def __init__(self, url: str) -> None:
        self._url, self._frames, self._over = url, Frames(), ""
        try:
            self._socket = websocket.create_connection(
                url, timeout=_CONNECT, skip_utf8_validation=True, enable_multithread=False
            )
        except (websocket.WebSocketException, OSError, ValueError) as error:
            raise _refused(url, error) from error
        # The handshake is read byte by byte: all that came behind it is still in the socket.
        raw: Any = self._socket.sock
        raw.settimeout(0)
        self._raw = raw
        self._is_tls = isinstance(self._raw, ssl.SSLSocket)
        self._room = memoryview(bytearray(_ROOM))
        self._poll = select.poll()
        self._poll.register(self._raw, select.POLLIN)

    def send(self, text: str) -> None:
        """Send a text."""
        self._say(partial(self._socket.send, text))

    def ping(self) -> None:
        """Send a ping of the websocket's own."""
        self._say(self._socket.ping)

    def receive(self, seconds: float) -> Sequence[bytes]:
        """Return the messages that came, waiting so long for the first byte at the most.

        A ping or a pong gives an empty message: the other side is alive. What came before the end
        of the connection, or before what is no frame, is returned; the next call is the error.
        """
        if self._over:
            raise UnavailableError(self._over)
        if not (self._is_tls and self._raw.pending()) and not self._poll.poll(seconds * 1000):
            return ()
        return self._messages(self._read())

    def close(self) -> None:
        """Say good-bye if that can be done at once, and let go of the socket."""
        with suppress(websocket.WebSocketException, OSError):  # it may be broken already
            self._socket.settimeout(0.5)
            self._socket.send_close()
        with suppress(websocket.WebSocketException, OSError):
            self._socket.shutdown()  # type: ignore[no-untyped-call]

    def _say(self, what: Callable[[], object]) -> None:
        """Send, and wait until the socket has taken it: only reading never waits."""
        try:
            self._socket.settimeout(_CONNECT)
            what()
            self._socket.settimeout(0)
        except (websocket.WebSocketException, OSError) as error:
            self._end(_why(error))
            raise UnavailableError(self._over) from error

    def _read(self) -> bytes:
        """Return all bytes that have come, as far as there is room."""
        # TLS gives one record a call, and each frame may be one.
        size, most = 0, _ROOM - (_RECORD if self._is_tls else _ROOM)
        try:
            while size <= most:
                got = self._raw.recv_into(self._room[size:])
                size += got
                if not got:
                    self._end("the connection was closed without a word")
                    break
        except (ssl.SSLWantReadError, BlockingIOError):
            pass  # that was all, or a part of a record
        except OSError as error:
            self._end(_why(error))
        return bytes(self._room[:size])

    def _messages(self, data: bytes) -> Sequence[bytes]:
        """Return the messages in bytes, and answer pings."""
        found: list[bytes] = []
        pings: list[bytes] = []
        try:
            for opcode, payload in self._frames.cut(data):
                if opcode <= BINARY:
                    found.append(payload)
                elif opcode == CLOSE:
                    self._end(reason(payload))
                    break
                else:
                    found.append(b"")
                    if opcode == PING:
                        pings.append(payload)
        except UnavailableError as error:
            self._end(str(error))
        with suppress(UnavailableError):  # the next call tells
            for ping in pings:
                self._say(partial(self._socket.pong, ping))
        return found

    def _end(self, why: str) -> None:
        self._over = self._over or f"{self._url}: {why}"


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__


def _refused(url: str, error: Exception) -> ExchangeError:
    status = getattr(error, "status_code", None)
    if status in _SLOW_DOWN:
        headers = getattr(error, "resp_headers", None) or {}
        return RateLimitError(f"{url}: too many connections (HTTP {status})", _wait(headers))
    if status is not None:
        return UnavailableError(f"{url}: no websocket is given (HTTP {status})")
    return UnavailableError(f"{url}: {_why(error)}")


def _wait(headers: Any) -> float:
    try:
        return max(0.0, float(headers.get("retry-after", "")))
    except ValueError:
        return 0.0  # then the usual pauses have to do
