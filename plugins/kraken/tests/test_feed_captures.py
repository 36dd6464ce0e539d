"""What Kraken's websocket was recorded to send, version 2, heard by the doors."""

import csv
import gzip
import json
from collections import Counter
from decimal import Decimal
from itertools import pairwise

import pyarrow as pa
import pytest

from werks.components import Acked
from werks.errors import MessageError
from werks.history import Pages, Span
from werks_kraken import CandlesFeed, QuotesFeed, Trades, TradesFeed

from .test_captures import bodies, served  # noqa: F401  (fixtures)

SECOND = 10**9
FEEDS = [TradesFeed(), QuotesFeed(), CandlesFeed()]
BOOKS = [
    "ws-v2-book10-BTCUSD-20260801.jsonl",
    "ws-v2-book25-BTCUSD-20260802.jsonl",
    "ws-v2-book25-XRPUSD-20260802.jsonl",
]


def recorded(captures, name):
    """Return (message, when it came) of a recording, as far as it came from the exchange."""
    with (captures / "kraken" / name).open() as file:
        lines = [json.loads(line) for line in file]
    return [
        (line["raw"], int(line.get("recv", 0))) for line in lines if line.get("dir", "in") == "in"
    ]


def plain(batches, feed):
    table = pa.Table.from_batches(batches, feed.schema)
    times = table["timestamp"].cast(pa.timestamp("us", "UTC"))
    dropped = [name for name in ("timestamp", "received") if name in table.schema.names]
    return table.drop_columns(dropped).append_column("timestamp", times).to_pylist()


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("name", BOOKS)
def test_runs_of_books_are_explained(captures, feed, name):
    """Status, acks of books, snapshots, updates and heartbeats: nothing that has rows."""
    talk = feed.converse(None, ["BTC/USD", "XRP/USD"])
    told = [
        event for text, received in recorded(captures, name) for event in talk.heard(text, received)
    ]
    assert (told, talk.rows()) == ([], [])


def test_the_list_of_instruments_is_explained(captures):
    path = captures / "kraken" / "ws-v2-instrument-snapshot.json.gz"
    assert (
        TradesFeed().converse(None, ["BTC/USD"]).heard(gzip.decompress(path.read_bytes()), 0) == ()
    )


@pytest.mark.parametrize(("feed", "count"), [(FEEDS[0], 2), (FEEDS[1], 1), (FEEDS[2], 720)])
def test_single_messages_are_explained(captures, feed, count):
    """One of each kind; a candle of 2023 makes 720 by now, all flat but those that are too old."""
    talk = feed.converse(None, ["BTC/USD"])
    now = 1_762_800_000 * SECOND
    told = [
        e for text, _ in recorded(captures, "ws-v2-fixtures.jsonl") for e in talk.heard(text, now)
    ]
    assert told == ([Acked("BTC/USD")] if feed == FEEDS[1] else [])
    assert sum(map(len, talk.rows())) == count


def test_single_trades_quotes_and_candles(captures):
    lines = recorded(captures, "ws-v2-fixtures.jsonl")
    found = []
    for feed in FEEDS:
        talk = feed.converse(None, ["BTC/USD"])
        for text, _ in lines:
            talk.heard(text, 1_696_436_700 * SECOND + 120 * SECOND)
        found += plain(talk.rows(), feed)
    buy, sell, quote, candle = found
    assert [row["trade_id"] for row in (buy, sell)] == ["10218208", "10218209"]
    assert [row["tick_rule"] for row in (buy, sell)] == [1, -1]
    assert buy["price"] * buy["size"] == buy["notional"] == Decimal("29.26708525")
    assert (quote["bid"], quote["bid_size"]) == (Decimal("105944.2"), Decimal("2.5"))
    assert (quote["ask"], quote["ask_size"]) == (Decimal("105944.3"), Decimal("3.2"))
    assert f"{quote['timestamp']:%Y-%m-%dT%H:%M:%S.%f}" == "2022-12-25T09:30:59.123456"
    assert (candle["open"], candle["close"]) == (Decimal("106038.2"), Decimal("106040.1"))
    assert (candle["volume"], candle["trades"]) == (Decimal("30927.68066226"), 12)
    assert f"{candle['timestamp']:%Y-%m-%d %H:%M}" == "2023-10-04 16:25"


@pytest.mark.parametrize(
    "name",
    [
        *("ws-v1-book1000-20210417.jsonl", "ws-v1-trade-20210417.jsonl"),
        *("ws-v1-ticker-20210417.jsonl", "ws-v1-fixtures-tardis.jsonl"),
        "ws-fixtures-msgparser.jsonl",
    ],
)
def test_version_1_and_futures_are_refused(captures, name):
    """They are other interfaces, with other symbols: nothing of them is taken for ours."""
    talk = TradesFeed().converse(None, ["XBT/USD"])
    path = captures / "kraken" / name
    for line in path.read_text().splitlines():
        line = json.loads(line)
        if line.get("dir", "in") == "in":
            with pytest.raises(MessageError, match="cannot be read"):
                talk.heard(line["raw"], 0)
    assert talk.rows() == []


def test_the_rows_of_rest_told_by_the_websocket(captures, served, http):  # noqa: F811
    """1000 trades in messages of up to 7: ids 10218208 to 10219207, and the rows that REST has."""
    symbol = "BTC/USDT"
    door, span = Trades(rest_url=served.url), Span(symbol, 0, 2**62)
    read = pa.Table.from_batches(list(Pages(door, http, span, "kraken")))
    rows = read.drop_columns(["timestamp"]).to_pylist()
    times = read["timestamp"].cast(pa.int64()).to_pylist()
    said = [
        f'{{"symbol":"{symbol}","side":"{"buy" if row["tick_rule"] > 0 else "sell"}",'
        f'"price":{row["price"]:f},"qty":{row["size"]:f},"ord_type":"limit",'
        f'"trade_id":{row["trade_id"]},"timestamp":"{_written(time)}"}}'
        for row, time in zip(rows, times, strict=True)
    ]
    talk, at = TradesFeed().converse(None, [symbol]), 0
    while at < len(said):
        step = 1 + at % 7
        data = ",".join(said[at : at + step])
        talk.heard(f'{{"channel":"trade","type":"update","data":[{data}]}}', 5)
        at += step
    (heard,) = talk.rows()
    ids = [int(each) for each in heard["trade_id"].to_pylist()]
    assert ids == list(range(10218208, 10219208))
    assert set(heard["received"].cast(pa.int64()).to_pylist()) == {5}
    whole = pa.Table.from_batches([heard])
    for name in read.schema.names:
        if name != "received":
            kind = pa.int64() if name == "timestamp" else read[name].type
            assert whole[name].cast(kind).to_pylist() == read[name].cast(kind).to_pylist(), name


def _written(time):
    moment = pa.scalar(time // SECOND * SECOND, pa.int64()).cast(pa.timestamp("ns")).as_py()
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time % SECOND:09}Z"


def test_what_an_ancestor_heard_in_2024(captures):
    """Its trades went through floats; ids go up by one for each symbol, and our rows are its."""
    with (captures / "kraken" / "kracked-output-trades.csv").open() as file:
        theirs = list(csv.DictReader(file))
    symbols = sorted({each["symbol"] for each in theirs})
    talk = TradesFeed().converse(None, symbols)
    for each in theirs:
        said = {"symbol": each["symbol"], "side": each["side"], "trade_id": int(each["trade_id"])}
        numbers = f'"price":{each["price"]},"qty":{each["qty"]},"timestamp":"{each["ts_event"]}"'
        data = f"{json.dumps(said)[:-1]},{numbers}}}"
        talk.heard(f'{{"channel":"trade","type":"update","data":[{data}]}}', 1)
    found = plain(talk.rows(), TradesFeed())
    assert Counter(row["symbol"] for row in found) == Counter(each["symbol"] for each in theirs)
    assert sum(row["size"] for row in found) == sum(Decimal(each["qty"]) for each in theirs)
    steps = [
        int(b["trade_id"]) - int(a["trade_id"])
        for a, b in pairwise(found)
        if a["symbol"] == b["symbol"]
    ]
    assert Counter(steps) == {1: 121}
