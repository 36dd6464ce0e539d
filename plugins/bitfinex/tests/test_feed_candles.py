"""A candle is given once, two minutes after its end."""

import pyarrow as pa
import pytest

from werks.errors import MessageError
from werks.history import Pages, Span
from werks.testing import Venue
from werks_bitfinex import Candles, CandlesFeed

from .exchange import MINUTE, MS, SECOND, START, Exchange, tape
from .exchange import candles as minutes
from .test_feed import candles
from .ws_bitfinex import Words

SYMBOL = "tBTCUSD"


def subscribed(talk, venue=None):
    """Return the words of a connection that is subscribed to."""
    words = Words(venue or Venue())
    for text in talk.opened():
        for said in words.said(text):
            talk.heard(said, START + 10 * MINUTE if venue else 0)
    return words


@pytest.fixture
def talk():
    return CandlesFeed().converse(None, [SYMBOL])


def given(talk):
    """Return (minute, volume × 10^8) of the candles that are over."""
    rows = pa.Table.from_batches(talk.rows(), CandlesFeed.schema)
    starts = rows["timestamp"].cast(pa.int64()).to_pylist()
    return [
        ((start - START) // MINUTE, int(volume * 10**8))
        for start, volume in zip(starts, rows["volume"].to_pylist(), strict=True)
    ]


def test_the_key_names_interval_and_symbol():
    said = list(CandlesFeed(interval="1d").converse(None, ["tAAVE:USD"]).opened())
    assert '"key":"trade:1D:tAAVE:USD"' in said[1]


def test_a_candle_is_given_two_minutes_after_its_end(talk):
    """By a heartbeat, if there is nothing else; a time without trades has none."""
    words = subscribed(talk)
    for text in words.trades(candles(SYMBOL, [0, 2])):
        talk.heard(text, START + 125 * SECOND)
    for second in (130, 179):
        talk.heard(next(words.heartbeat()), START + second * SECOND)
        assert given(talk) == []
    talk.heard(next(words.heartbeat()), START + 180 * SECOND)
    assert given(talk) == [(0, 1)]
    talk.heard(next(words.heartbeat()), START + 400 * SECOND)
    assert given(talk) == [(2, 3)]
    assert given(talk) == []


def test_the_last_message_about_a_candle_counts(talk):
    """Also one about the candle before the running one."""
    words = subscribed(talk)
    text, running = words.trades(candles(SYMBOL, [0, 1]))
    talk.heard(text, START + 5 * SECOND)
    talk.heard(running, START + 61 * SECOND)
    talk.heard(text.replace(",0.00000001]", ",0.00000009]"), START + 62 * SECOND)
    talk.heard(next(words.heartbeat()), START + 200 * SECOND)
    assert given(talk) == [(0, 9)]


def test_a_change_of_what_is_over_is_an_error(talk):
    """The same once more is none, whether it was fetched or not."""
    words = subscribed(talk)
    (text,) = words.trades(candles(SYMBOL, [0]))
    talk.heard(text, START + 5 * SECOND)
    talk.heard(next(words.heartbeat()), START + 200 * SECOND)
    changed = text.replace(",0.00000001]", ",0.00000009]")
    for rows in ([(0, 1)], []):
        talk.heard(text, START + 200 * SECOND)
        with pytest.raises(
            MessageError, match=r"^wss://\S+: .* has changed when its time was over"
        ):
            talk.heard(changed, START + 200 * SECOND)
        assert given(talk) == rows


def test_a_subscription_begins_with_the_last_candles(talk):
    """Newest first; the running one waits."""
    venue = Venue()
    venue.add(candles(SYMBOL, range(10)))
    subscribed(talk, venue)
    assert [row[0] for row in given(talk)] == list(range(8))


def test_an_empty_beginning_gives_no_rows(talk):
    named = '{"event":"subscribed","channel":"candles","chanId":5,"key":"trade:1m:tBTCUSD"}'
    talk.heard(named, START)
    talk.heard("[5,[],1,1564617600784]", START)
    assert given(talk) == []


def test_what_was_heard_equals_what_rest_gives(talk, loopback, http):
    Exchange(tape()).serve(loopback)
    rows = minutes(tape())
    words = subscribed(talk)
    channel = next(iter(words._on.values()))
    for start, first, high, low, last, volume in rows:
        talk.heard(f"[{channel},[{start // MS},{first},{last},{high},{low},{volume}]]", start + 1)
    talk.heard(f'[{channel},"hb"]', rows[-1][0] + 3 * MINUTE)
    heard = pa.Table.from_batches(talk.rows(), CandlesFeed.schema)
    door, span = Candles(rest_url=f"{loopback.url}/v2"), Span(SYMBOL, START, rows[-1][0] + MINUTE)
    read = pa.Table.from_batches(list(Pages(door, http, span, "bitfinex")), CandlesFeed.schema)
    assert len(heard) == len(rows)
    assert heard.to_pylist() == read.to_pylist()
