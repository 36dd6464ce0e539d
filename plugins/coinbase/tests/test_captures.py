"""Every REST recording of Coinbase parses to what it is known to hold, or is refused."""

import json
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from werks.errors import MessageError, RejectedError
from werks.history import Pages, Span
from werks_coinbase import Candles, Instruments, Trades

SECOND = 10**9
_SINCE, _UNTIL = 1_581_000_000 * SECOND, 1_582_000_000 * SECOND


@pytest.fixture
def folder(captures):
    return captures / "coinbase"


def lines(path, key):
    return [json.loads(line)[key] for line in path.read_text().splitlines()]


def serve_trades(loopback, rows):
    """Page recorded trades as the exchange does, 30 at most."""

    def page(query):
        below = [each for each in rows if each["trade_id"] < int(query.get("after", 1 << 62))]
        return json.dumps(below[: min(30, int(query["limit"]))]).encode()

    loopback.answer("products/BTC-EUR/trades", page)
    return Trades(rest_url=loopback.url)


def read(door, http, symbol, start, stop):
    pages = Pages(door, http, Span(symbol, start, stop), f"coinbase {symbol}")
    return [row for rows in pages for row in rows.drop_columns(["timestamp"]).to_pylist()]


def test_the_page_of_trades(folder, loopback, http):
    """100 consecutive ids; `sell` is the maker's side, so the taker bought 63 times."""
    recorded = json.loads((folder / "rest-trades-BTC-EUR-page.json").read_text())
    door = serve_trades(loopback, recorded)
    rows = read(door, http, "BTC-EUR", _SINCE, _UNTIL)
    assert [row["trade_id"] for row in rows] == [str(n) for n in range(24169618, 24169718)]
    assert Counter(row["tick_rule"] for row in rows) == {1: 63, -1: 37}
    for row, each in zip(rows, recorded[::-1], strict=True):
        assert (row["price"], row["size"]) == (Decimal(each["price"]), Decimal(each["size"]))
        assert row["notional"] == row["price"] * row["size"]
        assert row["tick_rule"] == (1 if each["side"] == "sell" else -1)
    assert [len(each["time"]) for each in recorded].count(24) == 92


def test_a_trade_that_is_taken_out_leaves_a_hole(folder, loopback, http):
    recorded = json.loads((folder / "rest-trades-BTC-EUR-page.json").read_text())
    del recorded[47]
    rows = read(serve_trades(loopback, recorded), http, "BTC-EUR", _SINCE, _UNTIL)
    missing = {str(n) for n in range(24169618, 24169718)} - {row["trade_id"] for row in rows}
    assert (len(rows), missing) == (99, {str(24169717 - 47)})


def serve_candles(loopback, recorded):
    def page(query):
        start, end = int(query["start"]), int(query["end"])
        assert end - start < 300 * 60
        rows = [each for each in recorded if start <= int(each[0]) <= end]
        return f"[{','.join('[' + ','.join(row) + ']' for row in rows)}]".encode()

    loopback.answer("products/BTC-USD/candles", page)


def exactly(text):
    """Return the rows of a recorded answer with each number as its text."""
    return json.loads(text, parse_float=str, parse_int=str)


@pytest.mark.parametrize("dropped", [(), (0, 1, 250, 299, 300, 301, 599)])
def test_two_pages_of_candles_join(folder, loopback, http, dropped):
    """600 minutes from 2020-03-20 00:00 on; those that are not there are not made up."""
    paths = [folder / f"rest-candles-BTC-USD-20200320-{part}.json" for part in "ba"]
    recorded = [row for path in paths for row in exactly(path.read_text())]
    assert len(recorded) == 600
    recorded = [row for number, row in enumerate(recorded) if number not in dropped]
    serve_candles(loopback, recorded)
    start = int(datetime(2020, 3, 20, tzinfo=UTC).timestamp())
    door = Candles(rest_url=loopback.url)
    assert compared(door, http, (start, start + 600 * 60)) == recorded[::-1]


def compared(door, http, span):
    """Return candles as the exchange lays them out: low and high before open and close."""
    names = ("low", "high", "open", "close", "volume")
    pages = Pages(door, http, Span("BTC-USD", span[0] * SECOND, span[1] * SECOND), "coinbase")
    found = []
    for row in (row for rows in pages for row in rows.to_pylist()):
        assert row["low"] <= min(row["open"], row["close"])
        assert max(row["open"], row["close"]) <= row["high"]
        assert (row["notional"], row["trades"], row["interval"]) == (None, None, "1m")
        numbers = [format(row[name].normalize(), "f") for name in names]
        found.append([str(int(row["timestamp"].timestamp())), *numbers])
    return found


def test_the_candles_of_2025(folder, loopback, http):
    """350 minutes; the window of five minutes that was asked for begins with a whole one."""
    whole, window = map(exactly, lines(folder / "rest-candles-BTC-USD-20250818.jsonl", "body"))
    assert (len(whole), len(window)) == (350, 4)
    serve_candles(loopback, whole)
    door = Candles(rest_url=loopback.url)
    assert compared(door, http, (int(whole[-1][0]), int(whole[0][0]) + 60)) == whole[::-1]
    assert compared(door, http, (1755496386, 1755496686)) == window[::-1]
    # The newest was still running then.
    assert compared(door, http, (1755496386, 1755496670)) == window[:0:-1]


def test_the_products_of_2025(folder, loopback, http):
    (body,) = lines(folder / "rest-products-20250818.jsonl", "body")
    loopback.put("products", body.encode())
    rows = Instruments(rest_url=loopback.url).read(http).to_pylist()
    assert Counter(row["status"] for row in rows) == {"trading": 456, "delisted": 261}
    assert all(row["symbol"] == f"{row['base']}-{row['quote']}" for row in rows)
    for row, each in zip(rows, json.loads(body), strict=True):
        assert row["symbol"] == each["id"]
        assert row["tick_size"] == Decimal(each["quote_increment"])
        assert row["lot_size"] == Decimal(each["base_increment"])
        assert row["min_notional"] == Decimal(each["min_market_funds"])
    assert {row["tick_size"] for row in rows} >= {Decimal("1e-08"), Decimal("1e-05"), Decimal(1)}


def doors(url):
    return [Trades(rest_url=url), Candles(rest_url=url), Instruments(rest_url=url)]


def answered(loopback, http, door, body):
    """Give a door a recorded answer, whatever it asks for."""
    if isinstance(door, Instruments):
        loopback.put("products", body)
        return door.read(http)
    kind = type(door).__name__.lower()
    loopback.put(f"products/BTC-USD/{kind}", body)
    return list(door.read(http, "BTC-USD", _SINCE, _SINCE + 60 * SECOND))


def test_answers_of_advanced_trade_are_refused_by_name(folder, loopback, http):
    bodies = lines(folder / "rest-advanced-fixtures.jsonl", "raw")
    assert len(bodies) == 6
    for body in bodies:
        for door in doors(loopback.url):
            with pytest.raises(RejectedError, match="Advanced Trade interface"):
                answered(loopback, http, door, body.encode())


def test_books_and_tickers_are_no_answer_to_what_is_asked(folder, loopback, http):
    book = (folder / "rest-book-l2-BTC-USD.json").read_text()
    tickers = lines(folder / "rest-ticker-20250818.jsonl", "body")
    assert len(tickers) == 4
    for body in [book, *tickers]:
        for door in doors(loopback.url):
            with pytest.raises(MessageError, match=r"Expected `array`, got `object`"):
                answered(loopback, http, door, body.encode())
