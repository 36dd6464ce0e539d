"""What the websocket was recorded to send, heard by the doors."""

import json
from collections import Counter
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from werks.components import Acked, Send
from werks.errors import MessageError
from werks.schema import nanoseconds
from werks_bitmex import (
    CandlesFeed,
    FundingFeed,
    LiquidationsFeed,
    OpenInterestFeed,
    QuotesFeed,
    TradesFeed,
)

NOW, SATOSHI = 1_626_993_367 * 10**9, Decimal("0.00000001")
SYMBOLS = (
    *("XRPU21", "UNIUSDT", "XBTUSD", "ADAUSDT", "SOLUSDT"),
    *("TRXU21", "EOSUSDT", "TRXUSDT", "BCHUSD", "MATICUSDT"),
)
ALL = (TradesFeed, QuotesFeed, CandlesFeed, LiquidationsFeed, OpenInterestFeed, FundingFeed)


def lines(captures: Path, name: str) -> Iterator[dict[str, Any]]:
    for line in (captures / "bitmex" / f"{name}.jsonl").read_text().splitlines():
        yield json.loads(line, parse_float=Decimal)


def recorded(captures: Path) -> list[tuple[int, str]]:
    """Return (received, text) of the recording of 2021-07-22."""
    return [
        (int(Decimal(line["recv"]) * 10**9), line["raw"])
        for line in lines(captures, "ws-trade-quote-bookL2-20210722")
        if line["dir"] == "in"
    ]


def contracts(captures: Path) -> list[str]:
    """Return the partials of the instruments, as they were by REST on that day."""
    (line,) = lines(captures, "rest-instrument-active-20210722")
    said = {"table": "instrument", "action": "partial", "keys": ["symbol"]}
    return [
        json.dumps({**said, "filter": {"symbol": row["symbol"]}, "data": [row]})
        for row in json.loads(line["body"])
        if row["symbol"] in SYMBOLS
    ]


def inserted(frames: list[tuple[int, str]], table: str) -> list[dict[str, Any]]:
    """Return what was inserted into a table, as a plain reader finds it."""
    messages = [json.loads(text, parse_float=Decimal) for _, text in frames]
    chosen = [m for m in messages if m.get("table") == table and m["action"] == "insert"]
    return [row for message in chosen for row in message["data"]]


def plain(batches: list[pa.RecordBatch]) -> list[dict[str, Any]]:
    rows = []
    for each in batches:
        kept = [name for name in each.schema.names if name not in ("timestamp", "received")]
        moments = nanoseconds(each["timestamp"]).tolist()
        found = each.select(kept).to_pylist()
        rows += [{**row, "ns": ns} for row, ns in zip(found, moments, strict=True)]
    return rows


def test_recorded_trades_are_those_inserted_and_none_of_the_partials(captures):
    frames = recorded(captures)
    talk = TradesFeed().converse(None, SYMBOLS)
    events = [event for received, text in frames for event in talk.heard(text, received)]
    found = {row["trade_id"]: row for row in plain(talk.rows())}
    wire = inserted(frames, "trade")
    assert events == [Acked(symbol) for symbol in SYMBOLS]
    assert len(found) == len(wire) == 17
    for row in wire:
        ours = found[row["trdMatchID"]]
        assert ours["symbol"] == row["symbol"]
        assert ours["tick_rule"] == (1 if row["side"] == "Buy" else -1)
        assert ours["price"] == row["price"]
        home = Decimal(row["homeNotional"]).quantize(SATOSHI, ROUND_HALF_EVEN)
        assert ours["size"] == home
        assert ours["notional"] == Decimal(row["foreignNotional"]).quantize(SATOSHI)


@pytest.mark.parametrize("late", [False, True])
def test_recorded_quotes_are_those_inserted(captures, late):
    """Whether it is known before or after the quotes what a contract is, the rows are the same."""
    frames, facts = recorded(captures), contracts(captures)
    talk = QuotesFeed().converse(None, SYMBOLS)
    said = [(NOW, text) for text in facts]
    events = []
    for received, text in [*frames, *said] if late else [*said, *frames]:
        events += talk.heard(text, received)
        if late and received != NOW:
            assert talk.rows() == []
    found, wire = plain(talk.rows()), inserted(frames, "quote")
    assert len(found) == len(wire) == 426
    assert sum(isinstance(event, Send) for event in events) == 1
    for symbol in SYMBOLS:
        mine = [row for row in found if row["symbol"] == symbol]
        theirs = [row for row in wire if row["symbol"] == symbol]
        assert [row["bid"] for row in mine] == [row["bidPrice"] for row in theirs]
        assert [row["ask"] for row in mine] == [row["askPrice"] for row in theirs]
        for row, each in zip(mine, theirs, strict=True):
            _same_size(symbol, row["bid_size"], each["bidSize"], each["bidPrice"])
            _same_size(symbol, row["ask_size"], each["askSize"], each["askPrice"])


def _same_size(symbol: str, ours: Decimal | None, count: int, price: Any) -> None:
    if symbol == "XBTUSD":  # inverse: a contract is a dollar
        assert ours is not None
        assert 0 <= Decimal(count) / Decimal(price) - ours < SATOSHI
    elif symbol.endswith("U21"):  # linear: a contract is one of the base
        assert ours == count
    else:  # quanto
        assert ours is None


@pytest.mark.parametrize("feed", ALL)
def test_the_recording_plays_without_an_unexplained_message(captures, feed):
    talk = feed().converse(None, SYMBOLS)
    for received, text in [*((NOW, each) for each in contracts(captures)), *recorded(captures)]:
        talk.heard(text.encode(), received)
    count = Counter(row["symbol"] for row in plain(talk.rows()))
    other = {OpenInterestFeed: 10, TradesFeed: 17, QuotesFeed: 426}
    assert count.total() == other.get(feed, 0)


def test_open_interest_is_in_base_or_in_quote(captures):
    talk = OpenInterestFeed().converse(None, SYMBOLS)
    for text in contracts(captures):
        talk.heard(text, NOW)
    found = {row["symbol"]: row for row in plain(talk.rows())}
    assert found["XBTUSD"]["open_interest_notional"] == 574_264_600
    assert found["XRPU21"]["open_interest"] == 2_326_060
    assert found["BCHUSD"]["open_interest"] is found["BCHUSD"]["open_interest_notional"] is None


FEEDS = {"trade": TradesFeed, "book_ticker": QuotesFeed, "liquidation": LiquidationsFeed}
TABLES = {"trade": "trade", "book_ticker": "quote", "liquidation": "liquidation"}


@pytest.mark.parametrize("kind", FEEDS)
def test_another_project_reads_the_same(captures, kind):
    compared = 0
    for line in lines(captures, "ws-fixtures-tardis"):
        message = json.loads(line["raw"])
        other = [each for each in line["tardis_normalized"] if each["type"] == kind]
        symbol = message["data"][0]["symbol"] if message["data"] else "XBTUSD"
        talk = FEEDS[kind]().converse(None, [symbol])
        talk.heard(_partial(TABLES[kind], symbol), NOW)
        talk.heard(_partial("instrument", symbol), NOW)
        talk.heard(line["raw"], NOW)
        rows = plain(talk.rows())
        assert len(rows) == len(other)
        for row, each in zip(rows, other, strict=True):
            _agrees(kind, row, each)
            compared += 1
    assert compared


def _partial(table: str, symbol: str) -> str:
    """Return what comes before the recorded message: for an inverse contract, whatever it is."""
    row = {"symbol": symbol, "typ": "FFWCSX", "state": "Open", "isInverse": True}
    said = {"table": table, "action": "partial", "filter": {"symbol": symbol}}
    return json.dumps({**said, "data": [row] if table == "instrument" else []})


def _agrees(kind: str, row: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Compare; they state contracts, here amounts are in base."""
    if kind == "book_ticker":
        assert row["bid"] == Decimal(str(theirs["bidPrice"]))
        assert row["ask"] == Decimal(str(theirs["askPrice"]))
        return
    assert row["notional"] == Decimal(str(theirs["amount"]))
    assert row["price"] == Decimal(str(theirs["price"]))
    assert row["tick_rule"] == (1 if theirs["side"] == "buy" else -1)
    if kind == "trade":
        assert row["trade_id"] == theirs["id"]


@pytest.mark.parametrize("feed", ALL)
def test_messages_of_2025_are_explained(captures, feed):
    """Each is past, another table's or an answer; an error of REST alone cannot be read."""
    for line in lines(captures, "ws-fixtures-2025-roq"):
        talk = feed().converse(None, ["AXSUSD", "INJUSDT", "SNTUSDT"])
        try:
            talk.heard(line["raw"], NOW)
        except MessageError:
            message = json.loads(line["raw"])
            of_rest = isinstance(message.get("error"), dict)
            # One partial of all instruments, which nobody asks for here.
            of_all = feed is OpenInterestFeed and message.get("table") == "instrument"
            assert of_rest or of_all, line["raw"]
        assert talk.rows() == []


@pytest.mark.parametrize(
    ("feed", "name", "table"),
    [
        (TradesFeed, "ws_trade.json", "trade"),
        (QuotesFeed, "ws_quote.json", "quote"),
        (FundingFeed, "ws_funding_rate.json", "funding"),
        (LiquidationsFeed, "ws_liquidation.json", "liquidation"),
        (CandlesFeed, "ws_trade_bin_1m.json", "tradeBin1m"),
        (OpenInterestFeed, "ws_instrument.json", "instrument"),
    ],
)
def test_rows_of_2024_are_read(captures, feed, name, table):
    """These are rows without their message."""
    (line,) = (each for each in lines(captures, "ws-rest-fixtures") if each["name"] == name)
    row = json.loads(line["raw"])
    talk = feed().converse(None, [row["symbol"]])
    for each in dict.fromkeys((table, "instrument")):
        talk.heard(_partial(each, row["symbol"]), NOW)
    action = "update" if table == "instrument" else "insert"
    talk.heard(json.dumps({"table": table, "action": action, "data": [row]}), NOW)
    assert sum(map(len, talk.rows())) == 1
