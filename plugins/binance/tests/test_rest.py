"""Binance's REST where it is odd: limits, errors, keys, units, holes, pages that come twice."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from werks.errors import (
    DataError,
    ExchangeError,
    MessageError,
    MissingError,
    RateLimitError,
    RejectedError,
    UnavailableError,
)
from werks.history import Pages, Span
from werks.http import Http
from werks.schema import nanoseconds
from werks.testing import Loopback
from werks.testing.tape import Witness
from werks_binance import (
    AggTrades,
    AggTradesRest,
    Candles,
    Funding,
    Instruments,
    OpenInterest,
    Trades,
    TradesRest,
)
from werks_binance.paging import page_across
from werks_binance.records import Trade

_MS, _HOUR = 10**6, 3_600_000
_START, _EVER = 1_700_000_040_000 * _MS, 2 * 10**18
Simulate = Callable[..., Any]


def _ids(door: Any, http: Any, start: int = 0, stop: int = _EVER) -> list[int]:
    pages = Pages(door, http, Span("BTCUSDT", start, stop), "BTCUSDT")
    return [int(each) for batch in pages for each in batch["trade_id"].to_pylist()]


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (400, b'{"code":-1121,"msg":"Invalid symbol."}', RejectedError, "Invalid symbol.*-1121"),
        (200, b'{"code":-1121,"msg":"Invalid symbol."}', RejectedError, "-1121, HTTP 200"),
        (401, b'{"code":-2014,"msg":"API-key format invalid."}', RejectedError, "set api_key"),
        (400, b'{"code":-1100,"msg":"Illegal characters."}', RejectedError, "Illegal characters"),
        (400, b'{"code":-1007,"msg":"Timeout."}', UnavailableError, "Timeout"),
        (503, b'{"code":-1008,"msg":"Server busy."}', UnavailableError, "Server busy"),
        (503, b'{"code":0,"msg":"Service Unavailable."}', UnavailableError, "HTTP 503"),
        (403, b'{"code":-1003,"msg":"Too many requests."}', RateLimitError, "Too many"),
        (403, b"<html>403 Forbidden</html>", RejectedError, "HTTP 403"),
        (404, b"<html>404</html>", MissingError, "HTTP 404"),
        (451, b'{"code":0,"msg":"Service unavailable"}', RejectedError, "country .*rest_url"),
        (418, b'{"code":-1003,"msg":"banned until 1659146400000"}', RateLimitError, "HTTP 418"),
        (429, b'{"code":-1003,"msg":"Way too many."}', RateLimitError, "HTTP 429"),
        (200, b"<html>", MessageError, "cannot be read"),
        (200, b'{"code":"x"}', MessageError, "cannot be read"),
    ],
)
def test_an_error_is_what_binance_says(
    loopback: Loopback,
    http: Http,
    status: int,
    body: bytes,
    error: type[ExchangeError],
    said: str,
) -> None:
    loopback.answer("/api/v3/klines", lambda query: (status, body, {"Retry-After": "7"}))
    door = Candles(rest_url=loopback.url)
    with pytest.raises(error, match=f"/api/v3/klines.*{said}") as caught:
        list(door.read(http, "BTCUSDT", _START, _EVER))
    assert type(caught.value) is error
    if isinstance(caught.value, RateLimitError):
        assert caught.value.wait == (60 if status == 403 else 7)


@pytest.mark.parametrize("status", [418, 429])
def test_a_ban_is_waited_for(simulator: Simulate, loopback: Loopback, status: int) -> None:
    simulator("spot")
    slept: list[float] = []
    loopback.fail("/api/v3/aggTrades", status, retry_after=120)
    with Http(tries=2, sleep=slept.append) as http:
        assert len(_ids(AggTradesRest(rest_url=loopback.url), http)) > 100
    assert 100 < max(slept) <= 120


def test_the_header_of_used_weights_slows_down(simulator: Simulate, loopback: Loopback) -> None:
    exchange = simulator("usdm")
    exchange.used = 2300  # by others at this address
    slept: list[float] = []
    with Http(tries=1, sleep=slept.append) as http:
        list(AggTradesRest(market="usdm", rest_url=loopback.url).read(http, "BTCUSDT", "0", _EVER))
    assert max(slept) > 0


def test_each_endpoint_has_its_weight(simulator: Simulate, loopback: Loopback, http: Http) -> None:
    exchange = simulator("spot"), simulator("usdm")
    row = {"symbol": "BTCUSDT", "sumOpenInterest": "1", "sumOpenInterestValue": "2"}
    exchange[1].interest = [row | {"timestamp": _START // _MS}]
    loopback.put("/api/v3/exchangeInfo", b'{"symbols":[]}')
    loopback.put("/fapi/v1/exchangeInfo", b'{"symbols":[]}')
    doors: list[Any] = [OpenInterest(rest_url=loopback.url), Funding(rest_url=loopback.url)]
    for market in ("spot", "usdm"):
        given: dict[str, Any] = {"market": market, "rest_url": loopback.url}
        doors += [TradesRest(**given), AggTradesRest(**given), Candles(**given)]
        assert len(Instruments(**given).read(witness := Witness(http))) == 0
        assert [each.weight for each in witness.requests] == [20 if market == "spot" else 1]
    weighed: dict[str, tuple[float, float, float]] = {}
    for door in doors:
        witness = Witness(http)
        list(door.read(witness, "BTCUSDT", _START, _START + _HOUR * _MS))
        for each in witness.requests:
            limit = each.limit
            assert limit is not None
            path = each.url.removeprefix(loopback.url)
            weighed.setdefault(path, (each.weight, limit.weights, limit.seconds))
    assert weighed == {
        "/api/v3/historicalTrades": (25, 6000, 60),
        "/api/v3/aggTrades": (4, 6000, 60),
        "/api/v3/klines": (2, 6000, 60),
        "/fapi/v1/historicalTrades": (200, 2400, 60),
        "/fapi/v1/aggTrades": (20, 2400, 60),
        "/fapi/v1/klines": (10, 2400, 60),
        "/futures/data/openInterestHist": (1, 1000, 300),
        "/fapi/v1/fundingRate": (1, 500, 300),
    }


def test_past_trades_of_usdm_want_a_key(simulator: Simulate, loopback: Loopback) -> None:
    assert "API key" in TradesRest(market="usdm").off
    assert TradesRest(market="usdm", api_key="k3y").off == TradesRest().off == ""
    door = TradesRest(market="usdm", api_key="k3y", rest_url=loopback.url)
    assert "k3y" not in repr(door)
    simulator("usdm")
    with Http(tries=1, sleep=lambda _: None) as http:
        witness = Witness(http)
        next(door.read(witness, "BTCUSDT", _START, _EVER))
    assert witness.requests[0].headers["X-MBX-APIKEY"] == "k3y"
    assert all("k3y" not in repr(each) for each in witness.requests)


@pytest.mark.parametrize(
    ("archive", "door", "market"),
    [
        (archive, door, market)
        for archive, door in ((Trades, TradesRest), (AggTrades, AggTradesRest))
        for market in ("spot", "usdm")
    ],
)
def test_rest_gives_rows_like_those_of_the_archive(archive: Any, door: Any, market: str) -> None:
    one, other = archive(market=market), door(market=market)
    assert one.schema.equals(other.schema, check_metadata=True)
    assert (one.exchange, one.continuity) == (other.exchange, other.continuity)


@pytest.mark.parametrize(
    ("market", "trades", "aggregates"), [("spot", None, None), ("usdm", 30 * 24, 48)]
)
def test_how_far_back_it_reaches(market: Any, trades: int | None, aggregates: int | None) -> None:
    reach = [TradesRest(market=market).reach, AggTradesRest(market=market).reach]
    assert [each and each.total_seconds() / 3600 for each in reach] == [trades, aggregates]


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (1_735_689_600_000_123, 1_735_689_600_000_123_000),  # 2025, as its files
        (1_735_689_599_999_999, 1_735_689_599_999_000_000),  # 2024, whose files are in ms
        (1_735_689_600_001, 1_735_689_600_001_000_000),  # the header was not heeded
    ],
)
def test_spot_is_asked_for_microseconds(
    loopback: Loopback, http: Http, time: int, expected: int
) -> None:
    row = {"id": 5, "price": "1", "qty": "1", "time": time, "isBuyerMaker": True}
    loopback.answer("/api/v3/historicalTrades", lambda query: json.dumps([row]).encode())
    witness = Witness(http)
    page, cursor = next(TradesRest(rest_url=loopback.url).read(witness, "BTCUSDT", "5", _EVER))
    assert nanoseconds(page["timestamp"]).tolist() == [expected]
    assert cursor == "6"
    assert witness.requests[0].headers == {"X-MBX-TIME-UNIT": "MICROSECOND"}


def test_aggregates_that_an_audit_found_invalid_are_left_out(
    simulator: Simulate, loopback: Loopback, http: Http
) -> None:
    exchange = simulator("spot", page=10)
    first = exchange.aggregates[0]["a"]
    for row in exchange.aggregates[40:100]:  # six pages of nothing but them
        row.update(p="0", q="0", f=-1, l=-1)
    ids = _ids(AggTradesRest(rest_url=loopback.url), http)
    assert ids == [row["a"] for row in exchange.aggregates if row["f"] != -1]
    since = exchange.aggregates[50]["T"] * _MS
    ids = _ids(AggTradesRest(rest_url=loopback.url), http, since)
    assert ids[0] == first + 100
    trades = [row["id"] for row in exchange.trades if row["time"] * _MS >= since]
    assert _ids(TradesRest(rest_url=loopback.url), http, since) == trades


def test_usdm_aggregates_are_found_hour_by_hour_within_two_days(
    simulator: Simulate, loopback: Loopback, http: Http
) -> None:
    exchange = simulator("usdm")
    for row in exchange.aggregates[100:]:
        row["T"] += 30 * _HOUR
    start = exchange.aggregates[100]["T"] * _MS - 20 * _HOUR * _MS
    door = AggTradesRest(market="usdm", rest_url=loopback.url)
    assert _ids(door, http, start) == [row["a"] for row in exchange.aggregates[100:]]
    asked = [each.query for each in loopback.requests]
    assert not [each for each in asked if "fromId" in each and "startTime" in each]
    spans = [int(q["endTime"]) - int(q["startTime"]) for q in asked if "startTime" in q]
    assert len(spans) == 21
    assert max(spans) < _HOUR
    loopback.requests.clear()
    assert _ids(door, http, start - 10 * 365 * 24 * _HOUR * _MS)  # what there is, and soon
    assert len([each for each in loopback.requests if "startTime" in each.query]) < 50


def test_a_time_in_a_hole_of_the_aggregates_loses_no_trade(
    simulator: Simulate, loopback: Loopback, http: Http
) -> None:
    exchange = simulator("spot", page=10)
    del exchange.aggregates[40:160]
    start = exchange.trades[100]["time"] * _MS
    expected = [row["id"] for row in exchange.trades if row["time"] * _MS >= start]
    assert _ids(TradesRest(rest_url=loopback.url, page_size=10), http, start) == expected


def test_usdm_trades_are_found_by_the_counts_of_candles(
    simulator: Simulate, loopback: Loopback, http: Http
) -> None:
    exchange = simulator("usdm", count=3000, first=4_000_000_000, page=50)
    door = TradesRest(market="usdm", rest_url=loopback.url, api_key="k", page_size=50)
    row = exchange.trades[1000]
    batch, _ = next(door.read(http, "BTCUSDT", row["time"] * _MS, _EVER))
    times = nanoseconds(batch["timestamp"])
    assert times[0] < row["time"] * _MS <= times[-1]
    assert loopback.asked("/fapi/v1/historicalTrades") <= 4


def _row(number: int) -> Trade:
    return Trade(number, "1", "1", _START // _MS + number * 10, False)


@pytest.mark.parametrize("guess", [0, 3, 50_000, 70_000, 99_999, 10**9])
@pytest.mark.parametrize("oldest", [0, 30_000])
def test_the_page_across_a_time_is_found_from_any_guess(guess: int, oldest: int) -> None:
    asked = []

    def _ask(first: int) -> list[Trade]:
        asked.append(first)
        if first < oldest:  # longer ago than the exchange gives
            return []
        return [_row(number) for number in range(first, min(first + 100, 100_000))]

    for wanted in (70_000, 50_001, 99_999):
        rows = page_across(_ask, _START + wanted * 10 * _MS, guess, 100_000)
        assert rows[0].id < wanted <= rows[-1].id
    assert len(asked) < 60
    assert page_across(_ask, 0, guess, 100_000)[0].id == oldest
    late = page_across(_ask, _EVER, guess, 100_000)
    assert late[-1].id == 99_999
    assert page_across(lambda first: [], _START, guess, 100_000) == []


def test_rows_of_a_page_come_in_order_whatever_theirs_was(
    simulator: Simulate, loopback: Loopback, http: Http
) -> None:
    exchange = simulator("spot")
    plain = _ids(TradesRest(rest_url=loopback.url), http)
    whole = exchange._trades
    loopback.answer(
        "/api/v3/historicalTrades",
        lambda query: json.dumps(
            whole({"symbol": "BTCUSDT", "fromId": int(query["fromId"])})[::-1]
        ).encode(),
    )
    assert _ids(TradesRest(rest_url=loopback.url), http) == plain


def test_a_page_that_comes_again_is_asked_for_again(
    simulator: Simulate, loopback: Loopback, http: Http
) -> None:
    simulator("spot")
    path = "/api/v3/historicalTrades"
    door = TradesRest(rest_url=loopback.url)
    plain = _ids(door, http)
    first = loopback.reply(next(r for r in loopback.requests if r.path == path))
    loopback.stall(path, 0.0)
    loopback.swap(path, first.body)
    pages = Pages(door, http, Span("BTCUSDT", 0, _EVER), "BTCUSDT")
    assert [int(each) for batch in pages for each in batch["trade_id"].to_pylist()] == plain
    assert pages.repeats == 40


def test_a_hole_in_the_ids_is_passed_on(
    simulator: Simulate, loopback: Loopback, http: Http
) -> None:
    exchange = simulator("spot")
    del exchange.trades[70:150]
    ids = _ids(TradesRest(rest_url=loopback.url), http)
    assert ids == [*range(70), *range(150, 301)]


def test_the_row_before_a_span_is_known(
    simulator: Simulate, loopback: Loopback, http: Http
) -> None:
    exchange = simulator("spot")
    for door in (TradesRest(rest_url=loopback.url), AggTradesRest(rest_url=loopback.url)):
        pages = Pages(door, http, Span("BTCUSDT", exchange.trades[140]["time"] * _MS, _EVER), "x")
        first = next(iter(pages))["trade_id"][0].as_py()
        assert pages.before == str(int(first) - 1)


def test_a_symbol_that_is_gone_gives_nothing(loopback: Loopback, http: Http) -> None:
    for path in ("aggTrades", "historicalTrades", "klines"):
        loopback.answer(f"/api/v3/{path}", lambda query: b"[]")
        loopback.answer(f"/fapi/v1/{path}", lambda query: b"[]")
    for market in ("spot", "usdm"):
        given: dict[str, Any] = {"market": market, "rest_url": loopback.url}
        for door in (TradesRest(**given), AggTradesRest(**given), Candles(**given)):
            assert list(door.read(http, "GONEUSDT", _START, _EVER)) == []


def test_a_symbol_may_hold_any_letters(loopback: Loopback, http: Http) -> None:
    row = {"a": 1, "p": "1", "q": "1", "f": 1, "l": 1, "T": _START // _MS, "m": True, "nq": "1"}
    loopback.answer("/fapi/v1/aggTrades", lambda query: json.dumps([row]).encode())
    door = AggTradesRest(market="usdm", rest_url=loopback.url)
    page, _ = next(door.read(http, "币安人生USDT", "1", _START))
    assert page["symbol"].to_pylist() == ["币安人生USDT"]
    assert loopback.requests[0].query["symbol"] == "币安人生USDT"


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"T": 1_700_000_040}, DataError, "row 1: timestamp 1700000040 "),
        ({"p": "1.123456789"}, DataError, "row 1: price 1.123456789 has more than 8 digits"),
        ({"q": "many"}, DataError, "row 1: qty cannot be 'many'"),
        ({"f": 9, "l": 8}, DataError, "the aggregate 1 cannot have fills from 9 to 8"),
        ({"p": 1.5}, MessageError, "Expected `str`, got `float`"),
        ({"m": "true"}, MessageError, "Expected `bool`, got `str`"),
        ({"a": None}, MessageError, "Expected `int`, got `null`"),
    ],
)
def test_a_row_that_cannot_be_is_named(
    loopback: Loopback, http: Http, change: dict[str, Any], error: type, said: str
) -> None:
    row = {"a": 1, "p": "1", "q": "1", "f": 1, "l": 1, "T": _START // _MS, "m": True} | change
    loopback.answer("/api/v3/aggTrades", lambda query: json.dumps([row]).encode())
    door = AggTradesRest(rest_url=loopback.url)
    with pytest.raises(error, match=f"/api/v3/aggTrades.*{said}"):
        list(door.read(http, "BTCUSDT", "1", _EVER))


@pytest.mark.parametrize(("symbol", "door"), [("ETHUSDT", OpenInterest), ("ETHUSDT", Funding)])
def test_rows_of_another_symbol_are_refused(
    loopback: Loopback, http: Http, symbol: str, door: Any
) -> None:
    time = _START // _MS
    interest = {"sumOpenInterest": "1", "sumOpenInterestValue": "1", "timestamp": time}
    rows = [{"symbol": symbol, "fundingRate": "0", "fundingTime": time} | interest]
    for path in ("/futures/data/openInterestHist", "/fapi/v1/fundingRate"):
        loopback.answer(path, lambda query: json.dumps(rows).encode())
    with pytest.raises(DataError, match="a row of ETHUSDT was not asked for"):
        list(door(rest_url=loopback.url).read(http, "BTCUSDT", _START, _START + _HOUR * _MS))


def test_the_interval_of_a_rate_is_the_time_since_the_one_before(
    simulator: Simulate, loopback: Loopback, http: Http
) -> None:
    exchange = simulator("usdm", page=3)
    hours = [0, 8, 16, 20, 24, 25, 60, 64]
    exchange.funding = [
        {
            "symbol": "BTCUSDT",
            "fundingRate": "0.0001",
            "fundingTime": _START // _MS + hour * _HOUR + hour % 45,
            "markPrice": "34287.54619963",
        }
        for hour in hours
    ]
    door = Funding(rest_url=loopback.url)
    stop = _START + 100 * _HOUR * _MS
    pages = Pages(door, http, Span("BTCUSDT", _START + 8 * _HOUR * _MS, stop), "x")
    table = pa.Table.from_batches(pages)
    assert table["interval"].to_pylist() == [
        None if since is None else since * 3600 for since in (8, 8, 4, 4, 1, None, 4)
    ]
    assert set(table["mark_price"].to_pylist()) == {Decimal("34287.54619963")}


def test_usdm_has_no_candles_of_a_second() -> None:
    assert Candles(interval="1s").interval == "1s"
    with pytest.raises(ValueError, match="interval: USD-M has no candles of 1s"):
        Candles(market="usdm", interval="1s")
