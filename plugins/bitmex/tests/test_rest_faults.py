"""What BitMEX's REST interface refuses, and rows that are odd or cannot be true."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from werks.errors import (
    DataError,
    MessageError,
    MissingError,
    RateLimitError,
    RejectedError,
    UnavailableError,
)
from werks.history import Pages, Span
from werks.http import Http
from werks.testing import Loopback
from werks_bitmex import Candles, Funding, TradesRest

_DAY = datetime(2019, 5, 3, tzinfo=UTC)
_NS = 10**9
_START = int(_DAY.timestamp()) * _NS
_MINUTE = 60 * _NS
Row = Mapping[str, Any]
Serve = Callable[..., None]


@pytest.fixture
def serve(loopback: Loopback) -> Serve:
    """Return a function that serves rows at a path, by startTime, start and count."""

    def put(path: str, *rows: Row) -> None:
        def answer(query: Mapping[str, str]) -> bytes:
            found = [row for row in rows if row["timestamp"] >= query["startTime"]]
            start = int(query.get("start", 0))
            return json.dumps(found[start : start + int(query["count"])]).encode()

        loopback.answer(f"api/v1/{path}", answer)
        loopback.put("api/v1/instrument", b'[{"symbol":"XBTUSD"}]')

    return put


def _iso(seconds: float) -> str:
    moment = _DAY + timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _trade(number: int, seconds: float, **more: Any) -> Row:
    gross = round(100 * 10**8 / 5700)
    return {
        "timestamp": _iso(seconds),
        "symbol": "XBTUSD",
        "side": "Buy" if number % 3 else "Sell",
        "size": 100,
        "price": 5700,
        "trdMatchID": f"e9836e7b-0000-4000-8000-{number:012}",
        "grossValue": gross,
        "homeNotional": gross / 1e8,
        "foreignNotional": 100,
        **more,
    }


def _bin(minute: int, **more: Any) -> Row:
    row = {"timestamp": _iso(60 * minute), "symbol": "XBTUSD", "trades": 3, "homeNotional": 0.5}
    prices = {"open": 5700, "high": 5701, "low": 5699.5, "close": 5700}
    return {**row, **prices, "foreignNotional": 2850, **more}


def _read(door: Any, http: Http, start: int = _START, stop: int = _START + 4000 * _NS) -> list[Any]:
    pages = Pages(door, http, Span("XBTUSD", start, stop), "bitmex XBTUSD")
    return [row for batch in pages for row in batch.to_pylist()]


def test_what_is_no_regular_trade_is_kept_or_dropped_as_in_the_archive(
    loopback: Loopback, http: Http, serve: Serve
) -> None:
    rows = [dict(_trade(n, n, trdType="Regular")) for n in range(5)]
    rows[1] |= {"trdType": "Referential", "size": 0, "trdMatchID": None}
    rows[2] = {name: value for name, value in rows[2].items() if name != "side"}
    rows[2] |= {"trdType": "Settlement", "pool": "Primary"}
    rows[3] |= {"trdType": "BlockTrade"}
    serve("trade", *rows)
    trades = _read(TradesRest(rest_url=loopback.url), http)
    assert [trade["trade_id"][-1] for trade in trades] == ["0", "2", "3", "4"]
    assert [trade["flag"] for trade in trades] == [None, "off_book", "block", None]
    assert [trade["tick_rule"] for trade in trades] == [-1, 0, -1, 1]


def test_a_page_of_index_ticks_alone_is_passed_over(
    loopback: Loopback, http: Http, serve: Serve
) -> None:
    ticks = [_trade(n, n, trdType="Referential") for n in range(20)]
    serve("trade", *ticks, _trade(20, 20))
    assert len(_read(TradesRest(rest_url=loopback.url, page_size=7), http)) == 1


def test_rows_without_an_id_are_named_by_their_place_across_pages(
    loopback: Loopback, http: Http, serve: Serve
) -> None:
    serve("trade", *(_trade(n, 1, trdMatchID=None) for n in range(20)))
    door = TradesRest(rest_url=loopback.url, page_size=7)
    ids = [trade["trade_id"] for trade in _read(door, http)]
    assert ids == [f"{_START + _NS}-{n}" for n in range(20)]


def test_the_first_row_may_lie_years_behind_the_start(
    loopback: Loopback, http: Http, serve: Serve
) -> None:
    serve("trade", *(_trade(n, n) for n in range(10)))
    assert len(_read(TradesRest(rest_url=loopback.url), http, _START - 10**17)) == 10


def test_a_market_without_trades_in_a_span_is_known_all_the_same(
    loopback: Loopback, http: Http, serve: Serve
) -> None:
    serve("trade", _trade(1, 0))
    assert _read(TradesRest(rest_url=loopback.url), http, _START + _NS) == []
    assert loopback.asked("api/v1/instrument") == 1


def test_an_index_is_rejected_without_asking(loopback: Loopback, http: Http) -> None:
    with pytest.raises(RejectedError, match=r"\.BXBT is an index"):
        list(TradesRest(rest_url=loopback.url).read(http, ".BXBT", 0, 1))
    assert loopback.requests == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"symbol": "XBTU19"}, r"row 2 is of XBTU19, not of XBTUSD: ask for XBTU19"),
        ({"timestamp": "2019-05-02T23:59:59.999Z"}, r"row 2 is older .* not oldest first"),
        ({"timestamp": "2019-05-03T12:00:00.576+02:00"}, r"row 2: .* is not a time in UTC"),
        ({"side": "Hold"}, r"row 2: side cannot be 'Hold'"),
        ({"size": 1.5}, r"row 2: size cannot be '1.5': a whole number"),
        ({"price": 1e-11}, r"row 2: price cannot be '1E-11'.* at most 10 digits"),
        ({"price": None}, r"row 2: price cannot be ''"),
        ({"homeNotional": None}, r"row 2: homeNotional cannot be ''"),
    ],
)
def test_a_bad_row_is_named(loopback: Loopback, http: Http, change: Row, said: str) -> None:
    rows = [_trade(1, 0), _trade(2, 0, **change), _trade(3, 0)]
    loopback.answer("api/v1/trade", lambda _: json.dumps(rows).encode())
    with pytest.raises((DataError, MessageError), match=rf"/api/v1/trade: {said}"):
        _read(TradesRest(rest_url=loopback.url), http)


def test_a_page_that_comes_for_ever_is_an_error(loopback: Loopback, http: Http) -> None:
    for page in ([_trade(1, -2), _trade(2, -1)], [_trade(1, -1), _trade(2, 0)]):
        loopback.put("api/v1/trade", json.dumps([*page, _trade(3, 0)]).encode())
        with pytest.raises(MessageError, match="the exchange repeats itself"):
            _read(TradesRest(rest_url=loopback.url), http, stop=_START + _NS)


def test_a_cursor_of_another_door_is_refused(loopback: Loopback, http: Http) -> None:
    for cursor in ("12345", "yesterday 0", ""):
        with pytest.raises(MessageError, match="cursor"):
            list(TradesRest(rest_url=loopback.url).read(http, "XBTUSD", cursor, 1))


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (400, b'{"error":{"message":"Invalid startTime","name":"HTTPError"}}', RejectedError, "In"),
        (404, b'{"error":{"message":"Not Found","name":"HTTPError"}}', MissingError, "Not Found"),
        (403, b"<html>denied</html>", RejectedError, "refuses this address: for an hour or more"),
        (403, b'{"error":{"message":"Forbidden"}}', RejectedError, r"Forbidden \(HTTP 403\)"),
        (503, b'{"error":{"message":"Currently overloaded."}}', UnavailableError, "Currently"),
        (429, b'{"error":{"message":"Rate limit exceeded"}}', RateLimitError, "too many requests"),
        (200, b'{"error":{"message":"Odd","name":"HTTPError"}}', RejectedError, "Odd"),
    ],
)
def test_a_refusal_has_the_words_of_bitmex(
    loopback: Loopback, http: Http, status: int, body: bytes, error: type, said: str
) -> None:
    loopback.answer("api/v1/trade", lambda _: (status, body, {}))
    with pytest.raises(error, match=f"/api/v1/trade: .*{said}") as caught:
        _read(TradesRest(rest_url=loopback.url), http)
    assert type(caught.value) is error


def test_equal_candles_come_once_and_unlike_ones_are_refused(
    loopback: Loopback, http: Http, serve: Serve
) -> None:
    bins = [_bin(n) for n in range(1, 26)]
    door, stop = Candles(rest_url=loopback.url), _START + 25 * _MINUTE
    serve("trade/bucketed", *bins[:4], bins[3], *bins[4:])
    assert len(_read(door, http, stop=stop)) == 25
    serve("trade/bucketed", *bins[:4], _bin(4, close=1), *bins[4:])
    with pytest.raises(DataError, match=r"row 5: there are two candles of 2019-05-03T00:04"):
        _read(door, http, stop=stop)


def test_an_odd_label_of_a_candle_is_refused(loopback: Loopback, http: Http, serve: Serve) -> None:
    serve("trade/bucketed", *(_bin(n) for n in range(1, 9)))
    with pytest.raises(DataError, match=r"row 2: 2019-05-03T00:06.* is not the end of a candle"):
        _read(Candles(rest_url=loopback.url, interval="5m"), http)


def test_an_open_may_lie_outside_of_a_candle_and_a_volume_below_zero(
    loopback: Loopback, http: Http, serve: Serve
) -> None:
    odd = {"open": 6000, "homeNotional": -312.58718410999995, "foreignNotional": 1e-05}
    serve("trade/bucketed", _bin(1, **odd))
    (candle,) = _read(Candles(rest_url=loopback.url), http)
    assert (candle["open"], candle["volume"]) == (6000, Decimal("-312.58718411"))
    assert candle["notional"] == Decimal("0.00001")


@pytest.mark.parametrize(("name", "length"), [("5m", 5), ("1h", 60), ("1d", 1440)])
def test_candles_of_every_length_are_labelled_by_their_start(
    loopback: Loopback, http: Http, serve: Serve, name: Any, length: int
) -> None:
    serve("trade/bucketed", _bin(length), _bin(2 * length))
    candles = _read(
        Candles(rest_url=loopback.url, interval=name), http, stop=_START + 9999 * _MINUTE
    )
    moments = [candle["timestamp"] for candle in candles]
    assert moments == [_DAY, _DAY + timedelta(minutes=length)]
    assert loopback.requests[0].query["binSize"] == name


def test_a_contract_without_funding_has_none(loopback: Loopback, http: Http, serve: Serve) -> None:
    serve("funding")
    assert _read(Funding(rest_url=loopback.url), http) == []
