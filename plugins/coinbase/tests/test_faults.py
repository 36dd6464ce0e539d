"""What goes wrong between Coinbase and the reader: an error by name, never a silent loss."""

import json

import attrs
import pytest

from werks.errors import (
    DataError,
    MessageError,
    MissingError,
    RejectedError,
    UnavailableError,
    WerksError,
)
from werks.history import Pages, Span
from werks.schema import nanoseconds
from werks_coinbase import Candles, Trades

from .exchange import CANDLES, MINUTE, PRODUCT, SECOND, START, TRADES, Exchange, candles, said, tape

_STOP = START + 60 * MINUTE


@pytest.fixture
def read(loopback, http):
    """Return a function that reads what is behind the server as the core does."""

    def _read(start=START, stop=_STOP, cursor=None, door=None):
        door = door or Trades(page_size=10, rest_url=loopback.url)
        pages = Pages(door, http, Span(PRODUCT, start, stop, cursor), "coinbase BTC-USD")
        return [identity for rows in pages for identity in rows["trade_id"].to_pylist()]

    return _read


def ids(trades):
    return [str(each.id) for each in trades]


@pytest.mark.parametrize("missing", [{50}, set(range(48, 53)), set(range(40, 75)), {1}, {2, 240}])
def test_a_hole_in_the_ids_hides_no_other_trade(loopback, read, missing):
    trades = [each for each in tape() if each.id not in missing]
    Exchange(trades).serve(loopback)
    assert read() == ids(trades)


@pytest.mark.parametrize("most", [1, 3, 9, 10])
def test_pages_may_be_shorter_than_asked_for(loopback, read, most):
    trades = [each for each in tape(60) if each.id not in (20, 21, 22, 23, 40)]
    exchange = Exchange(trades, most)
    exchange.serve(loopback)
    assert read(trades[10].time) == ids(trades)[9:]
    # Once that is known, no more is asked for than comes.
    assert len(exchange.asked) < 60 / most + 20


@pytest.mark.parametrize("row", [0, 1, 2, 3, 100, 151, 238, 239])
def test_any_time_is_found(loopback, read, row):
    trades = tape(first=4_000)
    Exchange(trades).serve(loopback)
    for start in (trades[row].time, trades[row].time + 1):
        stop = start + MINUTE
        assert read(start, stop) == ids(each for each in trades if start <= each.time < stop)


def test_the_trade_before_the_start_shows_where_ids_go_on(loopback, http):
    trades = tape()
    Exchange(trades).serve(loopback)
    door = Trades(page_size=10, rest_url=loopback.url)
    pages = Pages(door, http, Span(PRODUCT, trades[90].time, _STOP), "coinbase")
    first = next(iter(pages))["trade_id"][0].as_py()
    assert (pages.before, first) == ("90", "91")


def test_few_requests_find_a_time_among_many_trades(loopback, http):
    newest, asked = 900_000_000, []

    def page(query):
        asked.append(query)
        last = min(newest, int(query.get("after", newest + 1)) - 1)
        rows = range(last, max(0, last - int(query["limit"])), -1)
        return json.dumps([_tenth(number).said() for number in rows]).encode()

    loopback.answer(TRADES, page)
    door = Trades(rest_url=loopback.url)
    first, _ = next(door.read(http, PRODUCT, START + 12_345_678 * SECOND, _STOP))
    assert first["trade_id"][:2].to_pylist() == ["123456779", "123456780"]
    assert len(asked) < 24


def _tenth(number):
    """Return one of many trades, ten a second."""
    return attrs.evolve(tape(1)[0], id=number, time=START + number * SECOND // 10)


def test_a_start_before_the_listing_begins_with_the_first_trade(loopback, read):
    Exchange(tape()).serve(loopback)
    assert read(START - 10**6 * SECOND) == ids(tape())


def test_a_product_without_trades_gives_nothing(loopback, read):
    Exchange([]).serve(loopback)
    assert read() == []
    assert read(cursor="17") == []


def test_nothing_new_since_the_last_trade_gives_nothing(loopback, read):
    Exchange(tape()).serve(loopback)
    assert read(tape()[-1].time + 1) == []
    assert read(cursor="241") == []


def test_trades_that_happen_meanwhile_come_too(loopback, read):
    every = tape()
    exchange = Exchange(every[:200])

    def grow(asked):
        exchange.trades = every[: 200 + 5 * max(0, asked - 15)]

    exchange.then = grow
    exchange.serve(loopback)
    assert read() == ids(exchange.trades)
    assert len(exchange.trades) > 210


def test_a_page_that_is_sent_again_loses_nothing(loopback, read):
    """Whichever request is answered with the page before: an error, or all trades."""
    few = tape(80)
    exchange = Exchange(few)
    exchange.serve(loopback)
    read(few[20].time)
    count, outcomes = len(exchange.asked), set()
    for again in range(2, count + 1):
        answers, serve = [], Exchange(few).page

        def page(query, answers=answers, again=again, serve=serve):
            made = serve(query)
            answers.append(made)
            return answers[-2] if len(answers) == again else made

        loopback.answer(TRADES, page)
        try:
            outcomes.add(tuple(read(few[20].time)))
        except DataError:
            outcomes.add("refused")
    assert outcomes == {tuple(ids(few[18:])), "refused"}


def test_a_page_out_of_order_is_refused(loopback, read):
    exchange = Exchange(tape())
    exchange.serve(loopback)
    rows = json.loads(exchange.page({"limit": "10"})[1])
    rows[3], rows[4] = rows[4], rows[3]
    loopback.swap(TRADES, json.dumps(rows).encode())
    with pytest.raises(DataError, match=r"row 5: the id 237 cannot come after 236"):
        read()


def test_nanoseconds_are_kept(loopback, http):
    (row, *_) = (each.said() for each in tape())
    row["time"] = "2025-08-18T05:58:06.123456789Z"
    loopback.put(TRADES, json.dumps([row]).encode())
    ((page, _),) = Trades(rest_url=loopback.url).read(http, PRODUCT, START, _STOP)
    assert nanoseconds(page["timestamp"]).tolist() == [1755496686123456789]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"time": "0001-01-01T00:00:00Z"}, "not a time"),
        ({"time": "yesterday"}, "not a time in UTC"),
        ({"size": "0.-10000"}, "size cannot be '0.-10000'"),
        ({"price": "67000.1234567890123"}, "more than 12 digits"),
        ({"side": "none"}, "Invalid enum value"),
        ({"price": 67000.12}, "Expected `str`"),
        ({"trade_id": "239"}, "Expected `int`"),
    ],
)
def test_a_field_that_cannot_be_is_named(loopback, read, change, error):
    exchange = Exchange(tape())
    exchange.serve(loopback)
    rows = json.loads(exchange.page({"limit": "10"})[1])
    rows[1] |= change
    loopback.swap(TRADES, json.dumps(rows).encode())
    with pytest.raises((DataError, MessageError), match=error) as caught:
        read()
    assert loopback.url in str(caught.value)


@pytest.mark.parametrize(
    ("status", "error", "asked"),
    [
        (400, RejectedError, 1),
        (401, RejectedError, 1),
        (403, RejectedError, 1),
        (404, MissingError, 1),
        (429, UnavailableError, 2),
        (500, UnavailableError, 2),
        (503, UnavailableError, 2),
    ],
)
def test_an_error_is_what_it_says(loopback, read, status, error, asked):
    """Refusals are not sent again, the rest is; Coinbase's words are told."""
    loopback.answer(TRADES, lambda _: said(status, "Not today"))
    with pytest.raises(error) as caught:
        read()
    assert status == 429 or "Not today" in str(caught.value)
    assert loopback.asked(TRADES) == asked


def test_a_gateway_that_answers_with_html_is_unavailable(loopback, read):
    loopback.answer(TRADES, lambda _: (502, b"<html>Bad Gateway</html>", {}))
    with pytest.raises(UnavailableError, match="HTTP 502"):
        read()


def test_a_symbol_cannot_leave_its_place_in_the_address(loopback, http):
    for symbol in ("../time", "BTC-USD/book", "BTC-USD?level=3"):
        with pytest.raises(WerksError):
            list(Trades(rest_url=loopback.url).read(http, symbol, START, _STOP))


@pytest.mark.parametrize("length", ["1m", "5m", "15m", "1h", "6h", "1d"])
def test_candles_of_every_length(loopback, http, length):
    seconds = {"1m": 60, "5m": 300, "15m": 900, "1h": 3600, "6h": 21600, "1d": 86400}[length]
    exchange = Exchange(tape())
    exchange.serve(loopback)
    door = Candles(interval=length, rest_url=loopback.url)
    stop = START - START % (86400 * SECOND) + 2 * 86400 * SECOND
    pages = list(door.read(http, PRODUCT, START - START % (86400 * SECOND), stop))
    rows = [tuple(row.values()) for page, _ in pages for row in page.to_pylist()]
    found = [(row[4], row[5], row[6], row[7], row[8]) for row in rows]
    assert found == [row[1:] for row in candles(tape(), seconds * SECOND)]


def test_a_candle_that_was_not_asked_for_is_refused(loopback, http):
    exchange = Exchange(tape())
    exchange.serve(loopback)
    first = START // SECOND
    early = exchange.minutes({"start": first, "end": first + 240, "granularity": 60})[1]
    loopback.swap(CANDLES, early)
    door = Candles(rest_url=loopback.url)
    with pytest.raises(DataError, match=r"2024-06-10 11:59:00 was not asked for"):
        list(door.read(http, PRODUCT, START + 2 * MINUTE, START + 10 * MINUTE))
    loopback.swap(CANDLES, early.replace(str(first + 60).encode(), str(first + 61).encode()))
    with pytest.raises(DataError, match="was not asked for"):
        list(door.read(http, PRODUCT, START, START + 10 * MINUTE))


def test_candle_numbers_keep_their_digits(loopback, http):
    body = b"[[1718020740, 8.96e-06, 0.00001, 8.97e-6, 9e-06, 12.300000000000001]]"
    loopback.put(CANDLES, body)
    door = Candles(rest_url=loopback.url)
    ((page, _),) = door.read(http, PRODUCT, START, START + 2 * MINUTE)
    row = page.to_pylist()[0]
    prices = [format(row[name], "f") for name in ("low", "high", "open", "close")]
    assert prices == ["0.000008960000", "0.000010000000", "0.000008970000", "0.000009000000"]
    assert str(row["volume"]) == "12.3000000000"
    assert (row["notional"], row["trades"]) == (None, None)
