"""A websocket server on 127.0.0.1 that speaks a simulated exchange's words, and fails as told."""

from collections.abc import Callable, Iterable
from typing import Literal

import pyarrow as pa

from .line import Line
from .loop import Call
from .serving import Handshake, Lifetime, Play, Refusal, Said, Serving
from .tamper import Tamper, What
from .words import Texts, Venue, Words, WordsFor

__all__ = ["Handshake", "LoopbackSocket", "Said", "Texts", "Venue", "Words", "WordsFor"]

Garbage = Literal["binary", "text", "frame"]
# The kinds of frames; 3 is one that there is not.
_OPCODES = {"text": 1, "binary": 2, "frame": 3}
_TEXT, _BINARY = 1, 2
_STEP = 0.01
_GARBAGE = bytes(range(128, 225))
_UNHEARD_OF = '{"werks":"a message that nobody has ever heard of"}'


class LoopbackSocket:
    """A websocket server in a thread of its own; each connection has words of its own.

    `words` is called for each connection with the `Venue`; a class that takes it will do. Without
    `heartbeat`, in seconds, there are none but those that are asked for by `beat`.

    Connections are numbered from 0 in the order in which they came. A fault befalls the connection
    that is named by `line`, or all that are open; one that has ended is passed over. A fault of
    messages befalls the next `times` messages of that connection, or of any one that speaks first.
    All that is asked for is done in the order in which it was asked, soon; `settle` waits for it.
    """

    def __init__(self, words: WordsFor, heartbeat: float | None = None) -> None:
        self._serving = Serving(words, heartbeat)

    def __enter__(self) -> "LoopbackSocket":
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen; after `stop` at the same address."""
        self._serving.start()

    def stop(self) -> None:
        """Be gone: all connections are dropped, and further ones are refused below HTTP."""
        self._serving.stop()

    @property
    def url(self) -> str:
        """The server's address, without a slash at its end."""
        return f"ws://127.0.0.1:{self._serving.port}"

    @property
    def venue(self) -> Venue:
        """What the connections share: the last rows, and `refused`, the symbols not served."""
        return self._serving.venue

    @property
    def handshakes(self) -> list[Handshake]:
        """The connections that were asked for, in order, refused ones included."""
        return self._serving.handshakes

    @property
    def said(self) -> list[Said]:
        """What clients have sent, in order."""
        return self._serving.said

    @property
    def open(self) -> list[int]:
        """The numbers of the connections that are open, half-open ones included."""
        lines = list(self._serving.lines.values())
        return [line.number for line in lines if line.open]

    @property
    def unsent(self) -> int:
        """The bytes that clients have not taken yet."""
        return sum(len(line.out) for line in list(self._serving.lines.values()))

    def pongs(self, line: int) -> int:
        """Return how many pings a connection has answered."""
        found = self._serving.lines.get(line)
        return found.pongs if found else 0

    def wait(self, until: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait until something is so, say `lambda: len(server.open) == 2`; else TimeoutError.

        An error of the words is raised here, by `settle` and by `stop`.
        """
        self._serving.loop.wait(until, seconds)

    def settle(self, seconds: float = 10.0) -> None:
        """Wait until all that was asked for is done, and sent as far as the clients take it."""
        done: list[None] = []
        self._call(lambda: done.append(None))
        self.wait(lambda: bool(done) and not self.unsent, seconds)

    def push(self, rows: pa.RecordBatch) -> None:
        """Tell of rows of one symbol, in the exchange's words, to who has subscribed to them."""
        self._call(lambda: self._serving.push(rows))

    def play(
        self,
        advance: Callable[[int], Iterable[pa.RecordBatch]],
        begin: int,
        speed: float = 1.0,
        until: int | None = None,
    ) -> None:
        """Push what a function returns for each next time, in ns since 1970, every 10 ms.

        The time begins with `begin`, goes `speed` times as fast as ours, and ends with `until`.
        """
        self._call(lambda: self._serving.play(Play(advance, begin, speed, until, _STEP)))

    def pause(self) -> None:
        """Play no more."""
        self._call(lambda: self._serving.play(None))

    @property
    def now(self) -> int:
        """The time up to which rows have been played; 0: none."""
        return self._serving.now

    def send(self, message: str | bytes, line: int | None = None) -> None:
        """Send a message as it is."""
        if isinstance(message, str):
            self._each(line, lambda each: each.say([message]))
        else:
            self._each(line, lambda each: each.frame(message, _BINARY))

    def beat(self, line: int | None = None) -> None:
        """Give a heartbeat now."""
        self._call(lambda: self._serving.beat(line))

    def ping(self, line: int | None = None) -> None:
        """Send a ping frame, which the client must answer; see `pongs`."""
        self._each(line, Line.ping)

    # Connections that end or seem to live.

    def drop(self, line: int | None = None, reset: bool = False) -> None:
        """End a connection without a close frame: by FIN, or with `reset` by RST."""
        self._each(line, lambda each: each.drop(reset))

    def close(self, line: int | None = None, code: int = 1001, reason: str = "") -> None:
        """End a connection by a close frame, as an exchange does that restarts."""
        self._each(line, lambda each: each.end(code, reason))

    def half_open(self, line: int | None = None) -> None:
        """Neither read nor write any more, pongs included, without a FIN: a cable is cut."""
        self._each(line, self._serving.freeze)

    def silence(self, line: int | None = None) -> None:
        """Say nothing any more, though pings are answered."""
        self._each(line, lambda each: each.hush(silent=True))

    def mute(self, line: int | None = None) -> None:
        """Say nothing of rows any more, though heartbeats and answers go on."""
        self._each(line, lambda each: each.hush(mute=True))

    def speak(self, line: int | None = None) -> None:
        """Take back `silence` and `mute`; what was not said is lost."""
        self._each(line, Line.hush)

    def maintenance(self, line: int | None = None) -> None:
        """Say what the exchange says before it goes away; `drop` or `stop` it then."""
        self._call(lambda: self._serving.maintenance(line))

    def lifetime(
        self, seconds: float | None = None, messages: int | None = None, code: int | None = None
    ) -> None:
        """End each connection, open or to come, so long or so many messages after now or its start.

        By a close frame with a code, or without one by FIN. Without any: no such end for further
        ones.
        """
        self._call(lambda: self._limit(Lifetime(seconds, messages, code)))

    def refuse(self, status: int = 429, times: int = 1, retry_after: int | None = None) -> None:
        """Refuse the next handshakes with a status; 0: leave them unanswered."""
        refusals = [Refusal(status, retry_after)] * times
        self._call(lambda: self._serving.refusals.extend(refusals))

    # Messages that are lost, doubled, changed or late.

    def lose(self, times: int = 1, line: int | None = None) -> None:
        """Do not send the next messages of rows: their ids jump."""
        self._tamper("lose", times, line)

    def duplicate(self, times: int = 1, line: int | None = None) -> None:
        """Send each of the next messages of rows twice."""
        self._tamper("duplicate", times, line)

    def reorder(self, times: int = 2, line: int | None = None) -> None:
        """Send the next messages of rows in the opposite order, once there are so many."""
        self._tamper("reorder", times, line)

    def mangle(self, times: int = 1, line: int | None = None) -> None:
        """Send half of each of the next messages of rows."""
        self._tamper("mangle", times, line)

    def withhold(self, times: int = 1, line: int | None = None) -> None:
        """Do what the next texts of clients ask for, but answer nothing: no ack, no snapshot."""
        self._tamper("withhold", times, line)

    def delay(self, seconds: float, times: int = 1, line: int | None = None) -> None:
        """Answer the next texts of clients so much later; rows may come before the ack."""
        self._tamper("delay", times, line, seconds)

    def stale(self, rows: int) -> None:
        """Leave the last rows out of each snapshot from now on; 0: none."""
        self._call(lambda: setattr(self.venue, "stale", rows))

    # Messages that should not be.

    def unexpected(self, line: int | None = None) -> None:
        """Send a message in JSON that the exchange has never told of."""
        self.send(_UNHEARD_OF, line)

    def garbage(self, what: Garbage = "binary", line: int | None = None) -> None:
        """Send bytes that mean nothing: a binary frame, a text that is not UTF-8, or no frame.

        A `frame` is of a kind that there is not: the client must end the connection.
        """
        self._each(line, lambda each: each.frame(_GARBAGE, _OPCODES[what]))

    def oversize(self, size: int = 1 << 40, line: int | None = None) -> None:
        """Announce a text of so many bytes and send the first 64 KiB of it."""
        self._each(line, lambda each: each.frame(b" " * min(size, 1 << 16), _TEXT, size))

    def fragment(self, pieces: int = 3, line: int | None = None) -> None:
        """Send each further text as so many frames, with pings in between; 1: whole again."""
        self._each(line, lambda each: setattr(each, "pieces", pieces))

    def dribble(self, size: int = 1, line: int | None = None) -> None:
        """Send everything in packets of so many bytes; 0: as it comes."""
        self._each(line, lambda each: setattr(each, "dribble", size))

    def _call(self, call: Call) -> None:
        self._serving.loop.call(call)

    def _each(self, line: int | None, act: Callable[[Line], object]) -> None:
        self._call(lambda: [act(each) for each in self._serving.chosen(line)])

    def _tamper(self, what: What, times: int, line: int | None, seconds: float = 0.0) -> None:
        fault = Tamper(what, times, line, seconds)
        self._call(lambda: self._serving.tampers.waiting.append(fault))

    def _limit(self, lifetime: Lifetime) -> None:
        self._serving.lifetime = lifetime
        for line in self._serving.chosen(None):
            self._serving.limit(line)
