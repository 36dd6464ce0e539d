"""What the websocket doors make of refusals, holes and what no exchange should say."""

import json

import pytest

from werks.components import Acked, Missed, Refused, Restart
from werks.errors import MessageError, RateLimitError
from werks.history import Pages, Span
from werks.testing import Venue
from werks_coinbase import QuotesFeed, Trades, TradesFeed

from .exchange import MINUTE, SECOND, START, Exchange, tape
from .test_feed import trades
from .ws_coinbase import Words

SYMBOLS = ("BTC-USD", "ETH-EUR")


def match(number=7, **changed):
    said = {
        "type": "match",
        "trade_id": number,
        "product_id": "BTC-USD",
        "time": "2024-06-10T12:00:00.000001Z",
        "price": "1.5",
        "size": "2",
        "side": "buy",
    }
    return json.dumps(said | changed)


def beat(number, product="BTC-USD"):
    said = {"type": "heartbeat", "sequence": 1, "product_id": product, "last_trade_id": number}
    return json.dumps(said | {"time": "2024-06-10T12:00:00.000001Z"})


def error(message, reason=""):
    return json.dumps({"type": "error", "message": message, "reason": reason})


@pytest.fixture
def talk():
    return TradesFeed().converse(None, SYMBOLS)


def test_each_product_is_subscribed_to_by_itself(talk):
    said = [json.loads(text) for text in talk.opened()]
    assert [each["product_ids"] for each in said] == [["BTC-USD"], ["ETH-EUR"]]
    assert {tuple(each["channels"]) for each in said} == {("matches", "heartbeat")}


def test_a_product_is_acked_once_however_often_it_is_named(talk):
    words = Words(Venue())
    told = [
        event
        for text in talk.opened()
        for answer in words.said(text)
        for event in talk.heard(answer, START)
    ]
    assert told == [Acked("BTC-USD"), Acked("ETH-EUR")]


def test_a_refused_product_does_not_stop_the_other(talk):
    words = Words(Venue({"BTC-USD": "gone"}))
    answers = [answer for text in talk.opened() for answer in words.said(text)]
    told = [event for answer in answers for event in talk.heard(answer, START)]
    why = "Coinbase says 'Failed to subscribe: BTC-USD is not a valid product'"
    assert told == [Refused("BTC-USD", why), Acked("ETH-EUR")]


def test_other_errors_are_of_the_connection(talk):
    said = "Coinbase says 'ErrSlowConsume'"
    assert talk.heard(error("ErrSlowConsume"), START) == [Restart(said)]
    (refused,) = talk.heard(error("Failed to subscribe", "No channels provided"), START)
    assert refused.symbol == ""
    with pytest.raises(RateLimitError, match=r"wss://\S+: Coinbase says 'Public rate limit"):
        talk.heard(error("Public rate limit exceeded"), START)


def test_a_heartbeat_shows_within_seconds_that_trades_are_missing(talk):
    """It may overtake its trade: two seconds are waited, and it is told once for an id."""
    talk.heard(match(7), START)
    assert talk.heard(beat(7), START) == ()
    assert talk.heard(beat(9), START + SECOND) == ()
    assert talk.heard(beat(9), START + 2 * SECOND) == ()
    (missed,) = talk.heard(beat(10), START + 3 * SECOND)
    assert missed == Missed("BTC-USD", "the heartbeat has told of trade 9, and none came after 7")
    assert talk.heard(beat(9), START + 4 * SECOND) == ()
    assert talk.heard(beat(10), START + 5 * SECOND) == ()
    (missed,) = talk.heard(beat(10), START + 7 * SECOND)
    assert "trade 10" in missed.why


def test_a_heartbeat_that_a_trade_follows_tells_nothing(talk):
    talk.heard(match(7), START)
    talk.rows()
    for number in range(8, 20):
        assert talk.heard(beat(number), START + number * SECOND) == ()
        assert talk.heard(match(number), START + number * SECOND) == ()
        talk.rows()


def test_a_product_without_trades_has_no_hole(talk):
    for second in range(10):
        assert talk.heard(beat(0), START + second * SECOND) == ()


def test_a_heartbeat_without_any_trade_shows_a_hole(talk):
    told = [talk.heard(beat(5), START + second * SECOND) for second in range(4)]
    assert [len(each) for each in told] == [0, 0, 1, 0]


@pytest.mark.parametrize("feed", [TradesFeed(), QuotesFeed()])
@pytest.mark.parametrize(
    "message",
    [
        match(side="both"),
        match(trade_id="seven"),
        match(price=1.5),
        match(product_id="DOGE-USD"),
        match(type="match!"),
        match(type=None),
        beat(1, "DOGE-USD").replace("heartbeat", "ticker"),
        '{"channel":"market_trades","client_id":"","timestamp":"","sequence_num":5,"events":[]}',
        b"\xff\xfe",
        "[" * 100_000,
        "\ud800",
    ],
)
def test_what_cannot_be_read_is_an_error(feed, message):
    talk = feed.converse(None, SYMBOLS)
    if feed == QuotesFeed() and "DOGE" in str(message) and '"match"' in str(message):
        assert talk.heard(message, START) == ()  # no trade is asked for there
        return
    with pytest.raises(MessageError, match=r"^wss://ws-feed\.exchange\.coinbase\.com: cannot be"):
        talk.heard(message, START)
    assert talk.rows() == []


@pytest.mark.parametrize(
    "wrong", [{"price": "1e"}, {"size": "0.-10000"}, {"time": "0001-01-01T00:00:00Z"}]
)
def test_a_trade_that_cannot_be_is_named_and_left_out(talk, wrong):
    for number, changed in ((7, {}), (8, wrong), (9, {})):
        talk.heard(match(number, **changed), START)
    talk.heard(match(1, product_id="ETH-EUR"), START)
    with pytest.raises(MessageError, match=r"^wss://\S+ BTC-USD: row 1: "):
        talk.rows()
    rows = [row for each in talk.rows() for row in each["trade_id"].to_pylist()]
    assert rows == ["7", "9", "1"]
    assert talk.rows() == []


def test_what_was_heard_equals_what_rest_gives(talk, loopback, http):
    """But for `received`, which the past has not."""
    words, whole = Words(Venue()), trades("BTC-USD", 240)
    for text in talk.opened():
        list(words.said(text))
    for text in words.trades(whole):
        talk.heard(text, START)
    (heard,) = talk.rows()
    Exchange(tape()).serve(loopback)
    door, span = Trades(rest_url=loopback.url), Span("BTC-USD", START, START + 60 * MINUTE)
    read = [row for each in Pages(door, http, span, "coinbase") for row in each.to_pylist()]
    assert [row | {"received": None} for row in heard.to_pylist()] == read
