"""What the websocket doors make of refusals, status and what no exchange should say."""

import json

import pyarrow as pa
import pytest

from werks.components import Acked, Refused, Restart
from werks.errors import MessageError, RateLimitError
from werks.history import Pages, Span
from werks.testing import Venue
from werks_kraken import CandlesFeed, QuotesFeed, Trades, TradesFeed

from .exchange import BEGIN
from .test_feed import SYMBOLS, trades
from .ws_kraken import Words

FEEDS = [TradesFeed(), QuotesFeed(), CandlesFeed()]


def trade(number=7, symbol="BTC/USD", **changed):
    said = {
        "symbol": symbol,
        "side": "buy",
        "price": 1.5,
        "qty": 2,
        "ord_type": "limit",
        "trade_id": number,
        "timestamp": "2026-08-01T02:53:53.184174Z",
    }
    return json.dumps({"channel": "trade", "type": "update", "data": [said | changed]})


def refused(error, **more):
    return json.dumps({"method": "subscribe", "success": False, "error": error} | more)


@pytest.fixture
def talk():
    return TradesFeed().converse(None, SYMBOLS)


@pytest.mark.parametrize("feed", FEEDS)
def test_symbols_are_subscribed_to_at_once_and_acked_one_by_one(feed):
    talk, words = feed.converse(None, SYMBOLS), Words(Venue({"DOGE/EUR": "gone"}))
    (text,) = talk.opened()
    assert json.loads(text)["params"]["symbol"] == list(SYMBOLS)
    told = [event for answer in words.said(text) for event in talk.heard(answer, BEGIN)]
    why = "Kraken says 'Currency pair not supported DOGE/EUR'"
    assert told == [Acked("BTC/USD"), Refused("DOGE/EUR", why)]
    again = [event for answer in words.said(text) for event in talk.heard(answer, BEGIN)]
    assert again == [Acked("BTC/USD"), Refused("DOGE/EUR", why)]  # `Already subscribed`


def test_the_spelling_of_rest_and_of_version_1_is_refused_by_the_exchange():
    talk = TradesFeed().converse(None, ["XBT/USD"])
    (text,) = talk.opened()
    (answer,) = Words(Venue()).said(text)
    (event,) = talk.heard(answer, BEGIN)
    assert (type(event), event.symbol) == (Refused, "XBT/USD")


def test_quotes_are_asked_for_whenever_the_best_orders_change():
    (text,) = QuotesFeed().converse(None, SYMBOLS).opened()
    assert json.loads(text)["params"]["event_trigger"] == "bbo"


def test_an_error_without_a_symbol_tells_what_it_is_about(talk):
    assert talk.heard(refused("Currency pair not supported BTC/USD"), 1) == [
        Refused("BTC/USD", "Kraken says 'Currency pair not supported BTC/USD'")
    ]
    why = "Event(s) not found"
    assert talk.heard(refused(why), 1) == [Refused("", f"Kraken says {why!r}")]
    assert talk.heard(refused("EService:Unavailable"), 1) == [
        Restart("Kraken says 'EService:Unavailable'")
    ]
    assert talk.heard('{"error":"Malformed request","success":false}', 1) == [
        Restart("Kraken says 'Malformed request'")
    ]
    with pytest.raises(RateLimitError, match=r"wss://\S+: Kraken says 'Exceeded msg rate'"):
        talk.heard(refused("Exceeded msg rate"), 1)


@pytest.mark.parametrize("feed", FEEDS)
def test_only_maintenance_ends_a_connection(feed):
    talk, status = feed.converse(None, SYMBOLS), Words(Venue()).opened("/v2")
    for system in ("online", "cancel_only", "post_only", "limit_only"):
        assert talk.heard(status.replace("online", system), BEGIN) == ()
    assert talk.heard(Words(Venue()).maintenance(), BEGIN) == [Restart("Kraken is in maintenance")]
    with pytest.raises(MessageError, match="a system that is 'on fire'"):
        talk.heard(status.replace("online", "on fire"), BEGIN)


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize(
    "message",
    [
        '{"channel":"news","type":"update","data":[]}',
        '{"method":"dance","success":true}',
        '{"method":"subscribe","success":true}',
        '[321,[["57126.70000","0.02063928","1616333924.737428","b","m",""]],"trade","XBT/USD"]',
        b"\xff\xfe",
        "[" * 100_000,
        "\ud800",
    ],
)
def test_what_cannot_be_read_is_an_error(feed, message):
    talk = feed.converse(None, SYMBOLS)
    with pytest.raises(MessageError, match=r"^wss://ws\.kraken\.com/v2: cannot be read: "):
        talk.heard(message, BEGIN)
    assert talk.rows() == []


@pytest.mark.parametrize("space", ["", " "])
@pytest.mark.parametrize(
    "changed",
    [{"side": "b"}, {"trade_id": "7"}, {"symbol": "ETH/USD"}, {"symbol": 1}, {"timestamp": None}],
)
def test_a_trade_of_another_shape_is_an_error(talk, changed, space):
    """Also where white space keeps the message from being known by its beginning."""
    message = trade(**changed).replace(": ", f":{space}")
    with pytest.raises(MessageError, match=r"^wss://ws\.kraken\.com/v2: cannot be read: "):
        talk.heard(message, BEGIN)
    assert talk.rows() == []


@pytest.mark.parametrize(
    "wrong",
    [{"price": "1.5"}, {"price": None}, {"qty": [1, 2]}, {"timestamp": "soon"}, {"qty": 1e-20}],
)
def test_a_trade_that_cannot_be_is_named_and_left_out(talk, wrong):
    for number, changed in ((7, {}), (8, wrong), (9, {})):
        talk.heard(trade(number, **changed), BEGIN)
    talk.heard(trade(1, "DOGE/EUR"), BEGIN)
    with pytest.raises(MessageError, match=r"^wss://\S+ BTC/USD: row 1: "):
        talk.rows()
    assert [row for each in talk.rows() for row in each["trade_id"].to_pylist()] == ["7", "9", "1"]
    assert talk.rows() == []


def test_a_number_over_some_lines_mixes_up_nothing(talk):
    odd = trade(8).replace("1.5", "[1,\n2]")
    for message in (trade(7), odd, trade(9)):
        talk.heard(message, BEGIN)
    with pytest.raises(MessageError, match=r"row 1: price cannot be '\[1,"):
        talk.rows()
    assert [row for each in talk.rows() for row in each["trade_id"].to_pylist()] == ["7", "9"]


def test_numbers_are_taken_as_they_are_written(talk):
    """All digits, and an exponent if there should be one."""
    message = trade(7).replace("1.5", "63004.9000000001").replace('"qty": 2', '"qty": 5.1E-5')
    talk.heard(message, BEGIN)
    (rows,) = talk.rows()
    (row,) = rows.drop_columns(["timestamp", "received"]).to_pylist()
    assert f"{row['price']} {row['size']:f}" == "63004.9000000001 0.0000510000"
    assert f"{row['notional']:f}" == "3.21324990000000510000"


def test_what_was_heard_equals_what_rest_gives(talk, exchange, http):
    """But for `received`, and for times: REST writes floats, less than a microsecond off."""
    words, whole = Words(Venue()), trades("BTC/USD", 210)
    for text in talk.opened():
        list(words.said(text))
    for text in words.trades(whole):
        talk.heard(text, BEGIN)
    heard = pa.Table.from_batches(talk.rows())
    span = Span("BTC/USD", BEGIN, BEGIN + 10**13)
    door = Trades(rest_url=exchange.loopback.url)
    read = pa.Table.from_batches(list(Pages(door, http, span, "kraken")))
    off = [
        abs(a - b)
        for a, b in zip(
            *(each["timestamp"].cast(pa.int64()).to_pylist() for each in (heard, read)),
            strict=True,
        )
    ]
    assert max(off) < 1000
    times = ["timestamp", "received"]
    assert heard.drop_columns(times).to_pylist() == read.drop_columns(times).to_pylist()
