"""What the websocket doors of BitMEX say, and what they make of odd messages."""

import json
from decimal import Decimal
from typing import Any

import pytest

from werks.components import Acked, Refused, Restart, Send
from werks.errors import MessageError, RateLimitError
from werks.http import Http
from werks.schema import nanoseconds
from werks.testing import Loopback, Venue
from werks_bitmex import LiquidationsFeed, OpenInterestFeed, QuotesFeed, TradesFeed, TradesRest

from .ws_bitmex import Words

NOW = 1_664_121_231 * 10**9
ROW = {
    "timestamp": "2022-09-25T15:53:51.239Z",
    "symbol": "XBTUSD",
    "side": "Buy",
    "size": 1300,
    "price": 19005,
    "tickDirection": "ZeroMinusTick",
    "trdMatchID": "35882fd1-8c12-cab9-2939-da49e8173853",
    "grossValue": 6840301,
    "homeNotional": 0.06840301,
    "foreignNotional": 1300,
}


def told(action: str = "insert", table: str = "trade", symbol: str = "XBTUSD", *rows: Any) -> str:
    more = {"filter": {"symbol": symbol}} if action == "partial" else {}
    return json.dumps({"table": table, "action": action, **more, "data": list(rows)})


def begun(*symbols: str, feed: Any = None) -> Any:
    """Return a conversation that has heard its partials."""
    feed = feed or TradesFeed()
    talk, words = feed.converse(None, symbols or ["XBTUSD"]), Words(Venue())
    for text in [*talk.opened()]:
        for answer in words.said(text):
            talk.heard(answer, NOW)
    talk.rows()
    return talk


def ids(talk: Any) -> list[str]:
    return [each for rows in talk.rows() for each in rows["trade_id"].to_pylist()]


def test_the_address_can_be_changed():
    assert TradesFeed().url == "wss://ws.bitmex.com/realtime"
    assert TradesFeed(ws_url="ws://here/").url == "ws://here/realtime"


def test_tables_are_asked_for_some_at_once():
    symbols = [f"S{n}" for n in range(45)]
    said = [json.loads(text) for text in TradesFeed().converse(None, symbols).opened()]
    assert [len(each["args"]) for each in said] == [20, 20, 5]
    assert said[2]["args"][-1] == "trade:S44"


def test_rows_of_a_partial_and_before_it_are_past():
    talk = TradesFeed().converse(None, ["XBTUSD"])
    talk.heard(told("insert", "trade", "XBTUSD", ROW), NOW)
    talk.heard(told("partial", "trade", "XBTUSD", *[ROW] * 200), NOW)
    assert ids(talk) == []
    talk.heard(told("insert", "trade", "XBTUSD", ROW), NOW)
    assert ids(talk) == [ROW["trdMatchID"]]


def test_a_partial_without_rows_begins_its_symbol_only():
    talk = TradesFeed().converse(None, ["XBTUSD", "ETHUSD"])
    talk.heard(told("partial", "trade", "ETHUSD"), NOW)
    talk.heard(told("insert", "trade", "XBTUSD", ROW), NOW)
    talk.heard(told("insert", "trade", "XBTUSD", {**ROW, "symbol": "ETHUSD"}), NOW)
    (rows,) = talk.rows()
    assert str(rows["symbol"][0]) == "ETHUSD"


def test_index_ticks_are_no_trades():
    talk, tick = begun(), {"size": 0, "price": 1, "trdType": "Referential", "symbol": ".BXBT"}
    talk.heard(told("insert", "trade", "XBTUSD", {**ROW, **tick}, ROW), NOW)
    assert len(ids(talk)) == 1
    acked = {"success": True, "subscribe": "trade:.BXBT"}
    heard = TradesFeed().converse(None, [".BXBT"]).heard(json.dumps(acked), NOW)
    assert [each.symbol for each in heard if isinstance(each, Refused)] == [".BXBT"]


@pytest.mark.parametrize(
    "message",
    [
        told("update", "trade", "XBTUSD", ROW),
        told("insert", "trade", "XBTUSD", {**ROW, "symbol": "ETHUSD"}),
        told("vanish", "trade", "XBTUSD", ROW),
        told("insert", "gossip"),
        '{"error":{"message":"Invalid leavesQty","name":"HTTPError"}}',
        "PONG",
    ],
)
def test_an_odd_message_is_an_error(message):
    with pytest.raises(MessageError, match=r"wss://ws\.bitmex\.com/realtime: cannot be read"):
        begun().heard(message, NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        {"price": "NaN"},
        {"price": "many"},
        {"price": [1, 2]},
        {"timestamp": "soon"},
        {"size": 1.5},
        {"side": "Left"},
        {"price": None},
        {"price": 1.00000000001},
    ],
)
def test_a_row_that_cannot_be_is_let_go_and_the_others_come(wrong):
    talk = begun()
    for n in range(5):
        row = {**ROW, "trdMatchID": f"a{n}", **(wrong if n == 3 else {})}
        talk.heard(told("insert", "trade", "XBTUSD", row), NOW)
    with pytest.raises(MessageError, match=r"wss://ws\.bitmex\.com"):
        talk.rows()
    assert ids(talk) == ["a0", "a1", "a2", "a4"]


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"trdMatchID": None},
        {"trdMatchID": ""},
        {"trdMatchID": f"{0:08}-0000-0000-0000-{0:012}"},
    ],
    ids=["all named", "null", "empty", "zeros"],
)
def test_rows_of_several_symbols_are_those_of_each_alone(odd):
    names = ["XBTUSD", "ETHUSD", "XBTUSD", "ADAUSD", "XBTUSD", "ETHUSD"]
    rows = [
        {**ROW, "symbol": name, "trdMatchID": f"a{n}", "price": 100 + n, **(odd if n == 5 else {})}
        for n, name in enumerate(names)
    ]
    talk = begun(*set(names))
    for n, row in enumerate(rows):
        talk.heard(told("insert", "trade", row["symbol"], row), NOW + n * 1000)
    made = {str(each["symbol"][0]): each for each in talk.rows()}
    assert made.keys() == set(names)
    for name, batch in made.items():
        alone = begun(name)
        for n, row in enumerate(rows):
            if row["symbol"] == name:
                alone.heard(told("insert", "trade", name, row), NOW + n * 1000)
        (expected,) = alone.rows()
        assert batch.to_pylist() == expected.to_pylist()


_AMOUNTS = [
    {"size": 1300, "grossValue": 6840301, "homeNotional": 0.06840301, "foreignNotional": 1300},
    {"size": 52, "grossValue": 899444, "homeNotional": 16.7310, "foreignNotional": 289.3963964},
    {"size": 7, "grossValue": 899444, "homeNotional": 16.731012345678, "foreignNotional": 1e-08},
    {"size": 10**11, "grossValue": 10**17, "homeNotional": 10**9, "foreignNotional": 10**11},
]


@pytest.mark.parametrize("kind", [{}, {"trdType": "Regular"}])
@pytest.mark.parametrize("at", [*range(len(_AMOUNTS)), slice(None)])
def test_usual_trades_give_the_same_rows_beside_one_that_is_not(at, kind):
    chosen = _AMOUNTS[at] if isinstance(at, slice) else [_AMOUNTS[at]]
    rows = [
        {**ROW, **kind, **amounts, "trdMatchID": f"a{n}", "side": ("Buy", "Sell")[n % 2]}
        for n, amounts in enumerate(chosen)
    ]
    talks = begun(), begun()
    talks[0].heard(told("insert", "trade", "XBTUSD", *rows), NOW)
    odd = {**ROW, "trdMatchID": "odd", "trdType": "BlockTrade"}
    talks[1].heard(told("insert", "trade", "XBTUSD", *rows, odd), NOW)
    ((ours,), (beside,)) = (talk.rows() for talk in talks)
    assert ours.equals(beside.slice(0, len(rows)))
    assert beside["flag"].to_pylist() == [None] * len(rows) + ["block"]


def test_a_wrong_row_among_several_symbols_is_let_go_alone():
    talk = begun("XBTUSD", "ETHUSD")
    for n, name in enumerate(["XBTUSD", "ETHUSD", "XBTUSD"]):
        row = {**ROW, "symbol": name, "trdMatchID": f"a{n}", "size": 1.5 if n == 2 else 1300}
        talk.heard(told("insert", "trade", name, row), NOW)
    with pytest.raises(MessageError, match=r"size cannot be '1\.5'"):
        talk.rows()
    assert sorted(ids(talk)) == ["a0", "a1"]


@pytest.mark.parametrize(
    ("status", "event"),
    [
        (400, Refused("XBTUSD", "BitMEX says 'no' (status 400)")),
        (503, Restart("BitMEX says 'no' (status 503)")),
    ],
)
def test_an_error_is_a_refusal_or_a_restart(status, event):
    asked = {"op": "subscribe", "args": ["trade:XBTUSD"]}
    said = {"status": status, "error": "no", "meta": {}, "request": asked}
    assert begun().heard(json.dumps(said), NOW) == [event]


def test_too_many_requests_have_to_wait():
    said = {"status": 429, "error": "Rate limit", "meta": {"retryAfter": 7}, "request": {}}
    with pytest.raises(RateLimitError, match="Rate limit") as caught:
        begun().heard(json.dumps(said), NOW)
    assert caught.value.wait == 7


def test_equal_trades_give_equal_rows_by_rest(loopback: Loopback, http: Http):
    page = [ROW, {**ROW, "trdMatchID": "b", "side": "Sell", "trdType": "Regular"}]
    left = [json.dumps(page).encode()]
    loopback.answer("/api/v1/trade", lambda query: left.pop() if left else b"[]")
    read = TradesRest(rest_url=loopback.url).read(http, "XBTUSD", NOW - 10**9, NOW + 10**9)
    past, _ = next(iter(read))
    talk = begun()
    talk.heard(told("insert", "trade", "XBTUSD", *page), NOW)
    (live,) = talk.rows()
    assert live.drop_columns(["received"]).equals(past.drop_columns(["received"]))
    assert nanoseconds(live["received"]).tolist() == [NOW, NOW]


def test_what_a_contract_is_is_asked_for_and_then_no_more():
    talk, words = QuotesFeed().converse(None, ["XBTUSD", "XBTUSDT", "NIX"]), None
    words = Words(Venue(refused={"NIX": "no such instrument"}))
    answers = [answer for text in talk.opened() for answer in words.said(text)]
    events = [event for answer in answers for event in talk.heard(answer, NOW)]
    told_ = [event.text for event in events if isinstance(event, Send)]
    args = ["instrument:XBTUSD", "instrument:XBTUSDT"]
    assert [json.loads(text) for text in told_] == [{"op": "unsubscribe", "args": args}]
    assert Refused("NIX", "BitMEX has no such instrument") in events
    assert {Acked("XBTUSD"), Acked("XBTUSDT")} <= set(events)
    for text in words.said(told_[0]):
        assert talk.heard(text, NOW) == ()


def test_a_liquidation_counts_when_it_appears():
    talk = begun(feed=LiquidationsFeed())
    order = {"orderID": "a", "symbol": "XBTUSD", "side": "Sell", "price": 20000, "leavesQty": 1000}
    talk.heard(told("insert", "liquidation", "XBTUSD", order), NOW)
    talk.heard(told("update", "liquidation", "XBTUSD", {"orderID": "a", "leavesQty": 5}), NOW)
    talk.heard(told("delete", "liquidation", "XBTUSD", {"orderID": "a", "symbol": "XBTUSD"}), NOW)
    (rows,) = talk.rows()
    assert rows["size"].to_pylist() == [Decimal("0.05")]
    assert rows["notional"].to_pylist() == [1000]
    assert rows["tick_rule"].to_pylist() == [-1]
    assert nanoseconds(rows["timestamp"]).tolist() == [NOW]


def test_open_interest_of_a_linear_contract_is_in_base():
    talk = begun("XBTUSDT", feed=OpenInterestFeed())
    talk.heard(told("update", "instrument", "", {"symbol": "XBTUSDT", "markPrice": 1.5}), NOW)
    row = {"symbol": "XBTUSDT", "openInterest": 2_500_000}
    talk.heard(told("update", "instrument", "", row), NOW)
    (rows,) = talk.rows()
    assert rows["open_interest"].to_pylist() == [Decimal("2.5")]
    assert rows["open_interest_notional"].null_count == 1
