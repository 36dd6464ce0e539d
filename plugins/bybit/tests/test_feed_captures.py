"""Single messages of Bybit's websocket as they were recorded, heard by the doors."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from werks.archive import ByteStream
from werks.components import Acked, Refused
from werks.errors import MessageError
from werks.schema import nanoseconds
from werks.transforms.bars import Bars
from werks_bybit import (
    CandlesFeed,
    FundingFeed,
    LiquidationsFeed,
    OpenInterestFeed,
    QuotesFeed,
    Trades,
    TradesFeed,
)

MS, NOW = 10**6, 1_740_480_208 * 10**9
V5 = ("map bybit messages/messagesV5", "map bybit messages/messagesAllLiquidation")


def lines(captures: Path, name: str) -> Iterator[dict[str, Any]]:
    for line in (captures / "bybit" / f"ws-{name}.jsonl").read_text().splitlines():
        yield json.loads(line)


def plain(batches: list[pa.RecordBatch]) -> list[dict[str, Any]]:
    rows = []
    for each in batches:
        kept = [name for name in each.schema.names if name not in ("timestamp", "received")]
        moments = [time // MS for time in nanoseconds(each["timestamp"]).tolist()]
        found = each.select(kept).to_pylist()
        rows += [{**row, "ms": ms} for row, ms in zip(found, moments, strict=True)]
    return rows


def market_of(symbol: str) -> str:
    return "inverse" if "USD" in symbol and not symbol.endswith("USDT") else "linear"


def theirs(captures: Path, kind: str) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """Yield (symbol, message, the other project's rows of a kind) of the v5 messages."""
    for line in lines(captures, "fixtures-tardis"):
        topic = json.loads(line["raw"]).get("topic", "")
        if line["name"] in V5 and not topic.startswith("liquidation."):  # gone since 2025
            found = [each for each in line["tardis_normalized"] if each["type"] == kind]
            yield topic.rpartition(".")[2], line["raw"], found


def test_another_project_reads_the_same_trades(captures):
    ids = []
    for symbol, message, other in theirs(captures, "trade"):
        market = market_of(symbol)
        talk = TradesFeed(market=market).converse(None, [symbol])
        assert talk.heard(message.encode(), NOW) == ()
        rows = plain(talk.rows())
        assert [row["trade_id"] for row in rows] == [each["id"] for each in other]
        for row, each in zip(rows, other, strict=True):
            assert row["price"] == Decimal(str(each["price"]))
            # Of an inverse contract they state the contracts, which are the amount in quote.
            stated = row["notional" if market == "inverse" else "size"]
            assert stated == Decimal(str(each["amount"]))
            assert row["tick_rule"] == (1 if each["side"] == "buy" else -1)
            ids.append(row["trade_id"])
    assert len(ids) == 4


def test_another_project_reads_the_same_quotes(captures):
    talk = QuotesFeed().converse(None, ["BTCUSDT"])
    found, other = [], []
    for symbol, message, each in theirs(captures, "book_ticker"):
        if symbol == "BTCUSDT":
            talk.heard(message, NOW)
            other += each
            found += plain(talk.rows())
    names = {"bid": "bidPrice", "bid_size": "bidAmount", "ask": "askPrice", "ask_size": "askAmount"}
    assert len(found) == 3
    for row, each in zip(found, other, strict=True):
        assert {name: row[name] for name in names} == {
            ours: Decimal(str(each[theirs_])) for ours, theirs_ in names.items()
        }


def test_liquidations_have_the_side_of_the_order(captures):
    compared = 0
    for symbol, message, other in theirs(captures, "liquidation"):
        talk = LiquidationsFeed().converse(None, [symbol])
        assert talk.heard(message, NOW) == ()
        for row, each in zip(plain(talk.rows()), other, strict=False):
            assert row["tick_rule"] == (1 if each["side"] == "buy" else -1)
            assert row["price"] == Decimal(str(each["price"]))
            assert row["size"] == Decimal(str(each["amount"]))
            assert row["notional"] == row["price"] * row["size"]
            compared += 1
    assert compared


@pytest.mark.parametrize("market", ["spot", "linear", "inverse"])
@pytest.mark.parametrize(
    "feed", [TradesFeed, QuotesFeed, CandlesFeed, LiquidationsFeed, OpenInterestFeed, FundingFeed]
)
@pytest.mark.parametrize("name", ["v5-fixtures-roq", "v5-fixtures", "v5-tickers-gct"])
def test_every_message_is_explained(captures, name, feed, market):
    """Each message is a row, another topic's, an answer, or refused for a reason told here."""
    if market == "spot" and feed in (LiquidationsFeed, OpenInterestFeed, FundingFeed):
        pytest.skip("spot has none")
    for line in lines(captures, name):
        message = json.loads(line["raw"])
        symbol = message.get("topic", "").rpartition(".")[2] or "BTCUSDT"
        talk = feed(market=market).converse(None, [symbol])
        try:
            talk.heard(line["raw"], NOW)
            talk.rows()
        except MessageError:
            assert reason(message, line["name"]), line["raw"]


def reason(message: dict[str, Any], name: str) -> str:
    """Return why a recorded message is none of the topics asked for."""
    if "retCode" in message:
        return "an answer of REST"
    topic = message["topic"]
    if topic.startswith("trade."):
        return "a topic that does not exist on the wire: an example made up"
    if topic.startswith("orderbook.1.") and message["type"] == "delta":
        return "a change without the quote before it"
    if topic == "tickers.BTC-USDT":
        return "the topic names another symbol than the ticker: an example made up"
    return ""


def test_recorded_answers_are_understood(captures):
    found = {}
    for line in [*lines(captures, "v5-fixtures-roq"), *lines(captures, "v5-fixtures")]:
        if "success" in line["raw"] and "retCode" not in line["raw"]:
            symbol = json.loads(line["raw"]).get("req_id", "")
            talk = TradesFeed().converse(None, [symbol or "BTCUSDT"])
            found[line["name"]] = talk.heard(line["raw"], NOW)
    assert found["json_ping/simple"] == ()
    assert found["json_subscribe/spot"] == found["json_subscribe/linear"] == [Acked("4000001")]
    assert found["json_subscribe/option"] == []
    refused = found["json_subscribe/failure_with_unicode"]
    assert refused == [Refused("2000001", "Bybit says 'args size >10'")]
    assert isinstance(found["ws_subscription_failure.json"][0], Refused)


@pytest.fixture(scope="session")
def day(captures: Path, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    """Return the inverse trades of 2019-10-01 out of the archive, oldest first."""
    path = captures / "bybit" / "archive-trading-BTCUSD2019-10-01.csv.gz"
    door = Trades(market="inverse")
    file = door.recognises(f"trading/BTCUSD/{path.name.removeprefix('archive-trading-')}")
    with ByteStream(path, file.url, ahead=False) as stream:
        batches = list(door.read(file, stream, ["BTCUSD"]))
    whole = pa.Table.from_batches(batches, door.schema)
    return whole.take(pa.array(np.arange(len(whole))[::-1]))  # it is newest first


def test_a_day_by_websocket_is_the_day_of_the_archive(day):
    """Ids, sides, amounts and candles agree; times are cut to milliseconds by the websocket."""
    feed = TradesFeed(market="inverse")
    talk, found = feed.converse(None, ["BTCUSD"]), []
    some = day.slice(0, 20_000)
    moments = nanoseconds(some["timestamp"].combine_chunks()).tolist()
    names = ("trade_id", "tick_rule", "price", "notional")
    rows = zip(moments, *(some[name].to_pylist() for name in names), strict=True)
    wire = [
        {"T": time // MS, "s": "BTCUSD", "S": "Buy" if side > 0 else "Sell", "v": f"{paid:.0f}"}
        | {"p": str(price), "L": "PlusTick", "i": trade_id, "BT": False}
        for time, trade_id, side, price, paid in rows
    ]
    for start in range(0, len(wire), 700):
        said = {"topic": "publicTrade.BTCUSD", "type": "snapshot", "ts": 1}
        talk.heard(json.dumps({**said, "data": wire[start : start + 700]}), NOW)
        found += talk.rows()
    live = pa.Table.from_batches(found, feed.schema)
    for name in ("trade_id", "tick_rule", "price", "size", "notional", "flag"):
        assert live[name].equals(some[name].cast(live[name].type)), name
    assert pc.sum(live["notional"]).as_py() == pc.sum(some["notional"]).as_py()
    assert bars(live) == bars(some)


def bars(table: pa.Table) -> list[dict[str, Any]]:
    step = Bars(by="time", every="1m").start({"in": table.schema}, None)
    made = [each for b in table.combine_chunks().to_batches() for each in step.push(b, "in")]
    return [row for each in made for row in each.drop_columns(["timestamp", "end"]).to_pylist()]
