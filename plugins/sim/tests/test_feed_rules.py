"""The rules of a feed can fail: each is broken here by a feed that is wrong in one way."""

import inspect
from datetime import timedelta
from typing import Any

import attrs
import pyarrow as pa
import pytest

from werks.components import Acked, option
from werks.errors import MessageError
from werks.testing import FeedTests
from werks.testing.talk import Talk
from werks_sim import Exchange, Feed, History
from werks_sim.market import START
from werks_sim.words import messages

EXCHANGE = Exchange(trades_per_day=40)
SYMBOLS = ("BTCUSD", "ETHUSD")
SAID = [text for symbol in SYMBOLS for text in messages(EXCHANGE, symbol, START)]
FRAMES = [(text, 1_704_067_200_000_000_000 + n) for n, text in enumerate(SAID)]
GIVEN = {
    "acks": [f'{{"event":"subscribed","symbol":"{symbol}"}}' for symbol in SYMBOLS],
    "refusal": '{"event":"refused","symbol":"ETHUSD","reason":"no"}',
    "heartbeats": ['{"event":"pong"}'],
    "goodbye": '{"event":"maintenance","reason":"closed"}',
    "others": [History()],
    "expected": None,
    "seed": 1,
    "word": "many",
    "message": "nonsense",
}


@attrs.frozen
class Wrong:
    """A feed whose conversations are changed, or that states other facts."""

    feed: Feed = option(Feed(ws_url="ws://sim"), help="the feed that is right")
    change: Any = option(lambda talk: talk, help="what is done to its conversations")
    facts: dict[str, Any] = option({}, help="what it states else than the other")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.facts[name] if name in self.facts else getattr(self.feed, name)

    def converse(self, http, symbols):
        return self.change(self.feed.converse(http, symbols))


class Changed:
    """A conversation with some of its methods replaced, each a function of the right one."""

    def __init__(self, talk, **methods):
        self.talk = talk
        for name in ("opened", "heard", "rows"):
            method = methods.get(name, lambda talk, *given, name=name: getattr(talk, name)(*given))
            setattr(self, name, lambda *given, method=method: method(talk, *given))


def _rule(rule, feed):
    """Run a rule as pytest would, with the fixtures that it asks for."""
    given = {**GIVEN, "feed": feed, "talk": Talk(feed, None, SYMBOLS, FRAMES)}
    test = getattr(FeedTests(), rule)
    test(**{name: given[name] for name in inspect.signature(test).parameters})


def _changed(**methods):
    return lambda talk: Changed(talk, **methods)


def _each(change):
    """Return a change of every batch."""
    return _changed(rows=lambda talk: [change(rows) for rows in talk.rows()])


def _put(name, column):
    def put(rows):
        arrays = [*rows.columns]
        arrays[rows.schema.get_field_index(name)] = column(rows[name])
        return pa.RecordBatch.from_arrays(arrays, schema=rows.schema)

    return put


def _swallowed(talk, message, received):
    try:
        return talk.heard(message, received)
    except MessageError:
        return ()


class _Again:
    """A conversation that gives all its rows each time."""

    def __init__(self, talk):
        self.talk, self.all = talk, []
        self.opened, self.heard = talk.opened, talk.heard

    def rows(self):
        self.all += self.talk.rows()
        return self.all


class _Shared:
    """A feed's only conversation."""

    def __init__(self):
        self.talk = None

    def __call__(self, talk):
        self.talk = self.talk or _Counting(talk)
        return self.talk


class _Counting:
    """A conversation that leaves out the first row that it ever has."""

    def __init__(self, talk):
        self.talk, self.fresh = talk, True
        self.opened, self.heard = talk.opened, talk.heard

    def rows(self):
        batches = self.talk.rows()
        if batches and self.fresh:
            self.fresh = False
            batches = [batches[0].slice(1), *batches[1:]]
        return batches


def _text_only(talk, message, received):
    return talk.heard(message if isinstance(message, str) else "?", received)


def _forgiving(talk, message, received):
    text = message if isinstance(message, str) else message.decode()
    return talk.heard(
        text.replace('"many"', '"1"').replace("1.00000000000000000000", "1"), received
    )


WRONG = {
    "test_each_symbol_is_asked_for": _changed(opened=lambda talk: list(talk.opened())[:1]),
    "test_rows_are_of_one_symbol_a_batch": _each(lambda rows: rows.replace_schema_metadata({})),
    "test_rows_come_once": _Again,
    "test_however_fetching_is_cut_the_rows_are_the_same": _each(lambda rows: rows.slice(1)),
    "test_a_message_may_be_bytes_or_text": _changed(heard=_text_only),
    "test_a_new_conversation_remembers_nothing": _Shared(),
    "test_received_is_when_the_message_came": _each(
        _put("received", lambda column: column.take(pa.array([0] * len(column), pa.int32())))
    ),
    "test_events_are_of_the_known_kinds": _changed(heard=lambda talk, *_: ["heard"]),
    "test_each_symbol_is_acked": _changed(heard=lambda talk, *_: [Acked("BTCUSD")]),
    "test_a_refusal_is_told": _changed(heard=lambda talk, *_: ()),
    "test_heartbeats_give_no_rows": _changed(heard=lambda talk, *_: [Acked("BTCUSD")]),
    "test_a_goodbye_ends_the_connection": _changed(heard=lambda talk, *_: ()),
    "test_a_message_without_meaning_is_an_error": _changed(heard=_swallowed),
    "test_a_message_that_is_cut_off_is_an_error": _changed(heard=_swallowed),
    "test_a_number_that_is_a_word_is_an_error": _changed(heard=_forgiving),
    "test_a_number_with_too_many_digits_is_an_error": _changed(heard=_forgiving),
    "test_a_trade_is_whole": _each(_put("tick_rule", lambda c: pa.array([2] * len(c), pa.int8()))),
    "test_contiguous_ids_follow_upon_one_another": _each(
        lambda rows: pa.concat_batches([rows.slice(0, 3), rows.slice(4)])
    ),
}


@pytest.mark.parametrize("rule", WRONG)
def test_a_rule_finds_the_wrong_conversation(rule):
    _rule(rule, Feed(ws_url="ws://sim"))
    with pytest.raises((AssertionError, pytest.fail.Exception, MessageError)):
        _rule(rule, Wrong(change=WRONG[rule]))


@pytest.mark.parametrize(
    ("rule", "facts"),
    [
        ("test_it_states_its_facts", {"url": "http://sim"}),
        ("test_it_states_its_facts", {"most_symbols": 0}),
        ("test_it_states_its_facts", {"stale_after": 0}),
        ("test_it_states_its_facts", {"blind_spots": "text"}),
        ("test_it_states_its_facts", {"connection_lifetime": timedelta(0)}),
        ("test_a_ping_is_sent_before_the_silence_is_too_long", {"ping": ("", 1)}),
        ("test_a_ping_is_sent_before_the_silence_is_too_long", {"ping": ("ping", 30)}),
        ("test_ids_that_prove_nothing_are_called_so", {"continuity": "unique"}),
        ("test_all_doors_of_one_name_are_alike", {"continuity": "unique"}),
        ("test_all_doors_of_one_name_are_alike", {"exchange": "simsim"}),
    ],
)
def test_a_rule_finds_the_wrong_fact(rule, facts):
    _rule(rule, Feed(ws_url="ws://sim"))
    with pytest.raises(AssertionError):
        _rule(rule, Wrong(facts=facts))


def test_an_address_must_be_an_option():
    with pytest.raises((AssertionError, TypeError)):
        _rule("test_its_address_can_be_changed", Wrong())


def test_a_rule_cannot_be_overridden_in_silence():
    class Silent(FeedTests):
        def test_rows_come_once(self):
            pass

    class Said(FeedTests):
        @pytest.mark.xfail(reason="the exchange says all twice")
        def test_it_states_its_facts(self):
            pass

    Said().test_a_rule_is_overridden_only_with_a_reason()
    with pytest.raises(AssertionError, match="test_rows_come_once is overridden"):
        Silent().test_a_rule_is_overridden_only_with_a_reason()
