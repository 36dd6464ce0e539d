import json
from datetime import timedelta
from typing import Any, get_args

import pytest

from werks.errors import DataError, MessageError
from werks.http import Http
from werks.options import duration
from werks.schema import nanoseconds
from werks.testing import Loopback
from werks_kraken import Candles
from werks_kraken.candles import Interval

PATH = "0/public/OHLC"
_BEGIN, _MINUTE, _SECOND = 1_762_794_000, 60, 10**9


def _body(rows: list[list[Any]], last: Any = None) -> bytes:
    result = {"XXBTZUSD": rows, "last": rows[-2][0] if last is None else last}
    return json.dumps({"error": [], "result": result}).encode()


def _row(minute: int, close: str = "2.5") -> list[Any]:
    return [_BEGIN + minute * _MINUTE, "2.0", "3.0", "1.0", close, "2.2", "0.10000000", 4]


def _read(
    loopback: Loopback, http: Http, body: bytes, after: int | str = 0, until: int = 2**62
) -> list[int]:
    loopback.answer(PATH, lambda _: body)
    door = Candles(rest_url=loopback.url)
    pages = [page for page, _ in door.read(http, "BTC/USD", after, until)]
    times = [time for page in pages for time in nanoseconds(page["timestamp"]).tolist()]
    return [(time // _SECOND - _BEGIN) // _MINUTE for time in times]


@pytest.mark.parametrize("interval", get_args(Interval))
def test_720_candles_can_be_had(loopback: Loopback, http: Http, interval: Any) -> None:
    door = Candles(interval=interval, rest_url=loopback.url)
    assert door.reach == timedelta(seconds=duration(interval, "") // _SECOND) * 720
    loopback.answer(PATH, lambda _: _body([_row(0), _row(1)]))
    list(door.read(http, "BTC/USD", 0, 2**62))
    assert int(loopback.requests[0].query["interval"]) * 60 * _SECOND == duration(interval, "")


def test_the_running_candle_comes_when_it_is_closed(loopback: Loopback, http: Http) -> None:
    assert _read(loopback, http, _body([_row(0), _row(1), _row(2, "2.1")])) == [0, 1]
    assert _read(loopback, http, _body([_row(1), _row(2, "1.9"), _row(3)])) == [1, 2]


def test_candles_after_a_time_or_a_cursor_come(loopback: Loopback, http: Http) -> None:
    body = _body([_row(minute) for minute in range(9)])
    second = (_BEGIN + 2 * _MINUTE) * _SECOND
    assert _read(loopback, http, body, second) == [2, 3, 4, 5, 6, 7]
    assert _read(loopback, http, body, second + 1) == [3, 4, 5, 6, 7]
    assert _read(loopback, http, body, str(second)) == [3, 4, 5, 6, 7]
    assert _read(loopback, http, body, 0, second) == [0, 1]
    assert _read(loopback, http, body, 0, second - 1) == [0]
    assert _read(loopback, http, body, second, second) == []


def test_columns_are_not_mixed_up(loopback: Loopback, http: Http) -> None:
    loopback.answer(PATH, lambda _: _body([_row(0), _row(1)]))
    ((page, _),) = Candles(rest_url=loopback.url).read(http, "BTC/USD", 0, 2**62)
    (row,) = page.drop_columns(["timestamp"]).to_pylist()
    found = {name: str(row[name].normalize()) for name in ("open", "high", "low", "close")}
    assert found == {"open": "2", "high": "3", "low": "1", "close": "2.5"}
    assert (str(row["volume"].normalize()), row["trades"]) == ("0.1", 4)  # not the vwap before it
    assert (row["notional"], row["interval"]) == (None, "1m")


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        (_body([_row(0), _row(1)], last="soon"), MessageError, "candles and `last`"),
        (b'{"error":[],"result":{"last":1}}', MessageError, "last where candles"),
        (_body([_row(0, "many"), _row(1)]), DataError, "row 1: close cannot be 'many'"),
        (_body([_row(0)[:7], _row(1)]), MessageError, "cannot be read"),
        (_body([["1762794000", *_row(0)[1:]], _row(1)]), MessageError, "cannot be read"),
    ],
)
def test_a_bad_answer_is_named(
    loopback: Loopback, http: Http, body: bytes, error: type, message: str
) -> None:
    with pytest.raises(error, match=rf"{loopback.url}/{PATH}\?pair=XBTUSD.*{message}"):
        _read(loopback, http, body)
