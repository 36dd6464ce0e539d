"""What Bybit's REST interface refuses, and what it sends that cannot be true."""

import json
import re

import pytest

from werks.errors import DataError, MessageError, RateLimitError, RejectedError, UnavailableError
from werks.http import Http
from werks_bybit import Candles, Funding, OpenInterest, TradesRest

NS, MS = 10**9, 10**6
START = 1_709_856_000_000
MINUTE, HOUR = 60_000, 3_600_000


def _body(rows, category="linear", **more):
    result = {"category": category, "list": rows} | more
    return json.dumps({"retCode": 0, "retMsg": "OK", "result": result, "time": START + 10**10})


def _trade(number, time=START, **more):
    trade = {"execId": f"id-{number}", "symbol": "BTCUSDT", "price": "27450.50", "size": "0.005"}
    return trade | {"side": "Buy", "time": str(time), "isBlockTrade": False} | more


def _candle(minute, *cells):
    return [str(START + minute * MINUTE), *(cells or ("2", "3", "1", "2", "5", "10"))]


def _pages(door, http, stop=START + HOUR):
    return list(door.read(http, "BTCUSDT", START * MS, stop * MS))


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (200, '{"retCode":10001,"retMsg":"params error","result":{}}', RejectedError, "params err"),
        (200, '{"retCode":10006,"retMsg":"Too many visits!","result":{}}', RateLimitError, "Too m"),
        (200, '{"retCode":10016,"retMsg":"server error"}', UnavailableError, "retCode 10016"),
        (200, '{"retCode":10018,"retMsg":"ip limit"}', RateLimitError, "retCode 10018"),
        (200, '{"retCode":110001,"result":{}}', RejectedError, r"refused \(retCode 110001\)"),
        (403, "403: access too frequent, please wait", RateLimitError, "wait ten minutes"),
        (403, "<html>blocked by CloudFront</html>", RejectedError, "does not serve the country"),
        (429, "{}", RateLimitError, "HTTP 429"),
        (200, "{}", MessageError, "missing required field `retCode`"),
        (200, "<html>", MessageError, "cannot be read"),
        (200, '{"retCode":0,"result":{"list":[', MessageError, "cannot be read"),
        (200, '{"retCode":0,"result":{"list":[]}}', MessageError, "missing required field `time`"),
    ],
)
def test_a_refusal_has_the_words_of_bybit(loopback, http, status, body, error, said):
    loopback.answer("v5/market/recent-trade", lambda _: (status, body.encode(), {}))
    with pytest.raises(error, match=f"/v5/market/recent-trade.*: .*{said}") as caught:
        _pages(TradesRest(rest_url=loopback.url), http)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("body", "status", "wait"),
    [
        ('{"retCode":10006,"retMsg":"Too many visits!"}', 200, 5),
        ("access too frequent", 403, 600),
    ],
)
def test_a_breach_of_a_limit_is_waited_out(loopback, body, status, wait):
    answers = [(status, body.encode(), {}), (200, _body([_trade(1)]).encode(), {})]
    loopback.answer("v5/market/recent-trade", lambda _: answers.pop(0))
    slept = []
    with Http(tries=2, sleep=slept.append) as client:
        assert len(_pages(TradesRest(rest_url=loopback.url), client)) == 1
    assert wait - 1 < max(slept) <= wait


def test_the_latest_trades_are_turned_round(loopback, http):
    rows = [_trade(5, START + 2), _trade(4), _trade(3, isRPITrade=True), _trade(2, START - 1)]
    rows.append(_trade(1, START - 1, isBlockTrade=True, side="Sell", seq="7", isRPITrade=True))
    loopback.put("v5/market/recent-trade", _body(rows).encode())
    ((page, cursor),) = _pages(TradesRest(rest_url=loopback.url), http)
    assert page["trade_id"].to_pylist() == [f"id-{n}" for n in (1, 2, 3, 4, 5)]
    assert page["flag"].to_pylist() == ["block", None, "rpi", None, None]
    assert page["tick_rule"].to_pylist() == [-1, 1, 1, 1, 1]
    assert cursor == "id-5"
    again = TradesRest(rest_url=loopback.url).read(http, "BTCUSDT", cursor, 2**62)
    assert [page for page, _ in again] == [page]


@pytest.mark.parametrize(("market", "limit"), [("spot", "60"), ("linear", "1000")])
def test_as_many_trades_are_asked_for_as_there_are(loopback, http, market, limit):
    loopback.put("v5/market/recent-trade", _body([], market).encode())
    assert _pages(TradesRest(market=market, rest_url=loopback.url), http) == []
    query = {"category": market, "symbol": "BTCUSDT", "limit": limit}
    assert loopback.requests[-1].query == query


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"symbol": "BTCPERP"}, "row 2 is of BTCPERP, not of BTCUSDT"),
        ({"side": "buy"}, "row 2: side cannot be 'buy'"),
        ({"execId": ""}, "row 2: the trade has no id"),
        ({"time": "1709856000.5"}, "row 2: '1709856000.5' is not a time in milliseconds"),
        ({"time": "1709856000"}, "row 2: timestamp 1709856000 is not a time in units of 1000000"),
        ({"price": "many"}, "row 2: price cannot be 'many'"),
        ({"size": "0.12345678901"}, "row 2: size 0.12345678901 has more than 10 digits"),
    ],
)
def test_a_bad_trade_is_named(loopback, http, change, said):
    rows = [_trade(2), _trade(1, **change)]
    loopback.put("v5/market/recent-trade", _body(rows).encode())
    with pytest.raises((DataError, MessageError), match=rf"/recent-trade: {re.escape(said)}"):
        _pages(TradesRest(rest_url=loopback.url), http)


def test_an_answer_of_another_market_is_refused(loopback, http):
    """A market that is left out of a request is taken for linear by Bybit."""
    loopback.put("v5/market/kline", _body([_candle(0)]).encode())
    with pytest.raises(DataError, match="the answer is of linear, not of spot"):
        _pages(Candles(market="spot", rest_url=loopback.url), http)


@pytest.mark.parametrize(
    "rows",
    [
        [_candle(0), _candle(1)],  # oldest first
        [_candle(1), _candle(1), _candle(0)],
        [_candle(60), _candle(0)],  # the hour ends before it
        [_candle(0), _candle(-1)],
    ],
)
def test_candles_that_were_not_asked_for_are_refused(loopback, http, rows):
    loopback.put("v5/market/kline", _body(rows).encode())
    with pytest.raises(DataError, match=r"/kline: among \d rows .* newest first, there is \d+"):
        _pages(Candles(rest_url=loopback.url), http)


def test_a_hole_among_candles_stays_a_hole(loopback, http):
    loopback.put("v5/market/kline", _body([_candle(9), _candle(2), _candle(0)]).encode())
    ((page, cursor),) = _pages(Candles(rest_url=loopback.url), http)
    minutes = [moment.minute for moment in page["timestamp"].to_pylist()]
    assert (minutes, cursor) == ([0, 2, 9], str(START + 10 * MINUTE))


def test_spans_without_candles_are_passed_over(loopback, http):
    """A market that was listed a day after the start, asked for hour by hour."""
    listed = START + 24 * HOUR

    def answer(query):
        first = max(int(query["start"]), listed) - START
        minutes = range(first // MINUTE, (int(query["end"]) - START) // MINUTE + 1)
        return _body([_candle(n) for n in reversed(minutes)]).encode()

    loopback.answer("v5/market/kline", answer)
    pages = _pages(Candles(rest_url=loopback.url, page_size=60), http, START + 26 * HOUR)
    assert [len(page) for page, _ in pages] == [60, 60]


def test_an_interval_is_asked_for_in_the_words_of_bybit(loopback, http):
    loopback.put("v5/market/kline", _body([]).encode())
    for name, word in (("1m", "1"), ("1h", "60"), ("12h", "720"), ("1d", "D")):
        _pages(Candles(rest_url=loopback.url, interval=name), http, START + 48 * HOUR)
        assert loopback.requests[-1].query["interval"] == word


def test_open_interest_of_inverse_contracts_is_in_dollars(loopback, http):
    rows = [{"openInterest": "461134384", "timestamp": str(START), "singleOpenInterest": "1"}]
    loopback.put("v5/market/open-interest", _body(rows, "inverse").encode())
    ((page, _),) = _pages(OpenInterest(market="inverse", rest_url=loopback.url), http)
    assert page["open_interest"].to_pylist() == [None]
    assert page["open_interest_notional"].to_pylist() == [461134384]
    assert loopback.requests[-1].query["intervalTime"] == "5min"


def test_a_page_of_open_interest_that_is_full_is_followed_by_its_cursor(loopback, http):
    """Values that lie closer together than was asked for do not fit into one page."""
    values = [{"openInterest": str(n), "timestamp": str(START + n * MINUTE)} for n in range(5)]

    def answer(query):
        skip = int(query.get("cursor", "a,0").split(",")[1])
        return _body(values[::-1][skip : skip + 2], nextPageCursor=f"a%2C{skip + 2}").encode()

    loopback.answer("v5/market/open-interest", answer)
    door = OpenInterest(rest_url=loopback.url, page_size=2)
    ((page, _),) = _pages(door, http, START + 5 * MINUTE)
    assert page["open_interest"].to_pylist() == [0, 1, 2, 3, 4]


def test_both_times_are_given_where_funding_is_asked_for(loopback, http):
    """A startTime alone is an error at Bybit."""
    loopback.put("v5/market/funding/history", _body([]).encode())
    assert _pages(Funding(rest_url=loopback.url), http) == []
    query = loopback.requests[-1].query
    assert (query["startTime"], query["endTime"]) == (str(START), str(START + HOUR - 1))


@pytest.mark.parametrize("door", [Candles, OpenInterest, Funding])
def test_a_cursor_of_another_door_is_refused(loopback, http, door):
    with pytest.raises(MessageError, match=r"'2024-03-08' is no cursor of bybit\."):
        list(door(rest_url=loopback.url).read(http, "BTCUSDT", "2024-03-08", 2**62))
    assert loopback.requests == []
