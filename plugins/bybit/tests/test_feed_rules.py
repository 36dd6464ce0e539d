"""What the websocket doors of Bybit say, and what they make of odd messages."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from werks.components import Acked, Refused
from werks.errors import MessageError
from werks.schema import nanoseconds
from werks.testing import Venue
from werks_bybit import (
    CandlesFeed,
    FundingFeed,
    OpenInterestFeed,
    QuotesFeed,
    TradesFeed,
    TradesRest,
)
from werks_bybit.recent import Trade

from .ws_bybit import Words

NOW, MS, FIVE = 1_735_700_000 * 10**9, 10**6, 300_000


def trade(symbol: str = "BTCUSDT", **changed: Any) -> str:
    row = {"T": NOW // MS, "s": symbol, "S": "Buy", "v": "0.001", "p": "16578.50", "i": "20f4"}
    said = {"topic": f"publicTrade.{symbol}", "type": "snapshot", "ts": 1}
    return json.dumps({**said, "data": [{**row, "BT": False, **changed}]})


def book(kind: str, update: int, bids: list[Any], asks: list[Any], **more: Any) -> str:
    data = {"s": "BTCUSDT", "b": bids, "a": asks, "u": update, "seq": 7}
    said = {"topic": "orderbook.1.BTCUSDT", "type": kind, "ts": NOW // MS, "data": data}
    return json.dumps({**said, **more})


@pytest.mark.parametrize("market", ["spot", "linear", "inverse"])
def test_each_market_has_its_address(market):
    assert TradesFeed(market=market).url == f"wss://stream.bybit.com/v5/public/{market}"
    assert TradesFeed(market=market, ws_url="ws://h/").url == f"ws://h/v5/public/{market}"


def test_each_symbol_is_asked_for_by_itself():
    said = [json.loads(t) for t in TradesFeed().converse(None, ["BTCUSDT", "ETHUSDT"]).opened()]
    assert [each["args"] for each in said] == [["publicTrade.BTCUSDT"], ["publicTrade.ETHUSDT"]]


def test_one_bad_symbol_does_not_stop_the_others():
    feed = TradesFeed()
    talk = feed.converse(None, ["BTCUSDT", "NIX"])
    words = Words(Venue(refused={"NIX": "no such market"}))
    words.opened("/v5/public/linear")
    answers = [answer for text in talk.opened() for answer in words.said(text)]
    events = [event for answer in answers for event in talk.heard(answer, NOW)]
    why = "Bybit says 'error:handler not found,topic:publicTrade.NIX'"
    assert events == [Acked("BTCUSDT"), Refused("NIX", why)]


def test_a_topic_that_is_subscribed_to_already_is_acked():
    talk = TradesFeed().converse(None, ["BTCUSDT"])
    said = {"success": False, "ret_msg": "error:already subscribed,topic:publicTrade.BTCUSDT"}
    assert talk.heard(json.dumps({**said, "op": "subscribe"}), NOW) == [Acked("BTCUSDT")]


@pytest.mark.parametrize(
    "message",
    [
        trade("DOGEUSDT").replace("publicTrade.DOGEUSDT", "publicTrade.BTCUSDT"),
        trade().replace("publicTrade", "gossip"),
        trade(S="Left"),
        trade(T="now"),
        '{"success":true,"op":"gossip"}',
        '{"retCode":10001,"retMsg":"params error"}',
    ],
)
def test_an_odd_message_is_an_error(message):
    talk = TradesFeed().converse(None, ["BTCUSDT"])
    with pytest.raises(MessageError, match=r"wss://stream\.bybit\.com/v5/public/linear: cannot"):
        talk.heard(message, NOW)


@pytest.mark.parametrize("wrong", [{"p": "many"}, {"i": ""}, {"T": 5}, {"v": "0.00000000001"}])
def test_a_trade_that_cannot_be_is_let_go_and_the_others_come(wrong):
    talk = TradesFeed().converse(None, ["BTCUSDT"])
    for n in range(5):
        talk.heard(trade(**{"i": f"a{n}", **(wrong if n == 3 else {})}), NOW)
    with pytest.raises(MessageError, match=r"wss://stream\.bybit\.com"):
        talk.rows()
    ids = [each for b in talk.rows() for each in b["trade_id"].to_pylist()]
    assert ids == ["a0", "a1", "a2", "a4"]


@pytest.mark.parametrize("market", ["spot", "linear", "inverse"])
def test_equal_trades_give_equal_rows_by_rest(market):
    asked = {"execId": "20f4", "symbol": "BTCUSDT", "price": "16578.50", "size": "33"}
    asked |= {"side": "Sell", "time": str(NOW // MS), "isBlockTrade": True}
    past = TradesRest(market=market)._page("BTCUSDT", [msgspec.convert(asked, Trade)], "REST")
    talk = TradesFeed(market=market).converse(None, ["BTCUSDT"])
    talk.heard(trade(v="33", S="Sell", BT=True), NOW)
    live = talk.rows()[0]
    assert live.drop_columns(["received"]).equals(past.drop_columns(["received"]))


def test_a_repeated_quote_is_one_row():
    talk = QuotesFeed().converse(None, ["BTCUSDT"])
    for _ in range(3):
        talk.heard(book("snapshot", 5, [["1", "2"]], [["3", "4"]]), NOW)
    talk.heard(book("snapshot", 6, [["1", "2"]], [["3", "5"]]), NOW)
    assert sum(map(len, talk.rows())) == 2


def test_changes_of_a_quote_are_applied_to_what_is_known():
    talk = QuotesFeed().converse(None, ["BTCUSDT"])
    talk.heard(book("snapshot", 5, [["10", "2"]], [["11", "4"]]), NOW)
    talk.heard(book("delta", 6, [["10", "0"], ["9", "7"]], []), NOW)
    talk.heard(book("delta", 7, [], [["11", "0.000"]], cts=NOW // MS - 9), NOW)
    talk.heard(book("delta", 1, [["8", "1"]], [["12", "1"]]), NOW)  # the service began anew
    (rows,) = talk.rows()
    assert rows["bid"].to_pylist() == [10, 9, 9, 8]
    assert rows["bid_size"].to_pylist() == [2, 7, 7, 1]
    assert rows["ask"].to_pylist() == [11, 11, None, 12]
    assert rows["ask_size"].to_pylist() == [4, 4, None, 1]
    assert nanoseconds(rows["timestamp"]).tolist() == [NOW, NOW, NOW - 9 * MS, NOW]


def test_a_change_before_the_quote_is_an_error():
    talk = QuotesFeed().converse(None, ["BTCUSDT"])
    with pytest.raises(MessageError, match="a change of the quote of BTCUSDT came before"):
        talk.heard(book("delta", 6, [["10", "1"]], []), NOW)
    assert talk.rows() == []


def test_sizes_of_inverse_quotes_are_in_base():
    talk = QuotesFeed(market="inverse").converse(None, ["BTCUSDT"])
    talk.heard(book("snapshot", 5, [["30000", "1000"]], []), NOW)
    (rows,) = talk.rows()
    assert rows["bid_size"].to_pylist() == [Decimal("0.0333333300")]
    assert rows["ask"].to_pylist() == rows["ask_size"].to_pylist() == [None]


def ticker(time: int, **told: str) -> str:
    said = {"topic": "tickers.BTCUSDT", "type": "delta", "ts": time}
    return json.dumps({**said, "data": {"symbol": "BTCUSDT", **told}})


def test_open_interest_is_a_row_at_each_turn():
    talk, turn = OpenInterestFeed().converse(None, ["BTCUSDT"]), 1_735_689_600_000
    talk.heard(ticker(turn - 9, openInterest="5"), NOW)
    talk.heard(ticker(turn - 5, openInterest="6"), NOW)
    talk.heard(ticker(turn + 4, openInterest="7"), NOW)
    talk.heard(ticker(turn + 9), NOW)
    talk.heard(ticker(turn + FIVE, openInterest="8"), NOW + 1)
    (rows,) = talk.rows()
    assert nanoseconds(rows["timestamp"]).tolist() == [turn * MS, (turn + FIVE) * MS]
    assert rows["open_interest"].to_pylist() == [6, 8]
    assert nanoseconds(rows["received"]).tolist() == [NOW, NOW + 1]


def test_a_rate_is_a_row_once_the_next_payment_is_announced():
    talk, due = FundingFeed().converse(None, ["BTCUSDT"]), 1_735_689_600_000
    later = str(due + 28_800_000)
    talk.heard(ticker(due - 9, fundingRate="0.0001", nextFundingTime=str(due)), NOW)
    talk.heard(ticker(due - 5, fundingRate="0.0002"), NOW)
    talk.heard(ticker(due + 1, fundingRate="0.0003"), NOW)  # that is the next one's already
    talk.heard(ticker(due + 2, fundingRate="0.0004", nextFundingTime=later), NOW)
    (rows,) = talk.rows()
    assert nanoseconds(rows["timestamp"]).tolist() == [due * MS]
    assert rows["rate"].to_pylist() == [Decimal("0.0002")]


def test_a_dated_future_has_no_rate():
    talk = FundingFeed().converse(None, ["BTCUSDT"])
    for time in (NOW // MS, NOW // MS + 10**9):
        talk.heard(ticker(time, fundingRate="", nextFundingTime=""), NOW)
    assert talk.rows() == []


def test_a_rate_that_is_a_word_is_an_error_once_it_is_paid():
    talk, due = FundingFeed().converse(None, ["BTCUSDT"]), 1_735_689_600_000
    talk.heard(ticker(due - 9, fundingRate="many", nextFundingTime=str(due)), NOW)
    talk.heard(ticker(due + 2, fundingRate="0.1", nextFundingTime=str(due + 28_800_000)), NOW)
    with pytest.raises(MessageError, match="fundingRate cannot be 'many'"):
        talk.rows()
    assert talk.rows() == []


def test_a_price_of_a_candle_is_never_rounded():
    talk, edges = CandlesFeed().converse(None, ["BTCUSDT"]), ("open", "high", "low", "close")
    row = {**dict.fromkeys(edges, "1"), "volume": "1", "turnover": "1", "confirm": True}
    for close in ("1.00000000001", "1.5"):
        data = [{**row, "start": NOW // MS // 60_000 * 60_000, "close": close}]
        said = {"topic": "kline.1.BTCUSDT", "type": "snapshot", "ts": 1, "data": data}
        talk.heard(json.dumps(said), NOW)
    with pytest.raises(MessageError, match="more than 10 digits"):
        talk.rows()
    assert [each for rows in talk.rows() for each in rows["close"].to_pylist()] == [Decimal("1.5")]
