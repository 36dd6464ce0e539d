"""A candle is given once, a minute after its end, and times without trades have one."""

from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from werks.errors import MessageError
from werks.history import Pages, Span
from werks.testing import Venue
from werks_kraken import Candles, CandlesFeed

from .exchange import BEGIN
from .exchange import candles as pages
from .test_feed import MINUTE, SECOND, candles
from .ws_kraken import Words, moment

SYMBOL = "BTC/USD"
BEAT = '{"channel":"heartbeat"}'


@pytest.fixture
def talk():
    return CandlesFeed().converse(None, [SYMBOL])


@pytest.fixture
def words(talk):
    words = Words(Venue())
    for text in talk.opened():
        list(words.said(text))
    return words


def given(talk):
    """Return (minute, close, volume × 10^8, trades) of the candles that are over."""
    rows = pa.Table.from_batches(talk.rows(), CandlesFeed.schema)
    starts = rows["timestamp"].cast(pa.int64()).to_pylist()
    columns = (rows[name].to_pylist() for name in ("close", "volume", "trades"))
    return [
        ((start - BEGIN) // MINUTE, close, int(volume * 10**8), trades)
        for start, close, volume, trades in zip(starts, *columns, strict=True)
    ]


def hear(talk, words, rows, received):
    for text in words.trades(rows):
        talk.heard(text, received)


def close(minute):
    return Decimal("0.15425") + minute


def test_a_candle_is_given_a_minute_after_its_end(talk, words):
    """Heartbeats are enough: there need be no later candle."""
    hear(talk, words, candles(SYMBOL, [0]), BEGIN + 5 * SECOND)
    for second in (59, 60, 61, 119):
        talk.heard(BEAT, BEGIN + second * SECOND)
        assert given(talk) == []
    talk.heard(BEAT, BEGIN + 120 * SECOND)
    assert given(talk) == [(0, close(0), 1, 1)]
    talk.heard(BEAT, BEGIN + 121 * SECOND)
    assert given(talk) == []


def test_the_last_message_about_a_candle_counts(talk, words):
    """A trade that comes late changes the candle before the running one."""
    (text,) = words.trades(candles(SYMBOL, [0]))
    talk.heard(text, BEGIN + 5 * SECOND)
    hear(talk, words, candles(SYMBOL, [1]), BEGIN + 70 * SECOND)
    changed = text.replace('"trades":1,', '"trades":9,').replace("0.1542500000", "0.2")
    talk.heard(changed, BEGIN + 80 * SECOND)
    talk.heard(BEAT, BEGIN + 180 * SECOND)
    assert given(talk) == [(0, Decimal("0.2"), 1, 9), (1, close(1), 2, 2)]


def test_times_without_trades_have_a_candle_at_the_last_close(talk, words):
    hear(talk, words, candles(SYMBOL, [0, 3]), BEGIN + 200 * SECOND)
    talk.heard(BEAT, BEGIN + 7 * MINUTE)
    flat = [(n, close(0), 0, 0) for n in (1, 2)], [(n, close(3), 0, 0) for n in (4, 5)]
    # The running candles of one message need not be the last one's.
    assert given(talk) == [(0, close(0), 1, 1), *flat[0], (3, close(3), 4, 4), *flat[1]]
    talk.heard(BEAT, BEGIN + 8 * MINUTE)
    assert given(talk) == [(6, close(3), 0, 0)]
    assert CandlesFeed.empty == Candles.empty == "carry"


def test_a_change_of_what_was_given_is_an_error(talk, words):
    """The same once more is none."""
    (text,) = words.trades(candles(SYMBOL, [0]))
    talk.heard(text, BEGIN + 5 * SECOND)
    talk.heard(BEAT, BEGIN + 130 * SECOND)
    for _ in range(2):  # before it was fetched and after
        talk.heard(text, BEGIN + 131 * SECOND)
        late = text.replace('"trades":1,', '"trades":2,')
        with pytest.raises(
            MessageError, match=r"^wss://\S+: .* has changed when its time was over"
        ):
            talk.heard(late, BEGIN + 131 * SECOND)
        given(talk)


def test_a_candle_is_fetched_once_however_late(talk, words):
    hear(talk, words, candles(SYMBOL, range(3)), BEGIN + 150 * SECOND)
    talk.heard(BEAT, BEGIN + 10 * MINUTE)
    assert len(given(talk)) == 9
    assert given(talk) == []


def test_a_subscription_begins_with_the_last_candles(talk):
    """720 at most, as by REST, whenever the last trade was."""
    venue = Venue()
    venue.add(candles(SYMBOL, [0, 100, 800]))
    words = Words(venue)
    (text,) = talk.opened()
    for answer in words.said(text):
        talk.heard(answer, BEGIN + 803 * MINUTE)
    rows = given(talk)
    assert [row[0] for row in rows] == list(range(82, 802))
    assert {row[1] for row in rows if row[0] < 100} == {close(0)}
    assert rows[-2:] == [(800, close(800), 801, 801), (801, close(800), 0, 0)]


def test_candles_of_another_length_are_an_error():
    talk, words = CandlesFeed(interval="1h").converse(None, [SYMBOL]), Words(Venue())
    (text,) = talk.opened()
    assert '"interval":60' in text
    list(words.said(text))
    (text,) = words.trades(candles(SYMBOL, [0]))
    with pytest.raises(MessageError, match="the candle was not asked for"):
        talk.heard(text, BEGIN)


def test_what_was_heard_equals_what_rest_gives(talk, words, exchange, http):
    """The minutes of /OHLC, of which some are empty, told by the websocket without those."""
    kept = [row for row in pages(exchange.trades) if row[7]]
    text = ",".join(
        f'{{"symbol":"{SYMBOL}","interval":1,"interval_begin":"{_begin(row)}","open":{row[1]},'
        f'"high":{row[2]},"low":{row[3]},"close":{row[4]},"volume":{row[6]},"trades":{row[7]}}}'
        for row in kept
    )
    last = pages(exchange.trades)[-1][0] * SECOND
    talk.heard(f'{{"channel":"ohlc","type":"snapshot","data":[{text}]}}', last + MINUTE)
    heard = pa.Table.from_batches(talk.rows(), CandlesFeed.schema)
    span = Span(SYMBOL, BEGIN, last + MINUTE)
    door = Candles(rest_url=exchange.loopback.url)
    read = pa.Table.from_batches(list(Pages(door, http, span, "kraken")), CandlesFeed.schema)
    start = heard["timestamp"][0]
    read = read.filter(pc.greater_equal(read["timestamp"], start))
    assert len(heard) > 20
    assert heard.to_pylist() == read.to_pylist()


def _begin(row):
    return moment(row[0] * SECOND, 9)
