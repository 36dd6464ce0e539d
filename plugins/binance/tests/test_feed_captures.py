"""What the websocket was recorded to send, heard by the doors."""

import gzip
import json
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from werks.errors import MessageError
from werks.http import Http
from werks.schema import nanoseconds
from werks_binance import (
    AggTradesFeed,
    CandlesFeed,
    FundingFeed,
    LiquidationsFeed,
    QuotesFeed,
    TradesFeed,
)

_S, _US, _MS = 10**9, 10**3, 10**6
_SECONDS_LONG, _US_LONG = ".", 16
# A REST answer that the recorders put among the frames: it has no stream.
_INLINE = '{"lastUpdateId"'
_THIN = ["NKNUSDT", "BLZETH", "LRCBTC", "RUNEEUR"]
_FOUR = ["SUSHIUSDT", "AKROUSDT", "KEEPUSDT", "CTKUSDT"]
Frames = list[tuple[int, str]]


def _lines(captures: Path, name: str) -> list[dict[str, Any]]:
    path = captures / "binance" / f"ws-{name}"
    opened = gzip.open if name.endswith(".gz") else open
    with opened(path, "rt") as file:
        return [json.loads(line) for line in file]


def _received(text: str) -> int:
    """Return a recorder's time in ns: it is in seconds, microseconds or nanoseconds."""
    if _SECONDS_LONG in text:
        return int(Decimal(text) * _S)
    return int(text) * (_US if len(text) == _US_LONG else 1)


def _frames(captures: Path, name: str) -> Frames:
    """Return (received, text) of a recording, in order."""
    return [
        (_received(line["recv"]), line["raw"])
        for line in _lines(captures, name)
        if line["dir"] == "in" and not line["raw"].startswith(_INLINE)
    ]


def _table(feed: Any, symbols: list[str], frames: Frames) -> pa.Table:
    """Return the rows of a recording, fetched every thousand messages; nothing else is told."""
    talk = feed.converse(Http(), symbols)
    found: list[pa.RecordBatch] = []
    for number, (received, text) in enumerate(frames, 1):
        assert talk.heard(text.encode(), received) == ()
        if not number % 1000:
            found += talk.rows()
    return pa.Table.from_batches([*found, *talk.rows()], feed.schema)


def _payloads(frames: Frames, stream: str) -> list[dict[str, Any]]:
    """Return the payloads of a stream as a plain reader finds them."""
    messages = [json.loads(text) for _, text in frames]
    return [each["data"] for each in messages if each["stream"].partition("@")[2] == stream]


TRADES = [
    ("usdm-BTCUSDT-20230404.jsonl.gz", "usdm", "BTCUSDT", 2197, 3535188228),
    ("usdm-ETHUSDT-20240718.jsonl.gz", "usdm", "ETHUSDT", 1640, 4217898223),
    ("spot-BTCUSDT-20230405.jsonl.gz", "spot", "BTCUSDT", 3144, 3071248597),
    ("spot-BTCUSDT-20240808.jsonl.gz", "spot", "BTCUSDT", 2744, 3735686002),
]


@pytest.mark.parametrize(("name", "market", "symbol", "count", "last"), TRADES)
@pytest.mark.few(1)
def test_recorded_trades_are_all_there(captures, name, market, symbol, count, last):
    frames = _frames(captures, name)
    found = _table(TradesFeed(market=market), [symbol], frames)
    wire = _payloads(frames, "trade")
    ids = [int(each) for each in found["trade_id"].to_pylist()]
    assert len(found) == count
    assert ids[-1] == last
    assert all(b == a + 1 for a, b in pairwise(ids))
    assert ids == [each["t"] for each in wire]
    assert found["price"].to_pylist() == [Decimal(each["p"]) for each in wire]
    assert found["size"].to_pylist() == [Decimal(each["q"]) for each in wire]
    assert found["tick_rule"].to_pylist() == [-1 if each["m"] else 1 for each in wire]
    paid = [Decimal(each["p"]) * Decimal(each["q"]) for each in wire]
    assert found["notional"].to_pylist() == paid
    assert found["flag"].null_count == count
    for chunk, part in zip(found["timestamp"].chunks, _cut(found, wire), strict=True):
        assert nanoseconds(chunk).tolist() == [each["T"] * _MS for each in part]


def _cut(found: pa.Table, wire: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Return payloads in the pieces that a table has."""
    parts, start = [], 0
    for chunk in found["timestamp"].chunks:
        parts.append(wire[start : start + len(chunk)])
        start += len(chunk)
    return parts


def test_the_recording_of_2023_04_05_begins_the_day_before(captures):
    frames = _frames(captures, "spot-BTCUSDT-20230405.jsonl.gz")
    found = _table(TradesFeed(), ["BTCUSDT"], frames)
    midnight = 1_680_652_800_000 * _MS
    moments = nanoseconds(found["timestamp"].combine_chunks())
    came = nanoseconds(found["received"].combine_chunks())
    assert moments[0] == midnight - _MS
    assert came[0] > midnight
    assert (moments[1:] >= midnight).all()


@pytest.mark.parametrize(
    ("name", "market", "symbol", "count"),
    [
        ("usdm-BTCUSDT-20230404.jsonl.gz", "usdm", "BTCUSDT", 6765),
        ("usdm-ETHUSDT-20240718.jsonl.gz", "usdm", "ETHUSDT", 9089),
        ("spot-BTCUSDT-20230405.jsonl.gz", "spot", "BTCUSDT", 8015),
        ("spot-BTCUSDT-20240808.jsonl.gz", "spot", "BTCUSDT", 10906),
    ],
)
@pytest.mark.few(1)
def test_recorded_quotes_are_all_there(captures, name, market, symbol, count):
    frames = _frames(captures, name)
    found = _table(QuotesFeed(market=market), [symbol], frames)
    wire = _payloads(frames, "bookTicker")
    assert len(found) == count
    for column, key in (("bid", "b"), ("bid_size", "B"), ("ask", "a"), ("ask_size", "A")):
        some = found[column].slice(0, 2000).to_pylist()
        assert some == [Decimal(each[key]) for each in wire[:2000]]
    moments = nanoseconds(found["timestamp"].combine_chunks()).tolist()
    came = nanoseconds(found["received"].combine_chunks()).tolist()
    # Spot states no time.
    assert moments == (came if market == "spot" else [each["T"] * _MS for each in wire])


@pytest.mark.parametrize(
    ("name", "market", "symbols", "trades", "quotes", "candles"),
    [
        ("spot-combined-20211012.jsonl", "spot", _THIN, 2, 84, 0),
        ("usdm-combined-20210722.jsonl", "usdm", _FOUR, 91, 613, 4),
    ],
)
def test_recorded_streams_of_four_symbols(captures, name, market, symbols, trades, quotes, candles):
    frames = _frames(captures, name)
    ticks = _table(AggTradesFeed(market=market), symbols, frames)
    assert len(ticks) == trades
    for symbol in symbols:
        wire = [each for each in _payloads(frames, "aggTrade") if each["s"] == symbol]
        mine = [row for row in _plain(ticks) if row["symbol"] == symbol]
        ids = [int(row["trade_id"]) for row in mine]
        assert ids == [each["a"] for each in wire]
        assert all(b == a + 1 for a, b in pairwise(ids))
        assert [row["ticks"] for row in mine] == [each["l"] - each["f"] + 1 for each in wire]
    assert len(_table(QuotesFeed(market=market), symbols, frames)) == quotes
    assert len(_table(TradesFeed(market=market), symbols, frames)) == 0
    minutes = _plain(_table(CandlesFeed(market=market), symbols, frames))
    final = [each["k"] for each in _payloads(frames, "kline_1m") if each["k"]["x"]]
    assert len(minutes) == candles
    for row in minutes:
        wire = next(each for each in final if each["s"] == row["symbol"])
        assert row["volume"] == Decimal(wire["v"])
        assert row["notional"] == Decimal(wire["q"])
        assert row["close"] == Decimal(wire["c"])
        assert row["trades"] == wire["n"] == wire["L"] - wire["f"] + 1


def _plain(table: pa.Table) -> list[dict[str, Any]]:
    kept = [name for name in table.schema.names if name not in ("timestamp", "received")]
    return table.select(kept).to_pylist()


def test_no_rate_is_paid_in_the_recording(captures):
    frames = _frames(captures, "usdm-BTCUSDT-20230404.jsonl.gz")
    assert len(_payloads(frames, "markPrice@1s")) == 99
    assert len(_table(FundingFeed(), ["BTCUSDT"], frames)) == 0


FEEDS = {
    "trades": (TradesFeed, "trade"),
    "quotes": (QuotesFeed, "book_ticker"),
    "liquidations": (LiquidationsFeed, "liquidation"),
}


@pytest.mark.parametrize("market", ["spot", "usdm"])
@pytest.mark.parametrize("door", FEEDS)
def test_another_project_reads_the_same(captures, market, door):
    feed, theirs = FEEDS[door]
    if (market, door) == ("spot", "liquidations"):
        pytest.skip("spot has no liquidations")
    compared = 0
    for line in _lines(captures, f"{market}-fixtures-tardis.jsonl"):
        message = json.loads(line["raw"])
        if message.get("generated"):  # by that project: Binance has no such stream
            continue
        symbol = message["stream"].partition("@")[0].upper()
        rows = _plain(_table(feed(market=market), [symbol], [(_S * 1_700_000_000, line["raw"])]))
        other = [each for each in line["tardis_normalized"] if each["type"] == theirs]
        if door == "trades" and message["data"].get("X") == "INSURANCE_FUND":
            # They leave it out, here it is flagged.
            assert [row["flag"] for row in rows] == ["off_book"]
            assert other == []
            continue
        assert len(rows) == len(other)
        for row, each in zip(rows, other, strict=True):
            _agrees(door, row, each)
            compared += 1
    assert compared


def _agrees(door: str, row: dict[str, Any], theirs: dict[str, Any]) -> None:
    if door == "quotes":
        pairs = {"bid": "bidPrice", "bid_size": "bidAmount", "ask": "askPrice"}
        for ours, name in {**pairs, "ask_size": "askAmount"}.items():
            assert row[ours] == Decimal(str(theirs[name]))
        return
    assert row["size"] == Decimal(str(theirs["amount"]))
    assert row["tick_rule"] == (1 if theirs["side"] == "buy" else -1)
    if door == "trades":
        assert row["price"] == Decimal(str(theirs["price"]))
        assert row["trade_id"] == theirs["id"]
    else:  # they take the order's limit (`p`), not the price that was paid (`ap`)
        assert (row["price"], theirs["price"]) == (Decimal("4706.04"), 4793.91)


@pytest.mark.parametrize("feed", [TradesFeed, AggTradesFeed, QuotesFeed, CandlesFeed])
@pytest.mark.parametrize(
    "name",
    ["fixtures-msgparser", "spot-fixtures-gct", "spot-fixtures-tardis", "usdm-fixtures-tardis"],
)
def test_single_messages_are_explained(captures, feed, name):
    """Each message is a row, another stream's, or refused for a reason that is told here."""
    for line in _lines(captures, f"{name}.jsonl"):
        message = json.loads(line["raw"])
        symbol = str(message.get("stream", "")).partition("@")[0].upper()
        talk = feed(market="usdm" if "usdm" in name else "spot").converse(Http(), [symbol])
        try:
            assert talk.heard(line["raw"], 1_700_000_000 * _S) == ()
            talk.rows()
        except MessageError:
            assert _reason(message), line["raw"]


def _reason(message: dict[str, Any]) -> str:
    """Return why a single message is no message of the streams that are asked for here."""
    stream = message.get("stream", "").lower()
    if not stream:
        return "an answer of REST"
    if message.get("generated"):
        return "made by the recorder out of REST"
    of_all = stream.startswith("!") or stream.endswith("@arr")
    if of_all or stream.partition("@")[2] in ("trade_all", "ticker_all"):
        return "a stream of all symbols, or of options, which nobody asks for"
    if message["data"].get("e") == "listStatus":
        return "of an account"
    if message["data"].get("T") == 123456785:
        return "an example of the documentation, at a time that is none"
    if stream == "btcusdt@aggtrade" and "a" not in message["data"]:
        return "of 2019, without the aggregate's id"
    return ""


@pytest.mark.parametrize(
    ("feed", "event", "said"),
    [
        (TradesFeed, "trade", "is not a time"),
        (AggTradesFeed, "aggTrade", "is not a time"),
        (QuotesFeed, "bookTicker", ""),
        (CandlesFeed, "kline", ""),
        (LiquidationsFeed, "forceOrder", ""),
        (FundingFeed, "markPriceUpdate", ""),
    ],
)
def test_examples_of_the_documentation_are_read(captures, feed, event, said):
    """They are payloads without their frame; the times of some are made up, and refused."""
    read = 0
    for line in _lines(captures, "usdm-fixtures-doc.jsonl"):
        payload = json.loads(line["raw"])
        if payload["e"] == event:
            symbol = payload.get("s") or payload["o"]["s"]
            talk = feed(market="usdm").converse(Http(), [symbol])
            framed = json.dumps({"stream": f"{symbol.lower()}@{event}", "data": payload})
            assert talk.heard(framed, 1_700_000_000 * _S) == ()
            if said:
                with pytest.raises(MessageError, match=said):
                    talk.rows()
            read += sum(map(len, talk.rows()))
    # Of two candles one is final; a rate is a row once it is paid.
    assert read == (0 if said or event == "markPriceUpdate" else 1)
