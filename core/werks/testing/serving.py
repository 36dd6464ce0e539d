"""The connections of a `LoopbackSocket` and what is said on them; all of it runs in one thread."""

import selectors
import socket
import time
from collections.abc import Callable, Iterable
from functools import partial
from http import HTTPStatus

import attrs
import pyarrow as pa
from websockets.http11 import Request

from .line import Line
from .loop import Loop
from .tamper import OF_ANSWERS, Tampers
from .words import Venue, WordsFor, texts


@attrs.frozen
class Handshake:
    """A connection that was asked for: its number, the path with its query, the HTTP status."""

    line: int
    path: str
    status: int


@attrs.frozen
class Said:
    """A text that a client has sent."""

    line: int
    text: str


@attrs.frozen
class Lifetime:
    """After how many seconds, or messages, a connection ends: by a close frame, or None: by FIN."""

    seconds: float | None = None
    messages: int | None = None
    code: int | None = None


@attrs.frozen
class Refusal:
    """How a handshake is refused; without a status it is not answered at all."""

    status: int
    retry_after: int | None = None


@attrs.define
class Play:
    """Rows that are pushed as their time comes; it goes `speed` times as fast as ours."""

    advance: Callable[[int], Iterable[pa.RecordBatch]]
    begin: int
    speed: float
    until: int | None
    step: float
    started: float = attrs.field(factory=time.monotonic)

    @property
    def now(self) -> int:
        """The time in ns since 1970, at most `until`."""
        gone = int((time.monotonic() - self.started) * self.speed * 10**9)
        return self.begin + gone if self.until is None else min(self.begin + gone, self.until)


@attrs.define
class Serving:
    """Connections by number, in the order of their opening, and the faults that await them."""

    words: WordsFor
    heartbeat: float | None
    venue: Venue = attrs.field(factory=Venue)
    lines: dict[int, Line] = attrs.field(factory=dict)
    handshakes: list[Handshake] = attrs.field(factory=list)
    said: list[Said] = attrs.field(factory=list)
    tampers: Tampers = attrs.field(factory=Tampers)
    refusals: list[Refusal] = attrs.field(factory=list)
    lifetime: Lifetime = Lifetime()
    now: int = 0
    _play: Play | None = None
    port: int = 0
    _number: int = 0
    _listener: socket.socket = attrs.field(init=False)
    loop: Loop = attrs.field(init=False)

    def start(self) -> None:
        """Listen, at the same port as before if it was stopped."""
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self.loop = Loop(self._turned)
        self.loop.selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self.loop.start()
        if self.heartbeat:
            self.loop.later(self.heartbeat, self._beat)

    def stop(self) -> None:
        """Drop all connections and refuse further ones."""
        self.loop.call(self._drop_all)
        self.loop.stop()
        self._listener.close()
        self.loop.check()

    def _drop_all(self) -> None:
        for line in self.chosen(None):
            line.drop(reset=False)

    def chosen(self, number: int | None) -> list[Line]:
        """Return an open connection, if it is still there, or all of them."""
        lines = [line for line in self.lines.values() if not line.closed]
        return lines if number is None else [line for line in lines if line.number == number]

    def push(self, rows: pa.RecordBatch) -> None:
        """Tell of rows to every connection, and remember them."""
        if not len(rows):
            return
        for line in self.chosen(None):
            if line.words is not None:
                said = texts(line.words.trades(rows))
                if not line.silent and not line.mute:
                    line.say(self.tampers.rows(line.number, said))
        self.venue.add(rows)

    def play(self, play: Play | None) -> None:
        """Begin to play, in place of what was played before."""
        self._play = play
        if play is not None:
            self._step(play)

    def _step(self, play: Play) -> None:
        if play is not self._play:
            return
        now = play.now
        for rows in play.advance(now):
            self.push(rows)
        self.now = now
        if now != play.until:
            self.loop.later(play.step, lambda: self._step(play))

    def beat(self, number: int | None) -> None:
        """Give a heartbeat."""
        for line in self.chosen(number):
            if line.words is not None and not line.silent:
                line.say(texts(line.words.heartbeat()))

    def maintenance(self, number: int | None) -> None:
        """Say that the exchange will go away."""
        for line in self.chosen(number):
            if line.words is not None:
                line.say(texts(line.words.maintenance()))

    def freeze(self, line: Line) -> None:
        """Neither read nor write any more, and leave the connection as it is."""
        if not line.frozen:
            line.frozen = True
            self.loop.selector.unregister(line.sock)

    def limit(self, line: Line) -> None:
        """Let a connection end when its time has come."""
        life = self.lifetime
        line.cut = partial(_cut, line, life.code)
        line.messages_left = -1 if life.messages is None else life.messages
        if life.seconds is not None:
            self.loop.later(life.seconds, line.cut)

    def _beat(self) -> None:
        self.beat(None)
        self.loop.later(self.heartbeat or 0.0, self._beat)

    def _accept(self, _: int) -> None:
        try:
            sock, _address = self._listener.accept()
        except OSError:
            return  # it has left again
        line = self.lines[self._number] = Line(self._number, sock)
        self._number += 1
        self.loop.selector.register(sock, selectors.EVENT_READ, partial(self._ready, line))

    def _ready(self, line: Line, events: int) -> None:
        if not events & selectors.EVENT_READ:
            return
        for event in line.receive():
            if isinstance(event, Request):
                self._greet(line, event)
            else:
                self.said.append(Said(line.number, event))
                self._answer(line, event)

    def _greet(self, line: Line, request: Request) -> None:
        refusal = self.refusals.pop(0) if self.refusals else None
        if refusal and not refusal.status:
            self.handshakes.append(Handshake(line.number, request.path, 0))
            self.freeze(line)
            return
        if refusal:
            response = line.protocol.reject(HTTPStatus(refusal.status), f"{refusal.status}\n")
            if refusal.retry_after is not None:
                response.headers["Retry-After"] = str(refusal.retry_after)
        else:
            response = line.protocol.accept(request)
        line.protocol.send_response(response)
        self.handshakes.append(Handshake(line.number, request.path, response.status_code))
        if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            line.words = self.words(self.venue)
            self.limit(line)
            line.say(texts(line.words.opened(request.path)))

    def _answer(self, line: Line, text: str) -> None:
        if line.words is None:
            return
        said = texts(line.words.said(text))
        fault = self.tampers.find(line.number, OF_ANSWERS) if said else None
        if line.silent:
            return
        if fault is None:
            line.say(said)
            return
        fault.left -= 1
        if fault.what == "delay":
            self.loop.later(fault.seconds, lambda: line.say(said))

    def _turned(self) -> None:
        """Send what is queued, and let go of connections that have ended."""
        for line in list(self.lines.values()):
            more = line.flush()
            if line.closed:
                del self.lines[line.number]
                self.tampers.forget(line.number)
                if not line.frozen:
                    self.loop.selector.unregister(line.sock)
                line.sock.close()
            elif not line.frozen and more != line.waiting:
                line.waiting = more
                events = selectors.EVENT_READ | (selectors.EVENT_WRITE if more else 0)
                self.loop.selector.modify(line.sock, events, partial(self._ready, line))


def _cut(line: Line, code: int | None) -> None:
    if code is None:
        line.flush()
        line.drop(reset=False)
    else:
        line.end(code, "")
