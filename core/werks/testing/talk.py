"""A feed and the messages of one connection, to be played through conversations in parts."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

import attrs
import pyarrow as pa
import pytest

from ..components import Conversation, Event
from ..errors import DataError, MessageError
from .tape import Row, plain

Message = str | bytes
Frame = tuple[Message, int]

UNREADABLE = (MessageError, DataError)
_NUMBER = re.compile(r'"?-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"?')


@attrs.frozen
class Talk:
    """A feed, the symbols asked for, and frames: (message, when it came in ns since 1970)."""

    feed: Any
    http: Any
    symbols: Sequence[str]
    frames: Sequence[Frame]
    prelude: Sequence[Message] = ()

    def fresh(self) -> Conversation:
        """Return a new conversation that has been opened and has heard the prelude."""
        talk: Conversation = self.feed.converse(self.http, self.symbols)
        list(talk.opened())
        for message in self.prelude:
            talk.heard(message, self.frames[0][1])
        talk.rows()
        return talk

    def played(self, bounds: Sequence[int] = ()) -> list[pa.RecordBatch]:
        """Return the rows of all frames in a new conversation, fetched at these places too."""
        talk = self.fresh()
        batches: list[pa.RecordBatch] = []
        for begin, end in pairwise([0, *bounds, len(self.frames)]):
            batches += self.hear(talk, self.frames[begin:end])
        return batches

    def hear(self, talk: Conversation, frames: Iterable[Frame]) -> Sequence[pa.RecordBatch]:
        """Return the rows of frames in a conversation."""
        for message, received in frames:
            talk.heard(message, received)
        return talk.rows()

    def rows(
        self, batches: Iterable[pa.RecordBatch], names: Sequence[str] = ()
    ) -> dict[str, list[Row]]:
        """Return rows as plain data by symbol, in their order; without names all columns."""
        columns = list(names) or self.feed.schema.names
        place, found = len(columns), {symbol: list[Row]() for symbol in self.symbols}
        for row in plain(batches, [*columns, "symbol"]):
            found.setdefault(row[place], []).append(row[:place])
        return found

    def telling(self) -> tuple[int, pa.RecordBatch]:
        """Return the place of the first frame with rows, and the rows."""
        talk = self.fresh()
        for place, frame in enumerate(self.frames):
            for batch in self.hear(talk, [frame]):
                if len(batch):
                    return place, batch
        raise AssertionError("no frame has rows: give frames that have some")

    def spoilt(self, word: str) -> Iterator[tuple[int, Message]]:
        """Yield frames with rows, with a word in place of one of their amounts, and their place.

        A frame for each column whose number is found in the message as it stands.
        """
        place, batch = self.telling()
        message = self.frames[place][0]
        text = message if isinstance(message, str) else message.decode()
        for field in batch.schema:
            if pa.types.is_decimal(field.type) and (values := batch[field.name].drop_null()):
                changed = _replaced(text, abs(values[0].as_py()), word)
                if changed != text:
                    yield place, changed

    def refused(self, place: int, message: Message) -> None:
        """Play a frame in place of another: an error, and what follows is read as it was."""
        talk = self.fresh()
        before = self.hear(talk, self.frames[:place])
        with pytest.raises(UNREADABLE) as caught:
            self.hear(talk, [(message, self.frames[place][1])])
        said = str(caught.value)
        assert self.feed.url in said, f"the address is not named: {said}"
        assert "\n" not in said
        talk.rows()
        rest = self.frames[place + 1 :]
        calm = self.fresh()
        assert self.rows(before) == self.rows(self.hear(calm, self.frames[:place]))
        assert self.rows(self.hear(talk, rest)) == self.rows(self.hear(calm, rest))

    def events(self, messages: Iterable[Message]) -> list[Event]:
        """Return what is told by messages that come first on a connection."""
        talk: Conversation = self.feed.converse(self.http, self.symbols)
        list(talk.opened())
        return [event for each in messages for event in talk.heard(each, self.frames[0][1])]


def _replaced(text: str, value: Decimal, word: str) -> str:
    """Return a text with a word for each number that equals a value, quoted in any case."""

    def change(found: re.Match[str]) -> str:
        number = found[0].strip('"')
        return json.dumps(word) if abs(Decimal(number)) == value else found[0]

    return _NUMBER.sub(change, text)


def totals(rows: Mapping[str, Sequence[Row]], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return how many rows each symbol has, and the exact sums of sizes and notionals."""
    sums: dict[str, dict[str, Any]] = {}
    for symbol, of in rows.items():
        sums[symbol] = {"rows": len(of)}
        for name in ("size", "notional"):
            if name in names:
                values = [row[names.index(name)] for row in of]
                sums[symbol][name] = sum((v for v in values if v is not None), Decimal(0))
    return sums
