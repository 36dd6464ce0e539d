"""The rules that a door to a websocket keeps, as tests that a plugin inherits and runs."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from random import Random
from typing import Any, get_args

import attrs
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ..components import Acked, Event, Refused, Restart, Send
from ..errors import MessageError, RateLimitError, RejectedError
from ..schema import kind, nanoseconds
from .listening import ListeningTests
from .shelf import Totals
from .talk import Frame, Message, Talk, totals

__all__ = ["FeedTests", "Frame", "Message", "Totals"]

_MEANINGLESS: tuple[Message, ...] = (
    *("", " ", "null", "[]", "{}", "[[[", '{"', '"', "nonsense", '{"werks":"never heard of"}'),
    *(b"\x80\x81\x82", b"\x00", bytes(range(256))),
)
_NEVER_NULL = (
    *("exchange", "symbol", "timestamp", "received"),
    *("trade_id", "tick_rule", "price", "size"),
)
# So many frames at most are looked at one by one.
_ONE_BY_ONE = 1000


class FeedTests(ListeningTests):
    """Give the fixtures `feed`, `symbols` and `frames`; every test is a rule.

    The other fixtures have a default; give those that the exchange has messages for. `http` is a
    client that reaches no exchange. Where a rule cannot be kept, override its test and mark it
    `pytest.mark.xfail(reason=…)`.
    """

    gapless = True
    """Whether the frames lack no trade, so that contiguous ids follow upon one another in them."""

    def test_each_symbol_is_asked_for(self, talk: Talk) -> None:
        """What is sent first names each symbol, in texts, the same on each connection."""
        said = [list(talk.feed.converse(talk.http, talk.symbols).opened()) for _ in range(2)]
        assert said[0] == said[1]
        assert all(isinstance(text, str) and text for text in said[0])
        whole = "\n".join(said[0]).casefold()
        assert [symbol for symbol in talk.symbols if symbol.casefold() not in whole] == []

    def test_rows_are_as_expected(self, talk: Talk, expected: Any) -> None:
        """The frames give just the rows, or the totals, that are expected."""
        if expected is None:
            pytest.skip("give the fixture expected")
        found = talk.rows(talk.played())
        if isinstance(expected, Mapping):
            sums = totals(found, talk.feed.schema.names)
            for symbol, wanted in expected.items():
                given = {"rows": wanted.rows, "size": wanted.size, "notional": wanted.notional}
                assert {name: given[name] for name in sums[symbol]} == sums[symbol], symbol
            return
        batches = [expected] if isinstance(expected, pa.RecordBatch) else expected.to_batches()
        names = [name for name in expected.schema.names if name != "received"]
        assert talk.rows(talk.played(), names) == talk.rows(batches, names)

    def test_rows_are_of_one_symbol_a_batch(self, talk: Talk) -> None:
        """A batch has the feed's schema and exchange, and one symbol, spelt as it was asked for."""
        batches = [batch for batch in talk.played() if len(batch)]
        assert batches
        for batch in batches:
            batch.validate(full=True)
            assert batch.schema.equals(talk.feed.schema, check_metadata=True)
            assert batch["exchange"].unique().to_pylist() == [talk.feed.exchange]
            assert len(batch["symbol"].unique()) == 1
            assert str(batch["symbol"][0]) in talk.symbols

    def test_rows_come_once(self, talk: Talk) -> None:
        """What was fetched is not fetched again; without a message there are no rows."""
        conversation = talk.fresh()
        assert not any(map(len, conversation.rows()))
        assert any(map(len, talk.hear(conversation, talk.frames)))
        assert not any(map(len, conversation.rows()))

    @pytest.mark.parametrize("seed", range(5))
    def test_however_fetching_is_cut_the_rows_are_the_same(self, talk: Talk, seed: int) -> None:
        """However the calls of `rows` lie between messages, each symbol's rows are the same."""
        count, random = len(talk.frames), Random(seed)  # noqa: S311  (no secret)
        few = sorted(random.choices(range(count), k=min(count, 10 * seed)))
        cut = talk.played(few if seed else range(1, min(count, _ONE_BY_ONE)))
        assert talk.rows(cut) == talk.rows(talk.played())

    def test_a_message_may_be_bytes_or_text(self, talk: Talk) -> None:
        """A message gives the same rows as text and as the bytes of it."""
        other = [
            (m.encode() if isinstance(m, str) else m.decode(), received)
            for m, received in talk.frames
        ]
        turned = attrs.evolve(talk, frames=other)
        assert talk.rows(turned.played()) == talk.rows(talk.played())

    def test_a_new_conversation_remembers_nothing(self, talk: Talk) -> None:
        """From the middle on, a new conversation hears what the first one does; so from the start.

        The second half begins where messages are clear by themselves, or after the `prelude`.
        """
        whole = talk.rows(talk.played())
        assert talk.rows(talk.played()) == whole
        half = len(talk.frames) // 2
        first = talk.fresh()
        talk.hear(first, talk.frames[:half])
        rest = talk.rows(talk.hear(first, talk.frames[half:]))
        assert talk.rows(talk.hear(talk.fresh(), talk.frames[half:])) == rest

    def test_received_is_when_the_message_came(self, talk: Talk) -> None:
        """`received` of each row is the time that was given with its message, to the ns."""
        if "received" not in talk.feed.schema.names:
            pytest.skip("its rows do not say when they came")
        began = talk.frames[0][1]
        some = enumerate(talk.frames[:_ONE_BY_ONE])
        frames = [(message, began + 7 * n) for n, (message, _) in some]
        conversation, each = talk.fresh(), talk.fresh()
        whole = talk.rows(talk.hear(conversation, frames))
        apart: list[pa.RecordBatch] = []
        for frame in frames:
            batches = [batch for batch in talk.hear(each, [frame]) if len(batch)]
            for batch in batches:
                assert set(nanoseconds(batch["received"]).tolist()) == {frame[1]}
            apart += batches
        assert talk.rows(apart) == whole

    def test_events_are_of_the_known_kinds(self, talk: Talk) -> None:
        """`heard` returns a sequence of events, and nothing else."""
        conversation = talk.fresh()
        for message, received in talk.frames:
            told = conversation.heard(message, received)
            assert isinstance(told, Sequence)
            assert [each for each in told if not isinstance(each, get_args(Event))] == []

    def test_each_symbol_is_acked(self, talk: Talk, acks: Sequence[Message]) -> None:
        """When all are subscribed to, each symbol is `Acked`, spelt as asked for, and no other."""
        if not acks:
            pytest.skip("give the fixture acks if the exchange acknowledges subscriptions")
        told = talk.events(acks)
        assert {each.symbol for each in told if isinstance(each, Acked)} == set(talk.symbols)
        assert [each for each in told if isinstance(each, Refused | Restart)] == []

    def test_a_refusal_is_told(self, talk: Talk, refusal: Message | None) -> None:
        """A refused subscription is `Refused`, or an error that names the address; no rows."""
        if refusal is None:
            pytest.skip("give the fixture refusal if the exchange refuses subscriptions")
        try:
            told = talk.events([refusal])
        except (RejectedError, RateLimitError) as error:
            assert talk.feed.url in str(error)  # noqa: PT017  (one of two right answers)
            return
        refused = [each for each in told if isinstance(each, Refused)]
        assert refused
        assert [each for each in refused if not each.why] == []
        assert {each.symbol for each in refused} <= {"", *talk.symbols}

    def test_heartbeats_give_no_rows(self, talk: Talk, heartbeats: Sequence[Message]) -> None:
        """A heartbeat, pong or status gives no rows and no event, but for an answer to be sent."""
        if not heartbeats:
            pytest.skip("give the fixture heartbeats if the exchange has messages without rows")
        conversation = talk.fresh()
        for message in heartbeats:
            told = conversation.heard(message, talk.frames[0][1])
            assert [each for each in told if not isinstance(each, Send)] == []
            assert not any(map(len, conversation.rows())), message
        assert talk.rows(talk.hear(conversation, talk.frames)) == talk.rows(talk.played())

    def test_a_goodbye_ends_the_connection(self, talk: Talk, goodbye: Message | None) -> None:
        """What is said before the exchange goes away is `Restart`, or an error of the exchange."""
        if goodbye is None:
            pytest.skip("give the fixture goodbye if the exchange says that it will go away")
        try:
            told = talk.events([goodbye])
        except (RejectedError, RateLimitError):
            return
        assert [each.why for each in told if isinstance(each, Restart)]

    @pytest.mark.parametrize("message", _MEANINGLESS, ids=repr)
    def test_a_message_without_meaning_is_an_error(self, talk: Talk, message: Message) -> None:
        """What cannot be read is a MessageError with address and message; the next one is read."""
        conversation = talk.fresh()
        with pytest.raises(MessageError) as caught:
            conversation.heard(message, talk.frames[0][1])
        said = str(caught.value)
        assert talk.feed.url in said
        assert "\n" not in said
        assert len(said) < 2000
        assert talk.rows(talk.hear(conversation, talk.frames)) == talk.rows(talk.played())

    def test_a_message_that_is_cut_off_is_an_error(self, talk: Talk) -> None:
        """Half a message is an error that names the address; the next one is read."""
        place, _ = talk.telling()
        message = talk.frames[place][0]
        for size in (len(message) // 2, len(message) - 1):
            talk.refused(place, message[:size])

    @pytest.mark.parametrize("word", ["many", "", "NaN", "1,5", "0x10"])
    def test_a_number_that_is_a_word_is_an_error(self, talk: Talk, word: str) -> None:
        """A word in place of an amount is an error, of `heard` or of `rows`; the next are read."""
        spoilt = list(talk.spoilt(word))
        assert spoilt, "no amount of the first row stands in its message"
        for place, message in spoilt:
            talk.refused(place, message)

    def test_a_number_with_too_many_digits_is_an_error(self, talk: Talk) -> None:
        """An amount with more digits than the schema has is an error; it is never rounded."""
        for place, message in talk.spoilt("1.0000000000000000000000000000001"):
            talk.refused(place, message)

    def test_no_amount_is_a_float(self, talk: Talk) -> None:
        """Amounts are decimals in the schema, with the scales of the market."""
        floats = [field.name for field in talk.feed.schema if pa.types.is_floating(field.type)]
        assert floats == []

    def test_a_trade_is_whole(self, talk: Talk) -> None:
        """Of a trade only `notional`, where sizes are rounded, and `flag` may be null.

        The taker bought (+1), sold (−1) or is unknown (0); prices and sizes are above zero.
        """
        for batch in _trades(talk):
            lacking = [each for each in _NEVER_NULL if batch[each].null_count]
            assert lacking == []
            assert set(batch["tick_rule"].to_pylist()) <= {-1, 0, 1}
            assert all(pc.min(batch[name]).as_py() > 0 for name in ("price", "size"))

    def test_contiguous_ids_follow_upon_one_another(self, talk: Talk) -> None:
        """Where ids are contiguous, each trade's is the one before it and one."""
        if talk.feed.continuity != "contiguous" or not self.gapless:
            pytest.skip("its ids are not contiguous, or the frames lack trades")
        names = ["trade_id", "last_trade_id" if _kind(talk) == "TICK" else "trade_id"]
        for symbol, ids in talk.rows(_trades(talk), names).items():
            wrong = [
                (one, other) for one, other in pairwise(ids) if int(other[0]) != int(one[1]) + 1
            ]
            assert wrong == [], symbol


def _kind(talk: Talk) -> str:
    return kind(talk.feed.schema)


def _trades(talk: Talk) -> list[pa.RecordBatch]:
    if _kind(talk) not in ("TRADE", "TICK"):
        pytest.skip("its rows are no trades")
    return [batch for batch in talk.played() if len(batch)]
