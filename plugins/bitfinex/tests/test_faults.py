"""What goes wrong between Bitfinex and the reader: an error by name, never a silent loss."""

from decimal import Decimal

import attrs
import pytest

from werks.errors import (
    DataError,
    MessageError,
    RateLimitError,
    RejectedError,
    UnavailableError,
)
from werks.history import Pages, Span
from werks.http import Http
from werks_bitfinex import Candles, Funding, OpenInterest, Trades

from .exchange import (
    MINUTE,
    MS,
    PERPETUAL,
    SECOND,
    START,
    SYMBOL,
    TRADES,
    Exchange,
    paged,
    refused,
    status,
    tape,
)

_STOP = START + 60 * MINUTE


@pytest.fixture
def read(loopback, http):
    """Return a function that reads what is behind the server as the core does."""

    def _read(start=START, stop=_STOP, size=18):
        door = Trades(page_size=size, rest_url=f"{loopback.url}/v2")
        pages = Pages(door, http, Span(SYMBOL, start, stop), "bitfinex tBTCUSD")
        return [identity for rows in pages for identity in rows["trade_id"].to_pylist()]

    return _read


def ids(trades):
    return [str(each.id) for each in trades]


def burst(count):
    """Return trades of which so many share one millisecond, with some before and behind."""
    trades = tape(40)
    many = [attrs.evolve(trades[20], id=10**10 + n) for n in range(count)]
    return sorted([*trades, *many], key=lambda each: (each.time, each.id))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 79, 80, 81, 10_000])
def test_pages_of_any_size_hold_every_trade_once(loopback, read, size):
    Exchange(tape(80)).serve(loopback)
    assert read(size=size) == ids(tape(80))


@pytest.mark.parametrize("count", [16, 17, 18, 19, 40, 9_980])
def test_a_millisecond_may_fill_pages(loopback, read, count):
    trades = burst(count)
    Exchange(trades).serve(loopback)
    assert read() == ids(trades)


def test_a_millisecond_that_cannot_be_had_whole_is_an_error(loopback, read):
    Exchange(burst(10_000)).serve(loopback)
    with pytest.raises(DataError, match="10000 trades or more in one millisecond") as caught:
        read()
    assert loopback.url in str(caught.value)


def test_a_day_costs_one_request_where_its_page_reaches_behind_it(loopback, read):
    exchange = Exchange(tape())
    exchange.serve(loopback)
    assert read(stop=START + 5 * MINUTE, size=10_000)
    assert len(exchange.asked) == 1


def test_a_short_page_is_not_taken_for_the_last_one(loopback, read):
    def page(query):
        return paged({**query, "limit": "5"}, [each.said() for each in tape(60)], 10_000, place=1)

    loopback.answer(TRADES, page)
    assert read(size=10_000) == ids(tape(60))


def test_a_start_before_the_first_trade_and_one_behind_the_last(loopback, read):
    Exchange(tape()).serve(loopback)
    assert read(0) == ids(tape())
    assert read(START - 30 * 86_400 * SECOND) == ids(tape())
    assert read(tape()[-1].time + MS) == []


def test_a_page_that_is_sent_again_is_refused(loopback, read):
    exchange = Exchange(tape())
    first = exchange.page({"limit": "18", "sort": "1"})
    loopback.answer(TRADES, lambda _: first)
    with pytest.raises(DataError, match="was not asked for"):
        read()


def test_a_page_in_any_order_is_sorted(loopback, read):
    exchange = Exchange(tape())
    loopback.answer(TRADES, lambda query: exchange.page(query))
    status_, body, headers = exchange.page({"limit": "10000", "sort": "-1"})
    loopback.swap(TRADES, body)
    assert (status_, headers) == (200, {})
    assert read(size=10_000) == ids(tape())


def test_longer_rows_and_numbers_with_exponents_are_read(loopback, http):
    loopback.put(TRADES, b'[[1,1718020740000,-1.5e-7,2e-8,"new",null],[2,1718020740001,3,9343]]')
    door = Trades(rest_url=f"{loopback.url}/v2")
    page, _ = next(door.read(http, SYMBOL, START, _STOP))
    assert page["size"].to_pylist() == [Decimal("0.00000015"), Decimal(3)]
    assert page["price"].to_pylist() == [Decimal("0.00000002"), Decimal(9343)]
    assert page["notional"].to_pylist() == [Decimal("0.000000000000003"), Decimal(28029)]
    assert page["tick_rule"].to_pylist() == [-1, 1]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'[[1,1718020740000,"x",2]]', "Invalid decimal string"),
        (b"[[1,1718020740000,null,2]]", "got `null`"),
        (b"[[1,1718020740000,0.000000001,2]]", "more than 8 digits"),
        (b"[[1,1718020740,1,2]]", "not asked for"),
        (b"[[1,17180207400000000,1,2]]", "not a time in units"),
        (b"[[1,1718020740000,1]]", "length"),
        (b'{"trades":[]}', "got `object`"),
    ],
)
def test_what_cannot_be_is_named(loopback, read, body, error):
    loopback.put(TRADES, body)
    with pytest.raises((DataError, MessageError), match=error) as caught:
        read()
    assert loopback.url in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "error", "asked"),
    [
        (refused(10020, "limit: invalid"), RejectedError, 1),
        (refused(10020, "symbol: invalid"), RejectedError, 1),
        (refused(10100, "apikey: invalid", 200), RejectedError, 1),
        (refused(11010, "ratelimit: error"), RateLimitError, 2),
        (refused(11010, "ratelimit: error", 429), RateLimitError, 2),
        ((500, b'{"error":"ERR_RATE_LIMIT"}', {}), RateLimitError, 2),
        ((429, b'{"error":"ERR_RATE_LIMIT"}', {"Retry-After": "7"}), RateLimitError, 2),
        (refused(20060, "maintenance"), UnavailableError, 2),
        ((503, b"temporarily_unavailable", {}), UnavailableError, 2),
        ((502, b"<html>Bad Gateway</html>", {}), UnavailableError, 2),
        ((500, b'["error",10020,', {}), UnavailableError, 2),
    ],
)
def test_an_error_is_what_it_says(loopback, read, answer, error, asked):
    """Refusals are not sent again, though they come with HTTP 500; the rest is."""
    loopback.answer(TRADES, lambda _: answer)
    with pytest.raises(error) as caught:
        read()
    assert type(caught.value) is error
    assert loopback.asked(TRADES) == asked
    assert f"{loopback.url}/{TRADES}" in str(caught.value)


def test_a_block_is_waited_out(loopback):
    """Code 11010 blocks for a minute, unless a header of a 429 says for how long."""
    slept = []
    exchange = Exchange(tape())
    answers = [
        refused(11010, "ratelimit: error"),
        (429, b'["error",11010,"ratelimit: error"]', {"Retry-After": "700"}),
    ]
    loopback.answer(TRADES, lambda q: answers.pop(0) if answers else exchange.page(q))
    with Http(tries=3, sleep=slept.append) as client:
        door = Trades(rest_url=f"{loopback.url}/v2")
        page, _ = next(door.read(client, SYMBOL, START, _STOP))
    assert len(page) == 240
    assert max(slept) > 690
    assert any(55 < each < 61 for each in slept)


@pytest.mark.parametrize("symbol", ["fUSD", "BTCUSD", ""])
@pytest.mark.parametrize("door", [Trades, Candles, OpenInterest, Funding])
def test_only_trading_symbols_are_asked_for(loopback, http, door, symbol):
    with pytest.raises(RejectedError, match="begins with t"):
        list(door(rest_url=loopback.url).read(http, symbol, START, _STOP))
    assert loopback.requests == []


def test_requests_of_all_doors_share_one_budget(loopback, http):
    """Else each switch from one endpoint to the next would begin a new one."""
    statuses = [status(START, Decimal(1), Decimal(1))]
    Exchange(tape(), statuses).serve(loopback)
    seen = []

    class Asking:
        def json(self, request, kind, refusal=None):
            seen.append((request.limit, request.weight))
            return http.json(request, kind, refusal)

    url = f"{loopback.url}/v2"
    for door, symbol in ((Trades, SYMBOL), (Candles, SYMBOL), (OpenInterest, PERPETUAL)):
        list(door(rest_url=url).read(Asking(), symbol, START, START + MINUTE))
    assert len({limit for limit, _ in seen}) == 1
    assert {weight for _, weight in seen} == {1, 2, 3}
