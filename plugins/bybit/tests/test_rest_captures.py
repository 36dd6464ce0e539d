"""Recorded answers of Bybit's REST interface, each read through its door or refused by name."""

import gzip
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice

import pyarrow as pa
import pytest

from werks.archive import ByteStream, fetched
from werks.errors import DataError, MessageError, RejectedError
from werks.history import Pages, Span
from werks_bybit import Candles, Funding, Instruments, OpenInterest, Trades, TradesRest

NS = 10**9
PATHS = {
    TradesRest: "recent-trade",
    Candles: "kline",
    OpenInterest: "open-interest",
    Funding: "funding/history",
    Instruments: "instruments-info",
}
FIXTURES, CAPTURED = "rest-v5-fixtures.jsonl", "ws-v5-fixtures-roq.jsonl"


@pytest.fixture
def recorded(captures):
    """Return the answers of a file by the name of the fixture, or by the request."""

    def read(name):
        lines = map(json.loads, (captures / "bybit" / name).read_text().splitlines())
        return {
            each.get("name") or each["request"]: each.get("raw") or each["body"] for each in lines
        }

    return read


@pytest.fixture
def serve(loopback):
    """Return a function that has one answer for a door, and gives the door."""

    def served(door, body, **options):
        loopback.put(f"v5/market/{PATHS[door]}", body.encode())
        return door(rest_url=loopback.url, **options)

    return served


def _rows(door, http, start, stop, symbol="BTCUSDT"):
    if isinstance(door, Instruments):
        batch = door.read(http)
        return batch.drop_columns(["timestamp"]).to_pylist()
    return list(islice(_all(door, http, symbol, start, stop), 10_000))


def _all(door, http, symbol, start, stop):
    span = Span(
        symbol, *(int(datetime.fromisoformat(f"{t}Z").timestamp()) * NS for t in (start, stop))
    )
    for batch in Pages(door, http, span, f"{door.exchange} {symbol}"):
        yield from batch.to_pylist()


DAY = ("2024-03-08T00:00:00", "2024-03-09T00:00:00")


def test_funding_rates(recorded, serve, http):
    door = serve(Funding, recorded(FIXTURES)["http_get_funding_history.json"])
    rates = _rows(door, http, *DAY)
    assert [rate["rate"] for rate in rates] == [Decimal("0.00015"), Decimal("0.0001")]
    assert [rate["timestamp"].hour for rate in rates] == [0, 8]
    assert {rate["interval"] for rate in rates} == {None}


def test_a_recent_trade(recorded, serve, http):
    door = serve(TradesRest, recorded(FIXTURES)["http_get_trades_recent.json"])
    (trade,) = _rows(door, http, *DAY)
    assert trade["trade_id"] == "a905d5c3-1ed0-4f37-83e4-9c73a2fe2f01"
    assert trade["timestamp"] == datetime(2024, 3, 8, 9, 54, 39, tzinfo=UTC)
    values = [trade[name] for name in ("price", "size", "notional", "tick_rule", "flag")]
    assert values == [Decimal("27450.5"), Decimal("0.005"), Decimal("137.2525"), 1, None]


def test_a_candle_that_starts_amid_a_minute_is_refused(recorded, serve, http):
    body = recorded(FIXTURES)["http_get_klines_linear.json"]
    with pytest.raises(DataError, match="1709891679000 is not the start of a candle of 1m"):
        _rows(serve(Candles, body), http, *DAY)
    minute = body.replace("1709891679000", "1709891640000")
    around = ("2024-03-08T09:54:00", "2024-03-08T10:00:00")
    assert _rows(serve(Candles, minute), http, *around) == []  # 39 seconds old: it still runs
    later = minute.replace("1709891679050", "1709891700000")
    (candle,) = _rows(serve(Candles, later), http, *around)
    values = [candle[name] for name in ("open", "high", "low", "close", "volume", "notional")]
    assert values == [27450, 27460, 27440, 27455, Decimal("123.45"), 3_390_000]
    assert candle["trades"] is None


@pytest.mark.parametrize(
    ("name", "market", "symbols", "kind"),
    [
        ("http_get_instruments_inverse.json", "inverse", ["BTCUSD"], "perpetual"),
        ("http_get_instruments_inverse_symbol_type.json", "inverse", ["BRENTUSD"], "perpetual"),
        ("http_get_instruments_linear.json", "linear", ["BTCUSDT", "ETHUSDT"], "perpetual"),
        ("http_get_instruments_linear_symbol_type.json", "linear", ["TSLAUSDT"], "perpetual"),
        ("http_get_instruments_spot.json", "spot", ["BTCUSDT", "ETHUSDT"], "spot"),
        ("http_get_instruments_spot_xstocks.json", "spot", ["AAPLUSDT"], "spot"),
    ],
)
def test_instruments_of_every_market(recorded, serve, http, name, market, symbols, kind):
    door = serve(Instruments, recorded(FIXTURES)[name], market=market)
    rows = _rows(door, http, *DAY)
    assert [row["symbol"] for row in rows] == symbols
    assert {row["kind"] for row in rows} == {kind}
    assert {row["inverse"] for row in rows} == {market == "inverse"}
    assert all(row["tick_size"] > 0 and row["lot_size"] > 0 for row in rows)


def test_captured_instruments(recorded, serve, http):
    found = recorded(CAPTURED)
    door = serve(Instruments, found["json_instruments_info_ack/spot"], market="spot")
    first, second = _rows(door, http, *DAY)
    assert (first["lot_size"], first["min_notional"]) == (Decimal("0.000001"), 1)
    assert (second["symbol"], second["min_size"]) == ("ETHUSDT", Decimal("0.0005"))
    nft, bonk = _rows(serve(Instruments, found["json_instruments_info_ack/linear"]), http, *DAY)
    assert (nft["symbol"], nft["tick_size"]) == ("10000NFTUSDT", Decimal("0.000005"))
    assert (bonk["expiry"], bonk["min_notional"], bonk["settle"]) == (None, None, "USDT")
    assert bonk["listed"].isoformat() == "2023-01-06T02:10:39+00:00"


@pytest.mark.parametrize(
    ("file", "name", "said"),
    [
        (FIXTURES, "http_get_instruments_option.json", "unknown contractType ''; update"),
        (FIXTURES, "http_get_instruments_option_symbol_id.json", "is of option, not of linear"),
        (CAPTURED, "json_instruments_info_ack/option", "is of option, not of linear"),
    ],
)
def test_options_are_refused(recorded, serve, http, file, name, said):
    with pytest.raises(DataError, match=said):
        _rows(serve(Instruments, recorded(file)[name]), http, *DAY)


@pytest.mark.parametrize("door", PATHS)
def test_answers_of_other_endpoints_are_refused(recorded, serve, http, door):
    book = recorded(FIXTURES)["http_get_orderbook.json"]
    with pytest.raises(MessageError, match=rf"/{PATHS[door]}.*: cannot be read: .* field `list`"):
        _rows(serve(door, book), http, *DAY)
    with pytest.raises(RejectedError, match=r"error sign!.*\(retCode 10004\)"):
        _rows(serve(door, recorded(CAPTURED)["json_error/simple"]), http, *DAY)


@pytest.mark.parametrize("door", PATHS)
def test_the_recorded_tickers_are_no_rows_of_these_doors(recorded, serve, http, door):
    found = recorded("rest-recorded-2023.jsonl")
    tickers = {name: body for name, body in found.items() if " /v5/" in name}
    assert len(tickers) == 4
    for body in tickers.values():
        market = json.loads(body)["result"]["category"]
        if market == "spot" and door in (OpenInterest, Funding):
            market = "linear"  # they have no spot market; the rows are refused all the same
        with pytest.raises(
            MessageError, match=r"cannot be read: (Object missing|Expected `array`)"
        ):
            _rows(serve(door, body, market=market), http, *DAY)


@pytest.mark.parametrize("door", PATHS)
def test_every_answer_of_the_old_interface_is_refused_as_not_v5(recorded, serve, http, door):
    old = recorded("rest-recorded-2023.jsonl") | recorded("rest-legacy-symbols-20210417.jsonl")
    bodies = [body for name, body in old.items() if " /v5/" not in name]
    assert len(bodies) == 31
    for body in bodies:
        with pytest.raises(RejectedError, match=rf"/{PATHS[door]}: the answer is not v5"):
            _rows(serve(door, body), http, *DAY)


def test_a_page_of_a_recorded_day_gives_the_trades_of_the_archive(captures, loopback, http, serve):
    day = date(2019, 10, 1)
    name = "BTCUSD2019-10-01.csv.gz"
    packed = (captures / "bybit" / f"archive-trading-{name}").read_bytes()
    loopback.put(f"trading/BTCUSD/{name}", packed)
    archive = Trades(market="inverse", archive_url=loopback.url)
    (file,) = archive.files(["BTCUSD"], day, day + timedelta(days=1), http)
    with fetched(file, http) as path, ByteStream(path, file.url) as stream:
        newest = next(archive.read(file, stream, ["BTCUSD"])).slice(0, 1000)
    lines = gzip.decompress(packed).decode().splitlines()
    cells = [dict(zip(lines[0].split(","), line.split(","), strict=True)) for line in lines[1:1001]]
    rows = [
        {
            "execId": cell["trdMatchID"],
            "symbol": "BTCUSD",
            "price": cell["price"],
            "size": cell["size"],
            "side": cell["side"],
            "time": str(int(Decimal(cell["timestamp"]) * 1000)),
            "isBlockTrade": False,
        }
        for cell in cells
    ]
    body = {"retCode": 0, "result": {"category": "inverse", "list": rows}, "time": 1}
    door = serve(TradesRest, json.dumps(body), market="inverse")
    ((page, cursor),) = door.read(http, "BTCUSD", 0, 2**62)
    expected = newest.take(pa.array(range(999, -1, -1)))
    for column in ("trade_id", "tick_rule", "price", "size", "notional", "exchange"):
        assert page[column].to_pylist() == expected[column].to_pylist(), column
    assert cursor == cells[0]["trdMatchID"]
    assert loopback.requests[-1].query == {
        "category": "inverse",
        "symbol": "BTCUSD",
        "limit": "1000",
    }
