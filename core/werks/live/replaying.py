"""Recordings instead of connections: the same words, by the recorded clock."""

import heapq
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import attrs

from ..checked import MisfitError
from ..components import Conversation, Event, Feed, Missed, Refused
from ..errors import FOREIGN, DataError, MessageError, WerksError, foreign
from .fitting import Fitting
from .inbox import ROOM, UNREADABLE, Connected, Disconnected, Failed, Item, Told, gathered
from .recorded import Taped, taped
from .recording import Line, Recording

# So much recorded time is taken at once, at any speed: what comes out depends on it.
_STEP = 10**9
# At the end nothing more can come: what is held for the sake of order goes on.
_END = 3600 * 10**9
# The first rows may have happened so much earlier than they came: on the day before, at midnight.
_EARLIER = 60 * 10**9


@attrs.define
class _Talk:
    """A conversation of the recording; `waits` is whether it has heard what it has not given.

    It is `over` with an error of the feed, which is told.
    """

    number: int
    fitting: Fitting
    words: Conversation
    symbols: list[str]
    received: int
    asked: tuple[str, ...]
    waits: bool = False
    over: bool = False


class Player:
    """Says to a feed what its connections have brought, and gives the rows and events of it."""

    def __init__(self, feed: Feed, number: int, given: tuple[Any, Any]) -> None:
        self._feed, self._number = feed, number
        self._http, self._keep = given
        self._talks: dict[Taped, _Talk] = {}
        self._lost: dict[str, str] = {}
        # When a message came last for each symbol, once all rows up to it are handed on.
        self.heard: dict[str, int] = {}

    def hear(self, tape: Taped, line: Line) -> Iterator[Item]:
        """Take a line of a connection; yield what it brings about, rows when that parts them."""
        talk = self._talks.get(tape)
        if line.ended is not None:
            yield from self._end(tape, line.ended)
        elif line.part is not None and talk is not None:
            yield from self._missed(talk, "a part of the recording is not there")
        elif line.opened is not None:
            yield from self._end(tape, "a part of the recording is not there")
            yield from self._open(tape, line.opened, line.received)
        elif talk is not None and not talk.over:
            yield from self._message(talk, line)

    def flush(self) -> Iterator[Item]:
        """Yield the rows that were heard."""
        for talk in self._talks.values():
            yield from self._rows(talk)

    def _open(self, tape: Taped, symbols: Sequence[str], received: int) -> Iterator[Item]:
        number = self._number + tape.connection % ROOM
        try:
            words = self._feed.converse(self._http, symbols)
            list(words.opened())  # the recording has the answers
        except FOREIGN as error:
            yield Failed(number, tuple(symbols), self._error(error), every=True)
            return
        fitting = Fitting(number, self._feed, self._keep)
        self._talks[tape] = _Talk(number, fitting, words, list(symbols), received, tuple(symbols))
        for symbol in symbols:
            if symbol in self._lost:
                yield Disconnected(number, (symbol,), self._lost.pop(symbol))
        yield Connected(number, tuple(symbols))
        for symbol in symbols:
            yield Told(number, symbol, "acked", "")

    def _end(self, tape: Taped, why: str) -> Iterator[Item]:
        """End a conversation; that rows may be missing is told once its symbols are heard again."""
        talk = self._talks.get(tape)
        if talk is None:
            return
        yield from self._rows(talk)
        del self._talks[tape]
        heard = {symbol for each in self._talks.values() for symbol in each.symbols}
        for symbol in talk.symbols:
            if why or symbol not in heard:  # else another connection has taken its place
                self._lost[symbol] = why or "the recording was stopped"

    def _message(self, talk: _Talk, line: Line) -> Iterator[Item]:
        message = line.binary or line.text.encode()
        talk.received, talk.waits = line.received, True
        try:
            events = talk.words.heard(message, line.received)
        except MessageError as error:
            self._keep(self._feed.url, message, str(error))
            events = [Missed(symbol, UNREADABLE) for symbol in talk.symbols]
        except FOREIGN as error:
            yield from self._fail(talk, error)
            return
        for event in events:
            yield from self._event(talk, event)

    def _event(self, talk: _Talk, event: Event) -> Iterator[Item]:
        """Yield what an event brings about; what follows a restart is recorded."""
        if isinstance(event, Missed):
            yield from self._rows(talk)
            yield Told(talk.number, event.symbol, "missed", event.why)
        elif isinstance(event, Refused):
            for symbol in [event.symbol] if event.symbol else list(talk.symbols):
                if symbol in talk.symbols:
                    talk.symbols.remove(symbol)
                yield Told(talk.number, symbol, "refused", event.why)

    def _rows(self, talk: _Talk) -> Iterator[Item]:
        if not talk.waits or talk.over:
            return
        talk.waits = False
        try:
            rows = list(talk.fitting.fitted(talk.words.rows(), talk.asked, talk.received))
        except MisfitError as error:
            yield from self._fail(talk, error)
            return
        except (DataError, MessageError) as error:
            self._keep(self._feed.url, b"", str(error))
            yield from self._missed(talk, str(error))
            return
        except FOREIGN as error:
            yield from self._fail(talk, error)
            return
        for _, item in rows:
            yield item
        self.heard |= dict.fromkeys(talk.symbols, talk.received)

    def _fail(self, talk: _Talk, error: BaseException) -> Iterator[Item]:
        """End a conversation with an error of the feed: it would come at any time again."""
        talk.over = True
        yield Failed(talk.number, tuple(talk.symbols), self._error(error), every=True)

    def _error(self, error: BaseException) -> WerksError:
        """Return an error as one of ours; a recording that cannot go on ends the run."""
        if isinstance(error, WerksError) and not isinstance(error, MisfitError):
            raise error
        return error if isinstance(error, WerksError) else foreign(self._feed.url, error)

    def _missed(self, talk: _Talk, why: str) -> Iterator[Item]:
        yield from self._rows(talk)
        for symbol in talk.symbols:
            yield Told(talk.number, symbol, "missed", why)


class Replay:
    """An inbox that recordings fill, in the order in which it was recorded.

    `speed` is how many times as fast as it was recorded; 0: as fast as possible. DataError if
    there is no such recording.
    """

    def __init__(self, recordings: Iterable[Recording], speed: float = 0.0) -> None:
        self._tapes = {each: taped(each) for each in recordings}
        self._speed = speed
        self._begin = min(tapes[0].start for tapes in self._tapes.values()) - _EARLIER
        self._now = self._begin
        self._lines = _Merged(self._tapes)
        self._players: dict[Recording, list[Player]] = {each: [] for each in self._tapes}
        self._began: float | None = None
        self.is_over = False

    def now(self) -> int:
        """Return the recorded time, in ns since 1970."""
        return self._now

    def clock(self) -> float:
        """Return the recorded time as seconds since its begin, which only go forward."""
        return (self._now - self._begin) / 1e9

    def __len__(self) -> int:
        return 0

    def symbols(self, recording: Recording) -> list[str]:
        """Return all symbols of a recording."""
        return sorted({name for tape in self._tapes[recording] for name in tape.symbols()})

    def last_day(self, recording: Recording) -> date:
        """Return the day with which a recording ends."""
        return max(tape.last_day for tape in self._tapes[recording])

    def play(self, recording: Recording, player: Player) -> None:
        """Give a recording to a player, too."""
        self._players[recording].append(player)

    def rest(self, spent: float) -> None:
        """Go on: what is recorded waits."""

    def take(self, seconds: float) -> Iterator[Item]:
        """Yield what the next step of recorded time brings; nothing if it is not its time yet."""
        yield from gathered(self._taken(seconds))

    def _taken(self, seconds: float) -> Iterator[Item]:
        line = self._lines.next
        if self.is_over or (line is not None and self._waits(line.received, seconds)):
            return
        until = 0 if line is None else line.received // _STEP * _STEP + _STEP
        while (line := self._lines.next) is not None and line.received < until:
            recording, tape = self._lines.of
            self._now = max(self._now, line.received)
            for player in self._players[recording]:
                yield from player.hear(tape, line)
            self._lines.advance()
        for players in self._players.values():
            for player in players:
                yield from player.flush()
        if line is None:
            self.is_over = True
            self._now += _END

    def _waits(self, received: int, seconds: float) -> bool:
        """Sleep if it is too early for a time; return whether it still is."""
        now = time.monotonic()
        if self._began is None:
            self._began = now
        if not self._speed:
            return False
        left = self._began + (received - self._begin - _EARLIER) / 1e9 / self._speed - now
        if left > 0:
            time.sleep(min(left, seconds))
        return left > seconds


class _Merged:
    """The lines of all connections in the order of their times; no file is opened before it."""

    def __init__(self, tapes: Mapping[Recording, Sequence[Taped]]) -> None:
        each = [(tape.start, of, tape) for of, found in enumerate(tapes.values()) for tape in found]
        self._waiting = sorted(each, key=lambda one: (one[0], one[1], one[2].connection))[::-1]
        self._names = list(tapes)
        self._open: list[tuple[int, int, Line, Iterator[Line]]] = []
        self._taken: list[tuple[Recording, Taped]] = []
        self._fill()

    @property
    def next(self) -> Line | None:
        """The next line; None at the end."""
        return self._open[0][2] if self._open else None

    @property
    def of(self) -> tuple[Recording, Taped]:
        """Whose the next line is."""
        return self._taken[self._open[0][1]]

    def advance(self) -> None:
        """Go on to the line behind the next one."""
        _, place, _, rest = self._open[0]
        line = next(rest, None)
        if line is None:
            heapq.heappop(self._open)
        else:
            heapq.heapreplace(self._open, (line.received, place, line, rest))
        self._fill()

    def _fill(self) -> None:
        """Open the files whose time it is."""
        while self._waiting and (not self._open or self._waiting[-1][0] <= self._open[0][0]):
            _, of, tape = self._waiting.pop()
            rest = tape.lines()
            line = next(rest, None)
            if line is not None:
                entry = (line.received, len(self._taken), line, rest)
                heapq.heappush(self._open, entry)
            self._taken.append((self._names[of], tape))
