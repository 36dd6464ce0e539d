"""One connection of a `LoopbackSocket`: what is read from it, written to it, or held back."""

import socket
import struct
from collections.abc import Callable, Iterator

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from .words import Words

# Closed at once, and what was not sent is thrown away: the client sees a reset.
_RESET = struct.pack("ii", 1, 0)
_LAST, _SHORT, _OF_16_BITS, _OF_64_BITS = 0x80, 125, 126, 127


class Line:
    """A socket that does not block, with the protocol's state; for the server's thread only."""

    def __init__(self, number: int, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = number
        self.sock = sock
        self.protocol = ServerProtocol(max_size=None)
        self.words: Words | None = None  # none before the handshake
        self.out = bytearray()
        self.closed = False  # the server lets go of the socket then
        self.waiting = False  # for the client to take more
        # Faults; `silent` and `mute` keep texts back, `frozen` all.
        self.frozen = self.silent = self.mute = False
        self.pieces = 1
        self.dribble = 0
        self.cut: Callable[[], None] | None = None
        self.messages_left = -1
        self.sent = self.pongs = 0
        self._ending = False
        self._parts: list[bytes] = []

    def receive(self) -> Iterator[Request | str]:
        """Read what is there; yield the handshake's request and the client's texts."""
        try:
            data = self.sock.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.protocol.receive_data(data)
        else:
            self.protocol.receive_eof()
        for event in self.protocol.events_received():
            if isinstance(event, Request):
                yield event
            elif isinstance(event, Frame) and (text := self._text(event)) is not None:
                yield text
        self._collect()
        if not data:
            self.closed = True

    def _text(self, frame: Frame) -> str | None:
        if frame.opcode is Opcode.PONG:
            self.pongs += 1
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return None
        self._parts.append(bytes(frame.data))
        if not frame.fin:
            return None
        whole, self._parts = b"".join(self._parts), []
        return whole.decode()

    @property
    def open(self) -> bool:
        """Whether the client may think that it is connected."""
        there = self.words is not None and not self.closed
        return there and self.protocol.state is State.OPEN

    @property
    def talking(self) -> bool:
        """Whether a text that is given now will be sent."""
        return self.open and not self.frozen

    def say(self, texts: list[str]) -> None:
        """Queue texts, each a frame or as many as it is cut into."""
        for text in texts:
            if not self.talking:
                return
            self._frames(text.encode())
            self.sent += 1
            if self.messages_left > 0:
                self.messages_left -= 1
            if self.messages_left == 0 and self.cut:
                self.cut()

    def _frames(self, data: bytes) -> None:
        if self.pieces == 1:
            self.protocol.send_text(data)
        else:
            size = max(1, -(-len(data) // self.pieces))
            parts = [data[at : at + size] for at in range(0, len(data), size)] or [b""]
            self.protocol.send_text(parts[0], fin=len(parts) == 1)
            for number, part in enumerate(parts[1:], 2):
                self.protocol.send_ping(b"between")  # which the standard allows
                self.protocol.send_continuation(part, fin=number == len(parts))
        self._collect()

    def frame(self, data: bytes, opcode: int, size: int = -1) -> None:
        """Queue a frame of any kind, even one that the standard does not know.

        Its head announces `size` bytes, however many follow.
        """
        if self.talking:
            self.out += _head(opcode, len(data) if size < 0 else size) + data

    def hush(self, silent: bool = False, mute: bool = False) -> None:
        """Keep back all texts, or those about rows; without either none."""
        self.silent, self.mute = silent, mute

    def ping(self) -> None:
        """Queue a ping, to which the client must answer."""
        if self.talking:
            self.protocol.send_ping(b"werks")
            self._collect()

    def end(self, code: int, reason: str) -> None:
        """Queue a close frame; the client answers it."""
        if self.talking:
            self.protocol.send_close(code, reason)
            self._collect()

    def _collect(self) -> None:
        for data in self.protocol.data_to_send():
            self.out += data
            self._ending |= data == b""

    def flush(self) -> bool:
        """Send what is queued as far as it goes; return whether more is to be sent later."""
        if self.closed or self.frozen:
            self.out.clear()
            return False
        self._collect()
        try:
            while self.out:
                sent = self.sock.send(self.out[: self.dribble] if self.dribble else self.out)
                del self.out[:sent]
                if self.dribble:
                    break
            if self._ending and not self.out:
                self.sock.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            return True
        except OSError:
            self.closed = True
        return bool(self.out)

    def drop(self, reset: bool) -> None:
        """End the connection below the websocket: by FIN, or by RST."""
        if self.closed:
            return
        self.closed = True
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            return
        # With unread bytes in it, a socket that is closed sends RST in place of FIN.
        try:
            self.sock.shutdown(socket.SHUT_WR)
            while self.sock.recv(1 << 16):
                pass
        except OSError:
            pass


def _head(opcode: int, size: int) -> bytes:
    if size <= _SHORT:
        return bytes([_LAST | opcode, size])
    if size < 1 << 16:
        return struct.pack("!BBH", _LAST | opcode, _OF_16_BITS, size)
    return struct.pack("!BBQ", _LAST | opcode, _OF_64_BITS, size)
