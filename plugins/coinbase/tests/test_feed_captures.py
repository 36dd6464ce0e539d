"""What websockets of Coinbase were recorded to send, heard by the doors."""

import gzip
import json
import re
from collections import Counter
from decimal import Decimal
from itertools import pairwise

import pyarrow as pa
import pytest

from werks.components import Acked, Restart
from werks.errors import MessageError
from werks_coinbase import QuotesFeed, TradesFeed

SECOND = 10**9
RUN = "ws-exchange-20210417.jsonl.gz"
# It was written anew by a program that made numbers of what the exchange sends as text.
REWRITTEN = "ws-exchange-20250818-fixtures.jsonl"
_NUMBERS = re.compile(
    r'("(?:price|size|best_bid|best_ask|best_bid_size|best_ask_size)":)([-0-9.e]+)'
)


def recorded(captures, name):
    """Return the lines of a recording that came from the exchange."""
    path = captures / "coinbase" / name
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt") as file:
        lines = [json.loads(line) for line in file]
    found = [line for line in lines if line.get("dir", "in") == "in"]
    if name == REWRITTEN:
        for line in found:
            line["raw"] = _NUMBERS.sub(r'\1"\2"', line["raw"])
    return found


def heard(feed, lines, step=500):
    """Return the rows of a recording, and what was told; rows are fetched now and then."""
    symbols = sorted({each for line in lines for each in re.findall(_PRODUCT, line["raw"])})
    talk, told, batches = feed.converse(None, symbols), [], []
    for number, line in enumerate(lines, 1):
        received = int(Decimal(line.get("recv", "1755501871")) * SECOND)
        told += talk.heard(line["raw"].encode(), received)
        if number % step == 0:
            batches += talk.rows()
    batches += talk.rows()
    return pa.Table.from_batches(batches, feed.schema), told


_PRODUCT = re.compile(r'"product_id":\s*"([^"]+)"')


def of_types(lines, *types):
    """Return the messages of some types, by their symbols."""
    found = {}
    for line in lines:
        said = json.loads(line["raw"])
        if said["type"] in types:
            found.setdefault(said["product_id"], []).append(said)
    return found


def by_symbol(table):
    found = {}
    for row in plain(table):
        found.setdefault(row["symbol"], []).append(row)
    return found


def plain(table):
    """Return rows with their times as text of microseconds."""
    times = table["timestamp"].cast(pa.timestamp("us", "UTC"))
    whole = table.drop_columns(["timestamp", "received"]).append_column("timestamp", times)
    return whole.to_pylist()


def test_the_run_of_2021_has_its_107_trades(captures):
    """97 matches and 10 `last_match`; ids go up by one; the side that is stated is the maker's."""
    lines = recorded(captures, RUN)
    table, told = heard(TradesFeed(), lines)
    wire = of_types(lines, "match", "last_match")
    assert (len(table), sum(map(len, of_types(lines, "match").values()))) == (107, 97)
    assert Counter(told) == Counter(Acked(symbol) for symbol in wire)
    assert len(wire) == 10
    for symbol, rows in by_symbol(table).items():
        assert [int(row["trade_id"]) for row in rows] == [each["trade_id"] for each in wire[symbol]]
        assert all(int(b["trade_id"]) == int(a["trade_id"]) + 1 for a, b in pairwise(rows))
        for row, each in zip(rows, wire[symbol], strict=True):
            assert (row["price"], row["size"]) == (Decimal(each["price"]), Decimal(each["size"]))
            assert row["notional"] == row["price"] * row["size"]
            assert row["tick_rule"] == {"sell": 1, "buy": -1}[each["side"]]
            assert f"{row['timestamp']:%Y-%m-%dT%H:%M:%S.%fZ}" == each["time"]


def test_the_tickers_of_2021_state_the_taker(captures):
    """Of 97 matches and 10 trades before, the ticker's side, the taker's, is our tick rule."""
    lines = recorded(captures, RUN)
    taker = {
        (symbol, each["trade_id"]): {"buy": 1, "sell": -1}[each["side"]]
        for symbol, found in of_types(lines, "ticker").items()
        for each in found
    }
    rows = by_symbol(heard(TradesFeed(), lines)[0])
    ours = {
        (symbol, int(row["trade_id"])): row["tick_rule"] for symbol in rows for row in rows[symbol]
    }
    assert ours == taker


def test_a_match_that_is_taken_out_leaves_a_hole(captures):
    lines = recorded(captures, RUN)
    places = [n for n, line in enumerate(lines) if '"type":"match"' in line["raw"]]
    del lines[places[40]]
    jumps = [
        int(b["trade_id"]) - int(a["trade_id"])
        for rows in by_symbol(heard(TradesFeed(), lines)[0]).values()
        for a, b in pairwise(rows)
    ]
    assert Counter(jumps) == {1: 95, 2: 1}


def test_the_run_of_2021_has_its_107_quotes(captures):
    """Sizes came later; nothing is crossed."""
    lines = recorded(captures, RUN)
    table, told = heard(QuotesFeed(), lines)
    wire = of_types(lines, "ticker")
    assert {each.symbol for each in told} == set(wire)
    assert len(table) == 107
    for symbol, rows in by_symbol(table).items():
        for row, each in zip(rows, wire[symbol], strict=True):
            assert (row["bid"], row["ask"]) == (
                Decimal(each["best_bid"]),
                Decimal(each["best_ask"]),
            )
            assert row["bid"] < row["ask"]
            assert (row["bid_size"], row["ask_size"]) == (None, None)


def test_the_messages_of_2025(captures):
    """BTC-USD 863004383 to 863004385, ETH-USD 686191985 to 686191992; sizes of quotes are there."""
    lines = recorded(captures, REWRITTEN)
    table, told = heard(TradesFeed(), lines)
    ids = {symbol: [int(r["trade_id"]) for r in rows] for symbol, rows in by_symbol(table).items()}
    assert ids == {
        "BTC-USD": list(range(863004383, 863004386)),
        "ETH-USD": list(range(686191985, 686191993)),
    }
    assert table["tick_rule"].unique().to_pylist() == [1]
    assert {each.symbol for each in told} == set(ids)
    quotes, _ = heard(QuotesFeed(), lines)
    assert len(quotes) == 10
    first = plain(quotes)[0]
    assert (first["bid"], first["bid_size"]) == (Decimal("115506.91"), Decimal("0.18221481"))
    assert (first["ask"], first["ask_size"]) == (Decimal("115506.92"), Decimal("0.0000377"))


@pytest.mark.parametrize(("feed", "count"), [(TradesFeed(), 1), (QuotesFeed(), 1)])
def test_the_messages_of_2020_are_explained(captures, feed, count):
    """Of all channels; the only one that tells something is an error that we would never cause."""
    table, told = heard(feed, recorded(captures, "ws-exchange-2020-fixtures.jsonl"))
    assert len(table) == count
    told = [each for each in told if not isinstance(each, Acked)]
    assert told == [Restart("Coinbase says 'Failed to unsubscribe: No channels provided'")]


def test_another_project_reads_the_same(captures):
    """tardis: one trade, whose side it inverts as well, and three quotes."""
    lines = recorded(captures, "ws-fixtures-tardis.jsonl")
    theirs = [each for line in lines for each in line["tardis_normalized"]]
    (trade,) = plain(heard(TradesFeed(), lines)[0])
    (other,) = [each for each in theirs if each["type"] == "trade"]
    assert (trade["symbol"], trade["trade_id"]) == (other["symbol"], other["id"])
    assert (float(trade["price"]), float(trade["size"])) == (other["price"], other["amount"])
    assert trade["tick_rule"] == {"buy": 1, "sell": -1}[other["side"]]
    assert f"{trade['timestamp']:%Y-%m-%dT%H:%M:%S.%fZ}" == other["timestamp"]
    quotes = plain(heard(QuotesFeed(), lines)[0])
    others = [each for each in theirs if each["type"] == "book_ticker"]
    names = {"bid": "bidPrice", "bid_size": "bidAmount", "ask": "askPrice", "ask_size": "askAmount"}
    for quote, other in zip(quotes, others, strict=True):
        ours = {name: None if quote[name] is None else float(quote[name]) for name in names}
        assert ours == {name: other[their] for name, their in names.items()}


def test_advanced_trade_is_refused(captures):
    """It is another interface, with other messages, which this one never sends."""
    lines = recorded(captures, "ws-advanced-fixtures.jsonl")
    talk = TradesFeed().converse(None, ["BTC-USD"])
    for line in lines:
        with pytest.raises(MessageError, match="cannot be read"):
            talk.heard(line["raw"], SECOND)
