"""A connection kept alive: connected again and again, its acks counted, its silence noticed."""

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from ..checked import MisfitError
from ..components import Acked, Conversation, Event, Feed, Missed, Refused, Restart, Send
from ..errors import (
    FOREIGN,
    MessageError,
    RateLimitError,
    RejectedError,
    UnavailableError,
    WerksError,
    foreign,
)
from .fitting import Fitting
from .inbox import UNREADABLE, Connected, Disconnected, Failed, Inbox, Item, Told
from .line import Line

# How long rows are gathered before they are handed on, and how many at the most. Rows of many
# symbols take longer to make, so that they are made less often: in a fifth of the time.
_LINGER, _LONGEST_LINGER, _REST = 0.05, 0.5, 4
_MOST_MESSAGES = 4096
# How long a connection sleeps if nothing comes.
_IDLE = 0.25
_ACKED_WITHIN = 20.0
_LONGEST_PAUSE = 30.0
# A connection that held so long has been a good one: the next pause begins anew.
_GOOD = 60.0
_KEEP_ALIVE = 20.0
# So often in a row a connection is made again whose messages cannot be understood.
_MOST_UNREADABLE = 5


class Listener(threading.Thread):
    """Listens to some symbols of a feed for ever, or until it is told to stop."""

    def __init__(
        self, number: int, feed: Feed, symbols: Sequence[str], inbox: Inbox, given: Any
    ) -> None:
        super().__init__(name=f"werks-live-{number}", daemon=True)
        self.number, self._feed, self._inbox = number, feed, inbox
        self._http, self._manner = given
        self.symbols = list(symbols)
        # Since when all subscriptions are answered, by `time.monotonic`; 0: they are not.
        self.since = 0.0
        self.messages = 0
        # When a message came last, by our clock, once all rows up to it are handed on.
        self.heard = 0
        self._tape = self._manner.record(number) if self._manner.record else None
        self._unreadable = 0
        self.fitting = Fitting(number, feed, self._manner.keep)
        self._over = threading.Event()

    def stop(self) -> None:
        """Ask it to end; `join` waits for it."""
        self._over.set()

    @property
    def is_old(self) -> bool:
        """Whether the exchange will soon cut the connection, so that it should be replaced."""
        lifetime = self._feed.connection_lifetime
        if lifetime is None or not self.since:
            return False
        seconds = lifetime.total_seconds()
        # At 24 hours: ten minutes before; of a short life the last tenth.
        return time.monotonic() - self.since > seconds - min(600.0, seconds / 10)

    def run(self) -> None:
        """Connect, listen, and connect again."""
        pause, failed = 0.0, 0
        try:
            while self.symbols and self._may_connect(pause):
                began = time.monotonic()
                self._session()
                good = time.monotonic() - began > _GOOD
                failed = 1 if good else failed + 1
                self._unreadable *= not good
                pause = self._pause(failed)
        except OSError as error:  # every other one has become an UnavailableError
            self._give_up(WerksError(f"it cannot be recorded: {error}"), every=True)
        except RejectedError as error:
            self._give_up(error, every=True)
        except BaseException as error:  # of a plugin, even sys.exit, or of ours: it has to be known
            known = error if isinstance(error, Exception) else foreign(self._feed.url, error)
            self._give_up(known, every=False)
        finally:
            self._end_tape()

    def _may_connect(self, pause: float) -> bool:
        """Wait for the pause, and for the turn by the exchange's limit; False: it is over."""
        limit = getattr(self._feed, "connects", None)
        over = self._over.wait(pause)
        return not over and self._manner.connects.wait(self._feed.url, limit, self._over)

    def _give_up(self, error: Exception, every: bool) -> None:
        if not self._over.is_set():
            self._inbox.put(Failed(self.number, tuple(self.symbols), error, every))

    def _end_tape(self) -> None:
        if self._tape is not None:
            with suppress(OSError):  # it is told when it is written to
                self._tape.close()

    def _pause(self, failed: int) -> float:
        """Return how long to wait: not at all, then 1, 2, 4 … 30 s, give or take a fifth."""
        if failed <= 1:
            return 0.0
        longest = _LONGEST_PAUSE * self._manner.pause
        whole: float = min(self._manner.pause * 2.0 ** (failed - 2), longest)
        return whole * random.uniform(0.8, 1.2)  # noqa: S311  (jitter, not a secret)

    def _session(self) -> None:
        """Hold one connection until it ends; raises what another connection would not mend."""
        try:
            line = Line(self._feed.url)
        except UnavailableError as error:
            self._tell_end(error)
            return
        why = ""
        try:
            _Session(self, line).hold()
        except WerksError as error:
            why = str(error)
            self._require_hope(error)
            self._tell_end(error)
        except FOREIGN as error:
            why = f"{type(error).__name__}: {error}"
            raise
        finally:
            self.since = 0.0
            line.close()
            if self._tape is not None:
                self._tape.ended(self._manner.clock(), why)

    def _require_hope(self, error: WerksError) -> None:
        """Raise an error that another connection would not mend, or has not so many times."""
        if isinstance(error, RejectedError | MisfitError):
            raise error
        if not isinstance(error, UnavailableError):
            self._unreadable += 1
            if self._unreadable > _MOST_UNREADABLE:
                raise error

    def _tell_end(self, error: WerksError) -> None:
        if isinstance(error, RateLimitError):  # the other connections are not welcome either
            self._manner.connects.pause(self._feed.url, error.wait)
        if not self._over.is_set():
            self._inbox.put(Disconnected(self.number, tuple(self.symbols), str(error)))


class _Session:
    """One connection and its conversation."""

    def __init__(self, of: Listener, line: Line) -> None:
        self._of, self._line = of, line
        self._feed, self._manner, self._inbox = of._feed, of._manner, of._inbox
        self._talk: Conversation = self._feed.converse(of._http, tuple(of.symbols))
        self._asked = frozenset(of.symbols)
        self._unacked = set(self._asked)
        self._tape = of._tape
        self._waiting = self._received = 0
        self._linger = _LINGER
        now = time.monotonic()
        self._began = self._heard = self._pinged = self._flushed = now

    def hold(self) -> None:
        """Subscribe and listen until the connection ends, which is an error, or is told to."""
        if self._tape is not None:
            self._tape.opened(self._manner.clock(), self._of.symbols)
        for text in self._talk.opened():
            self._send(text)
        self._inbox.put(Connected(self._of.number, tuple(self._of.symbols)))
        try:
            self._listen()
        finally:
            self._flush(at_once=True)  # what came before the end counts

    def _listen(self) -> None:
        while not self._of._over.is_set() and self._of.symbols:
            messages = self._line.receive(_LINGER if self._waiting else _IDLE)
            if messages:
                self._heard = time.monotonic()
                self._take(messages)
            self._flush()
            if not self._waiting:
                self._of.heard = self._received
            self._look_after()

    def _send(self, text: str) -> None:
        self._line.send(text)
        pace = getattr(self._feed, "sends_per_second", 0.0)
        if pace:
            self._of._over.wait(1.0 / pace)

    def _take(self, messages: Sequence[bytes]) -> None:
        received, tape = self._manner.clock(), self._tape
        self._received = received
        hear = self._talk.heard
        for message in messages:
            if not message:
                continue
            if tape is not None:
                tape.message(received, message)
            try:
                events = hear(message, received)
            except MessageError as error:
                self._manner.keep(self._feed.url, message, str(error))
                for symbol in self._of.symbols:  # it may have had rows of any
                    self._event(Missed(symbol, UNREADABLE))
                continue
            except WerksError:
                raise
            except FOREIGN as error:  # foreign code: whoever mends it needs the message
                self._manner.keep(self._feed.url, message, f"{type(error).__name__}: {error}")
                raise
            self._waiting += 1
            for event in events:
                self._event(event)
        self._of.messages += len(messages)

    def _event(self, event: Event) -> None:
        number = self._of.number
        if isinstance(event, Send):
            self._send(event.text)
        elif isinstance(event, Acked):
            self._acked(event.symbol)
        elif isinstance(event, Restart):
            raise UnavailableError(f"{self._feed.url}: {event.why}")
        elif isinstance(event, Refused):
            for symbol in [event.symbol] if event.symbol else list(self._of.symbols):
                self._unacked.discard(symbol)
                if symbol in self._of.symbols:
                    self._of.symbols.remove(symbol)
                self._inbox.put(Told(number, symbol, "refused", event.why))
        elif isinstance(event, Missed):
            self._flush(at_once=True)  # what came before it stands before it
            self._inbox.put(Told(number, event.symbol, "missed", event.why))

    def _flush(self, at_once: bool = False) -> None:
        """Hand on the rows that were heard, not more often than the linger."""
        now = time.monotonic()
        if not self._waiting:
            self._flushed = now
        elif at_once or now - self._flushed >= self._linger or self._waiting >= _MOST_MESSAGES:
            self._waiting, self._flushed, spent = 0, now, -time.thread_time()
            for symbol, item in self._rows():
                self._acked(symbol)  # a row proves more than an ack
                if isinstance(item, Failed) and symbol in self._of.symbols:
                    self._of.symbols.remove(symbol)
                self._inbox.put(item)
            spent += time.thread_time()
            self._linger = min(max(_LINGER, _REST * spent), _LONGEST_LINGER)

    def _acked(self, symbol: str) -> None:
        """Tell that rows of a symbol come from here on: what REST is asked now, it may answer."""
        if symbol in self._unacked:
            self._unacked.discard(symbol)
            self._inbox.put(Told(self._of.number, symbol, "acked", ""))

    def _rows(self) -> Iterator[tuple[str, Item]]:
        """Yield what was heard; of what cannot be read, the past has to tell."""
        try:
            rows = self._talk.rows()
            yield from self._of.fitting.fitted(rows, self._asked, self._manner.clock())
        except WerksError as error:
            if not isinstance(error, MisfitError):  # which is no message's fault
                self._manner.keep(self._feed.url, b"", str(error))
            raise

    def _look_after(self) -> None:
        """Ping when it is time; end what is silent or was not acknowledged."""
        if self._tape is not None:
            self._tape.flush()
        now = time.monotonic()
        text, every = self._feed.ping or ("", _KEEP_ALIVE)
        if now - self._pinged > every:
            self._pinged = now
            self._line.send(text) if text else self._line.ping()
        if now - self._heard > self._feed.stale_after:
            silent = f"nothing came for {self._feed.stale_after:g} s"
            raise UnavailableError(f"{self._feed.url}: {silent}")
        if not self._unacked:
            self._of.since = self._of.since or now
        elif now - self._began > _ACKED_WITHIN:
            names = ", ".join(sorted(self._unacked)[:5])
            raise UnavailableError(f"{self._feed.url}: the subscription of {names} is not answered")
