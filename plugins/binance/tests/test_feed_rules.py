"""What the websocket doors of Binance say, and what they make of odd messages."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from werks.components import Acked, Refused, Restart
from werks.errors import MessageError
from werks.schema import nanoseconds
from werks.testing import Venue
from werks_binance import (
    AggTradesFeed,
    CandlesFeed,
    FundingFeed,
    LiquidationsFeed,
    QuotesFeed,
    TradesFeed,
)
from werks_binance.records import Trade, columns

from .ws_binance import Words

NOW, MS = 1_735_700_000 * 10**9, 10**6


def talk(*symbols: str, market: str = "spot") -> Any:
    return TradesFeed(market=market).converse(None, symbols or ["BTCUSDT"])


def trade(symbol: str = "BTCUSDT", **changed: Any) -> str:
    payload = {"e": "trade", "E": 1, "s": symbol, "t": 7, "p": "61837.63000000", "q": "0.00056"}
    payload |= {"T": 1_735_700_000_123_456, "m": True, "M": True} | changed
    return json.dumps({"stream": f"{symbol.lower()}@trade", "data": payload})


@pytest.mark.parametrize(
    ("feed", "url"),
    [
        (TradesFeed(), "wss://stream.binance.com:9443/stream?timeUnit=MICROSECOND"),
        (AggTradesFeed(), "wss://stream.binance.com:9443/stream?timeUnit=MICROSECOND"),
        (QuotesFeed(), "wss://stream.binance.com:9443/stream"),
        (CandlesFeed(), "wss://stream.binance.com:9443/stream"),
        (TradesFeed(market="usdm"), "wss://fstream.binance.com/public/stream"),
        (QuotesFeed(market="usdm"), "wss://fstream.binance.com/public/stream"),
        (AggTradesFeed(market="usdm"), "wss://fstream.binance.com/market/stream"),
        (CandlesFeed(market="usdm"), "wss://fstream.binance.com/market/stream"),
        (LiquidationsFeed(), "wss://fstream.binance.com/market/stream"),
        (FundingFeed(), "wss://fstream.binance.com/market/stream"),
        (TradesFeed(market="usdm", ws_url="ws://here/"), "ws://here/public/stream"),
    ],
)
def test_each_stream_is_asked_for_on_its_route(feed, url):
    assert feed.url == url


def test_symbols_are_asked_for_some_at_once():
    symbols = [f"A{n}USDT" for n in range(120)]
    said = [json.loads(text) for text in talk(*symbols).opened()]
    assert [each["id"] for each in said] == [1, 2, 3]
    assert [name for each in said for name in each["params"]] == [
        f"a{n}usdt@trade" for n in range(120)
    ]


def test_an_ack_is_of_the_symbols_of_its_request():
    symbols = [f"A{n}USDT" for n in range(60)]
    heard = talk(*symbols).heard('{"result":null,"id":2}', NOW)
    assert heard == [Acked(symbol) for symbol in symbols[50:]]


@pytest.mark.parametrize(
    ("message", "symbols"),
    [
        ('{"error":{"code":2,"msg":"Invalid request"},"id":1}', ["BTCUSDT", "ETHUSDT"]),
        ('{"code":2,"msg":"Invalid request: missing field"}', [""]),
    ],
)
def test_both_shapes_of_a_refusal_are_known(message, symbols):
    heard = talk("BTCUSDT", "ETHUSDT").heard(message, NOW)
    assert [each.symbol for each in heard if isinstance(each, Refused)] == symbols
    assert all("Invalid request" in each.why for each in heard)


@pytest.mark.parametrize(
    "message",
    ['{"e":"serverShutdown","E":1}', '{"stream":"!serverShutdown","data":{"e":"serverShutdown"}}'],
)
def test_a_shutdown_is_a_restart(message):
    assert isinstance(talk().heard(message, NOW)[0], Restart)


def test_a_symbol_that_is_not_served_is_acked_and_silent():
    words = Words(Venue(refused={"BTCUSDT": "no such market"}))
    words.opened("/stream")
    assert json.loads(words.said(next(talk().opened()))) == {"result": None, "id": 1}
    assert any("stays silent" in spot for spot in TradesFeed().blind_spots)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (trade("DOGEUSDT"), "'DOGEUSDT' was not asked for"),
        ('{"stream":"btcusdt@gossip","data":{"e":"gossip"}}', "cannot be read"),
        ('{"result":null}', "cannot be read"),
        (trade(t=2**64), "cannot be read"),
        (trade(m="yes"), "cannot be read"),
        ('{"stream":"btcusdt@trade","data":[1]}', "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ("\ud800", "cannot be read"),
    ],
)
def test_an_odd_message_is_an_error(message, said):
    with pytest.raises(MessageError, match=f"wss://stream.binance.com.*{said}"):
        talk().heard(message, NOW)


def test_trades_that_cannot_be_are_let_go_and_the_others_come():
    heard = talk("BTCUSDT", "ETHUSDT")
    wrong = {3: {"p": "many"}, 6: {"T": 5}, 8: {"q": "0.000000001"}}
    for n in range(10):
        heard.heard(trade("ETHUSDT" if n % 2 else "BTCUSDT", t=n, **wrong.get(n, {})), NOW + n)
    with pytest.raises(MessageError, match=r"id=\d.*\(and 2 more\)"):
        heard.rows()
    found: dict[str, list[Any]] = {}
    for each in heard.rows():
        ids, received = each["trade_id"].to_pylist(), nanoseconds(each["received"]).tolist()
        found.setdefault(str(each["symbol"][0]), []).extend(zip(ids, received, strict=True))
    assert {name: [int(n) for n, _ in rows] for name, rows in found.items()} == {
        "BTCUSDT": [0, 2, 4],
        "ETHUSDT": [1, 5, 7, 9],
    }
    assert all(received == NOW + int(n) for rows in found.values() for n, received in rows)
    assert heard.rows() == []


@pytest.mark.parametrize(
    ("kind", "flag"),
    [("MARKET", None), ("RPI", "rpi"), ("INSURANCE_FUND", "off_book"), ("ADL", "off_book")],
)
def test_what_is_off_the_book_is_flagged(kind, flag):
    heard = talk(market="usdm")
    heard.heard(trade(X=kind, T=1_735_700_000_123), NOW)
    assert heard.rows()[0]["flag"].to_pylist() == [flag]


def test_an_off_book_row_without_a_price_counts_for_its_id():
    heard = talk(market="usdm")
    heard.heard(trade(X="NA", p="0", q="0", T=1_735_700_000_123), NOW)
    assert heard.rows()[0]["trade_id"].to_pylist() == ["7"]


def test_an_unknown_kind_of_trade_is_an_error():
    heard = talk(market="usdm")
    heard.heard(trade(X="GIFT", T=1_735_700_000_123), NOW)
    with pytest.raises(MessageError, match="GIFT is no kind of trade that is known"):
        heard.rows()


@pytest.mark.parametrize("time", [1_735_700_000_123_456, 1_735_700_000_123])
def test_equal_trades_give_equal_rows_by_rest(time):
    asked = {"id": 7, "price": "61837.63000000", "qty": "0.00056", "isBuyerMaker": True}
    past = columns([msgspec.convert({**asked, "time": time}, Trade)], "REST")
    heard = talk()
    heard.heard(trade(T=time), NOW)
    live = heard.rows()[0]
    for name in ("trade_id", "tick_rule", "price", "size", "notional"):
        assert live[name].to_pylist() == list(
            getattr(past[name], "to_pylist", past[name].__iter__)()
        )
    assert nanoseconds(live["timestamp"]).tolist() == nanoseconds(past["timestamp"]).tolist()


def test_a_symbol_that_is_not_ascii_is_asked_for_as_it_is():
    heard = talk("币安人生USDT")
    assert json.loads(next(heard.opened()))["params"] == ["币安人生usdt@trade"]
    heard.heard(trade("币安人生USDT"), NOW)
    assert str(heard.rows()[0]["symbol"][0]) == "币安人生USDT"


def test_a_side_without_orders_is_null():
    heard = QuotesFeed().converse(None, ["BTCUSDT"])
    payload = {"u": 1, "s": "BTCUSDT", "b": "0.00000000", "B": "0.00000000", "a": "2", "A": "3"}
    heard.heard(json.dumps({"stream": "btcusdt@bookTicker", "data": payload}), NOW)
    row = heard.rows()[0]
    assert row["bid"].to_pylist() == row["bid_size"].to_pylist() == [None]
    assert row["ask"].to_pylist() == [Decimal(2)]


def test_a_candle_of_another_length_is_an_error():
    heard = CandlesFeed(interval="5m").converse(None, ["BTCUSDT"])
    edges = dict.fromkeys(("o", "c", "h", "l", "v", "q"), "1")
    times = {"t": NOW // MS, "T": NOW // MS + 59_999}
    candle = {"s": "BTCUSDT", "i": "1m", "n": 1, "x": True, **times, **edges}
    payload = {"e": "kline", "s": "BTCUSDT", "k": candle}
    heard.heard(json.dumps({"stream": "btcusdt@kline_5m", "data": payload}), NOW)
    with pytest.raises(MessageError, match=r"a candle of 1m .* was not asked for"):
        heard.rows()


def test_a_rate_is_a_row_once_the_next_one_is_announced():
    heard, hour = FundingFeed().converse(None, ["BTCUSDT"]), 3_600_000
    due = 1_735_689_600_000
    said = [(due - 2, "0.0001", due), (due - 1, "0.0002", due), (due, "0.0003", due)]
    said += [(due + 1, "0.0004", due + 8 * hour), (due + 8 * hour + 1, "0.0005", due + 16 * hour)]
    for time, rate, at in said:
        payload = {"e": "markPriceUpdate", "E": time, "s": "BTCUSDT", "p": "1", "r": rate, "T": at}
        heard.heard(json.dumps({"stream": "btcusdt@markPrice@1s", "data": payload}), time * MS)
    rows = heard.rows()[0]
    assert nanoseconds(rows["timestamp"]).tolist() == [due * MS, (due + 8 * hour) * MS]
    assert rows["rate"].to_pylist() == [Decimal("0.0002"), Decimal("0.0004")]
    assert rows["interval"].to_pylist() == [None, 8 * 3600]


def test_a_rate_that_is_a_word_is_an_error_once_it_is_paid():
    heard, due = FundingFeed().converse(None, ["BTCUSDT"]), 1_735_689_600_000
    for time, rate, at in ((due - 1, "many", due), (due + 1, "0.1", due + 28_800_000)):
        payload = {"e": "markPriceUpdate", "E": time, "s": "BTCUSDT", "r": rate, "T": at}
        heard.heard(json.dumps({"stream": "btcusdt@markPrice@1s", "data": payload}), NOW)
    with pytest.raises(MessageError, match="rate cannot be 'many'"):
        heard.rows()
    assert heard.rows() == []
