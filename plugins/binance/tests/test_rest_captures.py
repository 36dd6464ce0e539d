"""What REST was recorded to send, read by the doors: the rows, or the reason of a refusal."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from werks.errors import DataError, MessageError, RejectedError, WerksError
from werks.history import Pages, Span
from werks.http import Http
from werks.schema import nanoseconds
from werks.testing import Loopback
from werks.transforms.bars import Bars
from werks_binance import (
    AggTradesRest,
    Candles,
    Funding,
    Instruments,
    OpenInterest,
    TradesRest,
)

_MS, _MINUTE = 10**6, 60 * 10**9
_START = 1_570_752_000_000 * _MS  # 2019-10-11
_EVER = 2 * 10**18
_OHLCV = ("open", "high", "low", "close", "volume")
Serve = Callable[[str, bytes], str]


@pytest.fixture
def serve(loopback: Loopback) -> Serve:
    """Return a function that has one answer given once, and then none: (path, body)."""

    def _serve(path: str, answer: bytes) -> str:
        left = [answer]
        loopback.answer(path, lambda query: left.pop() if left else b"[]")
        return loopback.url

    return _serve


def _recorded(captures: Path, name: str, path: str) -> list[tuple[dict[str, str], bytes]]:
    """Return (query, body) of each recorded answer of a path."""
    found = []
    for line in (captures / "binance" / f"rest-{name}.jsonl").read_text().splitlines():
        record = json.loads(line)
        url = urlsplit(record["request"].split()[1])
        if url.path == path:
            found.append((dict(parse_qsl(url.query)), record["body"].encode()))
    return found


def _tried(pages: Iterator[Any]) -> str:
    """Return the number of rows that come, and the first and last time; or why none do."""
    try:
        batches = [page for page, _ in pages]
    except WerksError as error:
        return f"{type(error).__name__}: {error}"
    times = [time // _MS for page in batches for time in nanoseconds(page["timestamp"]).tolist()]
    return f"{len(times)} rows, {times[0]} to {times[-1]}" if times else "0 rows"


def _in_ms(time: str) -> int:
    """Return a time of a recorded query, some of which were sent in seconds, in ms."""
    return int(time) * (1 if len(time) > 10 else 1000)


@pytest.fixture
def ticks(loopback: Loopback, http: Http, xrpeth: list[dict[str, Any]]) -> pa.Table:
    """Return the recording, read through REST page by page, as the core reads it."""

    def _answer(query: Any) -> bytes:
        since, first = int(query.get("startTime", 0)), int(query.get("fromId", 0))
        rows = [row for row in xrpeth if row["T"] >= since and row["a"] >= first]
        return json.dumps(rows[: int(query["limit"])]).encode()

    loopback.answer("/api/v3/aggTrades", _answer)
    door = AggTradesRest(rest_url=loopback.url)
    pages = Pages(door, http, Span("XRPETH", _START, _EVER), "XRPETH")
    return pa.Table.from_batches(pages, door.schema)


def test_three_days_of_aggregates_come_by_rest(
    ticks: pa.Table, loopback: Loopback, xrpeth: list[dict[str, Any]]
) -> None:
    assert [int(each) for each in ticks["trade_id"].to_pylist()] == list(range(13519807, 13532284))
    assert pc.sum(ticks["ticks"]).as_py() == 14672
    assert ticks["notional"].to_pylist() == [Decimal(r["p"]) * Decimal(r["q"]) for r in xrpeth]
    assert len(loopback.requests) == 15  # the first id, 13 pages, an empty one


def _candles(captures: Path, minutes: int) -> list[list[Any]]:
    """Return the exchange's own candles of the recording as rows of /klines."""
    path = captures / "binance" / f"candles-{minutes}m-XRPETH-20191011-20191013.json"
    rows = json.loads(path.read_text(), parse_float=str)
    ends = [[row[0] + minutes * 60_000 - 1, "0", 0, "0", "0", "0"] for row in rows]
    return [row + end for row, end in zip(rows, ends, strict=True)]


def _own(ticks: pa.Table, minutes: int, empty: str) -> dict[int, tuple[Decimal, ...]]:
    """Return our bars of the ticks: their prices and volume by their start."""
    schemas = {"ticks": ticks.schema}
    step = Bars(by="time", every=f"{minutes}m", empty=empty).start(schemas, None)
    made = [bar for batch in ticks.to_batches() for bar in step.push(batch, "ticks")]
    return _by_start(pa.Table.from_batches([*made, *step.flush()]))


def _by_start(table: pa.Table) -> dict[int, tuple[Decimal, ...]]:
    times = nanoseconds(table["timestamp"].combine_chunks()).tolist()
    columns = [table[name].to_pylist() for name in _OHLCV]
    return dict(zip(times, zip(*columns, strict=True), strict=True))


@pytest.mark.parametrize(("minutes", "filled", "empty"), [(1, 2469, 1091), (5, 706, 6)])
def test_our_bars_of_the_ticks_are_the_exchanges_candles(
    serve: Serve,
    http: Http,
    captures: Path,
    ticks: pa.Table,
    minutes: int,
    filled: int,
    empty: int,
) -> None:
    rows = _candles(captures, minutes)
    door = Candles(
        rest_url=serve("/api/v3/klines", json.dumps(rows).encode()), interval=f"{minutes}m"
    )
    pages = Pages(door, http, Span("XRPETH", _START, _START + 3 * 1440 * _MINUTE), "XRPETH")
    theirs = _by_start(pa.Table.from_batches(pages, door.schema))
    assert len(theirs) == filled + empty
    traded = {time: row for time, row in theirs.items() if row[-1]}
    assert len(traded) == filled
    assert _own(ticks, minutes, "omit") == traded
    carried = _own(ticks, minutes, "carry")
    assert {time: row for time, row in theirs.items() if time in carried} == carried
    assert door.empty == "carry"
    quiet = sorted(set(theirs) - set(traded))
    for time in quiet:
        close = theirs[time - minutes * _MINUTE][3]
        assert theirs[time] == (close, close, close, close, 0)


_FRAMES = [
    ("1m", "3m", 3, 166),
    ("1m", "5m", 5, 99),
    ("5m", "15m", 3, 166),
    ("5m", "30m", 6, 83),
    ("15m", "1h", 4, 124),
    ("30m", "1h", 2, 249),
    ("1h", "4h", 4, 124),
    ("4h", "1d", 6, 82),
]
_SECONDS = {"1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600} | {
    "4h": 14400,
    "1d": 86400,
}


@pytest.fixture
def frames(captures: Path, serve: Serve, http: Http) -> dict[str, dict[int, tuple[Decimal, ...]]]:
    """Return the candles of one collection by their time frame, read by the door."""
    lines = (captures / "binance" / "candles-multi-ETHBTC-20200517.csv").read_text().splitlines()
    found = {}
    for frame, seconds in _SECONDS.items():
        cells = [line.split(",") for line in lines[1:] if line.startswith(f"{frame},")]
        rows = [
            [int(c[1]) * 1000, *c[2:7], (int(c[1]) + seconds) * 1000 - 1, "0", 0] for c in cells
        ]
        door = Candles(rest_url=serve("/api/v3/klines", json.dumps(rows).encode()), interval=frame)
        begin, last = rows[0][0] * _MS, rows[-1][0] * _MS  # the last one was still open
        pages = Pages(door, http, Span("ETHBTC", begin, last + 1), "ETHBTC")
        found[frame] = _by_start(pa.Table.from_batches(pages, door.schema))
        assert len(found[frame]) == len(rows) - 1
    return found


@pytest.mark.parametrize(("fine", "coarse", "parts", "equal"), _FRAMES)
def test_complete_bins_of_finer_candles_are_the_coarser_ones(
    frames: dict[str, dict[int, tuple[Decimal, ...]]],
    fine: str,
    coarse: str,
    parts: int,
    equal: int,
) -> None:
    small, count = frames[fine], 0
    width = _SECONDS[fine] * 10**9
    for begin, row in frames[coarse].items():
        bins = [small.get(begin + n * width) for n in range(parts)]
        if None in bins:
            continue
        opens, highs, lows, closes, volumes = zip(*(each for each in bins if each), strict=True)
        assert row == (opens[0], max(highs), min(lows), closes[-1], sum(volumes))
        count += 1
    assert count == equal


# By the order in which they were recorded: rows that come, or why they are refused.
_KEYLESS = "missing required field `m`"
_SPOT_AGGREGATES = [
    "2 rows, 1588749117459 to 1588749263231",
    _KEYLESS,
    _KEYLESS,
    _KEYLESS,
    _KEYLESS,
    "2 rows, 1605740428136 to 1605740437964",
    "2 rows, 1605740437964 to 1605740503449",
    "5 rows, 1590640145871 to 1590640146110",
    "2 rows, 1577977446915 to 1577977453080",
    "2 rows, 1577977453080 to 1577977823305",
    "444 rows, 1577977823305 to 1577978056963",
    "2 rows, 1577978319811 to 1577978656080",
    "2 rows, 1577978657562 to 1577979074285",
    "2 rows, 1577979074285 to 1577979542071",
    "2 rows, 1577979542071 to 1577979948649",
    "2 rows, 1577979948649 to 1577980432803",
    "2 rows, 1577980432803 to 1577980864995",
    "2 rows, 1577980864995 to 1577981093925",
    "2 rows, 1577981093925 to 1577981472010",
    "2 rows, 1577981472010 to 1577981710731",
    "2 rows, 1577981710731 to 1577981911919",
    "2 rows, 1577981911919 to 1577982176413",
    "5 rows, 1590640145871 to 1590640146110",
]


def test_recorded_aggregates_of_spot(serve: Serve, http: Http, captures: Path) -> None:
    recorded = _recorded(captures, "spot-recorded", "/api/v3/aggTrades")
    for (query, body), expected in zip(recorded, _SPOT_AGGREGATES, strict=True):
        door = AggTradesRest(rest_url=serve("/api/v3/aggTrades", body))
        assert expected in _tried(door.read(http, query["symbol"], query.get("fromId", "0"), _EVER))


def test_a_recorded_page_of_aggregates(serve: Serve, http: Http, captures: Path) -> None:
    path = captures / "binance" / "rest-spot-aggtrades-ETHUSDT-20210107-page.json"
    door = AggTradesRest(rest_url=serve("/api/v3/aggTrades", path.read_bytes()))
    (page, cursor), *_ = door.read(http, "ETHUSDT", "205410764", _EVER)
    assert page["trade_id"].to_pylist() == [str(205410764 + n) for n in range(100)]
    assert cursor == "205410864"


_USDM_AGGREGATES = [
    "500 rows, 1602819697783 to 1602819862086",
    "5 rows, 1602989582346 to 1602989583660",
    "6 rows, 1602989282797 to 1602989283589",
]


def test_recorded_aggregates_of_usdm(serve: Serve, http: Http, captures: Path) -> None:
    recorded = _recorded(captures, "usdm-recorded", "/fapi/v1/aggTrades")
    for (query, body), expected in zip(recorded, _USDM_AGGREGATES, strict=True):
        door = AggTradesRest(market="usdm", rest_url=serve("/fapi/v1/aggTrades", body))
        assert _tried(door.read(http, query["symbol"], "0", _EVER)) == expected
        since = int(query["startTime"]) if "startTime" in query else 1_577_836_800_000
        door = AggTradesRest(market="usdm", rest_url=serve("/fapi/v1/aggTrades", body))
        said = _tried(door.read(http, query["symbol"], since * _MS, _EVER))
        # In seconds, or long ago: the exchange answered with its newest rows.
        assert "DataError" in said
        assert "was not asked for" in said


@pytest.mark.parametrize(
    ("market", "name", "path", "expected"),
    [
        (
            "spot",
            "spot-recorded",
            "/api/v3/historicalTrades",
            ["5 rows, 1621933655947 to 1621933656023"],
        ),
        (
            "spot",
            "spot-recorded",
            "/api/v3/trades",
            [
                "444 rows, 1679280337591 to 1679280414066",
                "6 rows, 1603949112567 to 1603949112822",
                "6 rows, 1603947130084 to 1603947132493",
            ],
        ),
        (
            "usdm",
            "usdm-recorded",
            "/fapi/v1/trades",
            ["5 rows, 1602819641313 to 1602819642335", "5 rows, 1689636431983 to 1689636508658"],
        ),
    ],
)
def test_recorded_trades(
    serve: Serve, http: Http, captures: Path, market: Any, name: str, path: str, expected: list[str]
) -> None:
    place = f"{path.rpartition('/')[0]}/historicalTrades"  # whose rows are those of /trades
    for (query, body), said in zip(_recorded(captures, name, path), expected, strict=True):
        door = TradesRest(market=market, rest_url=serve(place, body), api_key="key")
        assert _tried(door.read(http, query["symbol"], "0", _EVER)) == said


def test_a_notional_is_whole_where_the_quote_amount_is_cut(
    serve: Serve, http: Http, captures: Path
) -> None:
    ((_, body), *_) = _recorded(captures, "usdm-recorded", "/fapi/v1/trades")
    door = TradesRest(market="usdm", rest_url=serve("/fapi/v1/historicalTrades", body))
    (page, _), *_ = door.read(http, "BTCUSDT", "0", _EVER)
    assert page["notional"][0].as_py() == Decimal("80.45842")  # sent as 80.45


_KLINES = {
    "spot": [24, 60, 1, 365, 372, 296, 312, 168, 366, 366, 176, 6, 24],
    "usdm": ["not asked for", "not asked for", 116, 6, 5, "not asked for"],
}


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_recorded_candles(serve: Serve, http: Http, captures: Path, market: Any) -> None:
    path = {"spot": "/api/v3/klines", "usdm": "/fapi/v1/klines"}[market]
    recorded = _recorded(captures, f"{market}-recorded", path)
    for (query, body), expected in zip(recorded, _KLINES[market], strict=True):
        rows = json.loads(body)
        start = int(query.get("startTime", rows[0][0]))
        stop = rows[-1][6] + 1  # when the last of them is over
        if isinstance(expected, str):  # in seconds, or long ago: the newest rows came instead
            start, stop = _in_ms(query["startTime"]), _in_ms(query["endTime"])
        door = Candles(market=market, rest_url=serve(path, body), interval=query["interval"])
        said = _tried(door.read(http, query["symbol"], start * _MS, stop * _MS))
        if isinstance(expected, str):
            assert expected in said
            continue
        assert said == f"{expected} rows, {rows[0][0]} to {rows[-1][0]}"
        door = Candles(market=market, rest_url=serve(path, body), interval=query["interval"])
        said = _tried(door.read(http, query["symbol"], start * _MS, stop * _MS - 1))
        assert said.startswith(f"{expected - 1} rows")  # the last one still runs


_FUNDING = [
    "1 rows, 1602806400000 to 1602806400000",
    "expected `array`, got `null`",
    "expected `array`, got `null`",
    "100 rows, 1600128000000 to 1602979200000",
    "expected `array`, got `null`",
    "1 rows, 1698220800000 to 1698220800000",
    "6 rows, 1577836800000 to 1577980800000",
    "1 rows, 1698710400000 to 1698710400000",
    "was not asked for",
]


def test_recorded_funding(serve: Serve, http: Http, captures: Path) -> None:
    recorded = _recorded(captures, "usdm-recorded", "/fapi/v1/fundingRate")
    for (query, body), expected in zip(recorded, _FUNDING, strict=True):
        rows = json.loads(body) or [{"fundingTime": 1_577_836_800_000}]
        start = int(query.get("startTime", 0)) * _MS
        if not 10**18 < start < 2 * 10**18:  # none, or in another unit
            start = rows[0]["fundingTime"] // 1000 * 1000 * _MS
        stop = int(query["endTime"]) * _MS if expected == _FUNDING[-1] else 2 * 10**18
        door = Funding(rest_url=serve("/fapi/v1/fundingRate", body))
        assert expected in _tried(door.read(http, query["symbol"], start, stop)).lower()


def test_recorded_rates_are_eight_hours_apart(serve: Serve, http: Http, captures: Path) -> None:
    body = _recorded(captures, "usdm-recorded", "/fapi/v1/fundingRate")[3][1]
    door = Funding(rest_url=serve("/fapi/v1/fundingRate", body))
    (page, _), *_ = door.read(http, "BTCUSDT", 1_600_128_000_000 * _MS, 2 * 10**18)
    assert page["interval"].to_pylist() == [None] + [8 * 3600] * 99
    assert page["rate"][0].as_py() == Decimal("-0.0002227")
    assert page["mark_price"].null_count == 100


_INTEREST = [
    "10 rows, 1602028800000 to 1602806400000",
    "1 rows, 1602989400000 to 1602989400000",
    "10 rows, 1602201600000 to 1602979200000",
    "missing required field `symbol`",  # of COIN-M, by pair
    "missing required field `symbol`",
]


def test_recorded_open_interest(serve: Serve, http: Http, captures: Path) -> None:
    path = "/futures/data/openInterestHist"
    recorded = _recorded(captures, "futures-data-recorded", path)
    for (query, body), expected in zip(recorded, _INTEREST, strict=True):
        start = json.loads(body)[0]["timestamp"] * _MS
        door = OpenInterest(rest_url=serve(path, body), period=query["period"])
        said = _tried(door.read(http, query.get("symbol", "BTCUSD"), start, start + 10**15))
        assert expected in said
        if "symbol" in query and "startTime" in query:  # the newest rows came instead
            begin, stop = _in_ms(query["startTime"]), _in_ms(query["endTime"])
            door = OpenInterest(rest_url=serve(path, body), period=query["period"])
            with pytest.raises(DataError, match="was not asked for"):
                list(door.read(http, query["symbol"], begin * _MS, stop * _MS))


def test_recorded_open_interest_is_in_base_and_in_quote(
    serve: Serve, http: Http, captures: Path
) -> None:
    path = "/futures/data/openInterestHist"
    body = _recorded(captures, "futures-data-recorded", path)[1][1]
    door = OpenInterest(rest_url=serve(path, body))
    start = 1_602_989_400_000 * _MS
    ((page, _),) = door.read(http, "BTCUSDT", start, start + _MINUTE)
    assert page["open_interest"].to_pylist() == [Decimal("36316.877")]
    assert page["open_interest_notional"].to_pylist() == [Decimal("413220015.26744573")]


@pytest.mark.parametrize(
    ("market", "name", "path", "count", "kinds", "trading"),
    [
        ("spot", "spot-exchangeinfo-20211012", "/api/v3/exchangeInfo", 200, {"spot": 200}, 108),
        (
            "usdm",
            "usdm-exchangeinfo-20210722",
            "/fapi/v1/exchangeInfo",
            122,
            {"perpetual": 120, "future": 2},
            121,
        ),
        ("usdm", "usdm-recorded", "/fapi/v1/exchangeInfo", 25, {"perpetual": 25}, 25),
    ],
)
def test_recorded_instruments(
    loopback: Loopback,
    http: Http,
    captures: Path,
    market: Any,
    name: str,
    path: str,
    count: int,
    kinds: dict[str, int],
    trading: int,
) -> None:
    lines = (captures / "binance" / f"rest-{name}.jsonl").read_text().splitlines()
    (body,) = [r["body"] for r in map(json.loads, lines) if r["request"].endswith(path)]
    loopback.put(path, body.encode())
    table = Instruments(market=market, rest_url=loopback.url).read(http)
    assert len(table) == count
    found = {row["values"]: row["counts"] for row in table["kind"].value_counts().to_pylist()}
    assert found == kinds
    assert table["status"].to_pylist().count("trading") == trading
    assert table["tick_size"].null_count == 0
    assert table["lot_size"].null_count == 0
    assert table["min_notional"].null_count == 0
    rows = {row["symbol"]: row for row in table.to_pylist()}
    tick = {"spot": "0.01", "usdm": "0.01" if count == 122 else "0.1"}[market]
    assert rows["BTCUSDT"]["tick_size"] == Decimal(tick)


def test_an_error_that_was_recorded_is_a_rejection(
    loopback: Loopback, http: Http, captures: Path
) -> None:
    recorded = _recorded(captures, "usdm-recorded", "/fapi/v1/ticker/24hr")
    (body,) = [body for query, body in recorded if query.get("symbol") == "BTCUSD_201225"]
    loopback.answer("/fapi/v1/klines", lambda query: (400, body, {}))
    door = Candles(market="usdm", rest_url=loopback.url)
    with pytest.raises(RejectedError, match=r"klines: .*Invalid symbol.*-1121.*HTTP 400"):
        list(door.read(http, "BTCUSD_201225", _START, _START + _MINUTE))
    loopback.answer("/fapi/v1/klines", lambda query: body)
    with pytest.raises(RejectedError, match="-1121"):
        list(door.read(http, "BTCUSD_201225", _START, _START + _MINUTE))


def test_aggregates_are_contiguous_where_the_ids_of_their_trades_are_not(
    serve: Serve, http: Http, captures: Path
) -> None:
    path = captures / "binance" / "archive-excerpt-usdm-aggtrades-BTCUSDT-2024-07-04-gaps.csv"
    names = ("a", "p", "q", "f", "l", "T", "m")
    cells = [line.split(",") for line in path.read_text().splitlines() if line[0].isdigit()]
    rows = [dict(zip(names, map(json.loads, _quoted(line)), strict=True)) for line in cells]
    door = AggTradesRest(
        market="usdm", rest_url=serve("/fapi/v1/aggTrades", json.dumps(rows).encode())
    )
    pages = Pages(door, http, Span("BTCUSDT", 0, _EVER, str(rows[0]["a"])), "BTCUSDT")
    table = pa.Table.from_batches(pages, door.schema)
    assert door.continuity == "contiguous"
    assert [int(each) for each in table["trade_id"].to_pylist()] == [r["a"] for r in rows]
    assert rows[-1]["a"] - rows[0]["a"] + 1 == len(rows)
    skipped = [b["f"] - a["l"] - 1 for a, b in pairwise(rows)]
    assert any(skipped)
    assert TradesRest(market="usdm").continuity == "increasing"


def _quoted(cells: list[str]) -> list[str]:
    """Return cells as REST writes them: amounts as text, the rest as it stands."""
    return [f'"{c}"' if n in (1, 2) else c.lower() for n, c in enumerate(cells)]


def test_a_page_that_is_no_json_is_refused(serve: Serve, http: Http) -> None:
    door = Candles(rest_url=serve("/api/v3/klines", b"<html></html>"))
    with pytest.raises(MessageError, match="api/v3/klines"):
        list(door.read(http, "XRPETH", _START, _START + _MINUTE))
