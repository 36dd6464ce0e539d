"""Websocket frames out of bytes, as many at once as have come: RFC 6455, the client's side.

websocket-client makes two or three system calls a frame; here one call brings all that waits in
the socket, and this cuts it. What a server may not send is an error by name.
"""

from collections.abc import Iterator

from ..errors import UnavailableError

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_CONTINUED = 0
_FIN, _RESERVED, _OPCODE, _MASKED = 0x80, 0x70, 0x0F, 0x80
_TWO, _MOST_OF_CONTROL = 126, 125
# The first byte of a message in one frame, as nearly all come.
_WHOLE = (_FIN | TEXT, _FIN | BINARY)
# An exchange's largest message, a snapshot of all instruments, has some megabytes.
_LARGEST = 64 << 20

Frame = tuple[int, bytes]


class Frames:
    """Cuts bytes into frames, joins fragments; what is not complete waits for more bytes."""

    def __init__(self) -> None:
        # Bytes of a frame that is not complete, and how many it lacks at least.
        self._waiting: list[bytes] = []
        self._lacks = 0
        self._opcode = _CONTINUED
        self._parts: list[bytes] = []
        self._size = 0

    def cut(self, data: bytes) -> Iterator[Frame]:
        """Yield (opcode, payload) of all whole messages and control frames, in order.

        UnavailableError behind those that precede a frame that no server may send. Texts may hold
        any bytes: whether they are UTF-8 is seen by who reads them.
        """
        self._lacks -= len(data)
        if self._waiting:
            self._waiting.append(data)
            if self._lacks > 0:  # a large message is joined once, however many pieces it comes in
                return
            data = b"".join(self._waiting)
        at, end, size = 0, 0, len(data)
        while size - at >= 2:
            first, length = data[at], data[at + 1]
            begin = at + 2
            if length >= _TWO:
                if length & _MASKED:
                    raise UnavailableError("a masked frame came from the server")
                wide = 2 if length == _TWO else 8
                length = int.from_bytes(data[begin : begin + wide], "big")
                begin += wide
                if size < begin:
                    break
            if length > _LARGEST:
                raise UnavailableError(f"a frame of {length:,} bytes came: no message is so large")
            end = begin + length
            if size < end:
                break
            if first in _WHOLE and not self._opcode:
                yield first & _OPCODE, data[begin:end]
            else:
                yield from self._unusual(first, data[begin:end])
            at = end
        self._waiting, self._lacks = [data[at:]] if at < size else [], end - size

    def _unusual(self, first: int, payload: bytes) -> Iterator[Frame]:
        """Yield what a control frame says, or a message with its last fragment."""
        opcode, is_last = first & _OPCODE, bool(first & _FIN)
        if first & _RESERVED:
            raise UnavailableError("a frame with reserved bits came: no extension was agreed")
        if opcode in (CLOSE, PING, PONG):
            if not is_last or len(payload) > _MOST_OF_CONTROL:
                raise UnavailableError("a control frame is cut or too long")
            yield opcode, payload
            return
        if opcode not in (_CONTINUED, TEXT, BINARY) or (opcode == _CONTINUED) != bool(self._opcode):
            raise UnavailableError(f"a frame of kind {opcode} came where none may")
        self._opcode = self._opcode or opcode
        self._parts.append(payload)
        self._size += len(payload)
        if self._size > _LARGEST:
            raise UnavailableError("a message in fragments is larger than any message may be")
        if is_last:
            whole, self._parts, self._size = b"".join(self._parts), [], 0
            opcode, self._opcode = self._opcode, _CONTINUED
            yield opcode, whole


def reason(payload: bytes) -> str:
    """Return what a close frame says: its code and its text."""
    if len(payload) < 2:
        return "closed by the server"
    code, text = int.from_bytes(payload[:2], "big"), payload[2:].decode("utf-8", "replace")
    return f"closed by the server with {code}{f': {text}' if text else ''}"
