"""The rules of a feed on what a simulated exchange says of made-up rows."""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pytest

from .feed import FeedTests
from .talk import Frame, Message
from .words import Venue, Words, WordsFor, texts

__all__ = ["WordsTests", "told"]


def told(
    words: Words, feed: Any, symbols: Sequence[str], rows: Iterable[pa.RecordBatch] = ()
) -> tuple[list[str], list[str]]:
    """Return what a client of a feed is told: in answer to its subscription, and of rows then."""
    url = urlsplit(feed.url)
    answers = texts(words.opened(url._replace(scheme="", netloc="").geturl()))
    for text in feed.converse(None, symbols).opened():
        answers += texts(words.said(text))
    return answers, [text for each in rows for text in texts(words.trades(each))]


class WordsTests(FeedTests):
    """`FeedTests` on the words that also serve a `LoopbackSocket`; give them and `make`.

    Frames, acks and expected rows follow; give the other fixtures of `FeedTests` beside them.
    """

    door: Any
    """The component."""
    words: WordsFor
    """Makes the exchange's side of a connection."""
    markets: Sequence[str]
    """The symbols that are asked for."""
    doors: Sequence[Any] = ()
    """The other doors of the same name."""
    begin: int = 0
    """When the first frame comes, in ns since 1970."""
    step: int = 10**9
    """How many ns after it the next one comes."""
    parts: int = 3
    """In so many batches the rows of each symbol are told, by turns."""

    def make(self, symbol: str) -> pa.RecordBatch | None:
        """Return the rows of a symbol; None where the fixture `frames` is given."""
        return None

    def _made(self) -> list[pa.RecordBatch]:
        made = (self.make(symbol) for symbol in self.markets)
        return [rows for rows in made if rows is not None]

    @pytest.fixture
    def feed(self) -> Any:
        """Return the component."""
        return self.door

    @pytest.fixture
    def symbols(self) -> Sequence[str]:
        """Return the symbols that are asked for."""
        return self.markets

    @pytest.fixture
    def others(self) -> Sequence[Any]:
        """Return the other doors of the same name."""
        return self.doors

    @pytest.fixture
    def expected(self) -> pa.Table | None:
        """Return what was made."""
        made = self._made()
        return pa.Table.from_batches(made) if made else None

    @pytest.fixture
    def spoken(self) -> tuple[Sequence[Message], Sequence[Message]]:
        """Return what is said on one connection: answers to the subscription, and of the rows."""
        turns = [
            rows[n * len(rows) // self.parts : (n + 1) * len(rows) // self.parts]
            for n in range(self.parts)
            for rows in self._made()
        ]
        return told(self.words(Venue()), self.door, self.markets, turns)

    @pytest.fixture
    def frames(self, spoken: tuple[Sequence[Message], Sequence[Message]]) -> Sequence[Frame]:
        """Return what is said of the rows."""
        return [(text, self.begin + n * self.step) for n, text in enumerate(spoken[1])]

    @pytest.fixture
    def acks(self, spoken: tuple[Sequence[Message], Sequence[Message]]) -> Sequence[Message]:
        """Return the answers to the subscription."""
        return spoken[0]
