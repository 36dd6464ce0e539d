"""What Bitfinex's websocket was recorded to send, heard by the doors."""

import gzip
import json
import re
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from werks.components import Acked, Missed
from werks_bitfinex import (
    CandlesFeed,
    FundingFeed,
    LiquidationsFeed,
    OpenInterestFeed,
    QuotesFeed,
    TradesFeed,
)

SECOND = 10**9
FEEDS = [
    *(TradesFeed(), QuotesFeed(), CandlesFeed()),
    *(OpenInterestFeed(), FundingFeed(), LiquidationsFeed()),
]
NUMBERED = "ws-ticker-trades-book-20210417.jsonl"
BUSY = "ws-trades-book-20181112.jsonl.gz"
LATE = "ws-ticker-trades-book-20250815.jsonl"
ORDERS = "ws-book-R0-tBTCUSD-2021.jsonl"
_SYMBOL = re.compile(r'"symbol":\s*"(t[^"]+)"')
_WHEN = 1_755_234_960


def recorded(captures, name):
    """Return (message, when it came in ns) as far as it came from the exchange."""
    path = captures / "bitfinex" / name
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt") as file:
        lines = [json.loads(line) for line in file]
    return [
        (line["raw"], int(Decimal(line.get("recv", _WHEN)) * SECOND))
        for line in lines
        if line.get("dir", "in") == "in"
    ]


def heard(feed, lines, step=400):
    """Return the rows of a recording, and what was told; rows are fetched now and then."""
    symbols = sorted({each for text, _ in lines for each in _SYMBOL.findall(text)})
    talk, told, batches = feed.converse(None, symbols or ["tBTCUSD"]), [], []
    for number, (text, received) in enumerate(lines, 1):
        told += talk.heard(text.encode(), received)
        if number % step == 0:
            batches += talk.rows()
    batches += talk.rows()
    return pa.Table.from_batches(batches, feed.schema), told


def said(lines, *words):
    """Return the trades that are told with some words, in order."""
    found = []
    for text, _ in lines:
        frame = json.loads(text, parse_float=Decimal, parse_int=Decimal)
        if isinstance(frame, list) and frame[1] in words:
            found.append(frame[2])
    return found


def snapshots(lines):
    """Return the trades that subscriptions begin with, oldest first."""
    found = []
    for text, _ in lines:
        frame = json.loads(text, parse_float=Decimal, parse_int=Decimal)
        if isinstance(frame, list) and len(frame[1]) == 30 and len(frame[1][0]) == 4:
            found.append(sorted(frame[1], key=lambda row: (row[1], row[0])))
    return found


def rows_of(table):
    times = table["timestamp"].cast(pa.int64()).to_pylist()
    columns = (table[name].to_pylist() for name in ("trade_id", "tick_rule", "size", "price"))
    return [
        (int(number), time // 10**6, size * sign, price)
        for time, number, sign, size, price in zip(times, *columns, strict=True)
    ]


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("name", [NUMBERED, BUSY, LATE, ORDERS])
@pytest.mark.few(12)
def test_every_message_is_explained(captures, feed, name):
    """Whatever is listened to: books of all kinds, tickers of funding, heartbeats that are early.

    In 1670 numbered messages over 21 channels there is no hole.
    """
    told = heard(feed, recorded(captures, name))[1]
    assert {type(each) for each in told} <= {Acked}


@pytest.mark.parametrize(("name", "count"), [(BUSY, 31), (LATE, 8)])
def test_each_trade_is_taken_once(captures, name, count):
    """30 of the snapshot, then each that is told as `te` and again as `tu`.

    Those told as `te` are in the order of their times and ids, those told as `tu` are not.
    """
    lines = recorded(captures, name)
    first, again = said(lines, "te"), said(lines, "tu")
    assert first == sorted(first, key=lambda row: (row[1], row[0])) == sorted(again)
    assert first != again
    (before,) = snapshots(lines)
    table, told = heard(TradesFeed(), lines)
    assert rows_of(table) == [tuple(row) for row in (*before, *said(lines, "te"))]
    assert len(table) == 30 + count
    assert told == [Acked("tBTCUSD")]
    assert table["symbol"].unique().to_pylist() == ["tBTCUSD"]


@pytest.mark.parametrize("word", ["te", "tu"])
def test_a_trade_of_which_one_half_is_lost_is_there(captures, word):
    """The other half may stand 3 ms out of its place, which is less than the door's disorder."""
    lines = recorded(captures, BUSY)
    whole = rows_of(heard(TradesFeed(), lines)[0])
    lost = rows_of(heard(TradesFeed(), [line for line in lines if f'"{word}"' not in line[0]])[0])
    assert sorted(lost) == sorted(whole)
    back = max(a[1] - b[1] for a, b in pairwise(lost))
    assert (back == 3) == (word == "te")
    assert timedelta(milliseconds=back) < TradesFeed.disorder


def test_the_snapshots_of_2021(captures):
    """Seven pairs of 30 trades, newest first; the sign of an amount is the taker's side."""
    lines = recorded(captures, NUMBERED)
    table, told = heard(TradesFeed(), lines)
    assert Counter(table["symbol"].to_pylist()) == {each.symbol: 30 for each in told}
    assert len(told) == 7
    found = {tuple(row) for rows in snapshots(lines) for row in rows}
    assert set(rows_of(table)) == found
    assert (len(table), len(found)) == (210, 210)
    for symbol in table["symbol"].unique().to_pylist():
        mine = table.filter(pc.equal(table["symbol"], symbol))
        keys = [(row[1], row[0]) for row in rows_of(mine)]
        assert keys == sorted(keys)


@pytest.mark.parametrize("place", [0, 100, 1500])
def test_a_message_that_is_taken_out_is_a_hole(captures, place):
    lines = recorded(captures, NUMBERED)
    data = [n for n, (text, _) in enumerate(lines) if text.startswith("[")]
    assert len(data) == 1670
    del lines[data[place]]
    told = heard(TradesFeed(), lines)[1]
    missed = [each for each in told if isinstance(each, Missed)]
    assert len({each.symbol for each in missed}) == len(missed) == 7
    assert {each.why for each in missed} == {
        f"1 messages before number {place + 2} of the connection are missing"
    }


@pytest.mark.parametrize(("name", "count"), [(NUMBERED, 21), (LATE, 5)])
def test_quotes(captures, name, count):
    """The sizes are sums, so they are left out; without the server's time it is ours."""
    lines = recorded(captures, name)
    table = heard(QuotesFeed(), lines)[0]
    assert len(table) == count
    rows = table.select(["bid", "ask", "bid_size", "ask_size"]).to_pylist()
    assert all(row["bid"] < row["ask"] for row in rows)
    assert {(row["bid_size"], row["ask_size"]) for row in rows} == {(None, None)}
    sent, ours = (table[n].cast(pa.int64()).to_pylist() for n in ("timestamp", "received"))
    assert [time // 10**6 for time in ours] == [time // 10**6 for time in sent]
    first = json.loads(next(text for text, _ in lines if text.startswith("[")))
    assert float(rows[0]["bid"]) == first[1][0]


def test_another_project_reads_the_same_trade(captures):
    """tardis takes `te`; the trade before it comes from the snapshot, which it leaves out.

    The messages are single ones of several connections: their numbers have holes.
    """
    path = captures / "bitfinex" / "ws-fixtures-tardis.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    table, told = heard(TradesFeed(), [(line["raw"], _WHEN * SECOND) for line in lines])
    (theirs,) = [o for line in lines for o in line["tardis_normalized"] if o["type"] == "trade"]
    before, ours = rows_of(table)
    assert before[0] == 382489562
    side = 1 if theirs["side"] == "buy" else -1
    assert (str(ours[0]), float(ours[2])) == (theirs["id"], theirs["amount"] * side)
    assert float(ours[3]) == theirs["price"]
    time = pa.scalar(ours[1], pa.int64()).cast(pa.timestamp("ms")).as_py()
    assert theirs["timestamp"] == f"{time:%Y-%m-%dT%H:%M:%S}.{ours[1] % 1000:03}Z"
    assert {type(each) for each in told} == {Acked, Missed}


def test_another_project_reads_the_same_quote_but_for_its_sizes(captures):
    """tardis takes the sums of the 25 best orders for the size at the best price: we do not."""
    path = captures / "bitfinex" / "ws-fixtures-tardis.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    (line,) = [
        line
        for line in lines
        for other in line["tardis_normalized"]
        if other["type"] == "book_ticker"
    ]
    (theirs,) = line["tardis_normalized"]
    talk = QuotesFeed().converse(None, ["tMATIC:BTC"])
    named = {"event": "subscribed", "channel": "ticker", "symbol": "tMATIC:BTC"}
    talk.heard(json.dumps(named | {"chanId": json.loads(line["raw"])[0]}), 0)
    talk.heard(line["raw"], _WHEN * SECOND)
    (rows,) = talk.rows()
    assert float(rows["bid"][0].as_py()) == theirs["bidPrice"]
    assert float(rows["ask"][0].as_py()) == theirs["askPrice"]
    assert rows["bid_size"].null_count == rows["ask_size"].null_count == 1
    assert theirs["bidAmount"] > 600_000
    assert rows["timestamp"].cast(pa.int64()).to_pylist() == [1633910436166 * 10**6]
    assert theirs["timestamp"].endswith("36.166Z")


def test_messages_of_trades_and_of_funding(captures):
    """Partly made up: its tu is another trade than its te, so both are taken; funding is not."""
    lines = recorded(captures, "ws-trades-gct.jsonl")
    named = '{"event":"subscribed","channel":"trades","chanId":18788,"symbol":"tBTCUSD"}'
    table, told = heard(TradesFeed(), [(named, 0), *lines])
    assert [row[0] for row in rows_of(table)][3:] == [5690221201, 5690221202]
    assert rows_of(table)[1] == (412685578, 1580268484802, Decimal(-5), Decimal("176.29952759"))
    assert told == [Acked("tBTCUSD")]
