"""Every REST recording of Bitfinex parses to what it is known to hold, or is refused.

No page of REST trades was recorded: pages are made of the trades that the websocket sent.
"""

import gzip
import json
from collections import Counter
from decimal import Decimal
from itertools import pairwise

import pytest

from werks.errors import DataError, MessageError
from werks.history import Pages, Span
from werks.schema import nanoseconds
from werks_bitfinex import Candles, Funding, Instruments, OpenInterest, Trades

from .exchange import CANDLES, MINUTE, MS, SYMBOL, TRADES, paged

_CONF = "conf/pub:list:pair:exchange,pub:list:pair:futures,pub:info:pair,pub:info:pair:futures"


@pytest.fixture
def folder(captures):
    return captures / "bitfinex"


def answers(path):
    """Return the recorded bodies by what was asked for."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {each["request"].partition("/v2/")[2].partition("?")[0]: each["body"] for each in lines}


def exactly(text):
    return json.loads(text, parse_float=Decimal)


def trades(path):
    """Return the rows of the first snapshot and of all `te` of a recording, each id once."""
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    raw = [json.loads(line).get("raw", "") for line in text.decode().splitlines()]
    (channel,) = {
        each["chanId"]
        for each in (json.loads(line) for line in raw if '"subscribed"' in line)
        if each["channel"] == "trades"
    }
    frames = [exactly(line) for line in raw if line.startswith(f"[{channel},")]
    snapshots = [frame[1] for frame in frames if isinstance(frame[1], list)]
    news = [frame[2] for frame in frames if frame[1] == "te"]
    return snapshots[0], news


@pytest.mark.parametrize(
    ("name", "count", "size"),
    [
        (name, count, size)
        for name, count in (
            ("ws-trades-book-20181112.jsonl.gz", 31),
            ("ws-ticker-trades-book-20250815.jsonl", 8),
        )
        for size in (1, 2, 3, 4, 7, 10_000)
    ],
)
def test_pages_of_recorded_trades(folder, loopback, http, name, count, size):
    """Each id once, by time and id, with the taker's side, wherever a page ends."""
    snapshot, news = trades(folder / name)
    assert (len(snapshot), len(news)) == (30, count)
    rows = sorted([*snapshot, *news], key=lambda row: row[1])
    loopback.answer(TRADES, lambda query: paged(query, rows, 10_000, place=1))
    door = Trades(page_size=size, rest_url=f"{loopback.url}/v2")
    span = Span(SYMBOL, rows[0][1] * MS, rows[-1][1] * MS + 1)
    pages = Pages(door, http, span, "bitfinex")
    found = [row for batch in pages for row in batch.drop_columns(["received"]).to_pylist()]
    wanted = sorted(rows, key=lambda row: (row[1], row[0]))
    assert [row["trade_id"] for row in found] == [str(row[0]) for row in wanted]
    for row, (_, time, amount, price) in zip(found, wanted, strict=True):
        assert round(row["timestamp"].timestamp() * 1000) == time
        assert (row["price"], row["size"]) == (Decimal(price), abs(amount))
        assert row["tick_rule"] == (1 if amount > 0 else -1)
        assert row["notional"] == abs(amount) * price
    assert len({row[1] for row in rows}) < len(rows), "some share one millisecond"


def test_the_page_of_candles(folder, loopback, http):
    """120 candles with holes of up to three minutes; noise of the volumes is rounded."""
    (body,) = (
        text
        for asked, text in answers(folder / "rest-ticker-candles-book-20250810.jsonl").items()
        if asked.startswith("candles")
    )
    rows = exactly(body)
    assert len(rows) == 120
    loopback.answer(CANDLES, lambda query: paged(query, rows[::-1], 10_000))
    door = Candles(rest_url=f"{loopback.url}/v2")
    first, last = rows[-1][0] * MS, rows[0][0] * MS
    batch, _ = next(door.read(http, SYMBOL, first, last + MINUTE))
    for row, (time, opened, close, high, low, volume) in zip(
        batch.to_pylist(), rows[::-1], strict=True
    ):
        assert row["low"] <= min(row["open"], row["close"])
        assert max(row["open"], row["close"]) <= row["high"]
        assert round(row["timestamp"].timestamp() * 1000) == time
        assert [row[n] for n in ("open", "close", "high", "low")] == [opened, close, high, low]
        assert abs(row["volume"] - Decimal(volume)) < Decimal("1e-15")
        assert (row["notional"], row["trades"]) == (None, None)
    steps = Counter((b - a) // MINUTE for a, b in pairwise(nanoseconds(batch["timestamp"])))
    assert steps.pop(1) == 119 - 21
    assert set(steps) == {2, 3, 4}
    # The newest is left out until its minute is over.
    early, _ = next(door.read(http, SYMBOL, first, last + MINUTE - 1))
    assert len(early) == 119


def test_the_lists_of_pairs(folder, loopback, http):
    """The pairs of 2021 with the rules of 2025, as far as they were there then."""
    lists = answers(folder / "rest-conf-pairs-20210417.jsonl")
    (info,) = (
        text
        for asked, text in answers(folder / "rest-ticker-candles-book-20250810.jsonl").items()
        if asked == "conf/pub:info:pair"
    )
    spot, futures = lists["conf/pub:list:pair:exchange"], lists["conf/pub:list:pair:future"]
    # Each answer is a list in a list; several keys at once are several lists in one.
    body = ",".join(text.strip()[1:-1] for text in (spot, futures, info))
    loopback.put(_CONF, f"[{body},[]]".encode())
    rows = Instruments(rest_url=loopback.url).read(http).to_pylist()
    pairs, derived, rules = (json.loads(text)[0] for text in (spot, futures, info))
    assert len(rules) == 294
    assert [row["symbol"] for row in rows] == [f"t{pair}" for pair in [*pairs, *derived]]
    assert Counter(row["kind"] for row in rows) == {"spot": len(pairs), "perpetual": len(derived)}
    least = {pair: Decimal(rule[3]) for pair, rule in rules}
    assert {row["symbol"][1:]: row["min_size"] for row in rows} == {
        row["symbol"][1:]: least.get(row["symbol"][1:]) for row in rows
    }
    found = {row["symbol"]: row for row in rows}
    assert found["tBTCUSD"]["min_size"] == Decimal("0.00004")
    assert (found["tBTCUSD"]["base"], found["tBTCUSD"]["quote"]) == ("BTC", "USD")
    assert found["tDUSK:USD"]["base"] == "DUSK"
    assert found["tBTCF0:USTF0"]["settle"] == "USTF0"


def test_the_pairs_of_2025_can_all_be_parted(folder, loopback, http):
    (info,) = (
        text
        for asked, text in answers(folder / "rest-ticker-candles-book-20250810.jsonl").items()
        if asked == "conf/pub:info:pair"
    )
    pairs = [pair for pair, _ in json.loads(info)[0]]
    loopback.put(_CONF, f"[{json.dumps(pairs)},[],{info.strip()[1:-1]},[]]".encode())
    rows = Instruments(rest_url=loopback.url).read(http).to_pylist()
    assert len(rows) == 294
    assert [row["symbol"] for row in rows if row["min_size"] is None] == []
    assert all(
        row["symbol"][1:] in (row["base"] + row["quote"], f"{row['base']}:{row['quote']}")
        for row in rows
    )


def test_what_was_not_asked_for_is_refused(folder, loopback, http):
    """Tickers, a book and the list of currencies fit no door, nor do candles any other."""
    others = answers(folder / "rest-ticker-candles-book-20250810.jsonl")
    others |= answers(folder / "rest-conf-pairs-20210417.jsonl")
    assert len(others) == 8
    url = f"{loopback.url}/v2"
    doors = [door(rest_url=url) for door in (Trades, Candles, OpenInterest, Funding)]
    for asked, body in others.items():
        loopback.put(f"v2/{_CONF}", body.encode())
        with pytest.raises(MessageError, match="cannot be read"):
            Instruments(rest_url=url).read(http)
        for door, path in zip(doors, _paths(), strict=True):
            if asked.startswith("candles") and isinstance(door, Candles):
                continue
            loopback.put(path, body.encode())
            with pytest.raises((MessageError, DataError), match=r"cannot be read|not a time"):
                list(door.read(http, SYMBOL, 0, 1_754_820_720_000 * MS))


def _paths():
    status = f"v2/status/deriv/{SYMBOL}/hist"
    return [TRADES, CANDLES, status, status]
